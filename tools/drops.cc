// drops: where packets die and why, what is sent again, who resets, and which losses only counters show.
#include "tools/drops.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>

#include "bpf/filter.h"
#include "bpf/filter_config.h"
#include "bpf/ring_buffer.h"
#include "bpf/skeleton.h"
#include "cli/tool.h"
#include "drops.skel.h"
#include "tools/drops_counters.h"
#include "tools/drops_enrich.h"
#include "tools/drops_hints.h"
#include "tools/drops_options.h"
#include "tools/drops_summary.h"

namespace plumb {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint32_t kStackEntries = 8192;  // distinct stacks

const std::vector<Hook>& all_hooks() {
  static const std::vector<Hook> hooks{
      {.name = "drop",
       .purpose = "dropped packets",
       .variants = {{"tp_btf",
                     {"on_kfree_skb"},
                     [](Features& f) { return f.tracepoint("kfree_skb"); },
                     "under 1 us a dropped packet"}}},
      {.name = "retransmit",
       .purpose = "TCP retransmits",
       .variants = {{"tp_btf",
                     {"on_retransmit"},
                     [](Features& f) { return f.tracepoint("tcp_retransmit_skb"); },
                     "under 1 us a retransmit"}}},
      {.name = "retransmit-synack",
       .purpose = "SYN-ACKs that are sent again",
       .variants = {{"tp_btf",
                     {"on_retransmit_synack"},
                     [](Features& f) { return f.tracepoint("tcp_retransmit_synack"); },
                     "under 1 us a retransmit"}},
       .required = false},
      {.name = "reset-sent",
       .purpose = "TCP resets that are sent",
       .variants = {{"tp_btf",
                     {"on_send_reset"},
                     [](Features& f) { return f.tracepoint("tcp_send_reset"); },
                     "under 1 us a reset"}}},
      {.name = "reset-received",
       .purpose = "TCP resets that are received",
       .variants = {{"tp_btf",
                     {"on_receive_reset"},
                     [](Features& f) { return f.tracepoint("tcp_receive_reset"); },
                     "under 1 us a reset"}}},
  };
  return hooks;
}

bool is_probe_frame(std::string_view frame) {
  return std::ranges::any_of(
      std::array{"bpf_prog_", "bpf_trace_run", "__bpf_trace_", "__traceiter_", "bpf_trampoline_"},
      [frame](const char* prefix) { return frame.starts_with(prefix); });
}

// Of a stack, root first: who called what frees packets.
std::string_view dropping_function(std::span<const std::string_view> frames) {
  constexpr std::string_view kFree[] = {"kfree_skb",   "kfree_skb_reason",      "sk_skb_reason_drop",
                                        "__kfree_skb", "kfree_skb_list_reason", "kfree_skb_list"};
  while (!frames.empty() && std::ranges::find(kFree, frames.back()) != std::end(kFree))
    frames = frames.first(frames.size() - 1);
  return frames.empty() ? std::string_view{} : frames.back();
}

class Drops final : public Tool {
 public:
  OptionTable options() override { return drops_option_table(options_); }

  Result<void> check(const CommonOptions& common) override {
    stacks_ = chosen_format(common) == Format::folded || chosen_format(common) == Format::svg;
    by_owner_ = !common.pids.empty() || !common.comms.empty() || common.uid || !common.cgroups.empty() ||
                !common.containers.empty() || !common.command.empty();
    if (by_owner_ && stacks_) {
      return Error{"flame graphs of drops cannot be limited to processes",
                   "stacks are counted in the kernel, which does not know who owns a dropped packet",
                   "filter by --host, --port, --dev or --netns, or take lines with --stack --json"};
    }
    kernel_summary_ = common.kernel_summary() && !by_owner_;
    if (common.summary && stacks_) return Error{"--summary and --format folded or svg exclude each other"};
    return check_drops_options(options_);
  }

  const Schema& schema(const CommonOptions& common) const override {
    return common.summary ? kDropSummarySchema : kDropSchema;
  }

