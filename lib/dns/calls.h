// Calls of the C library's resolver (getaddrinfo and its like), joined with the queries on the wire that they led to.
// A resolver asks in the thread of the caller, or another process does it: nscd, systemd-resolved, a forwarder. So a query
// belongs
//
//   to the call of its own thread, if there is one for that name (or for one that a search list made it from),
//   else to those of its own process, else to all that wait for that name.
//
// A call without a query was answered from this host: a cache, the hosts file, a name service of another kind.
//
// Calls and packets come from two buffers, each in its own order, so a call is told once all packets of its time were seen.
// Bounded: kMaxCalls at one time. Used again, so that in the steady state nothing is allocated.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "dns/lookup.h"
#include "dns/matcher.h"
#include "dns/slots.h"

namespace plumb::dns {

enum class CallFunction : std::uint8_t { getaddrinfo, gethostbyname };

struct Call {
  CallFunction function = CallFunction::getaddrinfo;
  Owner owner;
  std::uint32_t netns = 0;
  BootTime began;
  std::optional<BootTime> ended;  // nothing: the trace ended first, or its thread, or it was left by a jump
  std::uint16_t type = 0;         // the only kind of address that it wants, as a record's type; 0: any
  std::int32_t error = 0;         // what getaddrinfo returned, or h_errno; 0: none
  std::uint32_t attempts = 0;     // queries that it led to
  std::string name;
  std::vector<std::string_view> answers;  // addresses, each once
  std::string text;                       // that they are views of

  // Pending without an end; nodata: no such name or no address of it.
  Outcome outcome() const;
  // Whether no query followed although it knows of the name; nothing: it ended without knowing.
  std::optional<bool> cached() const;
  // "EAI_NONAME", as netdb.h has it; empty: no error. `room` for an unknown one.
  std::string_view error_name(std::string& room) const;
  void set_answers(const std::vector<IpAddress>& addresses);
};

class Calls final : public Callers {
 public:
  static constexpr std::size_t kMaxCalls = 16384;
  // A call that has not returned by then never will. (resolv.conf allows 5 tries of 30 s at 3 servers.)
  static constexpr std::uint64_t kLongestNs = 600'000'000'000;
  // Whoever gave too small a buffer asks again by then, or never.
  static constexpr std::uint64_t kRetryNs = 1'000'000'000;

  Calls() : by_name_(kMaxCalls, kNoSlot), by_thread_(kMaxCalls) {}

  struct Begin {
    CallFunction function = CallFunction::getaddrinfo;
    BootTime time;
    std::uint32_t netns = 0;
    std::uint16_t type = 0;
    const Owner& owner;
    std::string_view name;
  };
  void begin(const Begin& begin);
  // The call of that thread. One whose begin was not seen is not known.
  void end(const Owner& owner, BootTime time, std::int32_t error, const std::vector<IpAddress>& addresses);

  // Its buffer was too small (ERANGE). The same call goes on when its thread asks for that name again, as it is told to.
  void pause(const Owner& owner, BootTime time);
  // Its thread ended in the middle of it.
  void leave(const Owner& owner, BootTime time);

  // A query was sent. Every call that began before must be known.
  void asked(Lookup& lookup, BootTime time) override;

  // The next call of those that were over before `seen`; all packets until then were seen. nullptr: none. Valid until the
  // next call of a function that is not const.
  const Call* next(BootTime seen);
  // The trace is over: what waits is told as it is.
  const Call* rest();

  std::uint64_t lost() const { return lost_; }

 private:
  struct Slot {
    Call call;
    bool used = false;
    std::uint64_t name_hash = 0;
    SlotLinks same_hash;       // in the list of by_name_
    std::uint64_t thread = 0;  // 0: not in by_thread_: it is over
    BootTime over{};           // 0 ns: it is under way
    BootTime paused{};         // 0 ns: it is not
  };
  std::uint32_t find(const Owner& owner) const;
  void close(std::uint32_t number, BootTime time);
  void give_up(std::uint32_t number);
  bool resume(std::uint32_t number, const Begin& begin);
  void close_old(BootTime seen);
  const Call* take_over();
  template <class Take>
  void for_each_that_waits(std::string_view name, BootTime time, Take take);
  std::uint32_t& first_of(std::uint64_t name_hash) { return by_name_[name_hash % kMaxCalls]; }
  void enter_names(std::uint32_t number);
  void leave_names(std::uint32_t number);
  void release(std::uint32_t number);
  void release_given();

  std::deque<Slot> slots_;
  std::vector<std::uint32_t> free_;
  // By the name's hash, the newest first; linked both ways, since a busy program may ask for one name all the time.
  std::vector<std::uint32_t> by_name_;
  SlotIndex by_thread_;
  std::deque<std::uint32_t> over_;  // in this order
  struct Pause {
    std::uint32_t number = kNoSlot;
    BootTime time;
  };
  std::deque<Pause> pauses_;  // in their order; those that ended as well
  std::uint32_t given_ = kNoSlot;
  std::uint64_t lost_ = 0;
  BootTime swept_{};
};

}  // namespace plumb::dns
