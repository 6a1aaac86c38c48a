// A report as Markdown (GitHub's and GitLab's, with tables), for a job's page.
#include <fmt/format.h>

#include "report/text.h"

namespace plumb::report {
namespace {

constexpr std::size_t kMostRows = 100;  // a job's page holds 1 MiB; the JSON report has all

// Every character that Markdown, a table or HTML may give a meaning to becomes a reference.
std::string escaped(std::string_view text) {
  constexpr std::string_view kPlain = " ,-=%()";
  std::string out;
  for (const char c : printable(text)) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter =
        (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
    if (letter || byte >= 0x80 || kPlain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("&#{};", byte);
    }
  }
  return out;
}

std::string code(std::string_view text) {
  return text.empty() ? std::string{} : "<code>" + escaped(text) + "</code>";
}

// In one line, so that what stands beside it in another column stays beside it.
std::string unbroken(std::string text) {
  for (std::size_t at = text.find(' '); at != std::string::npos; at = text.find(' ', at))
    text.replace(at, 1, "&nbsp;");
  return text;
}

// A group that failed before one that did not.
void append_verdicts(std::string& out, const Report& r) {
  out += "| | expression | group | measured | limit or interval | n |\n|---|---|---|---:|---:|---:|\n";
  std::size_t rows = 0;
  for (const bool failed : {true, false}) {
    for (const Verdict& v : r.verdicts) {
      if (v.failed != failed || ++rows > kMostRows) continue;
      std::string values, limits, counts;
      for (const Measured& m : v.measured) {
        const std::string_view next = values.empty() ? "" : "<br>";
        values += fmt::format("{}{}&nbsp;{}", next, unbroken(code(m.text)), unbroken(escaped(m.value)));
        limits += fmt::format("{}{}", next, unbroken(escaped(m.interval.empty() ? m.limit : m.interval)));
        counts += fmt::format("{}{}", next, m.n);
      }
      const std::string_view strong = failed ? "**" : "";
      out += fmt::format("| {}{}{} | {} | {} | {} | {} | {} |\n", strong, loud_outcome(v), strong,
                         code(v.expression), code(v.group), values, limits, counts);
    }
  }
  if (rows > kMostRows) out += fmt::format("\n{} more are not shown.\n", rows - kMostRows);
}

}  // namespace

std::string to_markdown(const Report& r) {
  std::size_t failed = 0;
  std::size_t open = 0;
  for (const Verdict& v : r.verdicts) {
    failed += v.failed ? 1 : 0;
    open += v.inconclusive ? 1 : 0;
  }
  std::string out = fmt::format("## plumb {}: ", escaped(r.tool));
  if (r.verdicts.empty()) {
    out += fmt::format("{} events\n\n", r.kept);
  } else {
    out += fmt::format("{} of {} failed{}\n\n", failed, r.verdicts.size(),
                       open == 0 ? std::string{} : fmt::format(", {} inconclusive", open));
    for (const Verdict& v : r.verdicts) {
      if (v.inconclusive && v.rows_needed)
        out +=
            fmt::format("{}: about {} rows in each run would tell.\n\n", code(v.expression), *v.rows_needed);
      if (v.inconclusive) break;  // of groups, the first
    }
    append_verdicts(out, r);
  }
  if (r.lost() != 0)
    out += fmt::format("\n**{} events were lost**: the values are of those that were seen.\n", r.lost());
  if (!r.error.empty()) out += fmt::format("\n**The run ended early**: {}\n", escaped(r.error));
  out += "\n<details><summary>What this rests on</summary>\n\n| | |\n|---|---|\n";
  for (const auto& [name, value] : certificate(r))
    out += fmt::format("| {} | {} |\n", escaped(name), escaped(value));
  out += "\n</details>\n";
  return out;
}

}  // namespace plumb::report