  bool gives_stacks(const CommonOptions&) const override { return true; }
  FlameGraphStyle flame_graph(const CommonOptions&) const override {
    FlameGraphStyle style;
    style.title = "Dropped packets by kernel stack";
    style.unit = "packets";
    style.icicle = options_.icicle;
    return style;
  }

  std::vector<std::string> columns(const CommonOptions& common) const override {
    if (common.summary) return {};
    if (options_.types == 1U << DROPS_COUNTER) return {"time", "netns", "counter", "delta", "dev", "hint"};
    std::vector<std::string> names{"time",         "type", "pid",       "comm",    "reason",
                                   "protocol",     "src",  "src_port",  "dst",     "dst_port",
                                   "length_bytes", "dev",  "direction", "location"};
    if (options_.types == 1U << DROPS_RETRANSMIT)
      names = {"time",     "pid",   "comm", "src",     "src_port",    "dst",
               "dst_port", "state", "kind", "srtt_ms", "retransmits", "cause"};
    if (options_.wants(DROPS_COUNTER)) names.insert(names.end(), {"counter", "delta"});
    if (options_.stack) names.emplace_back("stack");
    return names;
  }

  std::vector<Hook> hooks() const override { return all_hooks(); }

  Result<void> attach(Session& session) override {
    session_ = &session;
    auto skeleton = Skeleton<drops_bpf>::open();
    if (!skeleton) return std::move(skeleton).error();
    skeleton_.emplace(*std::move(skeleton));
    if (auto r = choose(); !r) return r;
    if (auto r = prepare_filter(**skeleton_, session.filter); !r) return r;
    if (auto r = configure(); !r) return r;
    if (auto r = skeleton_->load(); !r) return r;
    if (auto r = fill_filter(**skeleton_, session.filter); !r) return r;
    auto ring = RingBuffer::open(bpf_map__fd((*skeleton_)->maps.events), on_record, this);
    if (!ring) return std::move(ring).error();
    ring_.emplace(*std::move(ring));
    owner_filter_.emplace(session.filter,
                          [fd = bpf_map__fd((*skeleton_)->maps.filter_pids)](std::uint32_t pid) {
                            std::uint8_t present = 0;
                            return bpf_map_lookup_elem(fd, &pid, &present) == 0;
                          });
    if (options_.wants(DROPS_COUNTER) && lines() && !session.options.summary)
      counters_.emplace(owners_, session.filter.netns);
    next_second_ = session.clock.now().ns + kSecond;
    next_counters_ = session.clock.now().ns + static_cast<std::uint64_t>(session.options.interval_ns);
    return skeleton_->attach();
  }

  Result<void> drain(Pipeline& out) override {
    out_ = &out;
    auto records = ring_->drain();
    if (!records) return std::move(records).error();
    const std::uint64_t now = session_->clock.now().ns;
    if (now >= next_second_) {
      next_second_ = now + kSecond;
      tell_folded();
    }
    if (counters_) counters_->poll({now});
    if (counters_ && session_->options.interval_given && now >= next_counters_) {
      next_counters_ += static_cast<std::uint64_t>(session_->options.interval_ns);
      tell_counters();
    }
    return {};
  }
  int poll_fd() const override { return ring_->poll_fd(); }
  void detach() override { skeleton_->detach(); }

  void summarize(const Row& row) override {
    if (const auto* line = row.event<DropLine>(); line != nullptr) sums_.add(*line, options_);
  }

  Result<void> finish(Pipeline& out) override {
    out_ = &out;
    if (stacks_) push_stacks();
    if (lines()) tell_folded();
    if (session_->options.summary) push_summaries();
    if (counters_) tell_counters();
    print_footer();
    return {};
  }

  std::uint64_t lost() const override {
    std::uint64_t sum = 0;
    for (const std::uint64_t n : (**skeleton_).bss->lost_events) sum += n;
    return sum;
  }
  std::uint64_t seen() const override { return (**skeleton_).bss->seen_events; }
  const bpf_object* object() const override { return skeleton_ ? (**skeleton_).obj : nullptr; }

