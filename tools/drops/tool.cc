// drops: where packets die and why, what is sent again, who resets, and which losses only counters show.
#include "base/say.h"
#include "drops/event.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "drops/benign.h"
#include "drops/counters.h"
#include "drops/enrich.h"
#include "drops/hints.h"
#include "drops/options.h"
#include "drops/probe.h"
#include "drops/saved_summary.h"
#include "drops/stack.h"
#include "drops/summary.h"
#include "drops/telemetry.h"
#include "probe/map_entries.h"
#include "run/tool.h"

namespace plumb {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
// Of a line for the search for its owner; a search is due every 2 s where there are 50,000 open files.
constexpr std::uint64_t kMaxWait = 3 * kSecond;
constexpr std::size_t kMaxPending = 2048;

class Drops final : public Tool {
 public:
  OptionTable options() override { return drops_option_table(options_); }

  const Schema& schema() const override { return common().summary ? kDropSummarySchema : kDropSchema; }

  profile::SvgStyle svg_style() const override { return {.icicle = options_.icicle}; }
  profile::Profile* profile() override { return &dropped_; }

  std::vector<std::string> columns() const override {
    return common().summary ? std::vector<std::string>{} : drop_columns(options_);
  }

  std::vector<std::string> group_by() const override {
    if ((options_.types & (options_.types - 1)) == 0) return {};
    return {"type", "reason", "location", "dev"};
  }

  Sentences sentences() const override {
    if (common().summary || options_.types == 1U << DROPS_COUNTER) return {};  // a table of counters
    return {.types = 1U << DROPS_COUNTER, .append = append_counter_sentence};
  }

  std::vector<Hook> hooks() const override { return DropsProbe::hooks(wants()); }

  std::unique_ptr<Summary> make_summary() override {
    auto sums = std::make_unique<DropSums>(benign_);
    sums_ = sums.get();
    return sums;
  }

  std::unique_ptr<Summary> make_summary_of_saved(const Schema& lines) const override {
    return make_saved_drop_sums(lines);
  }

  Result<void> attach(Session& session) override {
    session_ = &session;
    if (auto r = check_devices(session.filter.netns); !r) return r;
    const auto on_line = [this](DropLine& line, const drops_event& e, std::span<const std::byte> bytes) {
      return take(line, e, bytes);
    };
    if (auto r = packets_.start(session, wants(), on_line); !r) return r;
    attached();
    return {};
  }
  bool takes_interval() const override { return shows_counters(); }
  // What is not shown is not judged.
  TypeMask judged_types() const override {
    return shows_counters() ? kAllTypes : kAllTypes & ~(TypeMask{1} << DROPS_COUNTER);
  }
  std::vector<AnyProbe*> probes() override { return {&packets_.probe()}; }

  Result<void> finish() override {
    ended_ = true;
    search_owners(true);
    if (stacks_) add_stacks();
    if (lines()) tell_folded();
    if (kernel_summary_) {
      for (const DropTotal& e : read_totals(totals_fd())) sums_->add(e);
    }
    if (counters_) tell_counters();
    return {};
  }

  void remark() override {
    benign_.report(packets_.skeleton().bss->benign_drops, *texts_, common().verbose);
    if (!texts_->symbols().problem().empty()) say("plumb: {}", texts_->symbols().problem());
  }

 private:
  // Whether the kernel side gives records; --summary with an expression or a process filter adds them up
  // here.
  bool lines() const { return !kernel_summary_ && !stacks_; }

  // A counter is that of a network namespace or of the host: where packets or processes are asked for it cannot tell whose
  // loss it counts, and is shown only by name.
  bool shows_counters() const {
    if (!options_.wants(DROPS_COUNTER) || !lines() || common().summary) return false;
    return options_.types_given || !(by_owner_ || options_.selects_packets());
  }

  // Without the device nothing would ever come.
  Result<void> check_devices(std::uint32_t netns) const {
    for (const std::string& dev : options_.devs) {
      const auto found = has_device(dev, netns);
      if (!found && netns == 0 && !common().quiet)
        say("plumb: no device '{}' where processes are; other network namespaces cannot be looked into", dev);
      if (found.value_or(true)) continue;
      return Error{fmt::format("--dev {}: there is no such device", dev),
                   netns != 0 ? "not in this network namespace" : "not in any network namespace",
                   fmt::format("for one that is still to come: --where 'dev == \"{}\"'", dev)};
    }
    return {};
  }

  // An expression or a process filter has to look at every event: what is counted in the kernel has no
  // addresses.
  bool sees_each_event() const {
    return by_owner_ || !common().where.empty() || !common().fail_if.empty() || !common().by.empty();
  }

