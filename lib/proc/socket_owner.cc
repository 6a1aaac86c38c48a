#include "proc/socket_owner.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <map>
#include <unordered_map>

namespace plumb {
namespace {

constexpr std::uint8_t kTcp = 6, kUdp = 17, kUdpLite = 136;
constexpr std::uint8_t kListen = 10;  // TCP_LISTEN
constexpr std::uint64_t kSocketBase = 1'000'000'000;
constexpr std::uint64_t kTableLife = 1'000'000'000;  // ns that a table is believed
constexpr std::uint64_t kTableMiss = 50'000'000;     // ns that it answers for sockets it does not have
constexpr std::uint64_t kLeastPause = 100'000'000;   // ns between scans
constexpr std::uint64_t kPauseFactor = 20;           // a pause is so many times what the scan took

template <class T>
bool parse_number(std::string_view text, T& value, int base = 10) {
  const char* end = text.data() + text.size();
  const auto [rest, status] = std::from_chars(text.data(), end, value, base);
  return status == std::errc{} && rest == end && !text.empty();
}

std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

// "0100007F:1F90": 32-bit words in the machine's byte order, the port in hexadecimal.
bool parse_end(std::string_view text, IpAddress& address, std::uint16_t& port) {
  const std::size_t colon = text.find(':');
  if (colon != 8 && colon != 32) return false;
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i * 8 < colon; ++i) {
    std::uint32_t word = 0;
    if (!parse_number(text.substr(i * 8, 8), word, 16)) return false;
    std::memcpy(bytes.data() + i * 4, &word, sizeof word);
  }
  address = colon == 8 ? IpAddress::v4(bytes.data()) : IpAddress::v6(bytes.data());
  return parse_number(text.substr(colon + 1), port, 16);
}

bool is_any(const IpAddress& a) {
  return std::ranges::all_of(a.bytes(), [](std::uint8_t b) { return b == 0; });
}

std::optional<std::uint64_t> socket_inode(std::string_view link) {
  std::uint64_t inode = 0;
  if (!link.starts_with("socket:[") || !link.ends_with(']')) return std::nullopt;
  if (!parse_number(link.substr(8, link.size() - 9), inode)) return std::nullopt;
  return inode;
}

// "Uid:\t1000\t1000\t..." in /proc/PID/status: real, effective, saved, file system.
std::uint32_t effective_uid(std::string_view status) {
  const std::size_t at = status.find("\nUid:");
  if (at == std::string_view::npos) return 0;
  std::string_view line = status.substr(at + 5);
  line = line.substr(0, line.find('\n'));
  line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
  line.remove_prefix(std::min(line.find('\t'), line.size()));
  line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
  std::uint32_t uid = 0;
  parse_number(line.substr(0, line.find('\t')), uid);
  return uid;
}

// Field 22 of /proc/PID/stat; the name in field 2 may hold anything, so the fields are counted behind it.
std::uint64_t start_ns(std::string_view stat) {
  const std::size_t close = stat.rfind(')');
  if (close == std::string_view::npos) return 0;
  std::string_view rest = stat.substr(close + 1);
  for (int field = 3; field < 22; ++field) take_word(rest);
  std::uint64_t ticks = 0;
  static const auto per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return parse_number(take_word(rest), ticks) ? ticks * (kSocketBase / per_second) : 0;
}

}  // namespace

std::optional<SocketTableLine> parse_socket_table_line(std::string_view line, std::uint8_t protocol) {
  SocketTableLine out;
  out.addresses.protocol = protocol;
  take_word(line);  // sl
  if (!parse_end(take_word(line), out.addresses.local, out.addresses.local_port)) return std::nullopt;
  if (!parse_end(take_word(line), out.addresses.remote, out.addresses.remote_port)) return std::nullopt;
  if (!parse_number(take_word(line), out.state, 16)) return std::nullopt;
  for (int i = 0; i < 5; ++i) take_word(line);  // queues, timer, retransmits, uid, timeout
  if (!parse_number(take_word(line), out.inode)) return std::nullopt;
  return out;
}

struct SocketOwners::State {
  const ProcFs* procfs;
  const ClockSource* clock;

  // Of the last scan: socket inode -> pid, namespace -> pid.
  std::unordered_map<std::uint64_t, std::uint32_t> sockets;
  std::map<std::uint32_t, std::uint32_t> namespaces;
  std::uint64_t next_scan = 0;
  // Owners asked for, so that names are read once. Emptied when it is large.
  std::unordered_map<std::uint64_t, SocketOwner> owners;

  struct Table {
    std::vector<SocketTableLine> lines;
    std::uint64_t read_at = 0;
    std::uint64_t used_at = 0;
    bool v6 = false;
  };
  std::map<std::pair<std::uint32_t, std::uint8_t>, Table> tables;

  std::uint64_t now() const { return clock->boot().ns; }

  // Whether a scan was allowed and done.
  bool scan(bool with_sockets = true) {
    const std::uint64_t started = now();
    if (started < next_scan) return false;
    namespaces.clear();
    if (with_sockets) sockets.clear();
    auto entries = procfs->list("/proc");
    if (entries) {
      for (const std::string& name : *entries) {
        std::uint32_t pid = 0;
        if (parse_number(std::string_view(name), pid)) scan_process(pid, with_sockets);
      }
    }
    const std::uint64_t took = now() - started;
    next_scan = started + took + std::max(kLeastPause, took * kPauseFactor);
    return true;
  }

