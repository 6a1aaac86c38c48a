// The kernel side of flame: the BPF object, what makes its programs run, and the events about mappings.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bpf/filter_config.h"
#include "flame/kernel_names.h"
#include "flame/options.h"
#include "flame/wire.h"
#include "probe/mapping_events.h"
#include "probe/probe.h"
#include "run/tool.h"

#include "flame.skel.h"  // after the structs of its constants

namespace plumb {

class FlameProbe final : public AnyProbe {
 public:
  using OnRecord = std::function<bool(std::span<const std::byte>)>;

  static std::vector<Hook> hooks(const FlameOptions& options);

  // Every program is attached when it returns.
  Result<void> start(Session& session, const FlameOptions& options, OnRecord on_record);
  MappingEvents& mappings() { return *mappings_; }
  // Where processes that run a Python are told to the kernel side, once it started; nullptr: not wanted.
  flame_python_process* pythons() {
    return probe_->rodata->config.python != 0 ? probe_->bss->python_processes : nullptr;
  }
  // Once it started; may be asked until the probe is gone.
  KernelNames::Source kernel_names();
  // Threads that still wait: their samples, with the time until now.
  void each_blocked(const OnRecord& on_record);

  Result<void> drain() override { return probe_.drain(); }
  int poll_fd() const override { return probe_.poll_fd(); }
  // The perf events too, which the object does not know of.
  void detach() override {
    counters_.clear();
    probe_.detach();
  }
  std::uint64_t lost() const override { return probe_.lost(); }
  std::uint64_t seen() const override { return probe_.seen(); }
  std::uint64_t missed() const override { return probe_.missed(); }
  const bpf_object* object() const override { return probe_.object(); }
  const std::vector<HookChoice>& choices() const override { return probe_.choices(); }

  // What counts: "cycles" or "cpu-clock".
  const std::string& counter() const { return counter_; }

 private:
  struct Destroy {
    void operator()(bpf_link* link) const { bpf_link__destroy(link); }
  };
  using Link = std::unique_ptr<bpf_link, Destroy>;

  Result<void> configure(const FlameOptions& options);
  Result<void> attach(const FlameOptions& options);
  Result<void> attach_counters(const FlameOptions& options);
  Result<void> attach_tracepoint(const FlameOptions& options);
  Result<void> attach_function(const FlameOptions& options);
  Result<void> attach_counter(const bpf_program& program, UniqueFd fd);
  bool record(std::span<const std::byte> bytes) { return on_record_(bytes); }

  Probe<flame_bpf> probe_;
  std::optional<MappingEvents> mappings_;
  std::vector<Link> counters_;
  OnRecord on_record_;
  std::string counter_;
};

}  // namespace plumb