  Result<void> check() override {
    if (options_.stack && (common().summary || common().top))
      return Error{fmt::format("--stack has no effect on {}", common().top ? "--top" : "--summary"),
                   {},
                   "stacks are added up with --format folded or svg"};
    stacks_ = wants_stacks(common());
    for (const OutputSpec& spec : output_specs(common())) {
      if (is_aggregated(spec.format) == stacks_) continue;
      return Error{"lines and stacks exclude each other in one run",
                   "stacks are counted in the kernel instead of giving lines"};
    }
    by_owner_ = !common().pids.empty() || !common().comms.empty() || common().uid ||
                !common().cgroups.empty() || !common().containers.empty() || !common().pods.empty() ||
                !common().command.empty();
    if (by_owner_ && stacks_) {
      return Error{"flame graphs of drops cannot be limited to processes",
                   "stacks are counted in the kernel, which does not know who owns a dropped packet",
                   "filter by --host, --port, --dev or --netns, or take lines with --stack --json"};
    }
    kernel_summary_ = common().kernel_summary() && !by_owner_;
    return check_drops_options(options_);
  }

  DropsProbe::Wants wants() const {
    const bool explains = options_.wants(DROPS_RETRANSMIT) && lines();  // drops, for `cause`
    const bool others = !stacks_ && !options_.only_reasons();           // what has no reason
    return {.drops = stacks_ || options_.wants(DROPS_DROP) || explains,
            .retransmits = others && options_.wants(DROPS_RETRANSMIT),
            .resets_sent = !stacks_ && options_.wants(DROPS_RESET),
            .resets_received = others && options_.wants(DROPS_RESET),
            .lines = lines(),
            .summary = kernel_summary_,
            .stacks = stacks_,
            .each_event = sees_each_event(),
            .by_owner = by_owner_,
            .options = options_};
  }

  void attached() {
    benign_.set(!options_.all && options_.reasons.empty(), packets_.has_reasons());
    texts_ = &packets_.texts();
    if (sums_ != nullptr) sums_->use(*texts_);
    owners_.start(packets_.skeleton());
    if (shows_counters()) counters_.emplace(session_->filter.netns);
    const std::uint64_t now = session_->clock.now().ns;
    next_second_ = now + kSecond;
    next_counters_ = now + static_cast<std::uint64_t>(common().interval_ns);
  }

  Result<void> drained() override {
    search_owners(false);
    const std::uint64_t now = session_->clock.now().ns;
    if (now >= next_second_) {
      next_second_ = now + kSecond;
      tell_folded();
    }
    if (counters_) counters_->poll({now}, packets_.probe().seen());
    // Whoever waits for a number of counters hears of them as they grow.
    const bool as_they_grow = common().interval_given || (options_.only_counters() && common().count);
    if (counters_ && as_they_grow && now >= next_counters_) {
      next_counters_ += static_cast<std::uint64_t>(common().interval_ns);
      tell_counters();
    }
    return {};
  }

  bool take(DropLine& line, const drops_event& e, std::span<const std::byte> bytes) {
    if (line.type == DROPS_DROP) {
      if (benign_.takes(e, line, texts_->location(e.location))) return true;
      if (options_.wants(DROPS_RETRANSMIT)) remember_drop(line, causes_);
      if (!options_.wants(DROPS_DROP)) return true;
      line.sequence.reset();
    }
    if ((e.known & KNOWN_STRANGER) != 0) return true;
    if (!pending_.empty() || wants_search(line, e)) {
      pending_.emplace_back(bytes.begin(), bytes.end());
      if (pending_.size() >= kMaxPending) search_owners(true);
      return true;
    }
    return tell(line, e, bytes);
  }

  bool tell(DropLine& line, const drops_event& e, std::span<const std::byte> bytes) {
    if (!take_owner(line, e)) return true;
    if (line.type == DROPS_RETRANSMIT) find_cause(line, e, causes_);
    take_stack(line, bytes);
    return session_->out.push(Row(kDropSchema, line));
  }

  // Whether the kernel side could not tell the owner and a search may. Adds it to what the next search is for.
  bool wants_search(const DropLine& line, const drops_event& e) {
    if ((e.known & KNOWN_SOCKET_OWNER) != 0) return false;
    if (e.inode != 0) return owners_.want(e.inode);
    const auto place = e.socket_family == 0 && line.reason != "NO_SOCKET" ? socket_place(line) : std::nullopt;
    return place && owners_.want(*place);
  }

