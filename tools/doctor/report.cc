// How doctor's findings look:
//
//   Machine
//     kernel        6.18.44 (x86_64)
//     BTF           yes
//   ...
//   tcpconnect
//     connect-error: connects that fail before a SYN is sent (optional)
//       no   fexit       fentry programs are refused: EPERM: Operation not permitted
//       use  sys_exit    ~60 ns a syscall of every process
//   ...
//   Verdict
//     tcpconnect    can run: connect-error=sys_exit
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "doctor/report.h"

namespace plumb {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kLabel = 16;  // columns up to a value: two of indent, the label, blanks

enum class Tone : std::uint8_t { plain, good, bad, unsure, heading };

class Page {
 public:
  explicit Page(bool color) : color_(color) {}

  void heading(std::string_view text) {
    if (!out_.empty()) out_ += '\n';
    paint(text, Tone::heading);
    out_ += '\n';
  }
  // "  label         value", the value wrapped below itself.
  void line(std::string_view label, std::string_view value, Tone tone = Tone::plain) {
    cell(label, 2, kLabel);
    wrapped(value, kLabel, tone);
  }
  // `text` from column `from` on, then blanks up to column `to`, at least one.
  void cell(std::string_view text, std::size_t from, std::size_t to, Tone tone = Tone::plain) {
    fill(from);
    paint(text, tone);
    at_ += display_width(text);
    fill(std::max(to, at_ + 1));
  }
  // A command to be copied: on a line of its own, never broken.
  void command(std::string_view label, std::string_view command) {
    if (!label.empty()) {
      cell(label, 2, 0);
      out_.back() = '\n';
      at_ = 0;
    }
    fill(4);
    paint(command, Tone::plain);
    out_ += '\n';
    at_ = 0;
  }
  // Breaks at blanks so that no line passes kWidth unless a single word does.
  void wrapped(std::string_view text, std::size_t indent, Tone tone) {
    while (text.ends_with(' ')) text.remove_suffix(1);
    bool first = true;
    while (!text.empty()) {
      const std::string_view word = text.substr(0, text.find(' '));
      text.remove_prefix(std::min(text.size(), word.size() + 1));
      const std::size_t width = display_width(word);
      if (!first && at_ + 1 + width > kWidth) {
        out_ += '\n';
        at_ = 0;
        fill(indent);
      } else if (!first) {
        out_ += ' ';
        ++at_;
      }
      paint(word, tone);
      at_ += width;
      first = false;
    }
    out_ += '\n';
    at_ = 0;
  }
  std::string take() { return std::move(out_); }

 private:
  void fill(std::size_t column) {
    if (column <= at_) return;
    out_.append(column - at_, ' ');
    at_ = column;
  }
  void paint(std::string_view text, Tone tone) {
    static constexpr std::string_view kCodes[] = {"", "\033[32m", "\033[31m", "\033[33m", "\033[1m"};
    const std::string_view code = color_ ? kCodes[static_cast<std::size_t>(tone)] : std::string_view{};
    out_ += code;
    append_printable(out_, text);
    if (!code.empty()) out_ += "\033[0m";
  }

