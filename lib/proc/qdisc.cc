// Queueing disciplines by rtnetlink: a dump of links for their names, a dump of disciplines for their
// counters.
#include <fcntl.h>
#include <linux/gen_stats.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "proc/net_counters.h"

namespace plumb {
namespace {

bool ask(int fd, std::uint16_t type, std::size_t body) {
  struct {
    nlmsghdr header;
    char body[64];
  } request{};
  request.header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_LENGTH(body));
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  return ::send(fd, &request, request.header.nlmsg_len, 0) == static_cast<ssize_t>(request.header.nlmsg_len);
}

// Calls take(bytes) for each piece of a dump's answer until it says that no more comes. A receive timeout on the
// socket bounds the wait.
template <class F>
void for_each_piece(int fd, F take) {
  alignas(nlmsghdr) std::byte buffer[32 * 1024];
  while (true) {
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0 || !take(std::span<const std::byte>(buffer, static_cast<std::size_t>(n)))) return;
  }
}

// Calls f(message, body) for each message with a body of type Body; false once the dump is over. libc's macros for
// this read a length before they know that it is there.
template <class Body, class F>
bool for_each_message(std::span<const std::byte> piece, std::uint16_t wanted, F f) {
  nlmsghdr head;
  while (piece.size() >= sizeof head) {
    std::memcpy(&head, piece.data(), sizeof head);
    if (head.nlmsg_len < sizeof head || head.nlmsg_len > piece.size()) return true;
    if (head.nlmsg_type == NLMSG_DONE || head.nlmsg_type == NLMSG_ERROR) return false;
    const auto whole = piece.subspan(NLMSG_HDRLEN, head.nlmsg_len - NLMSG_HDRLEN);
    if (Body body; head.nlmsg_type == wanted && whole.size() >= sizeof body) {
      std::memcpy(&body, whole.data(), sizeof body);
      f(body, whole.subspan(std::min<std::size_t>(NLMSG_ALIGN(sizeof body), whole.size())));
    }
    piece = piece.subspan(std::min<std::size_t>(NLMSG_ALIGN(head.nlmsg_len), piece.size()));
  }
  return true;
}

// Calls f(type, payload) for each attribute.
template <class F>
void for_each_attribute(std::span<const std::byte> bytes, F f) {
  rtattr head;
  while (bytes.size() >= sizeof head) {
    std::memcpy(&head, bytes.data(), sizeof head);
    if (head.rta_len < sizeof head || head.rta_len > bytes.size()) return;
    f(head.rta_type & NLA_TYPE_MASK, bytes.subspan(RTA_LENGTH(0), head.rta_len - RTA_LENGTH(0)));
    bytes = bytes.subspan(std::min<std::size_t>(RTA_ALIGN(head.rta_len), bytes.size()));
  }
}

std::map<int, std::string> device_names(int fd) {
  std::map<int, std::string> names;
  if (!ask(fd, RTM_GETLINK, sizeof(ifinfomsg))) return names;
  for_each_piece(fd, [&](std::span<const std::byte> piece) { return parse_links(piece, names); });
  return names;
}

void add_statistics(std::span<const std::byte> statistics, const std::string& dev, Counters& out) {
  for_each_attribute(statistics, [&](int type, std::span<const std::byte> payload) {
    gnet_stats_queue queue{};
    if (type != TCA_STATS_QUEUE || payload.size() < sizeof queue) return;
    std::memcpy(&queue, payload.data(), sizeof queue);
    out[{"qdisc_drops", dev}] += queue.drops;
    out[{"qdisc_requeues", dev}] += queue.requeues;
  });
}

int open_socket() {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  const timeval most{1, 0};
  if (fd >= 0) ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
  return fd;
}

}  // namespace

bool parse_links(std::span<const std::byte> piece, std::map<int, std::string>& names) {
  return for_each_message<ifinfomsg>(
      piece, RTM_NEWLINK, [&](const ifinfomsg& link, std::span<const std::byte> rest) {
        for_each_attribute(rest, [&](int type, std::span<const std::byte> payload) {
          if (type != IFLA_IFNAME) return;
          const auto* text = reinterpret_cast<const char*>(payload.data());
          names[link.ifi_index] = std::string(text, ::strnlen(text, payload.size()));
        });
      });
}

// Only root disciplines: a classful one's counters hold its children's.
bool parse_qdiscs(std::span<const std::byte> piece, const std::map<int, std::string>& names, Counters& out) {
  return for_each_message<tcmsg>(
      piece, RTM_NEWQDISC, [&](const tcmsg& qdisc, std::span<const std::byte> rest) {
        const auto name = names.find(qdisc.tcm_ifindex);
        if (name == names.end() || qdisc.tcm_parent != TC_H_ROOT) return;
        for_each_attribute(rest, [&](int type, std::span<const std::byte> payload) {
          if (type == TCA_STATS2) add_statistics(payload, name->second, out);
        });
      });
}

// A thread of its own enters the namespaces, so that the caller stays where it is whatever fails.
QdiscCounters QdiscCounters::open(const std::vector<std::pair<std::uint32_t, std::uint32_t>>& namespaces) {
  QdiscCounters out;
  std::thread([&] {
    for (const auto& [netns, pid] : namespaces) {
      const UniqueFd fd(::open(("/proc/" + std::to_string(pid) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
      if (out.sockets_.size() == kMost) break;
      if (!fd || ::setns(fd.get(), CLONE_NEWNET) != 0) continue;
      if (UniqueFd s(open_socket()); s) out.sockets_[netns] = std::move(s);
    }
  }).join();
  return out;
}

void QdiscCounters::read(std::uint32_t netns, Counters& out) {
  const auto found = sockets_.find(netns);
  if (found == sockets_.end()) return;
  const int fd = found->second.get();
  const auto names = device_names(fd);
  if (!ask(fd, RTM_GETQDISC, sizeof(tcmsg))) return;
  for_each_piece(fd, [&](std::span<const std::byte> piece) { return parse_qdiscs(piece, names, out); });
}

}  // namespace plumb