 private:
  // Whether the kernel side gives records; --summary with an expression or a process filter adds them up
  // here.
  bool lines() const { return !kernel_summary_ && !stacks_; }

  // An expression or a process filter has to look at every event: what is counted in the kernel has no
  // addresses.
  bool sees_each_event() const {
    const CommonOptions& common = session_->options;
    return by_owner_ || !common.where.empty() || !common.fail_if.empty();
  }

  // Hooks of types that nobody wants stay off.
  Result<void> choose() {
    std::vector<Hook> wanted;
    for (const Hook& hook : all_hooks()) {
      const drops_type type = hook.name.starts_with("drop")         ? DROPS_DROP
                              : hook.name.starts_with("retransmit") ? DROPS_RETRANSMIT
                                                                    : DROPS_RESET;
      const bool explains = type == DROPS_DROP && options_.wants(DROPS_RETRANSMIT) && lines();  // for `cause`
      if (stacks_ ? type == DROPS_DROP : options_.wants(type) || explains) wanted.push_back(hook);
    }
    if (!wanted.empty()) {
      auto choices = choose_hooks(session_->features, wanted, forced_hooks());
      if (!choices) return std::move(choices).error();
      return apply_choices((*skeleton_)->obj, all_hooks(), *choices);
    }
    return apply_choices((*skeleton_)->obj, all_hooks(), {});
  }

  Result<void> configure() {
    auto types = session_->features.kernel_btf();
    if (!types) return std::move(types).error();
    DropReasons reasons = DropReasons::from(*types);
    DropReasons resets = DropReasons::from(enum_values(*types, "sk_rst_reason"), {});
    // The skeleton's own type of the constants has no C++ identity with drops_config, but the same bytes.
    drops_config config{};
    static_assert(sizeof(config) == sizeof((*skeleton_)->rodata->config));
    if (auto r = configure_drops(options_, reasons, resets, config); !r) return r;
    const unsigned arguments = tracepoint_arguments(*types, "kfree_skb").value_or(2);
    config.has_reason = arguments >= 3;
    config.has_rx_sk = arguments >= 4;
    config.has_reset_reason = tracepoint_arguments(*types, "tcp_send_reset").value_or(2) >= 3;
    has_reason_ = config.has_reason != 0;
    config.lines = lines();
    config.summary = kernel_summary_;
    config.by_location = options_.by_location;
    config.by_dev = options_.by_dev;
    config.by_flow = options_.by_flow;
    config.stack = options_.stack && lines();
    config.stack_totals = stacks_;
    if (!sees_each_event()) {
      config.lines_per_tick = static_cast<std::uint32_t>(
          options_.max_rate == 0 ? 0 : std::clamp<std::uint64_t>(options_.max_rate / 10, 1, UINT32_MAX));
    }
    std::memcpy(&(*skeleton_)->rodata->config, &config, sizeof config);
    if (stacks_) bpf_map__set_max_entries((*skeleton_)->maps.stack_totals, kStackEntries);
    texts_.emplace(KernelSymbols::open(), std::move(reasons), std::move(resets));
    return {};
  }

  static bool on_record(void* context, std::span<const std::byte> record) {
    return static_cast<Drops*>(context)->tell(record);
  }

  // False: no more is wanted.
  bool tell(std::span<const std::byte> record) {
    DropLine line;
    if (!decode_drop(record, session_->clock, line)) return true;
    const auto& e = *reinterpret_cast<const drops_event*>(record.data());
    if ((e.known & KNOWN_REASON) != 0) take_reason(line, e.reason);
    if (line.type == DROPS_DROP) {
      const LocationInfo& location = texts_->location(e.location);
      line.location = location.text;
      if (!options_.all && options_.reasons.empty() && is_benign_drop(e, line, location, has_reason_)) {
        ++benign_;
        return true;
      }
      remember_drop(line);
      if (!options_.wants(DROPS_DROP)) return true;
      line.sequence.reset();
    }
    if (!take_owner(line, e)) return true;
    if (line.type == DROPS_RETRANSMIT) find_cause(line, e);
    take_stack(line, record);
    return out_->push(Row(kDropSchema, line));
  }

