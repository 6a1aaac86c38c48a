// What the running kernel can do, found by trying: a tracepoint is looked up in the kernel's BTF, a program
// type is loaded as a two-instruction probe. Never by version numbers, since distributions backport and
// configurations differ.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct bpf_object;

namespace plumb {

class KernelBtf;

// The answer to one probe.
struct Feature {
  bool works = false;
  // "fentry programs are refused: EPERM: ...", "no tracepoint sock_send_length in this kernel's BTF"
  std::string why = {};
  // errno of the refusal. EPERM and EACCES may mean that we lack a privilege, not the kernel the feature.
  int error = 0;
  std::uint32_t probe_us = 0;  // what it took to find out
};

// Answers are found at the first question and kept; nothing is asked that nobody wants to know. A probe loads
// a program or creates a map, and frees it at once; none attaches anything. Not thread-safe.
class Features {
 public:
  Features();
  ~Features();
  Features(Features&&) noexcept;

  // The kernel's own types, as the probes and Skeleton use them; an Error where the kernel has none.
  Result<const KernelBtf*> kernel_types();

  Feature tracepoint(std::string_view name);  // tp_btf/<name>
  Feature fentry(std::string_view function);  // fentry, fexit on <function>
  Feature kprobe();                           // kprobe, kretprobe by perf_event
  Feature iterator(std::string_view target);  // iter/<target>: "task_file", "tcp"
  Feature cgroup_sockets();                   // cgroup/sock_create and its like, with socket storage
  Feature socket_storage();                   // sk_storage from tracing programs
  Feature ring_buffer();
  Feature packet_views();  // a tp_btf program reads all of a packet, fragments too (bpf_dynptr_from_skb)
  Feature preemptible_tracepoints();  // other tasks may take the CPU from a tp_btf program
  Feature kernel_reads();             // of kernel memory by BPF: not where the kernel is locked down

  // What every tool needs, whatever it hooks: BTF, a ring buffer, reads of kernel memory. The Error says
  // which of them is missing.
  Result<void> essentials();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One way to hook something. Variants of a hook are listed best first; the first whose probe works is loaded,
// the others are not. A name is what PLUMB_HOOKS=hook=variant[,...] and `doctor` use.
struct HookVariant {
  std::string_view name;                   // "fexit", "sys_exit"
  std::vector<std::string_view> programs;  // BPF programs that make it up
  Feature (*probe)(Features&);
  std::string_view cost;  // what it costs, in words: "~60 ns a syscall of every process"
};

struct Hook {
  std::string_view name;     // "connect-error"
  std::string_view purpose;  // "connects that fail before a SYN is sent"
  std::vector<HookVariant> variants;
  bool required = true;  // the tool cannot work without
  bool wanted = true;    // false: this run has no use for it, so nothing is probed or loaded
};

struct HookChoice {
  const Hook* hook = nullptr;
  const HookVariant* variant = nullptr;                     // nullptr: none works (or "none" was forced)
  std::vector<std::pair<std::string_view, Feature>> tried;  // variant's name and answer, up to the chosen one

  // Whether the variant that runs is the one at this place of hook->variants.
  bool uses(std::size_t place) const { return variant != nullptr && variant == &hook->variants[place]; }
};

// PLUMB_HOOKS of the environment, or empty.
std::string_view forced_hooks();
// The part of such a text that is about these hooks. A tool with several probes checks the whole once, against the
// hooks of all of them: check_forced().
std::string forced_among(const std::vector<Hook>& hooks, std::string_view text);
Result<void> check_forced(const std::vector<Hook>& hooks, std::string_view text);

// Chooses a variant for each hook. `forced` is the text of PLUMB_HOOKS, "hook=variant[,hook=variant]"; "none"
// leaves a hook off that is not required. An unknown name or a forced variant that does not work is an Error,
// also of a hook that is not wanted.
// A required hook without a working variant is an Error that says what was tried, or which privilege is
// missing where that is why.
Result<std::vector<HookChoice>> choose_hooks(Features& features, const std::vector<Hook>& hooks,
                                             std::string_view forced);

// "hook connect-error: sys_exit (each system call ...); not fexit: EPERM ...", one a line, for -v.
std::string describe_choices(const std::vector<HookChoice>& choices);

// Switches autoload on for the programs of the chosen variants and off for the other programs that hooks
// name. Programs that no hook names stay as they are.
Result<void> apply_choices(bpf_object* object, const std::vector<Hook>& hooks,
                           const std::vector<HookChoice>& choices);

}  // namespace plumb
