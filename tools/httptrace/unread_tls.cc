#include "httptrace/unread_tls.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "base/text.h"

namespace plumb {
namespace {

constexpr std::uint64_t kWaitNs = 200'000'000;  // by then what was told of its process has been read
constexpr std::size_t kMostPending = 65536;
constexpr std::size_t kMostLooks = 65536;
constexpr std::size_t kMostNames = 256;
constexpr std::size_t kMostTold = 5;
constexpr std::size_t kMostProcesses = 65536;
constexpr std::string_view kEnded = "ended before it could be looked at";
constexpr std::string_view kUnknown = "no function of a TLS library has a name in it";
// From the end of the handshake, which looks like data, to a library's first call: a busy machine takes a while from one to
// the other. Whose first call comes later was probed only then, most likely.
constexpr std::uint64_t kCallNs = 50'000'000;

std::string_view plural(std::uint64_t n) {
  return n == 1 ? "" : "s";
}

}  // namespace

void UnreadTls::looked(std::uint32_t pid, std::uint64_t since_ns, std::string_view unreadable, BootTime now) {
  if (looks_.size() >= kMostLooks) looks_.clear();  // who is needed is looked at again
  looks_[pid] = {since_ns, now.ns, unreadable};
}

void UnreadTls::connection(const httptrace_open& record) {
  if (started_.ns == 0 || record.header.time_ns < started_.ns || record.task.pid == 0) return;
  if (pending_.size() >= kMostPending) {
    judge(pending_.front());
    pending_.pop_front();
  }
  const char* comm = record.task.comm;
  pending_.push_back({record.header.time_ns, record.task.start_ns, record.task.pid,
                      (record.header.flags & HTTPTRACE_OLDER) != 0,
                      std::string(comm, ::strnlen(comm, sizeof record.task.comm))});
}

void UnreadTls::settle(BootTime now) {
  while (!pending_.empty() && pending_.front().time_ns + kWaitNs < now.ns) {
    judge(pending_.front());
    pending_.pop_front();
  }
}

// What was seen of it while it was this process; looked at now where nothing was, or nothing with probes and that before the
// connection began: a look reads all that the process maps.
const UnreadTls::Look* UnreadTls::look_of(const Pending& p) {
  const auto current = [&]() -> const Look* {
    const auto found = looks_.find(p.pid);
    return found == looks_.end() || found->second.time_ns < p.start_ns ? nullptr : &found->second;
  };
  const Look* look = current();
  const bool known = look != nullptr && (look->since_ns != 0 || look->time_ns >= p.time_ns);
  if (known || !processes_.look) return look;
  processes_.look(p.pid);
  return current();
}

void UnreadTls::judge(const Pending& p) {
  const Look* look = look_of(p);
  if (look != nullptr && look->since_ns != 0) {
    if (!p.older && look->since_ns > p.time_ns) early_.add(p, {});
    return;
  }
  // Gone, or born of a process with probes and not looked at.
  const std::uint64_t call = processes_.first_call ? processes_.first_call(p.pid) : 0;
  if (call != 0 && call >= p.start_ns) {
    if (!p.older && call > p.time_ns + kCallNs) early_.add(p, {});
    return;
  }
  if (look == nullptr)
    early_.add(p, kEnded);
  else
    unreadable_.add(p, look->unreadable.empty() ? kUnknown : look->unreadable);
}

void UnreadTls::Count::add(const Pending& p, std::string_view why) {
  ++connections;
  if (processes.size() < kMostProcesses) processes.emplace(p.pid, p.start_ns);
  const std::pair<std::string, std::string_view> name{p.comm, why};
  const auto found = names.find(name);
  if (found != names.end())
    ++found->second;
  else if (names.size() < kMostNames)
    names.emplace(name, 1);
}

std::string UnreadTls::Count::text() const {
  std::vector<std::pair<std::uint64_t, std::string>> parts;
  std::uint64_t told = 0;
  for (const auto& [name, count] : names) {
    std::string text;
    append_printable(text, name.first);
    parts.emplace_back(count, fmt::format("{} of {}{}", count, text,
                                          name.second.empty() ? "" : fmt::format(" ({})", name.second)));
  }
  std::ranges::stable_sort(parts, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string out;
  for (const auto& [count, text] : std::span(parts).first(std::min(parts.size(), kMostTold)))
    out += (out.empty() ? "" : ", ") + text, told += count;
  if (connections > told) out += fmt::format(", {} of others", connections - told);
  return out;
}

std::vector<std::string> UnreadTls::lines() const {
  std::vector<std::string> out;
  if (early_.connections != 0) {
    out.push_back(fmt::format(
        "{} TLS connection{} of {} process{} began before their probes were on: requests of theirs "
        "may be missing: {}",
        early_.connections, plural(early_.connections), early_.processes.size(),
        early_.processes.size() == 1 ? "" : "es", early_.text()));
  }
  if (unreadable_.connections != 0) {
    out.push_back(fmt::format("{} TLS connection{} could not be read: {}", unreadable_.connections,
                              plural(unreadable_.connections), unreadable_.text()));
  }
  return out;
}

}  // namespace plumb