  // Lines wait, in order, while the owner of one of them is searched for; not for long, and not too many.
  void search_owners(bool now_or_never) {
    if (pending_.empty()) return;
    const BootTime now = session_->clock.now();
    if (pending_since_ == 0) pending_since_ = now.ns;
    if (owners_.due(now) || ended_) {  // the last one is for all that still wait
      owners_.run(now);
    } else if (!now_or_never && now.ns - pending_since_ < kMaxWait) {
      return;
    }
    pending_since_ = 0;
    for (const std::vector<std::byte>& bytes : std::exchange(pending_, {})) tell_pending(bytes);
    owners_.forget();
  }

  void tell_pending(std::span<const std::byte> bytes) {
    DropLine line;
    if (!packets_.read(bytes, line)) return;
    if (line.type == DROPS_DROP) line.sequence.reset();
    tell(line, *reinterpret_cast<const drops_event*>(bytes.data()), bytes);
  }

  // Whose socket it is, and whether the process filters let it pass. Where the kernel side knew it, that was so at the
  // time of the event.
  bool take_owner(DropLine& line, const drops_event& e) {
    if ((e.known & KNOWN_SOCKET_OWNER) != 0) {
      line.owner_source = static_cast<drops_owner_source>(e.owner_source);
      set_owner(line, e.owner);
      return true;
    }
    const socket_found* found = e.inode != 0 ? owners_.by_inode(e.inode) : nullptr;
    if (found != nullptr) line.owner_source = static_cast<drops_owner_source>(e.owner_source);
    if (e.inode == 0 && e.socket_family == 0) {
      const auto place = socket_place(line);
      found = place ? owners_.by_place(*place, {e.time_ns}) : nullptr;
      if (found != nullptr) line.owner_source = OWNER_TABLE;
    }
    if (found == nullptr) return !by_owner_;
    if (found->selected == 0) return false;
    set_owner(line, found->task);
    return true;
  }

  void set_owner(DropLine& line, const task_identity& task) {
    set_process(line.origin, task);
    set_container(line.origin, task, session_->processes);
    line.origin.tid = 0;  // whichever thread made the socket: it says nothing of the event
  }

  void take_stack(DropLine& line, std::span<const std::byte> record) {
    if (!options_.stack || record.size() < sizeof(drops_stack_event)) return;
    const auto& s = *reinterpret_cast<const drops_stack_event*>(record.data());
    read_frames(std::span(s.stack).first(std::min<std::size_t>(s.stack_bytes / 8, DROPS_STACK_DEPTH)),
                *texts_, &LocationInfo::text, frames_);
    line.stack = frames_;
  }

  // One line for each place where more happened than lines may tell.
  void tell_folded() {
    if (!lines() ||
        (__atomic_exchange_n(&packets_.skeleton().bss->folded, 0U, __ATOMIC_SEQ_CST) == 0 && !ended_))
      return;
    const UnixTime now = session_->clock.to_unix(session_->clock.now());
    for (const DropTotal& e : growth_.since_last(read_totals(totals_fd()))) {
      DropLine line = line_of(e, now);
      texts_->name_reason(line);
      if (line.type == DROPS_DROP) {
        const LocationInfo& location = texts_->location(e.key.location);
        line.location = location.text;
        if (location.place == Place::arriving) line.direction = DIRECTION_IN;
        if (benign_.takes(line.reason, e.key.known, location.place, line.count) ||
            !options_.wants(DROPS_DROP))
          continue;
      }
      if (!by_owner_) session_->out.push(Row(kDropSchema, line));
    }
  }

  void tell_counters() {
    counters_->tell([&, now = session_->clock.to_unix(session_->clock.now())](const CounterGrowth& g) {
      DropLine line;
      line.delta = g.delta - std::min(g.delta, harmless(g));
      if (line.delta == 0) return;
      line.type = DROPS_COUNTER;
      line.origin.time = now;
      line.origin.netns = g.netns;
      line.counter = g.counter;
      line.dev = g.dev;
      line.hint = g.hint;
      session_->out.push(Row(kDropSchema, line));
    });
  }