  bool color_;
  std::string out_;
  std::size_t at_ = 0;
};

std::vector<Capability> missing(const DoctorReport& r) {
  std::vector<Capability> out = missing_for_tracing(r.privileges);
  for (const Capability c : lacking(r.privileges, r.profits)) out.push_back(c);
  return out;
}

void show_machine(Page& page, const DoctorReport& r) {
  page.heading("Machine");
  page.line("kernel", r.release + " (" + r.machine + ")");
  page.line("BTF", r.no_btf.empty() ? "yes" : r.no_btf, r.no_btf.empty() ? Tone::good : Tone::bad);
  page.line("BPF compiler", r.jit.empty()   ? "cannot be told without root"
                            : r.jit == "on" ? "on"
                                            : "off: probes are interpreted, several times slower");
  const std::string& lock = r.privileges.lockdown;
  page.line("lockdown", lock.empty() ? "not built in, or cannot be told" : lock,
            lock == "confidentiality" ? Tone::bad : Tone::plain);
  if (r.cgroup2.empty()) {
    page.line("cgroup v2",
              "not mounted: --cgroup, --container and container names of ended processes need it",
              Tone::unsure);
  } else {
    page.line("cgroup v2", r.cgroup2 + (r.cgroup1.empty() ? "" : " (cgroup v1 beside it)"));
  }
  page.line("tracefs", r.tracefs.empty() ? "not mounted; not needed" : r.tracefs);
  if (!r.initial_pid_namespace) {
    page.line(
        "process ids",
        "of a PID namespace: -p and -- COMMAND are refused, since the kernel has others; share the host's "
        "(--pid=host)",
        Tone::unsure);
  }
  if (r.privileges.memlock_counts && r.privileges.memlock_limit != ~std::uint64_t{0}) {
    page.line("memory lock",
              fmt::format("{} KiB; this kernel charges BPF memory to it", r.privileges.memlock_limit >> 10),
              Tone::unsure);
  }
}

void show_privileges(Page& page, const DoctorReport& r) {
  const Privileges& p = r.privileges;
  page.heading("Privileges");
  page.line("user", p.euid == 0 ? "root" : fmt::format("uid {}", p.euid));
  const auto have = held_for_tracing(p);
  page.line("held", have.empty() ? "none of those that tracing needs" : capability_list(have));
  const auto lack = missing(r);
  page.line("missing", lack.empty() ? "nothing" : capability_list(lack),
            lack.empty() ? Tone::good : Tone::bad);
  if (!p.initial_user_namespace) {
    page.line("namespace", "not the initial user namespace: capabilities held here do not count for BPF",
              Tone::bad);
  }
  if (!lack.empty()) page.command("to grant them", setcap_line(p, r.profits));
}

void show_variant(Page& page, const DoctorHook& hook, const DoctorVariant& v, const Privileges& p,
                  bool verbose) {
  const bool chosen = v.name == hook.chosen;
  const Tone tone = v.feature.works ? Tone::good : v.unknown ? Tone::unsure : Tone::bad;
  constexpr std::size_t kVerdict = 4;  // columns
  constexpr std::size_t kName = 9;
  constexpr std::size_t kText = 23;
  page.cell(chosen ? "use" : v.feature.works ? "yes" : v.unknown ? "?" : "no", kVerdict, kName, tone);
  page.cell(v.name, kName, kText);
  std::string text = v.feature.works ? v.cost : v.feature.why;
  if (v.feature.works && text.empty()) text = "works";
  if (v.unknown && !verbose) text = "cannot be told without " + capability_list(missing_for_tracing(p));
  if (verbose) text += fmt::format(" [probed in {} us]", v.feature.probe_us);
  page.wrapped(text, kText, Tone::plain);
}

void show_tool(Page& page, const DoctorTool& tool, const Privileges& p, bool verbose) {
  page.heading(tool.name);
  if (tool.hooks.empty()) page.line("hooks", "it names none to choose among");
  for (const DoctorHook& hook : tool.hooks) {
    page.cell(hook.name + ":", 2, 0);
    page.wrapped(hook.purpose + (hook.required ? "" : " (optional)"), 4, Tone::plain);
    for (const DoctorVariant& v : hook.variants) show_variant(page, hook, v, p, verbose);
  }
}

void show_containers(Page& page, const DoctorReport& r, bool verbose) {
  page.heading("Containers");
  if (r.containers.empty()) return page.line("found", "none");
  std::map<std::string, std::size_t> by_runtime;
  for (const Container& c : r.containers) ++by_runtime[c.runtime];
  std::string counts;
  for (const auto& [runtime, n] : by_runtime)
    counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", n, runtime);
  page.line("found", counts + (verbose ? "" : " (-v lists them)"));
  if (!verbose) return;
  for (const Container& c : r.containers) {
    std::string name = c.pod.empty() ? c.name : c.namespace_ + "/" + c.pod + "/" + c.name;
    const std::string id = c.id.substr(0, 12);
    if (name != id && name != c.id) name += " (" + id + ")";
    page.line(c.runtime, name + (c.v2 ? "" : ", cgroup v1 only: --container cannot name it"));
  }
}

std::string chosen_variants(const DoctorTool& tool) {
  std::string out;
  for (const DoctorHook& hook : tool.hooks) {
    out += fmt::format("{}{}={}", out.empty() ? "" : ", ", hook.name,
                       hook.chosen.empty() ? "none" : hook.chosen);
  }
  return out;
}

void show_verdict(Page& page, const DoctorReport& r) {
  page.heading("Verdict");
  if (!r.forced.empty()) page.line("PLUMB_HOOKS", r.forced, Tone::unsure);
  for (const DoctorTool& tool : r.tools) {
    if (!tool.error) {
      const std::string variants = chosen_variants(tool);
      page.line(tool.name, variants.empty() ? "can run" : "can run: " + variants, Tone::good);
      continue;
    }
    page.line(tool.name, tool.error->what + ": " + tool.error->why, Tone::bad);
    const std::string_view hint = tool.error->hint;
    const std::size_t setcap = std::min(hint.find("setcap "), hint.size());
    if (!hint.empty()) page.line("", hint.substr(0, setcap));
    if (setcap != hint.size()) page.command("", hint.substr(setcap));
  }
}

nlohmann::ordered_json text_or_null(const std::string& s) {
  return s.empty() ? nullptr : nlohmann::ordered_json(s);
}

nlohmann::ordered_json names_json(const std::vector<Capability>& capabilities) {
  auto out = nlohmann::ordered_json::array();
  for (const Capability c : capabilities) out.push_back(std::string(capability_name(c)));
  return out;
}

nlohmann::ordered_json privileges_json(const DoctorReport& r) {
  const Privileges& p = r.privileges;
  nlohmann::ordered_json out;
  out["uid"] = p.euid;
  out["held"] = names_json(held_for_tracing(p));
  out["missing"] = names_json(missing(r));
  out["initial_user_namespace"] = p.initial_user_namespace;
  out["seccomp"] = p.seccomp;
  out["unprivileged_bpf_disabled"] = nullptr;
  if (p.unprivileged_bpf_disabled) out["unprivileged_bpf_disabled"] = *p.unprivileged_bpf_disabled;
  out["memlock_limit_bytes"] = nullptr;  // no limit
  if (p.memlock_limit != ~std::uint64_t{0}) out["memlock_limit_bytes"] = p.memlock_limit;
  out["setcap"] = missing(r).empty() ? nullptr : nlohmann::ordered_json(setcap_line(p, r.profits));
  return out;
}

nlohmann::ordered_json tool_json(const DoctorTool& tool) {
  nlohmann::ordered_json out;
  out["name"] = tool.name;
  out["can_run"] = !tool.error.has_value();
  out["why"] = tool.error ? text_or_null(tool.error->why) : nullptr;
  out["hint"] = tool.error ? text_or_null(tool.error->hint) : nullptr;
  out["hooks"] = nlohmann::ordered_json::array();
  for (const DoctorHook& hook : tool.hooks) {
    nlohmann::ordered_json h;
    h["name"] = hook.name;
    h["purpose"] = hook.purpose;
    h["required"] = hook.required;
    h["chosen"] = text_or_null(hook.chosen);
    h["variants"] = nlohmann::ordered_json::array();
    for (const DoctorVariant& v : hook.variants) {
      nlohmann::ordered_json one;
      one["name"] = v.name;
      one["works"] = v.unknown ? nullptr : nlohmann::ordered_json(v.feature.works);
      one["why"] = text_or_null(v.feature.why);
      one["cost"] = text_or_null(v.cost);
      one["probe_ms"] = static_cast<double>(v.feature.probe_us) / 1000;
      h["variants"].push_back(std::move(one));
    }
    out["hooks"].push_back(std::move(h));
  }
  return out;
}

nlohmann::ordered_json container_json(const Container& c) {
  nlohmann::ordered_json out;
  out["id"] = c.id;
  out["name"] = c.name;
  out["runtime"] = c.runtime;
  out["pod"] = text_or_null(c.pod);
  out["namespace"] = text_or_null(c.namespace_);
  out["cgroup"] = c.cgroup;
  out["cgroup_version"] = c.v2 ? 2 : 1;
  return out;
}

}  // namespace

