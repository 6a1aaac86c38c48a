// From packets to lookups. A lookup begins with a query and ends with its answer; in between lie other processes' traffic,
// retransmissions, other servers that are asked, answers that belong to somebody else, and the same packet at several
// devices. The Matcher is a state machine without a clock: time comes with what is seen and with advance().
//
//   asking ----- answer ------------> answered ------ read or out of time ------> (missed, waits for its successor) -> told
//      |  \----- truncated answer --> truncated ----- same question over TCP ---> asking
//      |  \----- ICMP unreachable --> refused ------- another query ------------> asking, or out of time -> told
//      \-------- out of time -------> told as a timeout, but an answer may still come: late
//
// What makes an answer one: same network namespace, transport, both ends, transaction id and question (in whatever letter
// case, since some resolvers vary it against forgery). What makes a query another attempt of a lookup that is there: the
// same again from the same socket; or, as resolvers do that open a socket for each server they try, the same process and
// question while no answer came, with the same id, or from the same thread at least kFallOverNs later.
//
// Bounded: at most Options::max_lookups at one time. Buffers are used again; in the steady state nothing is allocated.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "dns/connections.h"
#include "dns/lookup.h"
#include "dns/search_list.h"
#include "dns/slots.h"

namespace plumb::dns {

// The seam to resolv.conf: the search list of a process.
class SearchLists {
 public:
  virtual ~SearchLists() = default;
  // Valid until the next call.
  virtual const ResolvConf& of(const Owner& owner) = 0;
};

// Who wants to know of each query of a client as it is sent, such as the calls that led to it.
class Callers {
 public:
  virtual ~Callers() = default;
  // May fill in the lookup's caller.
  virtual void asked(Lookup& lookup, BootTime time) = 0;
};

class Matcher {
 public:
  struct Options {
    std::int64_t timeout_ns = 5'000'000'000;
    bool client = true;  // roles that are told
    bool server = false;
    bool pickup = true;  // reads are seen: an answered lookup waits for one
    std::size_t max_lookups = 65536;
    SearchLists* search = nullptr;  // must outlive the Matcher; nullptr: search lists are not followed
    Callers* callers = nullptr;     // must outlive the Matcher
  };
  explicit Matcher(const Options& options);

  void see(const Sighting& sighting);
  void see(const Pickup& pickup);
  void see(const Unreachable& error);
  // What is out of time by `now`, ends.
  void advance(BootTime now);
  // The trace ends: everything ends, and what has no answer yet is `pending`.
  void finish();

  // The next lookup that ended, or nullptr. Valid until the next call of any function.
  const Lookup* next();

  // Lookups that were given up because max_lookups were there, and TCP bytes that were not seen.
  std::uint64_t lost() const { return lost_ + connections_.gaps(); }
  std::size_t size() const { return in_use_; }

  // A resolver that asks another server waits at least this long; two lookups of one process for one name with different
  // ids within less are two.
  static constexpr std::int64_t kFallOverNs = 1'000'000'000;
  // The same packet at another device comes within this time.
  static constexpr std::int64_t kSamePacketNs = 50'000'000;
  // How much longer than the timeout a lookup without an answer is kept, so that a resolver with the same timeout may go
  // on to its next server first.
  static constexpr std::int64_t kGraceNs = 500'000'000;
  // A resolver that learns that its server is not there goes on to the next one at once.
  static constexpr std::int64_t kNextServerNs = 100'000'000;
  // How long an answer may come late, in timeouts.
  static constexpr std::int64_t kLateTimeouts = 6;
  // How long a packet waits for its neighbour's address: three requests, one a second (arp(7)), and a little.
  static constexpr std::int64_t kNeighbourNs = 5'000'000'000;

 private:
  enum class State : std::uint8_t { free, asking, truncated, answered, missed, told, done, refused };
  static constexpr std::size_t kStates = 8;
  static constexpr std::size_t kMaxAttempts = 8;  // that an answer may still come to
  static constexpr std::size_t kMaxStrays = 64;
  static constexpr std::size_t kMaxServers = 64;  // that are known to be of this host