  void scan_process(std::uint32_t pid, bool with_sockets) {
    const std::string directory = "/proc/" + std::to_string(pid);
    if (auto ns = procfs->inode(directory + "/ns/net")) {
      auto [at, fresh] = namespaces.emplace(static_cast<std::uint32_t>(*ns), pid);
      if (!fresh) at->second = std::min(at->second, pid);
    }
    if (!with_sockets) return;
    auto fds = procfs->list(directory + "/fd");
    if (!fds) return;
    for (const std::string& fd : *fds) {
      if (sockets.size() >= kMaxSockets) return;
      auto link = procfs->read_link(directory + "/fd/" + fd);
      const auto inode = link ? socket_inode(*link) : std::nullopt;
      if (!inode) continue;
      auto [at, fresh] = sockets.emplace(*inode, pid);
      if (!fresh) at->second = std::min(at->second, pid);
    }
  }

  // Who has the pid now, believed only when it still has the socket.
  std::optional<SocketOwner> describe(std::uint32_t pid) {
    const std::string directory = "/proc/" + std::to_string(pid);
    auto stat = procfs->read(directory + "/stat");
    auto comm = procfs->read(directory + "/comm");
    auto status = procfs->read(directory + "/status");
    if (!stat || !comm || !status) return std::nullopt;
    SocketOwner owner{pid, start_ns(*stat), effective_uid(*status), *std::move(comm)};
    if (owner.comm.ends_with('\n')) owner.comm.pop_back();
    return owner;
  }

  Table* table(std::uint32_t netns, std::uint8_t protocol, std::uint32_t pid) {
    const auto key = std::pair(netns, protocol);
    auto found = tables.find(key);
    if (found == tables.end()) {
      if (tables.size() >= kMaxTables) {
        tables.erase(std::ranges::min_element(tables, {}, [](const auto& t) { return t.second.used_at; }));
      }
      found = tables.emplace(key, Table{}).first;
      read_table(found->second, protocol, pid);
    }
    found->second.used_at = now();
    return &found->second;
  }

  void read_table(Table& t, std::uint8_t protocol, std::uint32_t pid) {
    t.lines.clear();
    t.read_at = now();
    const char* name = protocol == kTcp ? "tcp" : protocol == kUdp ? "udp" : "udplite";
    for (const char* family : {"", "6"}) {
      auto text = procfs->read("/proc/" + std::to_string(pid) + "/net/" + name + family);
      if (!text) continue;
      std::string_view rest = *text;
      while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        if (auto parsed = parse_socket_table_line(line, protocol)) t.lines.push_back(*parsed);
      }
    }
  }

  // The best match: all four, or what is bound to the local end.
  static std::uint64_t match(const Table& t, const SocketAddresses& a) {
    std::uint64_t best = 0;
    int best_rank = 0;
    for (const SocketTableLine& l : t.lines) {
      if (l.addresses.local_port != a.local_port || l.inode == 0) continue;
      const bool local_same = l.addresses.local == a.local;
      const bool connected = l.addresses.remote_port != 0;
      int rank = 0;
      if (connected) {
        const bool remote_same = l.addresses.remote == a.remote && l.addresses.remote_port == a.remote_port;
        rank = local_same && remote_same ? 3 : 0;
      } else if (a.protocol != kTcp || l.state == kListen) {
        rank = local_same ? 2 : is_any(l.addresses.local) ? 1 : 0;
      }
      if (rank > best_rank) {
        best_rank = rank;
        best = l.inode;
      }
    }
    return best;
  }
};

SocketOwners::SocketOwners(const ProcFs& procfs, const ClockSource& clock)
    : state_(std::make_unique<State>()) {
  state_->procfs = &procfs;
  state_->clock = &clock;
}
SocketOwners::~SocketOwners() = default;

const SocketOwner* SocketOwners::by_inode(std::uint64_t inode) {
  State& s = *state_;
  if (inode == 0) return nullptr;
  if (const auto known = s.owners.find(inode); known != s.owners.end()) return &known->second;
  auto found = s.sockets.find(inode);
  if (found == s.sockets.end()) {
    if (!s.scan()) return nullptr;
    found = s.sockets.find(inode);
    if (found == s.sockets.end()) return nullptr;
  }
  auto owner = s.describe(found->second);
  if (!owner) {
    s.sockets.erase(found);
    return nullptr;
  }
  if (s.owners.size() >= ProcessCache::kMaxEntries) s.owners.clear();
  return &s.owners.emplace(inode, *std::move(owner)).first->second;
}

std::uint32_t SocketOwners::process_in(std::uint32_t netns) {
  State& s = *state_;
  auto found = s.namespaces.find(netns);
  if (found == s.namespaces.end() && s.scan()) found = s.namespaces.find(netns);
  return found == s.namespaces.end() ? 0 : found->second;
}

std::uint64_t SocketOwners::find(std::uint32_t netns, const SocketAddresses& addresses) {
  State& s = *state_;
  if (addresses.protocol != kTcp && addresses.protocol != kUdp && addresses.protocol != kUdpLite) return 0;
  const std::uint32_t pid = process_in(netns);
  if (pid == 0) return 0;
  State::Table* t = s.table(netns, addresses.protocol, pid);
  std::uint64_t inode = State::match(*t, addresses);
  if (s.now() - t->read_at >= (inode == 0 ? kTableMiss : kTableLife)) {
    s.read_table(*t, addresses.protocol, pid);
    inode = State::match(*t, addresses);
  }
  return inode;
}

std::vector<std::pair<std::uint32_t, std::uint32_t>> SocketOwners::namespaces() {
  State& s = *state_;
  s.next_scan = 0;
  s.scan(false);
  s.next_scan = 0;
  return {s.namespaces.begin(), s.namespaces.end()};
}

}  // namespace plumb
