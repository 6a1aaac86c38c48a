#include "drops/probe.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "probe/missed_runs.h"
#include "run/address_options.h"

namespace plumb {
namespace {

constexpr std::uint32_t kRingBytes = 1 << 20;
constexpr std::uint32_t kStackEntries = 8192;  // distinct stacks
constexpr std::uint64_t kTicksPerSecond = 10;  // of drops_config::lines_per_tick

// Runs that are missed are events only of these; of the others, what is missed in a softirq means nothing to them.
std::uint64_t missed_events(drops_bpf& skel) {
  std::uint64_t sum = 0;
  for (const bpf_program* program :
       {skel.progs.on_kfree_skb, skel.progs.on_retransmit, skel.progs.on_retransmit_synack,
        skel.progs.on_send_reset, skel.progs.on_receive_reset})
    sum += missed_runs(program);
  return sum;
}

}  // namespace

std::vector<Hook> DropsProbe::hooks(const Wants& wanted) {
  std::vector<Hook> hooks{
      {.name = "drop",
       .purpose = "dropped packets",
       .variants = {{"tp_btf",
                     {"on_kfree_skb"},
                     [](Features& f) { return f.tracepoint("kfree_skb"); },
                     "under 1 us a dropped packet"}},
       .wanted = wanted.drops},
      {.name = "retransmit",
       .purpose = "TCP retransmits",
       .variants = {{"tp_btf",
                     {"on_retransmit"},
                     [](Features& f) { return f.tracepoint("tcp_retransmit_skb"); },
                     "under 1 us a retransmit"}},
       .wanted = wanted.retransmits},
      {.name = "retransmit-synack",
       .purpose = "SYN-ACKs that are sent again",
       .variants = {{"tp_btf",
                     {"on_retransmit_synack"},
                     [](Features& f) { return f.tracepoint("tcp_retransmit_synack"); },
                     "under 1 us a retransmit"}},
       .required = false,
       .wanted = wanted.retransmits},
      {.name = "reset-sent",
       .purpose = "TCP resets that are sent",
       .variants = {{"tp_btf",
                     {"on_send_reset"},
                     [](Features& f) { return f.tracepoint("tcp_send_reset"); },
                     "under 1 us a reset"}},
       .wanted = wanted.resets_sent},
      {.name = "reset-received",
       .purpose = "TCP resets that are received",
       .variants = {{"tp_btf",
                     {"on_receive_reset"},
                     [](Features& f) { return f.tracepoint("tcp_receive_reset"); },
                     "under 1 us a reset"}},
       .wanted = wanted.resets_received},
  };
  std::vector<Hook> owners = socket_owner_hooks(wanted.lines, wanted.by_owner);
  std::ranges::move(owners, std::back_inserter(hooks));
  return hooks;
}

Result<void> DropsProbe::start(Session& session, const Wants& wants, OnLine on_line) {
  session_ = &session;
  on_line_ = std::move(on_line);
  if (auto r = probe_.open(session.features, session.filter, hooks(wants)); !r) return r;
  if (auto r = configure(wants); !r) return r;
  keep_socket_owners(*probe_, probe_.choices());
  probe_.count_missed_by(missed_events);
  return probe_.start<&DropsProbe::record>(kRingBytes, *this);
}

Result<void> DropsProbe::configure(const Wants& wants) {
  auto types = session_->features.kernel_types();
  if (!types) return std::move(types).error();
  const KernelBtf& kernel = **types;
  DropReasons reasons = DropReasons::of_drops(kernel);
  DropReasons resets = DropReasons::of_resets(kernel);
  drops_config& config = probe_->rodata->config;
  if (auto r = configure_drops(wants.options, reasons, resets, config); !r) return r;
  has_reasons_ = kernel.tracepoint_arguments("kfree_skb").value_or(2) >= 3;
  config.lines = wants.lines;
  config.summary = wants.summary;
  config.stack = wants.options.stack && wants.lines;
  config.stack_totals = wants.stacks;
  config.causes = wants.options.wants(DROPS_RETRANSMIT);
  if (!wants.each_event && wants.options.max_rate != 0) {
    config.lines_per_tick = static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(wants.options.max_rate / kTicksPerSecond, 1, UINT32_MAX));
  }
  set_addresses(probe_->rodata->addresses, wants.options.ports, wants.options.hosts);
  if (wants.stacks) bpf_map__set_max_entries(probe_->maps.stack_totals, kStackEntries);
  texts_.emplace(KernelSymbols::open(), std::move(reasons), std::move(resets));
  return {};
}

bool DropsProbe::read(std::span<const std::byte> record, DropLine& line) {
  if (!decode_drop(record, session_->clock, line)) return false;
  const auto& e = *reinterpret_cast<const drops_event*>(record.data());
  texts_->name_reason(line);
  if (line.type != DROPS_DROP) return true;
  const LocationInfo& location = texts_->location(e.location);
  line.location = location.text;
  if (location.place == Place::arriving) line.direction = DIRECTION_IN;
  return true;
}

bool DropsProbe::record(std::span<const std::byte> bytes) {
  DropLine line;
  if (!read(bytes, line)) return true;
  return on_line_(line, *reinterpret_cast<const drops_event*>(bytes.data()), bytes);
}

}  // namespace plumb
