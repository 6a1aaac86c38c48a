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
#include "flame/options.h"
#include "flame/wire.h"
#include "probe/mapping_events.h"
#include "probe/probe.h"
#include "run/tool.h"

#include "flame.skel.h"  // after the structs of its constants

namespace plumb {

class FlameProbe {
 public:
  using OnRecord = std::function<bool(std::span<const std::byte>)>;

  static std::vector<Hook> hooks(FlameEvent event);

  // Every program is attached when it returns.
  Result<void> start(Session& session, const FlameOptions& options, OnRecord on_record);
  AnyProbe& probe() { return probe_; }
  MappingEvents& mappings() { return *mappings_; }
  // Takes off what libbpf does not know of. Before the last drain.
  void stop() { counters_.clear(); }
  // Threads that still wait: their samples, with the time until now.
  void each_blocked(const OnRecord& on_record);
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
  Result<void> attach_counter(UniqueFd fd);
  bool record(std::span<const std::byte> bytes) { return on_record_(bytes); }

  Probe<flame_bpf> probe_;
  std::optional<MappingEvents> mappings_;
  std::vector<Link> counters_;
  OnRecord on_record_;
  std::string counter_;
};

}  // namespace plumb