std::string doctor_text(const DoctorReport& report, bool verbose, bool color) {
  Page page(color);
  show_machine(page, report);
  show_privileges(page, report);
  for (const DoctorTool& tool : report.tools) show_tool(page, tool, report.privileges, verbose);
  show_containers(page, report, verbose);
  show_verdict(page, report);
  return page.take();
}

std::string doctor_json(const DoctorReport& report) {
  nlohmann::ordered_json out;
  out["type"] = "doctor";
  out["ok"] = report.ok();
  out["kernel"] = {{"release", report.release}, {"machine", report.machine}};
  out["btf"] = report.no_btf.empty();
  out["jit"] = report.jit.empty() ? nullptr : nlohmann::ordered_json(report.jit == "on");
  out["lockdown"] = text_or_null(report.privileges.lockdown);
  out["cgroup2_mount"] = text_or_null(report.cgroup2);
  out["cgroup1_mount"] = text_or_null(report.cgroup1);
  out["tracefs_mount"] = text_or_null(report.tracefs);
  out["initial_pid_namespace"] = report.initial_pid_namespace;
  out["privileges"] = privileges_json(report);
  out["forced_hooks"] = text_or_null(report.forced);
  out["tools"] = nlohmann::ordered_json::array();
  for (const DoctorTool& tool : report.tools) out["tools"].push_back(tool_json(tool));
  out["containers"] = nlohmann::ordered_json::array();
  for (const Container& c : report.containers) out["containers"].push_back(container_json(c));
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace plumb
