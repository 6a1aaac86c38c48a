// DNS lookups as they end, for whoever wants to know of them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "bpf/filter_config.h"
#include "dns/calls.h"
#include "dns/matcher.h"
#include "dnsx/search_lists.h"
#include "dnsx/wire.h"
#include "probe/probe.h"
#include "run/tool.h"

#include "dnsx.skel.h"  // after the structs of its constants

namespace plumb {

class DnsProbe final : public AnyProbe {
 public:
  struct Wants {
    bool client = true;
    bool server = false;
    bool pickup = true;        // when an application reads its answer
    bool search_lists = true;  // resolv.conf of the processes that ask
    bool encrypted = false;    // connections for DNS over TLS and HTTPS
    bool waiting = false;      // queries that wait for a neighbour's address
    bool executables = true;   // what the processes run; else another probe knows
    std::uint32_t ring_bytes = 1 << 22;
    std::size_t max_lookups = dns::Matcher::Options{}.max_lookups;  // under way at one time
    std::int64_t timeout_ns = 5'000'000'000;
    std::vector<std::uint16_t> ports{53};  // at most DNSX_MAX_PORTS
  };
  // The lookup is a view; false ends the drain.
  using OnLookup = std::function<bool(const dns::Lookup&)>;

  static std::vector<Hook> hooks(const Wants& wants);

  // Every program is attached when it returns. `session` outlives the probe.
  Result<void> start(Session& session, const Wants& wants, OnLookup on_lookup);
  // The same, and every query is joined with the calls that led to it. The probe knows each of them once it is drained.
  Result<void> start(Session& session, const Wants& wants, AnyProbe& call_probe, dns::Calls& calls,
                     OnLookup on_lookup);
  // The trace is over: what has no answer yet is told as pending.
  void finish();

  // All packets from before were seen.
  BootTime seen_until() const { return seen_until_; }

  Result<void> drain() override;
  int poll_fd() const override { return probe_.poll_fd(); }
  bool wake_at_next() override { return probe_.wake_at_next(); }
  void detach() override { probe_.detach(); }
  std::uint64_t lost() const override { return probe_.lost() + (matcher_ ? matcher_->lost() : 0); }
  std::uint64_t seen() const override { return probe_.seen(); }
  std::uint64_t missed() const override { return probe_.missed(); }
  const bpf_object* object() const override { return probe_.object(); }
  const std::vector<HookChoice>& choices() const override { return probe_.choices(); }

 private:
  Result<void> start(Session& session, const Wants& wants);
  void configure(const Wants& wants);
  void learn_calls(BootTime until);
  bool connection(const dnsx_packet& packet);
  bool record(std::span<const std::byte> bytes);
  bool give();
  bool wanted(const dns::Lookup& lookup) const;

  Probe<dnsx_bpf> probe_;
  Session* session_ = nullptr;
  OnLookup on_lookup_;
  std::optional<SearchListsOfProcesses> search_;
  std::optional<dns::Matcher> matcher_;
  AnyProbe* call_probe_ = nullptr;
  dns::Calls* calls_ = nullptr;
  BootTime calls_until_;  // calls that began before are known
  BootTime drained_;
  BootTime seen_until_;
  dns::Lookup connection_;
};

}  // namespace plumb
