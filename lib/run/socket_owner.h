// The user side of bpf/socket_owner.bpf.h: its hooks, the programs that are attached to the root cgroup, and searches for
// the owners that the kernel side could not know.
//
//   hooks: append socket_owner_hooks(wanted, by_traffic)
//   after Probe::open():   keep_socket_owners(*probe_, probe_.choices());
//   after Probe::start():  search_.start(*probe_);                       // programs of the cgroup, sockets older than the trace
//
// Tools that find every owner in the kernel need no more. The others collect what is still wanted and search for all of
// it at once, when a search is due.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/ip.h"
#include "base/result.h"
#include "bpf/socket_owner.h"
#include "probe/features.h"

namespace plumb {

// `by_traffic`: whoever sends or receives is the owner from then on, and whoever accepted where nothing else can tell; it
// costs each send and receive of the host.
std::vector<Hook> socket_owner_hooks(bool wanted, bool by_traffic);

// Before load: where owners are kept follows from the choice of hooks.
template <class Skel>
void keep_socket_owners(Skel& skel, const std::vector<HookChoice>& choices);

// A socket's place as a packet shows it.
struct SocketPlace {
  std::uint32_t netns = 0;
  std::uint8_t protocol = 0;  // IPPROTO_*
  IpAddress local, remote;
  std::uint16_t local_port = 0, remote_port = 0;
};

// Finds who has a socket, by an iterator over all open files. It costs about 0.3 us an open file of the host, so searches
// take at most 1 % of the time, and each is for many sockets at once.
class OwnerSearch {
 public:
  OwnerSearch();
  ~OwnerSearch();

  // Attaches the programs of the root cgroup, if these were chosen, and looks at all sockets that there are. Not to be able
  // to is no error: such owners stay unknown.
  template <class Skel>
  void start(Skel& skel);

  bool due(BootTime now) const;
  // Room for this many at once.
  static constexpr std::size_t kMaxWanted = 1024;
  // Adds what the next search is for; false when it is full.
  bool want(std::uint64_t inode);
  bool want(const SocketPlace& place);
  // Searches for what is wanted. Answers stand until the next search.
  void run(BootTime now);
  void forget();  // what is wanted, and the answers

  // A process with a descriptor of this socket; nullptr: none was found.
  const socket_found* by_inode(std::uint64_t inode) const;
  // The one socket that is or was connected, bound or listening at this place since before `at`; nullptr when there is none,
  // when there are several of different processes, or when it cannot be proven to have been there.
  const socket_found* by_place(const SocketPlace& place, BootTime at) const;

  // For tests: answers as of a search.
  void set_answers(std::vector<socket_found> found);

 private:
  bool want(const socket_wanted& wanted);
  void attach_to_cgroup(const std::vector<bpf_program*>& programs);
  void start(bpf_link* iterator, int wanted_map, const std::vector<bpf_program*>& in_cgroup);

  struct State;
  std::unique_ptr<State> state_;
};

namespace detail {
bool owners_by_address(const std::vector<HookChoice>& choices);
}  // namespace detail

template <class Skel>
void keep_socket_owners(Skel& skel, const std::vector<HookChoice>& choices) {
  skel.rodata->owners_by_address = detail::owners_by_address(choices);
  if (!skel.rodata->owners_by_address) bpf_map__set_max_entries(skel.maps.socket_owners_by_address, 1);
}

template <class Skel>
void OwnerSearch::start(Skel& skel) {
  start(skel.links.owner_search, bpf_map__fd(skel.maps.sockets_wanted),
        {skel.progs.owner_creates_in_cgroup, skel.progs.owner_binds_v4, skel.progs.owner_binds_v6});
}

}  // namespace plumb
