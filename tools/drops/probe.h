// Packets that are dropped and sent again, resets that are sent and received, for whoever wants to know of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "bpf/address_filter.h"
#include "bpf/filter_config.h"
#include "drops/enrich.h"
#include "drops/event.h"
#include "drops/options.h"
#include "drops/wire.h"
#include "probe/probe.h"
#include "run/tool.h"

#include "drops.skel.h"  // after the structs of its constants

namespace plumb {

class DropsProbe {
 public:
  // What is wanted of the kernel side.
  struct Wants {
    bool drops = true, retransmits = true, resets_sent = true, resets_received = true;
    bool lines = true;
    bool summary = false;         // adds up in the kernel
    bool stacks = false;          // adds up stacks in the kernel
    bool each_event = false;      // no line may stand for several events
    bool by_owner = false;        // a process filter is on: owners are looked for at any traffic
    const DropsOptions& options;  // what of it; outlives start()
  };
  // What is known of an event by itself: what the record says, named. Views point into `record`, whose head is `event`, and
  // into texts(). False ends the drain.
  using OnLine =
      std::function<bool(DropLine& line, const drops_event& event, std::span<const std::byte> record)>;

  static std::vector<Hook> hooks(const Wants& wants);

  // Every program is attached when it returns. `session` outlives the probe.
  Result<void> start(Session& session, const Wants& wants, OnLine on_line);
  // A record that on_line was given, once more. False: it is none.
  bool read(std::span<const std::byte> record, DropLine& line);

  AnyProbe& probe() { return probe_; }
  // Once it is started. The skeleton's maps hold what Wants::summary and ::stacks ask for.
  drops_bpf& skeleton() { return *probe_; }
  DropTexts& texts() { return *texts_; }
  // Whether this kernel says why it drops a packet.
  bool has_reasons() const { return has_reasons_; }

 private:
  Result<void> configure(const Wants& wants);
  bool record(std::span<const std::byte> bytes);

  Probe<drops_bpf> probe_;
  Session* session_ = nullptr;
  OnLine on_line_;
  std::optional<DropTexts> texts_;
  bool has_reasons_ = false;
};

}  // namespace plumb
