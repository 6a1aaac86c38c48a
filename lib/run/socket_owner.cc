#include "run/socket_owner.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "probe/iterator.h"
#include "proc/process.h"

namespace plumb {
namespace {

constexpr std::uint64_t kPauseFactor = 99;  // a pause is so many times what the search took
constexpr std::size_t kMaxAnswers = 16'384;
constexpr std::uint8_t kListen = 10;  // TCP_LISTEN

Feature both(const Feature& a, const Feature& b) {
  return a.works ? b : a;
}

IpAddress address(std::uint16_t family, const __u32* words) {
  return IpAddress::of(family, reinterpret_cast<const std::uint8_t*>(words));
}

bool is_any(const IpAddress& a) {
  return std::ranges::all_of(a.bytes(), [](std::uint8_t b) { return b == 0; });
}

// How well a socket fits a place: both ends 3, bound to the local end 2, bound to the port of all addresses 1, not at
// all 0.
int rank(const socket_found& s, const SocketPlace& place) {
  if (s.netns != place.netns || s.protocol != place.protocol || s.local_port != place.local_port) return 0;
  const IpAddress local = address(s.family, s.local_addr);
  if (s.remote_port != 0) {
    const bool same = local == place.local && address(s.family, s.remote_addr) == place.remote &&
                      s.remote_port == place.remote_port;
    return same ? 3 : 0;
  }
  if (s.protocol == IPPROTO_TCP && s.state != kListen) return 0;
  if (local == place.local) return 2;
  const bool reaches = is_any(local) && (s.family == AF_INET6 || place.local.is_v4());
  return reaches ? 1 : 0;
}

}  // namespace

std::vector<Hook> socket_owner_hooks(bool wanted, bool by_traffic) {
  return {
      {.name = "owner-kept",
       .purpose = "owners of sockets",
       .variants = {{"storage", {}, [](Features& f) { return f.socket_storage(); }, "nothing"},
                    {"table",
                     {"owner_gone"},
                     [](Features& f) { return f.fentry("inet_sock_destruct"); },
                     "some ns when a socket is freed"}},
       .required = false,
       .wanted = wanted},
      {.name = "owner-made",
       .purpose = "who makes and binds a socket",
       .variants = {{"fentry",
                     {"owner_creates", "owner_binds"},
                     [](Features& f) {
                       return both(f.fentry("security_socket_post_create"), f.fentry("security_socket_bind"));
                     },
                     "nothing beside socket() and bind()"},
                    {"cgroup",
                     {"owner_creates_in_cgroup", "owner_binds_v4", "owner_binds_v6"},
                     [](Features& f) { return both(f.cgroup_sockets(), f.socket_storage()); },
                     "nothing beside socket() and bind()"}},
       .required = false,
       .wanted = wanted},
      {.name = "owner-used",
       .purpose = "who connects a socket or listens",
       .variants = {{"tp_btf",
                     {"owner_uses", "owner_exits"},
                     [](Features& f) {
                       return both(f.tracepoint("inet_sock_set_state"), f.tracepoint("sched_process_exit"));
                     },
                     "under 1 us a connection"}},
       .required = false,
       .wanted = wanted},
      {.name = "owner-accepts",
       .purpose = "who accepts a connection",
       .variants = {{"fentry",
                     {"owner_accepts"},
                     [](Features& f) { return f.fentry("security_sock_graft"); },
                     "nothing beside accept()"}},
       .required = false,
       .wanted = wanted},
      {.name = "owner-traffic",
       .purpose = "who sends and receives",
       .variants = {{"sock_length",
                     {"owner_sends", "owner_receives"},
                     [](Features& f) {
                       return both(f.tracepoint("sock_send_length"), f.tracepoint("sock_recv_length"));
                     },
                     "each send and receive takes longer"}},
       .required = false,
       .wanted = wanted && by_traffic},
      {.name = "owner-search",
       .purpose = "owners of sockets older than the trace",
       .variants = {{"iterator",
                     {"owner_search"},
                     [](Features& f) { return f.iterator("task_file"); },
                     "once at start, and at most 1 % of a core"}},
       .required = false,
       .wanted = wanted},
  };
}

bool detail::owners_by_address(const std::vector<HookChoice>& choices) {
  return std::ranges::any_of(choices, [](const HookChoice& choice) {
    return choice.hook->name == "owner-kept" && choice.variant != nullptr && choice.variant->name == "table";
  });
}

struct OwnerSearch::State {
  struct Free {
    void operator()(bpf_link* link) const { bpf_link__destroy(link); }
  };
  std::vector<std::unique_ptr<bpf_link, Free>> in_cgroup;
  UniqueFd iterator;  // its link, kept beyond the detaching of the rest
  int wanted_map = -1;
  std::uint64_t next = 0;
  struct Less {
    bool operator()(const socket_wanted& a, const socket_wanted& b) const {
      return std::memcmp(&a, &b, sizeof a) < 0;
    }
  };
  std::set<socket_wanted, Less> wanted;
  std::vector<socket_found> found;
};

OwnerSearch::OwnerSearch() : state_(std::make_unique<State>()) {}
OwnerSearch::~OwnerSearch() = default;

void OwnerSearch::attach_to_cgroup(const std::vector<bpf_program*>& programs) {
  const auto mount = cgroup2_mount();
  if (!mount) return;
  const UniqueFd root(::open(mount->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return;
  for (bpf_program* program : programs) {
    if (!bpf_program__autoload(program)) continue;
    if (bpf_link* link = bpf_program__attach_cgroup(program, root.get()); link != nullptr)
      state_->in_cgroup.emplace_back(link);
  }
}

void OwnerSearch::start(bpf_link* iterator, int wanted_map, const std::vector<bpf_program*>& in_cgroup) {
  attach_to_cgroup(in_cgroup);
  state_->wanted_map = wanted_map;
  if (iterator == nullptr) return;
  state_->iterator = UniqueFd(::fcntl(bpf_link__fd(iterator), F_DUPFD_CLOEXEC, 0));
  run({0});
}

bool OwnerSearch::due(BootTime now) const {
  return static_cast<bool>(state_->iterator) && now.ns >= state_->next;
}

bool OwnerSearch::want(std::uint64_t inode) {
  return want(socket_wanted{.inode = inode});
}

bool OwnerSearch::want(const SocketPlace& place) {
  return want(socket_wanted{
      .netns = place.netns, .port = place.local_port, .protocol = place.protocol, .padding = 0});
}

bool OwnerSearch::want(const socket_wanted& wanted) {
  std::set<socket_wanted, State::Less>& all = state_->wanted;
  if (all.size() < kMaxWanted) return all.insert(wanted), true;
  return all.contains(wanted);
}

void OwnerSearch::run(BootTime now) {
  State& s = *state_;
  s.found.clear();
  if (!s.iterator) return s.wanted.clear();
  const std::uint8_t present = 1;
  for (const socket_wanted& w : s.wanted) bpf_map_update_elem(s.wanted_map, &w, &present, BPF_ANY);
  const std::uint64_t started = system_clock_source().boot().ns;
  const auto answers = read_iterator(s.iterator.get(), kMaxAnswers * sizeof(socket_found));
  const std::uint64_t took = system_clock_source().boot().ns - started;
  for (const socket_wanted& w : s.wanted) bpf_map_delete_elem(s.wanted_map, &w);
  s.wanted.clear();
  s.next = now.ns + took * kPauseFactor;
  if (!answers) return;
  s.found.resize(answers->size() / sizeof(socket_found));
  if (!s.found.empty())  // memcpy may not be given a null pointer, not even for no bytes
    std::memcpy(s.found.data(), answers->data(), s.found.size() * sizeof(socket_found));
}

void OwnerSearch::forget() {
  state_->wanted.clear();
  state_->found.clear();
}

void OwnerSearch::set_answers(std::vector<socket_found> found) {
  state_->found = std::move(found);
}

const socket_found* OwnerSearch::by_inode(std::uint64_t inode) const {
  const socket_found* best = nullptr;
  for (const socket_found& s : state_->found) {
    if (s.inode == inode && (best == nullptr || (s.is_owner != 0 && best->is_owner == 0))) best = &s;
  }
  return best;
}

const socket_found* OwnerSearch::by_place(const SocketPlace& place, BootTime at) const {
  const socket_found* best = nullptr;
  int best_rank = 0;
  bool certain = true;
  for (const socket_found& s : state_->found) {
    const int r = rank(s, place);
    if (r == 0 || r < best_rank) continue;
    if (r > best_rank) {
      best_rank = r, best = &s, certain = true;
    } else if (s.inode != best->inode) {
      certain = certain && s.task.pid == best->task.pid;
    } else if (s.is_owner != 0) {
      best = &s;
    }
    certain = certain && s.since_ns <= at.ns;
  }
  return certain ? best : nullptr;
}

}  // namespace plumb
