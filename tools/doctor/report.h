// `plumb doctor`: what this machine and this user can trace, and what is missing.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "probe/features.h"
#include "probe/privileges.h"
#include "proc/process.h"
#include "run/tool.h"

namespace plumb {

struct DoctorVariant {
  std::string name, cost;
  Feature feature;
  bool unknown = false;  // refused for want of a privilege: what the kernel can do was not to be found out
};

struct DoctorHook {
  std::string name, purpose;
  bool required = true;
  std::string chosen;  // the variant in use; empty: none
  std::vector<DoctorVariant> variants;
};

struct DoctorTool {
  std::string name;
  std::vector<DoctorHook> hooks;
  std::optional<Error> error;  // why it cannot run; nothing: it can
};

// What doctor found out. Passive, so that tests show machines that they made up.
struct DoctorReport {
  std::string release, machine;
  std::string no_btf;                 // why the kernel's BTF cannot be read; empty: it can
  std::string jit;                    // "on", "off"; empty: cannot be told
  std::optional<Error> cannot_trace;  // why no tool can run, whatever it hooks; nothing: some may
  Privileges privileges;
  std::vector<Capability> profits;  // what the tools profit from beside what loading takes
  std::string cgroup2;              // mount point; empty: not mounted
  std::string cgroup1;              // a v1 mount beside it; empty: none
  std::string tracefs;              // mount point; empty: not mounted
  bool initial_pid_namespace = true;
  std::string forced;  // PLUMB_HOOKS
  std::vector<Container> containers;
  std::vector<DoctorTool> tools;

  // Every tool can run in some variant.
  bool ok() const;
};

// Looks and tries; attaches nothing and leaves nothing behind. Needs no privileges, but tells less without.
DoctorReport examine(std::span<const ToolInfo* const> tools, const ProcFs& procfs = system_procfs());

// For people: 80 columns. `verbose` adds each container and what every probe took.
std::string doctor_text(const DoctorReport& report, bool verbose, bool color);

// The same as one JSON object on a line of its own. Keys are as stable as those of the tools' lines; what
// cannot be told is null.
std::string doctor_json(const DoctorReport& report);

// The command: prints to standard output; returns the exit status: 0 when all tools can run in some variant,
// else 1.
int run_doctor(std::span<const ToolInfo* const> tools, bool json, bool verbose);

}  // namespace plumb
