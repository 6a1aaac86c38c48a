#include "dns/calls.h"

#include <algorithm>

namespace plumb::dns {
namespace {

struct ErrorName {
  std::string_view name;
  std::int32_t error;
  CallFunction function;
  bool no_name;  // it says that the name, or an address of it, does not exist
};

constexpr std::int32_t kInternal = -1;  // NETDB_INTERNAL

// netdb.h of glibc and musl, which agree.
constexpr ErrorName kErrors[] = {
    {"EAI_BADFLAGS", -1, CallFunction::getaddrinfo, false},
    {"EAI_NONAME", -2, CallFunction::getaddrinfo, true},
    {"EAI_AGAIN", -3, CallFunction::getaddrinfo, false},
    {"EAI_FAIL", -4, CallFunction::getaddrinfo, false},
    {"EAI_NODATA", -5, CallFunction::getaddrinfo, true},
    {"EAI_FAMILY", -6, CallFunction::getaddrinfo, false},
    {"EAI_SOCKTYPE", -7, CallFunction::getaddrinfo, false},
    {"EAI_SERVICE", -8, CallFunction::getaddrinfo, false},
    {"EAI_ADDRFAMILY", -9, CallFunction::getaddrinfo, true},
    {"EAI_MEMORY", -10, CallFunction::getaddrinfo, false},
    {"EAI_SYSTEM", -11, CallFunction::getaddrinfo, false},
    {"EAI_OVERFLOW", -12, CallFunction::getaddrinfo, false},
    {"NETDB_INTERNAL", kInternal, CallFunction::gethostbyname, false},
    {"HOST_NOT_FOUND", 1, CallFunction::gethostbyname, true},
    {"TRY_AGAIN", 2, CallFunction::gethostbyname, false},
    {"NO_RECOVERY", 3, CallFunction::gethostbyname, false},
    {"NO_DATA", 4, CallFunction::gethostbyname, true},
};

const ErrorName* known_error(const Call& call) {
  const auto* found = std::ranges::find_if(
      kErrors, [&](const ErrorName& e) { return e.function == call.function && e.error == call.error; });
  return found == std::end(kErrors) ? nullptr : found;
}

std::uint64_t thread_key(const Owner& owner) {
  return mix(owner.pid, owner.tid) | 1U;
}

std::string_view without_dot(std::string_view name) {
  return name.size() > 1 && name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
}

bool same_thread(const Owner& a, const Owner& b) {
  return a.pid == b.pid && a.tid == b.tid;
}

}  // namespace

Outcome Call::outcome() const {
  if (!ended) return Outcome::pending;
  if (error == 0) return Outcome::answered;
  const ErrorName* known = known_error(*this);
  return known != nullptr && known->no_name ? Outcome::nodata : Outcome::failed;
}

std::optional<bool> Call::cached() const {
  if (attempts > 0) return false;
  const Outcome o = outcome();
  return o == Outcome::answered || o == Outcome::nodata ? std::optional(true) : std::nullopt;
}

std::string_view Call::error_name(std::string& room) const {
  if (!ended || error == 0) return {};
  if (const ErrorName* known = known_error(*this)) return known->name;
  room = std::to_string(error);
  return room;
}

void Call::set_answers(const std::vector<IpAddress>& addresses) {
  text.clear();
  answers.clear();
  text.reserve(addresses.size() * IpAddress::kMaxText);  // so that the views stay
  for (auto a = addresses.begin(); a != addresses.end(); ++a) {
    if (std::find(addresses.begin(), a, *a) != a) continue;
    char out[IpAddress::kMaxText];
    const std::size_t size = a->format(out);
    const std::size_t at = text.size();
    text.append(out, size);
    answers.emplace_back(text.data() + at, size);
  }
}

std::uint32_t Calls::find(const Owner& owner) const {
  return by_thread_.find(thread_key(owner),
                         [&](std::uint32_t i) { return same_thread(slots_[i].call.owner, owner); });
}

// It is told once all packets until then were seen; without an end, if it has none.
void Calls::close(std::uint32_t number, BootTime time) {
  Slot& slot = slots_[number];
  by_thread_.remove(slot.thread, number);
  slot.thread = 0;
  slot.over = time;
  over_.push_back(number);
}

// Nobody came back with a larger buffer.
void Calls::give_up(std::uint32_t number) {
  Slot& slot = slots_[number];
  slot.call.ended = slot.paused;
  slot.call.error = kInternal;
  close(number, slot.paused);
}

bool Calls::resume(std::uint32_t number, const Begin& b) {
  Slot& slot = slots_[number];
  if (slot.paused.ns == 0 || b.time.ns - slot.paused.ns > kRetryNs || slot.call.function != b.function ||
      slot.call.type != b.type || !same_name(slot.call.name, without_dot(b.name)))
    return false;
  slot.paused = {};
  return true;
}

void Calls::begin(const Begin& b) {
  release_given();
  const std::uint64_t thread = thread_key(b.owner);
  if (const std::uint32_t old = find(b.owner); old != kNoSlot) {
    if (resume(old, b)) return;
    // Else the thread's last one never returned: it jumped out.
    slots_[old].paused.ns != 0 ? give_up(old) : close(old, b.time);
  }
  if (free_.empty() && slots_.size() >= kMaxCalls) {
    ++lost_;
    return;
  }
  if (free_.empty()) {
    slots_.emplace_back();
    free_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
  }
  const std::uint32_t number = free_.back();
  free_.pop_back();
  Slot& slot = slots_[number];
  Call& call = slot.call;
  call.function = b.function;
  call.owner = b.owner;
  call.netns = b.netns;
  call.began = b.time;
  call.ended.reset();
  call.type = b.type;
  call.error = 0;
  call.attempts = 0;
  call.name = without_dot(b.name);
  call.answers.clear();
  slot.used = true;
  slot.over = {};
  slot.paused = {};
  slot.name_hash = hash_name(call.name);
  slot.thread = thread;
  enter_names(number);
  by_thread_.add(thread, number);
}

void Calls::end(const Owner& owner, BootTime time, std::int32_t error,
                const std::vector<IpAddress>& addresses) {
  const std::uint32_t number = find(owner);
  if (number == kNoSlot) return;
  Call& call = slots_[number].call;
  call.ended = time;
  call.error = error;
  call.set_answers(addresses);
  close(number, time);
}

void Calls::pause(const Owner& owner, BootTime time) {
  const std::uint32_t number = find(owner);
  if (number == kNoSlot) return;
  slots_[number].paused = time;
  pauses_.push_back({number, time});
}

void Calls::leave(const Owner& owner, BootTime time) {
  if (const std::uint32_t number = find(owner); number != kNoSlot) close(number, time);
}

// take(call): of all calls under way at that time for a name that `name` is, or was made from by a suffix. For one that is
// paused nothing is asked.
template <class Take>
void Calls::for_each_that_waits(std::string_view name, BootTime time, Take take) {
  for (std::size_t end = name.find('.');; end = name.find('.', end + 1)) {
    const std::string_view wanted = name.substr(0, end);
    for (std::uint32_t i = first_of(hash_name(wanted)); i != kNoSlot; i = slots_[i].same_hash.after) {
      const Slot& slot = slots_[i];
      Call& call = slots_[i].call;
      const BootTime until = slot.over.ns != 0 ? slot.over : slot.paused;
      const bool waits = until.ns != 0 ? time <= until : time.ns - call.began.ns < kLongestNs;
      if (call.began <= time && waits && same_name(call.name, wanted)) take(call);
    }
    if (end == std::string_view::npos) return;
  }
}

void Calls::asked(Lookup& lookup, BootTime time) {
  const Owner& asker = lookup.owner;
  Call* own = nullptr;
  bool of_process = false;
  for_each_that_waits(lookup.name, time, [&](Call& call) {
    if (asker.pid == 0 || call.owner.pid != asker.pid) return;
    of_process = true;
    if (call.owner.tid == asker.tid) own = &call;
  });
  if (own != nullptr) {
    ++own->attempts;
    lookup.caller = own->owner;
    return;
  }
  // Whoever waits had it asked, but with several of them nobody can say for whom it was.
  Owner caller;
  bool several = false;
  for_each_that_waits(lookup.name, time, [&](Call& call) {
    if (of_process && call.owner.pid != asker.pid) return;
    ++call.attempts;
    several = several || (caller.pid != 0 && caller.pid != call.owner.pid);
    caller = call.owner;
  });
  if (caller.pid != 0 && !several && lookup.caller.pid == 0) lookup.caller = caller;
}

const Call* Calls::next(BootTime seen) {
  release_given();
  close_old(seen);
  if (over_.empty() || slots_[over_.front()].over >= seen) return nullptr;
  return take_over();
}

const Call* Calls::take_over() {
  given_ = over_.front();
  over_.pop_front();
  return &slots_[given_].call;
}

const Call* Calls::rest() {
  release_given();
  if (!over_.empty()) return take_over();
  const auto left = std::ranges::find_if(slots_, [](const Slot& s) { return s.used; });
  if (left == slots_.end()) return nullptr;
  given_ = static_cast<std::uint32_t>(left - slots_.begin());
  return &left->call;
}

// What nobody will end.
void Calls::close_old(BootTime seen) {
  for (; !pauses_.empty() && pauses_.front().time.ns + kRetryNs < seen.ns; pauses_.pop_front()) {
    const auto [number, time] = pauses_.front();
    const Slot& slot = slots_[number];
    if (slot.thread != 0 && slot.paused == time) give_up(number);
  }
  constexpr std::uint64_t kPauseNs = 10'000'000'000;  // all are looked at
  if (seen.ns < swept_.ns + kPauseNs) return;
  swept_ = seen;
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (slot.thread != 0 && slot.call.began.ns + kLongestNs < seen.ns) close(i, seen);
  }
}

void Calls::release_given() {
  if (given_ != kNoSlot) release(given_);
  given_ = kNoSlot;
}

void Calls::enter_names(std::uint32_t number) {
  Slot& slot = slots_[number];
  std::uint32_t& first = first_of(slot.name_hash);
  slot.same_hash = {kNoSlot, first};
  if (first != kNoSlot) slots_[first].same_hash.before = number;
  first = number;
}

void Calls::leave_names(std::uint32_t number) {
  const Slot& slot = slots_[number];
  const auto [before, after] = slot.same_hash;
  (before == kNoSlot ? first_of(slot.name_hash) : slots_[before].same_hash.after) = after;
  if (after != kNoSlot) slots_[after].same_hash.before = before;
}

void Calls::release(std::uint32_t number) {
  Slot& slot = slots_[number];
  leave_names(number);
  if (slot.thread != 0) by_thread_.remove(slot.thread, number);
  slot.thread = 0;
  slot.used = false;
  free_.push_back(number);
}

}  // namespace plumb::dns