  // Of what a counter counts, what is no loss: announcements of a device that is coming up, which has no route or whose
  // queue takes nothing yet; acknowledgements that a later one has overtaken.
  std::uint64_t harmless(const CounterGrowth& g) {
    const drops_config& config = packets_.skeleton().rodata->config;
    const bool queue =
        g.counter == "tx_dropped" || g.counter == "Ip6OutDiscards" || g.counter == "IpOutDiscards";
    const bool old = g.counter == "TcpExtPAWSEstab";
    if (options_.all || (!queue && !old && g.counter != "Ip6InNoRoutes")) return 0;
    const std::uint32_t reason = old ? config.old_timestamp_reason : config.no_route_reason;
    const drops_benign_key key{g.netns, queue ? config.queue_reason : reason};
    std::uint64_t count = 0;
    if (bpf_map_lookup_elem(bpf_map__fd(packets_.skeleton().maps.benign_counted), &key, &count) != 0)
      return 0;
    return count - std::exchange(benign_told_[{g.netns, g.counter}], count);
  }

  int totals_fd() { return bpf_map__fd(packets_.skeleton().maps.totals); }

  void add_stacks() {
    for_each_entry<drops_stack_key, __u64>(
        bpf_map__fd(packets_.skeleton().maps.stack_totals),
        [&](const drops_stack_key& key, std::uint64_t count) { add_stack(key, count); });
  }

  // The reason stands on top, in brackets: it is no function.
  void add_stack(const drops_stack_key& key, std::uint64_t count) {
    read_frames(key.stack, *texts_, &LocationInfo::function, frames_);
    const std::string_view known =
        (key.known & KNOWN_REASON) != 0 ? texts_->reason(DROPS_DROP, key.reason).reason : std::string_view{};
    if (benign_.takes(known, key.known, place_of(dropping_function(frames_)), count)) return;
    std::vector<profile::FrameId> stack;
    for (const std::string_view function : frames_) {
      stack.push_back(dropped_.frame({.function = function, .kind = profile::FrameKind::kernel}));
    }
    const std::string reason = "[" + std::string(known) + "]";
    if ((key.known & KNOWN_REASON) != 0)
      stack.push_back(dropped_.frame({.function = reason, .kind = profile::FrameKind::note}));
    dropped_.add({.frames = stack, .count = count, .value = count});
  }

  DropsOptions options_;
  Session* session_ = nullptr;
  DropsProbe packets_;
  bool stacks_ = false;
  bool kernel_summary_ = false;
  bool by_owner_ = false;
  DropTexts* texts_ = nullptr;  // of packets_, once it is started
  OwnerSearch owners_;
  std::vector<std::vector<std::byte>> pending_;  // records that wait for a search
  std::uint64_t pending_since_ = 0;
  bool ended_ = false;
  std::optional<LossCounters> counters_;
  CauseJoin causes_;
  BenignDrops benign_;
  DropSums* sums_ = nullptr;  // of the run's summary
  DropGrowth growth_;
  std::vector<std::string_view> frames_;
  std::map<std::pair<std::uint32_t, std::string_view>, std::uint64_t>
      benign_told_;  // by namespace and counter
  profile::Profile dropped_{{.event = "dropped packets", .counted = "packets"}};
  std::uint64_t next_second_ = 0, next_counters_ = 0;
};

// Kernel symbols; exe of other users' processes; containers of processes that have ended.
constexpr Capability kProfits[] = {Capability::syslog, Capability::sys_ptrace, Capability::dac_read_search};

constexpr Example kExamples[] = {
    {"plumb drops", "every packet that the host loses, resends or resets, with reason and owner"},
    {"plumb drops --type drop --reason NETFILTER_DROP --port 443", "what a firewall rule throws away"},
    {"plumb drops --summary -d 10s --by location", "where in the kernel packets die"},
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
        "owner "
        "of the socket, every TCP retransmit and reset, and at the end the kernel's loss counters that grew, "
        "in all network namespaces.\n\n"
        "Benign drops are only counted: packets that had done their work (TCP_RESET, TCP_OLD_ACK, "
        "TCP_OLD_DATA, TCP_OFOMERGE, CONSUMED, QUEUE_PURGE), that nobody was meant to get (OTHERHOST, "
        "UNHANDLED_PROTO, SOCKET_FILTER, TAP_FILTER, TAP_TXFILTER, IPV6_NDISC_NS_OTHERHOST, multicast and "
        "broadcast without a socket), messages that are no network packets (UNIX_DISCONNECT, UNIX_SKIP_OOB, "
        "netlink), and unexplained drops in functions that empty the queues of closed sockets. --all shows "
        "them.",
    .schema = &kDropSchema,
    .summary_schema = &kDropSummarySchema,
    .examples = kExamples,
    .formats = kLineAndStackFormats,
    .profits = kProfits,
    .telemetry = &kDropsTelemetry,
    .make = []() -> std::unique_ptr<Tool> { return std::make_unique<Drops>(); },
};

}  // namespace plumb
