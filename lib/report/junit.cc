// A report as JUnit's XML, as Jenkins, GitLab and others read it.
#include <fmt/format.h>

#include "base/utf8.h"
#include "report/text.h"

namespace plumb::report {
namespace {

// Inside an attribute. XML 1.0 has no control characters, not even as references, and neither U+FFFE nor U+FFFF.
std::string escaped(std::string_view text) {
  std::string out;
  const std::string safe = printable(text);
  for (std::string_view rest = safe; !rest.empty();) {
    const Utf8Step step = decode_utf8(rest);
    const std::string_view bytes = rest.substr(0, step.size);
    rest.remove_prefix(step.size);
    if (!step.valid || step.code == 0xfffe || step.code == 0xffff) {
      out += "\xef\xbf\xbd";
    } else if (bytes == "&") {
      out += "&amp;";
    } else if (bytes == "<") {
      out += "&lt;";
    } else if (bytes == ">") {
      out += "&gt;";
    } else if (bytes == "\"") {
      out += "&quot;";
    } else {
      out += bytes;
    }
  }
  return out;
}

double seconds(Duration d) {
  return static_cast<double>(d.ns) / 1e9;
}

void append_case(std::string& out, const Report& r, const Verdict& v) {
  const std::string name = v.group.empty() ? v.expression : v.expression + " [" + v.group + "]";
  out += fmt::format(R"(    <testcase classname="plumb.{}" name="{}" time="{:.3f}")", escaped(r.tool),
                     escaped(name), seconds(r.duration));
  const std::string text = (v.inconclusive ? "inconclusive: " : "") + escaped(measured_text(v));
  if (v.failed) {
    out += fmt::format(">\n      <failure message=\"{0}\" type=\"{1}\">{0}</failure>\n    </testcase>\n",
                       text, v.inconclusive ? "inconclusive" : "threshold");
  } else if (v.inconclusive) {
    out += fmt::format(">\n      <skipped message=\"{}\"/>\n    </testcase>\n", text);
  } else {
    out += fmt::format(">\n      <system-out>{}</system-out>\n    </testcase>\n", text);
  }
}

}  // namespace

std::string to_junit(const Report& r) {
  std::size_t failures = 0;
  std::size_t skipped = 0;
  for (const Verdict& v : r.verdicts) {
    failures += v.failed ? 1 : 0;
    skipped += v.inconclusive && !v.failed ? 1 : 0;
  }
  // A run that ended early is a test that could not be judged.
  const int errors = r.error.empty() ? 0 : 1;
  std::string started = time_text(r.started);
  started.pop_back();  // the format's times have no zone
  const std::string counts =
      fmt::format(R"(tests="{}" failures="{}" errors="{}")",
                  r.verdicts.size() + static_cast<std::size_t>(errors), failures, errors);
  std::string out = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"plumb\" {0} time=\"{3:.3f}\">\n"
      "  <testsuite name=\"plumb {1}\" {0} skipped=\"{4}\" time=\"{3:.3f}\" timestamp=\"{2}\">\n    <properties>\n",
      counts, escaped(r.tool), started, seconds(r.duration), skipped);
  for (const auto& [name, value] : certificate(r))
    out += fmt::format("      <property name=\"{}\" value=\"{}\"/>\n", escaped(name), escaped(value));
  out += "    </properties>\n";
  for (const Verdict& v : r.verdicts) append_case(out, r, v);
  if (errors != 0) {
    out += fmt::format(
        "    <testcase classname=\"plumb.{}\" name=\"the run\" time=\"{:.3f}\">\n"
        "      <error message=\"{}\" type=\"run\"/>\n    </testcase>\n",
        escaped(r.tool), seconds(r.duration), escaped(r.error));
  }
  out += "  </testsuite>\n</testsuites>\n";
  return out;
}

}  // namespace plumb::report
