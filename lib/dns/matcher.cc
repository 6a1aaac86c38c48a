#include "dns/matcher.h"

#include <algorithm>
#include <span>

#include "dns/hashes.h"
#include "dns/names.h"
#include "dns/times.h"

namespace plumb::dns {
namespace {

constexpr std::uint16_t kNxdomain = 3;

}  // namespace

Matcher::Matcher(const Options& options)
    : options_(options),
      by_question_(options.max_lookups),
      by_client_(options.max_lookups),
      by_reader_(options.max_lookups),
      by_orphan_(1024),
      by_owner_(options.max_lookups) {}

void Matcher::see(const Sighting& s) {
  // A packet that is sent without a socket of this namespace is only forwarded; what receives such packets, or sent them,
  // is told where that is.
  if (s.direction == Direction::sent && s.socket == 0) return;
  if (s.transport == Transport::udp) {
    message(s, s.owner, s.payload, s.length);
    return;
  }
  Connections::Stream& stream = connections_.add(s);
  const Owner* owner = stream.owner.pid != 0 ? &stream.owner : nullptr;
  while (const auto bytes = stream.bytes.next()) {
    message(s, owner, *bytes, static_cast<std::uint32_t>(bytes->size()));
  }
}

void Matcher::message(const Sighting& s, const Owner* owner, std::span<const std::byte> bytes,
                      std::uint32_t length) {
  if (!decode(bytes)) return;
  const bool whole = bytes.size() == length;
  const bool sent = s.direction == Direction::sent;
  if (message_.is_response()) {
    const Place place{s, sent ? Role::server : Role::client, s.destination, s.source, owner, length, whole};
    if (place.role == Role::client ? !options_.client : !options_.server) return;
    if (!response(place)) keep_stray(place, bytes);
  } else {
    const Place place{s, sent ? Role::client : Role::server, s.source, s.destination, owner, length, whole};
    if (place.role == Role::client ? !options_.client : !options_.server) return;
    query(place);
  }
}

// Into message_. Of an answer the header is enough.
bool Matcher::decode(std::span<const std::byte> bytes) {
  const bool good =
      message_.decode(bytes) != Decoded::bad || (bytes.size() >= kHeaderBytes && message_.is_response());
  return good && message_.opcode() == 0;
}

std::uint64_t Matcher::client_hash(std::uint32_t netns, Role role, Transport transport,
                                   const Endpoint& client) {
  const auto kind = static_cast<std::uint64_t>(role) << 1U | static_cast<std::uint64_t>(transport);
  return hash_endpoint(mix(netns, kind), client);
}

std::uint64_t Matcher::client_hash(const Place& p) const {
  return client_hash(p.sighting.netns, p.role, p.sighting.transport, p.client);
}

std::uint64_t Matcher::question_hash(const Place& p) const {
  const std::uint64_t numbers =
      std::uint64_t{message_.id()} << 32U | std::uint64_t{message_.type()} << 16U | message_.question_class();
  return mix(mix(client_hash(p), numbers), hash_name(message_.name()));
}

std::uint64_t Matcher::owner_hash(std::uint32_t pid) const {
  return mix(mix(pid, message_.type()), hash_name(message_.name())) | 1U;
}

bool Matcher::same_question(const Lookup& l) const {
  return l.type == message_.type() && l.question_class == message_.question_class() &&
         same_name(l.name, message_.name());
}

// A lookup with this very attempt, or one to another server from the same socket.
std::uint32_t Matcher::find_asked(const Place& p, const Attempt*& attempt) const {
  attempt = nullptr;
  return by_question_.find(question_hash(p), [&](std::uint32_t number) {
    const Slot& slot = slots_[number];
    if (slot.lookup.role != p.role || slot.lookup.netns != p.sighting.netns || !same_question(slot.lookup))
      return false;
    bool here = false;
    for (std::size_t i = 0; i < slot.attempts; ++i) {
      const Attempt& a = slot.attempt[i];
      if (a.id != message_.id() || a.transport != p.sighting.transport || a.client != p.client) continue;
      here = true;
      if (a.server == p.server) attempt = &a;
    }
    return here;
  });
}

// The lookup of which a query from a new socket is another attempt: of the same process, for the same question.
std::uint32_t Matcher::find_earlier(const Place& p) const {
  if (p.owner == nullptr || p.owner->pid == 0 || p.role != Role::client) return kNoSlot;
  return by_owner_.find(owner_hash(p.owner->pid), [&](std::uint32_t number) {
    const Slot& slot = slots_[number];
    if (slot.lookup.owner.pid != p.owner->pid || slot.lookup.netns != p.sighting.netns ||
        !same_question(slot.lookup)) {
      return false;
    }
    if (slot.state == State::truncated) return p.sighting.transport == Transport::tcp;
    if (slot.state != State::asking && slot.state != State::refused) return false;
    const bool goes_on =
        slot.state == State::refused || since(slot.last_query, p.sighting.time) >= kFallOverNs;
    return slot.attempt[slot.attempts - 1].id == message_.id() ||
           (slot.lookup.owner.tid == p.owner->tid && goes_on);
  });
}

void Matcher::query(const Place& p) {
  const Attempt* attempt = nullptr;
  std::uint32_t number = find_asked(p, attempt);
  if (attempt != nullptr && leaves(slots_[number], *attempt, p.sighting)) return;
  const State state = number == kNoSlot ? State::free : slots_[number].state;
  if (state == State::asking || state == State::refused) {
    set_owner(number, p.owner, p.sighting.time);
    if (attempt != nullptr && sent_before(*attempt, p.sighting)) return;
  } else if ((state == State::answered || state == State::missed) &&
             since(*slots_[number].lookup.answered, p.sighting.time) < kSamePacketNs) {
    if (!p.sighting.waits) ++slots_[number].lookup.attempts;  // sent again while the answer was on its way
    return;
  } else {
    number = find_earlier(p);
    if (number == kNoSlot) {
      begin(p);
      return;
    }
  }
  add_attempt(number, p);
  tell_callers(number, p);
  try_strays(p);
}

// Whether a query is one that was seen to wait for its neighbour's address, and leaves now. It may have been told as out of
// time meanwhile. Its owner is not looked at: that may be whoever made the address known. `attempt`: the last that is alike.
bool Matcher::leaves(Slot& slot, const Attempt& attempt, const Sighting& s) {
  if (s.waits) return false;
  for (Attempt& a : slot.tries()) {
    if (!a.waiting || a.id != attempt.id || a.client != attempt.client || a.server != attempt.server ||
        since(a.time, s.time) > kNeighbourNs)
      continue;
    a.waiting = false;
    a.ifindex = s.ifindex;
    a.time = slot.last_query = s.time;
    const bool answered = slot.lookup.answered && *slot.lookup.answered < s.time;
    if (slot.lookup.attempts == 1 && slot.state != State::told && !answered) slot.lookup.asked = s.time;
    return true;
  }
  return false;
}

// Whether a query is a packet that was seen just now: at another device, or (the two sightings change places between CPUs)
// before it was seen to wait.
bool Matcher::sent_before(const Attempt& attempt, const Sighting& s) {
  return since(attempt.time, s.time) < kSamePacketNs &&
         (s.waits ? !attempt.waiting : attempt.ifindex != s.ifindex);
}

void Matcher::tell_callers(std::uint32_t number, const Place& p) {
  if (options_.callers != nullptr && p.role == Role::client)
    options_.callers->asked(slots_[number].lookup, p.sighting.time);
}

void Matcher::begin(const Place& p) {
  const std::uint32_t number = free_slot();
  if (number == kNoSlot) return;
  Slot& slot = slots_[number];
  Lookup& l = slot.lookup;
  l.role = p.role;
  l.outcome = Outcome::pending;
  l.truncated = false;
  l.netns = p.sighting.netns;
  l.owner.pid = l.caller.pid = 0;
  l.asked = p.sighting.time;
  l.answered.reset();
  l.picked_up.reset();
  l.type = message_.type();
  l.question_class = message_.question_class();
  l.query_flags = message_.flags();
  l.query_edns_bytes = message_.edns_udp_bytes();
  l.attempts = l.misfits = 0;
  l.request_bytes = p.length;
  l.response_bytes = 0;
  l.name = message_.name();
  l.search_of.clear();
  slot.attempts = 0;
  slot.searched = slot.queued = false;
  slot.owner_hash = slot.read_socket = slot.orphan_socket = 0;
  add_attempt(number, p);
  if (p.owner == nullptr && p.sighting.socket != 0) {
    slot.orphan_socket = p.sighting.socket;
    by_orphan_.add(slot.orphan_socket, number);
  }
  set_owner(number, p.owner, p.sighting.time);
  tell_callers(number, p);
  try_strays(p);
}

void Matcher::add_attempt(std::uint32_t number, const Place& p) {
  Slot& slot = slots_[number];
  if (slot.attempts == kMaxAttempts) remove_attempt(number, 0);
  Attempt& a = slot.attempt[slot.attempts++];
  a = {p.sighting.time,    p.sighting.transport, false,    p.sighting.waits, message_.id(),
       p.sighting.ifindex, p.sighting.socket,    p.client, p.server,         question_hash(p),
       client_hash(p)};
  by_question_.add(a.question_hash, number);
  by_client_.add(a.client_hash, number);
  Lookup& l = slot.lookup;
  ++l.attempts;
  l.outcome = Outcome::pending;
  l.answered.reset();  // a truncated answer
  l.response_bytes = 0;
  l.transport = a.transport;
  l.client = p.client;
  l.server = p.server;
  l.id = a.id;
  slot.last_query = p.sighting.time;
  const std::int64_t grace = p.role == Role::client ? std::min(kGraceNs, options_.timeout_ns / 10) : 0;
  enter(number, State::asking, after(p.sighting.time, options_.timeout_ns + grace));
}

void Matcher::remove_attempt(std::uint32_t number, std::size_t i) {
  Slot& slot = slots_[number];
  const Attempt& a = slot.attempt[i];
  by_question_.remove(a.question_hash, number);
  by_client_.remove(a.client_hash, number);
  for (; i + 1 < slot.attempts; ++i) slot.attempt[i] = slot.attempt[i + 1];
  --slot.attempts;
}

// Whoever is known first stays: later packets of one socket may be sent in another's time.
void Matcher::set_owner(std::uint32_t number, const Owner* owner, BootTime now) {
  Slot& slot = slots_[number];
  Lookup& l = slot.lookup;
  if (owner == nullptr || owner->pid == 0 || l.owner.pid != 0) return;
  l.owner = *owner;
  leave_orphans(number);
  if (l.role != Role::client) return;
  slot.owner_hash = mix(mix(owner->pid, l.type), hash_name(l.name)) | 1U;
  by_owner_.add(slot.owner_hash, number);
  if (options_.search == nullptr) return;
  const ResolvConf& conf = options_.search->of(l.owner);
  slot.searched = !conf.search.empty();
  if (slot.searched) l.search_of = folder_.asked(owner->pid, l.name, conf, now);
}

bool Matcher::response(const Place& p) {
  const Attempt* attempt = nullptr;
  std::uint32_t number = find_asked(p, attempt);
  if (number == kNoSlot && !message_.has_question()) {
    // Some servers leave the question out of an error.
    number = by_client_.find(client_hash(p), [&](std::uint32_t i) {
      const Slot& slot = slots_[i];
      if (slot.lookup.role != p.role || slot.lookup.netns != p.sighting.netns) return false;
      const auto end = slot.attempt.begin() + static_cast<std::ptrdiff_t>(slot.attempts);
      const auto a = std::find_if(slot.attempt.begin(), end, [&](const Attempt& one) {
        return one.id == message_.id() && one.client == p.client && one.server == p.server &&
               one.transport == p.sighting.transport;
      });
      attempt = a == end ? nullptr : &*a;
      return attempt != nullptr;
    });
  }
  if (number == kNoSlot || attempt == nullptr) {
    count_misfit(p);
    return false;
  }
  Slot& slot = slots_[number];
  if (slot.state == State::asking || slot.state == State::told || slot.state == State::refused)
    answer(number, *attempt, p);
  return true;
}

// Forged, or of a lookup that is over: it went to a port where an answer is waited for.
void Matcher::count_misfit(const Place& p) {
  const std::uint32_t number = by_client_.find(client_hash(p), [&](std::uint32_t i) {
    const Slot& slot = slots_[i];
    return slot.state == State::asking && slot.lookup.role == p.role &&
           slot.lookup.netns == p.sighting.netns && slot.lookup.client == p.client;
  });
  if (number != kNoSlot) ++slots_[number].lookup.misfits;
}

void Matcher::answer(std::uint32_t number, const Attempt& attempt, const Place& p) {
  Slot& slot = slots_[number];
  Lookup& l = slot.lookup;
  const bool late = slot.state == State::told && !slot.queued;
  l.answer.swap(message_);
  l.answered = p.sighting.time;
  l.transport = attempt.transport;
  l.client = attempt.client;
  l.server = attempt.server;
  l.id = attempt.id;
  l.response_bytes = p.length;
  const bool broken = p.whole && l.answer.broken() && !l.answer.has(kTc);
  l.outcome = late     ? Outcome::late
              : broken ? Outcome::malformed
              : l.answer.rcode() == 0 && !l.answer.answers_question() && !l.answer.has(kTc) && !l.answer.cut()
                  ? Outcome::nodata
                  : Outcome::answered;
  const std::uint64_t socket = attempt.socket;
  if (p.role == Role::server) {
    set_owner(number, p.owner, p.sighting.time);
    remember_server(l);
  }
  if (late || p.role == Role::server) {
    tell(number);
    return;
  }
  if (l.answer.has(kTc) && attempt.transport == Transport::udp) {
    l.truncated = true;
    enter(number, State::truncated, after(p.sighting.time, options_.timeout_ns));
  } else if (options_.pickup && socket != 0) {
    slot.read_socket = socket;
    by_reader_.add(socket, number);
    enter(number, State::answered, after(p.sighting.time, options_.timeout_ns));
  } else {
    after_answer(number, p.sighting.time);
  }
}

// Answered, and read if that is ever seen. A miss waits for its successor in the search list.
void Matcher::after_answer(std::uint32_t number, BootTime now) {
  leave_reader(number);
  const Slot& slot = slots_[number];
  const Lookup& l = slot.lookup;
  const bool miss = l.answer.rcode() == kNxdomain || l.outcome == Outcome::nodata;
  if (!miss || !slot.searched || l.owner.pid == 0) {
    tell(number);
    return;
  }
  folder_.missed(l.owner.pid, l.name, now);
  enter(number, State::missed, after(now, SearchFolder::kPatienceNs));
}

void Matcher::leave_reader(std::uint32_t number) {
  Slot& slot = slots_[number];
  if (slot.read_socket != 0) by_reader_.remove(slot.read_socket, number);
  slot.read_socket = 0;
}

void Matcher::leave_orphans(std::uint32_t number) {
  Slot& slot = slots_[number];
  if (slot.orphan_socket != 0) by_orphan_.remove(slot.orphan_socket, number);
  slot.orphan_socket = 0;
}

void Matcher::see(const Pickup& p) {
  if (p.owner != nullptr && p.owner->pid != 0) {
    for (;;) {
      const std::uint32_t orphan = by_orphan_.find(p.socket, [](std::uint32_t) { return true; });
      if (orphan == kNoSlot) break;
      leave_orphans(orphan);
      set_owner(orphan, p.owner, p.time);
    }
  }
  // What was answered first is read first.
  for (;;) {
    std::uint32_t oldest = kNoSlot;
    (void)by_reader_.find(p.socket, [&](std::uint32_t number) {
      const Lookup& l = slots_[number].lookup;
      if (*l.answered <= p.time && (oldest == kNoSlot || *l.answered < *slots_[oldest].lookup.answered))
        oldest = number;
      return false;
    });
    if (oldest == kNoSlot) return;
    slots_[oldest].lookup.picked_up = p.time;
    after_answer(oldest, p.time);
    if (p.transport == Transport::udp)
      return;  // a datagram a read; over TCP one read may take several messages
  }
}

// A lookup has lost once all the servers that it asked are not there: of two that were asked at the same time, as musl does
// it, the other one may answer.
void Matcher::see(const Unreachable& e) {
  const auto about = [&](const Attempt& a) {
    return !a.refused && a.client == e.client && a.server == e.server && a.transport == Transport::udp &&
           a.id == e.id.value_or(a.id);
  };
  for (;;) {
    const std::uint32_t number =
        by_client_.find(client_hash(e.netns, Role::client, Transport::udp, e.client), [&](std::uint32_t i) {
          const Slot& slot = slots_[i];
          const auto end = slot.attempt.begin() + static_cast<std::ptrdiff_t>(slot.attempts);
          return slot.state == State::asking && slot.lookup.role == Role::client &&
                 slot.lookup.netns == e.netns && std::any_of(slot.attempt.begin(), end, about);
        });
    if (number == kNoSlot) return;
    Slot& slot = slots_[number];
    const auto attempts = slot.tries();
    for (Attempt& a : attempts) a.refused = a.refused || about(a);
    if (std::ranges::all_of(attempts, &Attempt::refused))
      enter(number, State::refused, after(e.time, kNextServerNs));
  }
}

void Matcher::advance(BootTime now) {
  for (const State state :
       {State::asking, State::truncated, State::answered, State::missed, State::refused, State::told}) {
    const SlotList& list = lists_[static_cast<std::size_t>(state)];
    while (list.front() != kNoSlot && slots_[list.front()].deadline <= now) expire(list.front());
  }
}

// Bounded: of more servers the ones that answered first are forgotten.
void Matcher::remember_server(const Lookup& l) {
  if (Answering* known = server_here(l); known != nullptr) {
    if (l.owner.pid != 0) known->owner = l.owner;
  } else if (servers_.size() < kMaxServers) {
    servers_.push_back({l.netns, l.server, l.owner});
  } else {
    servers_[next_server_++ % kMaxServers] = {l.netns, l.server, l.owner};
  }
}

Matcher::Answering* Matcher::server_here(const Lookup& l) {
  const auto found = std::ranges::find_if(
      servers_, [&](const Answering& a) { return a.server == l.server && a.netns == l.netns; });
  return found == servers_.end() ? nullptr : &*found;
}

// A query that came in without an answer may be forwarded to another host; to a server that has answered it is not.
void Matcher::expire_served(std::uint32_t number) {
  Slot& slot = slots_[number];
  const Answering* server = server_here(slot.lookup);
  if (server == nullptr) return release(number);
  set_owner(number, &server->owner, slot.deadline);
  enter(number, State::told, after(slot.deadline, (kLateTimeouts - 1) * options_.timeout_ns));
  queue(number);
}

// How long after its timeout a lookup may still be answered, or leave.
std::int64_t Matcher::late_ns(Slot& slot) const {
  const bool waits = std::ranges::any_of(slot.tries(), &Attempt::waiting);
  return std::max((kLateTimeouts - 1) * options_.timeout_ns, waits ? kNeighbourNs : 0);
}

void Matcher::expire(std::uint32_t number) {
  Slot& slot = slots_[number];
  switch (slot.state) {
    case State::asking:
      slot.lookup.outcome = Outcome::timeout;
      if (slot.lookup.role == Role::server) {
        expire_served(number);
        return;
      }
      enter(number, State::told, after(slot.deadline, late_ns(slot)));
      queue(number);
      return;
    case State::refused:
      slot.lookup.outcome = Outcome::unreachable;
      enter(number, State::told, after(slot.deadline, kLateTimeouts * options_.timeout_ns));
      queue(number);
      return;
    case State::answered:
      after_answer(number, slot.deadline);
      return;
    case State::missed:
      if (slot.lookup.search_of.empty())
        slot.lookup.search_of = folder_.wanted(slot.lookup.owner.pid, slot.lookup.name);
      tell(number);
      return;
    case State::truncated:
      tell(number);
      return;
    case State::told:
      release(number);
      return;
    case State::free:
    case State::done:
      return;
  }
}

void Matcher::finish() {
  // In this order: what is answered may be a miss.
  for (const State state : {State::truncated, State::answered, State::missed, State::refused}) {
    SlotList& list = lists_[static_cast<std::size_t>(state)];
    while (list.front() != kNoSlot) expire(list.front());
  }
  SlotList& asking = lists_[static_cast<std::size_t>(State::asking)];
  while (asking.front() != kNoSlot) {
    const std::uint32_t number = asking.front();
    if (slots_[number].lookup.role == Role::server) {
      expire_served(number);
    } else {
      tell(number);
    }
  }
}

void Matcher::tell(std::uint32_t number) {
  enter(number, State::done, {});
  queue(number);
}

void Matcher::queue(std::uint32_t number) {
  Slot& slot = slots_[number];
  if (!slot.queued) ready_.push_back(number);
  slot.queued = true;
}

const Lookup* Matcher::next() {
  if (given_ != kNoSlot && slots_[given_].state == State::done && !slots_[given_].queued) release(given_);
  given_ = kNoSlot;
  if (ready_at_ == ready_.size()) {
    ready_.clear();
    ready_at_ = 0;
    return nullptr;
  }
  given_ = ready_[ready_at_++];
  slots_[given_].queued = false;
  return &slots_[given_].lookup;
}

void Matcher::enter(std::uint32_t number, State state, BootTime deadline) {
  const auto links = [this](std::uint32_t i) -> SlotLinks& { return slots_[i].links; };
  Slot& slot = slots_[number];
  if (slot.state != State::free) lists_[static_cast<std::size_t>(slot.state)].remove(number, links);
  slot.state = state;
  slot.deadline = deadline;
  if (state != State::free) lists_[static_cast<std::size_t>(state)].push_back(number, links);
}

std::uint32_t Matcher::free_slot() {
  if (free_.empty() && slots_.size() >= options_.max_lookups) {
    // What was told already goes first, then what has waited for its answer longest.
    std::uint32_t victim = lists_[static_cast<std::size_t>(State::told)].front();
    if (victim == kNoSlot || slots_[victim].queued) {
      ++lost_;
      victim = lists_[static_cast<std::size_t>(State::asking)].front();
    }
    if (victim == kNoSlot) return kNoSlot;
    release(victim);
  }
  ++in_use_;
  if (free_.empty()) {
    slots_.emplace_back();
    return static_cast<std::uint32_t>(slots_.size() - 1);
  }
  const std::uint32_t number = free_.back();
  free_.pop_back();
  return number;
}

void Matcher::release(std::uint32_t number) {
  Slot& slot = slots_[number];
  while (slot.attempts > 0) remove_attempt(number, slot.attempts - 1);
  if (slot.owner_hash != 0) by_owner_.remove(slot.owner_hash, number);
  slot.owner_hash = 0;
  leave_reader(number);
  leave_orphans(number);
  enter(number, State::free, {});
  free_.push_back(number);
  --in_use_;
}

}  // namespace plumb::dns