  void take_reason(DropLine& line, std::uint32_t reason) {
    const ReasonInfo& info = texts_->reason(line.type, reason);
    line.reason = info.reason;
    line.subsystem = info.subsystem;
    line.hint = info.hint;
  }

  void remember_drop(const DropLine& line) {
    if (!options_.wants(DROPS_RETRANSMIT) || line.protocol != "tcp" || !line.has_ports) return;
    causes_.dropped({line.src, line.dst, line.src_port, line.dst_port}, line.time, line.sequence,
                    line.payload_bytes, line.reason, line.location);
  }

  void find_cause(DropLine& line, const drops_event& e) {
    const auto window = cause_window(
        e.srtt_us, e.rttvar_us, std::max<unsigned>(e.backoff, e.kind == KIND_SYN_ACK ? e.retransmits : 0));
    const auto cause =
        causes_.find({line.src, line.dst, line.src_port, line.dst_port}, line.time, line.sequence, window);
    if (!cause) return;
    line.cause = cause->reason.empty() ? cause->location : cause->reason;
    line.cause_location = cause->location;
    line.cause_is_segment = cause->same_segment;
    line.cause_age = cause->age;
  }

  // Whose socket it is, and whether the process filters let it pass.
  bool take_owner(DropLine& line, const drops_event& e) {
    const SocketOwner* owner = owners_.by_inode(e.inode);
    line.owner_source = static_cast<drops_owner_source>(e.owner_source);
    if (owner == nullptr && e.inode == 0 && line.reason != "NO_SOCKET") {
      if (const auto addresses = socket_addresses(line))
        owner = owners_.by_inode(owners_.find(line.netns, *addresses));
      line.owner_source = OWNER_TABLE;
    }
    if (owner == nullptr) return !owner_filter_->active();
    if (owner_filter_->active() && !owner_filter_->selects(*owner)) return false;
    line.pid = owner->pid;
    line.uid = owner->uid;
    line.comm = owner->comm;
    line.names = session_->processes.find({owner->pid, owner->start_ns}, 0);
    return true;
  }

  void take_stack(DropLine& line, std::span<const std::byte> record) {
    if (!options_.stack || record.size() < sizeof(drops_stack_event)) return;
    const auto& s = *reinterpret_cast<const drops_stack_event*>(record.data());
    read_frames(s.stack, std::min<std::size_t>(s.stack_bytes / 8, DROPS_STACK_DEPTH), &LocationInfo::text);
    line.stack = frames_;
  }

  // The kernel gives the leaf first. Its first frames are the probe itself.
  void read_frames(const __u64* stack, std::size_t depth, std::string LocationInfo::*name) {
    frames_.clear();
    for (std::size_t i = depth; i-- > 0;) {
      if (stack[i] != 0) frames_.push_back(texts_->location(stack[i]).*name);
    }
    while (!frames_.empty() && is_probe_frame(frames_.back())) frames_.pop_back();
  }

  std::vector<DropTotal> read_totals() const {
    std::vector<DropTotal> entries;
    const int fd = bpf_map__fd((*skeleton_)->maps.totals);
    DropTotal entry{};
    const void* previous = nullptr;
    while (bpf_map_get_next_key(fd, previous, &entry.key) == 0) {
      if (bpf_map_lookup_elem(fd, &entry.key, &entry.total) == 0) entries.push_back(entry);
      previous = &entry.key;
    }
    return entries;
  }

  // One line for each place where more happened than lines may tell.
  void tell_folded() {
    const std::uint64_t folded = (**skeleton_).bss->folded_events;
    if (!lines() || folded == folded_told_) return;
    folded_told_ = folded;
    for (const DropTotal& e : read_totals()) {
      drops_total& told = told_[std::string(reinterpret_cast<const char*>(&e.key), sizeof e.key)];
      if (e.total.count == told.count) continue;
      push_folded(e, e.total.count - told.count, e.total.bytes - told.bytes);
      told = e.total;
    }
  }

