#include "doctor/report.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "probe/kernel_btf.h"
#include "probe/skeleton.h"
#include "proc/mounts.h"

namespace plumb {
namespace {

bool for_want_of_privilege(const Feature& feature, const Privileges& p) {
  const bool refused = feature.error == EPERM || feature.error == EACCES;
  return !feature.works && refused && !missing_for_tracing(p).empty();
}

DoctorHook examine_hook(const Hook& hook, Features& features, const Privileges& privileges) {
  DoctorHook out{std::string(hook.name), std::string(hook.purpose), hook.required, {}, {}};
  for (const HookVariant& v : hook.variants) {
    Feature feature = v.probe(features);
    const bool unknown = for_want_of_privilege(feature, privileges);
    out.variants.push_back({std::string(v.name), std::string(v.cost), std::move(feature), unknown});
  }
  return out;
}

DoctorTool examine_tool(const ToolInfo& info, Features& features, const DoctorReport& report) {
  DoctorTool tool{std::string(info.name), {}, {}};
  std::vector<Hook> hooks = info.make()->hooks();
  for (Hook& hook : hooks) hook.wanted = true;  // whatever a run without options makes use of
  for (const Hook& hook : hooks) tool.hooks.push_back(examine_hook(hook, features, report.privileges));
  const auto choices = choose_hooks(features, hooks, report.forced);
  if (report.cannot_trace) {
    tool.error = report.cannot_trace;
  } else if (!choices) {
    tool.error = choices.error();
  } else {
    for (std::size_t i = 0; i < choices->size(); ++i) {
      if ((*choices)[i].variant != nullptr) tool.hooks[i].chosen = (*choices)[i].variant->name;
    }
  }
  return tool;
}

std::string jit_state(const ProcFs& procfs) {
  const auto text = procfs.read("/proc/sys/net/core/bpf_jit_enable");
  if (!text || text->empty()) return {};
  return text->front() == '0' ? "off" : "on";
}

// https://no-color.org: any non-empty value of NO_COLOR turns colour off.
bool color_wanted() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  if (no_color != nullptr && *no_color != '\0') return false;
  return ::isatty(STDOUT_FILENO) == 1 && (term == nullptr || std::string_view(term) != "dumb");
}

}  // namespace

bool DoctorReport::ok() const {
  return std::ranges::none_of(tools, [](const DoctorTool& t) { return t.error.has_value(); });
}

DoctorReport examine(std::span<const ToolInfo* const> tools, const ProcFs& procfs) {
  DoctorReport report;
  if (utsname names{}; ::uname(&names) == 0) {
    report.release = names.release;
    report.machine = names.machine;
  }
  if (const auto btf = KernelBtf::load(); !btf) report.no_btf = btf.error().why;
  report.jit = jit_state(procfs);
  report.privileges = own_privileges();
  if (const auto mounts = cgroup_mounts(procfs); mounts) {
    report.cgroup2 = mounts->v2;
    report.cgroup1 = mounts->v1;
  }
  report.tracefs = mount_point_of(procfs, "tracefs");
  report.initial_pid_namespace = in_initial_pid_namespace(procfs);
  report.containers = list_containers(procfs);
  report.forced = forced_hooks();
  Features features;
  if (auto able = features.essentials(); !able) report.cannot_trace = able.error();
  for (const ToolInfo* info : tools) {
    for (const Capability c : info->profits) {
      if (std::ranges::find(report.profits, c) == report.profits.end()) report.profits.push_back(c);
    }
  }
  for (const ToolInfo* info : tools) report.tools.push_back(examine_tool(*info, features, report));
  return report;
}

int run_doctor(std::span<const ToolInfo* const> tools, bool json, bool verbose) {
  LibbpfLog::capture(false);  // what libbpf says of probes that fail is no news
  raise_memlock_limit();
  if (auto mounted = need_system_mounts(system_procfs()); !mounted) {
    print_error(mounted.error(), false);
    return kFailed;
  }
  const DoctorReport report = examine(tools);
  const std::string text = json ? doctor_json(report) : doctor_text(report, verbose, color_wanted());
  const int written = print(text);
  return report.ok() ? written : kFailed;
}

}  // namespace plumb
