// Queueing disciplines by rtnetlink: a dump of links for their names, a dump of disciplines for their
// counters.
#include <fcntl.h>
#include <linux/gen_stats.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "proc/net_counters.h"

namespace plumb {
namespace {

// The attributes behind a message's fixed part.
template <class F>
void for_each_attribute(const rtattr* a, int size, F f) {
  for (; RTA_OK(a, size); a = RTA_NEXT(a, size)) f(a->rta_type & NLA_TYPE_MASK, a);
}

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

// Calls f(message) for each answer of a dump. A receive timeout on the socket bounds the wait.
template <class F>
void for_each_answer(int fd, F f) {
  alignas(nlmsghdr) char buffer[32 * 1024];
  while (true) {
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) return;
    int left = static_cast<int>(n);
    for (auto* m = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(m, static_cast<unsigned>(left));
         m = NLMSG_NEXT(m, left)) {
      if (m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR) return;
      f(m);
    }
  }
}

std::map<int, std::string> device_names(int fd) {
  std::map<int, std::string> names;
  if (!ask(fd, RTM_GETLINK, sizeof(ifinfomsg))) return names;
  for_each_answer(fd, [&](nlmsghdr* m) {
    if (m->nlmsg_type != RTM_NEWLINK) return;
    auto* link = static_cast<ifinfomsg*>(NLMSG_DATA(m));
    for_each_attribute(IFLA_RTA(link), static_cast<int>(IFLA_PAYLOAD(m)), [&](int type, const rtattr* a) {
      if (type != IFLA_IFNAME) return;
      const auto* text = static_cast<const char*>(RTA_DATA(a));
      names[link->ifi_index] = std::string(text, ::strnlen(text, RTA_PAYLOAD(a)));
    });
  });
  return names;
}

void add_statistics(const rtattr* statistics, const std::string& dev, Counters& out) {
  for_each_attribute(static_cast<const rtattr*>(RTA_DATA(statistics)),
                     static_cast<int>(RTA_PAYLOAD(statistics)), [&](int type, const rtattr* a) {
                       gnet_stats_queue queue{};
                       if (type != TCA_STATS_QUEUE || RTA_PAYLOAD(a) < sizeof queue) return;
                       std::memcpy(&queue, RTA_DATA(a), sizeof queue);
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

// A thread of its own enters the namespaces, so that the caller stays where it is whatever fails.
QdiscCounters QdiscCounters::open(const std::vector<std::pair<std::uint32_t, std::uint32_t>>& namespaces) {
  QdiscCounters out;
  std::thread([&] {
    for (const auto& [netns, pid] : namespaces) {
      const UniqueFd fd(::open(("/proc/" + std::to_string(pid) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
      if (!fd || ::setns(fd.get(), CLONE_NEWNET) != 0) continue;
      if (UniqueFd s(open_socket()); s) out.sockets_[netns] = std::move(s);
    }
  }).join();
  return out;
}

// Only root disciplines: a classful one's counters hold its children's.
void QdiscCounters::read(std::uint32_t netns, Counters& out) {
  const auto found = sockets_.find(netns);
  if (found == sockets_.end()) return;
  const int fd = found->second.get();
  const auto names = device_names(fd);
  if (!ask(fd, RTM_GETQDISC, sizeof(tcmsg))) return;
  for_each_answer(fd, [&](nlmsghdr* m) {
    if (m->nlmsg_type != RTM_NEWQDISC) return;
    auto* qdisc = static_cast<tcmsg*>(NLMSG_DATA(m));
    const auto name = names.find(qdisc->tcm_ifindex);
    if (name == names.end() || qdisc->tcm_parent != TC_H_ROOT) return;
    for_each_attribute(TCA_RTA(qdisc), static_cast<int>(TCA_PAYLOAD(m)), [&](int type, const rtattr* a) {
      if (type == TCA_STATS2) add_statistics(a, name->second, out);
    });
  });
}

}  // namespace plumb