  void push_folded(const DropTotal& e, std::uint64_t count, std::uint64_t bytes) {
    DropLine line;
    line.type = static_cast<drops_type>(e.key.type);
    line.time = session_->clock.to_unix(session_->clock.now());
    line.netns = e.key.netns;
    line.location_address = e.key.location;
    line.reason_number = e.key.reason;
    line.has_reason = (e.key.known & KNOWN_REASON) != 0;
    line.ifindex = e.key.ifindex;
    line.direction = static_cast<drops_direction>(e.key.direction);
    line.count = count;
    line.length_bytes = bytes;
    line.dev = {e.total.dev, ::strnlen(e.total.dev, sizeof e.total.dev)};
    if ((e.key.known & KNOWN_REASON) != 0) take_reason(line, e.key.reason);
    if (line.type == DROPS_RETRANSMIT) line.kind = static_cast<drops_kind>(e.key.reason);
    if (line.type == DROPS_DROP) {
      const LocationInfo& location = texts_->location(e.key.location);
      line.location = location.text;
      if (location.benign && is_unexplained(line.reason)) {
        benign_ += count;
        return;
      }
      if (!options_.wants(DROPS_DROP)) return;
    }
    if (!owner_filter_->active()) out_->push(Row(kDropSchema, line));
  }

  void tell_counters() {
    counters_->tell([this](const CounterGrowth& g) {
      DropLine line;
      line.type = DROPS_COUNTER;
      line.time = session_->clock.to_unix(session_->clock.now());
      line.netns = g.netns;
      line.counter = g.counter;
      line.dev = g.dev;
      line.hint = g.hint;
      line.delta = g.delta;
      out_->push(Row(kDropSchema, line));
    });
  }

  void push_summaries() {
    if (kernel_summary_) {
      for (const DropTotal& e : read_totals()) sums_.add(e);
    }
    for (const DropTotal& e : sums_.sorted()) push_summary(e);
  }

  void push_summary(const DropTotal& e) {
    const DropSummary s = describe(e, *texts_);
    if (e.key.location != 0 && is_unexplained(s.reason) && texts_->location(e.key.location).benign) {
      benign_ += e.total.count;
      return;
    }
    out_->push(Row(kDropSummarySchema, s));
  }

  // Whether the kernel gives no reason, so that the place decides what is benign; no, when benign ones are
  // wanted.
  bool is_unexplained(std::string_view reason) const {
    return (!has_reason_ || reason == "NOT_SPECIFIED") && !options_.all && options_.reasons.empty();
  }

  void push_stacks() {
    const int fd = bpf_map__fd((*skeleton_)->maps.stack_totals);
    drops_stack_key key{};
    const void* previous = nullptr;
    while (bpf_map_get_next_key(fd, previous, &key) == 0) {
      __u64 count = 0;
      if (bpf_map_lookup_elem(fd, &key, &count) == 0) push_stack(key, count);
      previous = &key;
    }
  }

  // The reason stands on top, in brackets: it is no function.
  void push_stack(const drops_stack_key& key, std::uint64_t count) {
    read_frames(key.stack, DROPS_STACK_DEPTH, &LocationInfo::function);
    const std::string_view known =
        key.known != 0 ? texts_->reason(DROPS_DROP, key.reason).reason : std::string_view{};
    if (is_unexplained(known) && is_benign_function(dropping_function(frames_))) {
      benign_ += count;
      return;
    }
    std::string reason;
    if (key.known != 0) {
      reason = "[" + std::string(texts_->reason(DROPS_DROP, key.reason).reason) + "]";
      frames_.push_back(reason);
    }
    out_->push(Stack{frames_, count, count, "packets", "kfree_skb", {}, 0});
  }