  struct Attempt {
    BootTime time;
    Transport transport = Transport::udp;
    bool refused = false;  // ICMP says that its server is not there
    bool waiting = false;  // for the neighbour's address
    std::uint16_t id = 0;
    std::uint32_t ifindex = 0;
    std::uint64_t socket = 0;
    Endpoint client;
    Endpoint server;
    std::uint64_t question_hash = 0;
    std::uint64_t client_hash = 0;
  };
  struct Slot {
    Lookup lookup;
    State state = State::free;
    bool searched = false;  // the process has a search list
    bool queued = false;    // in ready_
    BootTime deadline;
    BootTime last_query;
    std::uint64_t owner_hash = 0;  // 0: not in by_owner_
    std::uint64_t read_socket =
        0;  // by_reader_ has it: answered, and the answer is not read yet; 0: it has not
    std::uint64_t orphan_socket = 0;  // by_orphan_ has it: its owner is not known; 0: it has not
    std::size_t attempts = 0;
    std::array<Attempt, kMaxAttempts> attempt;
    SlotLinks links;

    std::span<Attempt> tries() { return std::span(attempt).first(attempts); }
  };
  // An answer that came before its query was seen, as happens between CPUs.
  struct Stray {
    Sighting sighting;
    BootTime time;
    std::vector<std::byte> message;
  };
  // A query or an answer that is looked at: where it stands.
  struct Place {
    const Sighting& sighting;
    Role role;
    const Endpoint& client;
    const Endpoint& server;
    const Owner* owner;
    std::uint32_t length;
    bool whole;  // all of its bytes are here
  };
  // A server of this host: it has answered.
  struct Answering {
    std::uint32_t netns = 0;
    Endpoint server;
    Owner owner;
  };

  void message(const Sighting& sighting, const Owner* owner, std::span<const std::byte> bytes,
               std::uint32_t length);
  bool decode(std::span<const std::byte> bytes);
  void query(const Place& place);
  static bool leaves(Slot& slot, const Attempt& attempt, const Sighting& sighting);
  static bool sent_before(const Attempt& attempt, const Sighting& sighting);
  void remember_server(const Lookup& lookup);
  Answering* server_here(const Lookup& lookup);
  void expire_served(std::uint32_t number);
  bool response(const Place& place);
  std::uint64_t question_hash(const Place& place) const;
  static std::uint64_t client_hash(std::uint32_t netns, Role role, Transport transport,
                                   const Endpoint& client);
  std::uint64_t client_hash(const Place& place) const;
  std::uint64_t owner_hash(std::uint32_t pid) const;
  bool same_question(const Lookup& lookup) const;
  bool repeats(Slot& slot, const Place& place);
  std::uint32_t find_earlier(const Place& place) const;
  std::uint32_t find_asked(const Place& place, const Attempt*& attempt) const;
  void count_misfit(const Place& place);
  void begin(const Place& place);
  void tell_callers(std::uint32_t number, const Place& place);
  void add_attempt(std::uint32_t number, const Place& place);
  void remove_attempt(std::uint32_t number, std::size_t i);
  void set_owner(std::uint32_t number, const Owner* owner, BootTime now);
  void answer(std::uint32_t number, const Attempt& attempt, const Place& place);
  void after_answer(std::uint32_t number, BootTime now);
  void tell(std::uint32_t number);
  void queue(std::uint32_t number);
  void leave_reader(std::uint32_t number);
  void leave_orphans(std::uint32_t number);
  std::int64_t late_ns(Slot& slot) const;
  void expire(std::uint32_t number);
  void enter(std::uint32_t number, State state, BootTime deadline);
  std::uint32_t free_slot();
  void release(std::uint32_t number);
  void keep_stray(const Place& place, std::span<const std::byte> bytes);
  void try_strays(const Place& asked);

  Options options_;
  std::deque<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::array<SlotList, kStates> lists_;
  SlotIndex by_question_;
  SlotIndex by_client_;
  SlotIndex by_reader_;
  SlotIndex by_orphan_;
  SlotIndex by_owner_;
  std::vector<std::uint32_t> ready_;  // from ready_at_ on
  std::size_t ready_at_ = 0;
  std::uint32_t given_ = kNoSlot;
  Connections connections_;
  SearchFolder folder_;
  Message message_;
  std::vector<Stray> strays_;
  std::size_t next_stray_ = 0;
  std::vector<Answering> servers_;
  std::size_t next_server_ = 0;
  std::uint64_t lost_ = 0;
  std::size_t in_use_ = 0;
};

}  // namespace plumb::dns