  void print_footer() {
    std::uint64_t benign = benign_;
    for (const std::uint64_t n : (**skeleton_).bss->benign_drops) benign += n;
    if (benign != 0) fmt::print(stderr, "plumb: {} benign drops not shown (--all shows them)\n", benign);
    if (session_->options.verbose && benign != 0) print_benign();
    if (!texts_->symbols().problem().empty()) fmt::print(stderr, "plumb: {}\n", texts_->symbols().problem());
  }

  void print_benign() {
    const auto& counts = (**skeleton_).bss->benign_drops;
    for (std::uint32_t reason = 0; reason < std::size(counts); ++reason) {
      if (counts[reason] == 0) continue;
      const ReasonInfo& info = texts_->reason(DROPS_DROP, reason);
      fmt::print(stderr, "plumb:   {} {}: {}\n", counts[reason], info.reason, info.hint);
    }
    if (benign_ != 0)
      fmt::print(stderr, "plumb:   {} without a reason, or no packets of a network\n", benign_);
  }

  DropsOptions options_;
  bool stacks_ = false;
  bool kernel_summary_ = false;
  bool by_owner_ = false;
  bool has_reason_ = false;
  Session* session_ = nullptr;
  Pipeline* out_ = nullptr;
  mutable std::optional<Skeleton<drops_bpf>> skeleton_;
  std::optional<RingBuffer> ring_;
  std::optional<DropTexts> texts_;
  std::optional<OwnerFilter> owner_filter_;
  SocketOwners owners_;
  std::optional<LossCounters> counters_;
  CauseJoin causes_;
  DropSums sums_;
  std::vector<std::string_view> frames_;
  std::map<std::string, drops_total> told_;  // by the bytes of drops_key
  std::uint64_t folded_told_ = 0;
  std::uint64_t benign_ = 0;
  std::uint64_t next_second_ = 0, next_counters_ = 0;
};

constexpr Example kExamples[] = {
    {"plumb drops", "every packet that the host loses, resends or resets, with reason and owner"},
    {"plumb drops --type drop --reason NETFILTER_DROP --port 443", "what a firewall rule throws away"},
    {"plumb drops --summary -d 10s --by location",
     "where in the kernel packets die, aggregated in the kernel"},
    {"plumb drops --type retransmit --wide",
     "what TCP sends again, and the drop on this host that explains it"},
    {"plumb drops --type counter --interval 1s",
     "losses that no hook reports, such as listen queue overflows"},
    {"plumb drops -d 30s -o drops.svg", "a flame graph of the code that drops packets"},
    {"plumb drops --json -d 60s | jq -r 'select(.type==\"drop\") | .reason' | sort | uniq -c",
     "for a script"},
};

}  // namespace

extern const ToolInfo kDrops;
const ToolInfo kDrops{
    .name = "drops",
    .summary = "where packets die and why, what TCP resends, who resets",
    .description =
        "Shows every packet that the kernel throws away with the reason, the place in the kernel and the "
        "owner of the "
        "socket, every TCP retransmit and reset, and at the end the kernel's loss counters that grew, in all "
        "network "
        "namespaces.\n\n"
        "Benign drops are only counted: packets that had done their work (TCP_RESET, TCP_OLD_ACK, "
        "TCP_OLD_DATA, "
        "TCP_OFOMERGE, CONSUMED, QUEUE_PURGE), that nobody was meant to get (OTHERHOST, UNHANDLED_PROTO, "
        "SOCKET_FILTER, "
        "TAP_FILTER, TAP_TXFILTER, IPV6_NDISC_NS_OTHERHOST, multicast and broadcast without a socket), "
        "messages that "
        "are no network packets (UNIX_DISCONNECT, UNIX_SKIP_OOB, netlink), and unexplained drops in "
        "functions that "
        "empty the queues of closed sockets. --all shows them.",
    .schema = &kDropSchema,
    .summary_schema = &kDropSummarySchema,
    .examples = kExamples,
    .make = []() -> std::unique_ptr<Tool> { return std::make_unique<Drops>(); },
};

}  // namespace plumb
