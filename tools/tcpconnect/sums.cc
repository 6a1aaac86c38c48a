#include "tcpconnect/sums.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

namespace plumb {
namespace {

// Keys are plain bytes without padding (wire.h asserts the size), always filled from zero.
std::string_view bytes_of(const tcpconnect_summary_key& key) {
  return {reinterpret_cast<const char*>(&key), sizeof key};
}

tcpconnect_summary_key key_of(const Connect& e) {
  const bool server = has_service_port(e.wire->role, e.wire->local_port, e.wire->remote_port);
  tcpconnect_summary_key key{};
  key.role = e.wire->role;
  key.port = server ? e.wire->local_port : e.wire->remote_port;
  if (!server) {  // a server's clients would be a row each
    key.family = e.wire->family;
    std::memcpy(key.remote_addr, e.wire->remote_addr, sizeof key.remote_addr);
  }
  if (e.knows(KNOWN_OWNER)) {
    key.pid = e.wire->task.pid;
    std::memcpy(key.comm, e.wire->task.comm, sizeof key.comm);
  }
  return key;
}

}  // namespace

std::size_t ConnectSums::Hash::operator()(const tcpconnect_summary_key& key) const {
  return std::hash<std::string_view>{}(bytes_of(key));
}

bool ConnectSums::Equal::operator()(const tcpconnect_summary_key& a, const tcpconnect_summary_key& b) const {
  return bytes_of(a) == bytes_of(b);
}

void ConnectSums::add(const Connect& e) {
  const tcpconnect_summary_key key = key_of(e);
  if (sums_.size() >= kMost && !sums_.contains(key)) {
    ++lost_;
    return;
  }
  tcpconnect_summary& sum = sums_[key];
  if (e.wire->type == TCPCONNECT_CLOSE) {
    ++sum.closed;
    sum.tx_bytes += e.wire->tx_bytes;
    sum.rx_bytes += e.wire->rx_bytes;
    sum.retransmits += e.wire->retransmits;
    return;
  }
  ++sum.outcomes[e.wire->outcome];
  if (e.wire->outcome != OUTCOME_ESTABLISHED || !e.knows(KNOWN_LATENCY)) return;
  ++sum.latency_us[histogram_bucket(e.wire->latency_ns / 1000)];
  sum.max_latency_ns = std::max(sum.max_latency_ns, e.wire->latency_ns);
}

void ConnectSums::finish(const Out& out, bool knows_closes) {
  std::vector<ConnectSummary> rows;
  rows.reserve(sums_.size());
  for (const auto& [key, value] : sums_) rows.push_back(summary_of(key, value));
  for (ConnectSummary& row : rows) row.knows_closes = knows_closes;
  std::sort(rows.begin(), rows.end(), [](const ConnectSummary& a, const ConnectSummary& b) {
    return a.attempts() != b.attempts() ? a.attempts() > b.attempts() : bytes_of(*a.key) < bytes_of(*b.key);
  });
  for (const ConnectSummary& row : rows) out(Row(kConnectSummarySchema, row));
}

SavedConnectSums::SavedConnectSums(const Schema& lines)
    : pid_(lines.find("pid")),
      comm_(lines.find("comm")),
      role_(lines.find("role")),
      local_port_(lines.find("local_port")),
      remote_addr_(lines.find("remote_addr")),
      remote_port_(lines.find("remote_port")),
      outcome_(lines.find("outcome")),
      latency_(lines.find("latency_ms")),
      tx_(lines.find("tx_bytes")),
      rx_(lines.find("rx_bytes")),
      retransmits_(lines.find("retransmits")) {}

namespace {

std::uint64_t number(const Row& row, std::size_t field) {
  const Value v = row.get(field);
  const auto* n = std::get_if<std::uint64_t>(&v);
  return n == nullptr ? 0 : *n;
}

// Where the value stands among the field's names; nothing: not known, or a newer plumb's name.
std::optional<std::size_t> place(const Row& row, std::size_t field) {
  const Value v = row.get(field);
  const auto* name = std::get_if<Name>(&v);
  if (name == nullptr) return std::nullopt;
  const auto values = row.schema().spec(field).values;
  return static_cast<std::size_t>(std::ranges::find(values, name->text) - values.begin());
}

void set_remote(tcpconnect_event& e, const Value& remote) {
  const auto* address = std::get_if<IpAddress>(&remote);
  if (address == nullptr) return;
  e.family = address->is_v4() ? AF_INET : AF_INET6;
  std::ranges::copy(address->bytes(), e.remote_addr);
}

void set_owner(tcpconnect_event& e, std::uint64_t pid, const Value& comm) {
  const auto* text = std::get_if<std::string_view>(&comm);
  if (pid == 0 || text == nullptr) return;
  e.known |= KNOWN_OWNER;
  e.task.pid = static_cast<std::uint32_t>(pid);
  text->copy(e.task.comm, sizeof e.task.comm);
}

}  // namespace

void SavedConnectSums::add(const Row& row) {
  tcpconnect_event e{};
  e.type = static_cast<std::uint8_t>(row.type());
  closes_ = closes_ || e.type == TCPCONNECT_CLOSE;
  const auto role = place(row, role_);
  e.role = role ? static_cast<std::uint8_t>(ROLE_CLIENT + *role) : std::uint8_t{ROLE_UNKNOWN};
  e.outcome = static_cast<std::uint8_t>(place(row, outcome_).value_or(OUTCOME_ERROR));
  e.local_port = static_cast<std::uint16_t>(number(row, local_port_));
  e.remote_port = static_cast<std::uint16_t>(number(row, remote_port_));
  set_remote(e, row.get(remote_addr_));
  set_owner(e, number(row, pid_), row.get(comm_));
  const Value latency = row.get(latency_);
  if (const auto* d = std::get_if<Duration>(&latency); d != nullptr && d->ns >= 0) {
    e.known |= KNOWN_LATENCY;
    e.latency_ns = static_cast<std::uint64_t>(d->ns);
  }
  e.tx_bytes = number(row, tx_);
  e.rx_bytes = number(row, rx_);
  e.retransmits = static_cast<std::uint32_t>(number(row, retransmits_));
  Connect event;
  event.wire = &e;
  sums_.add(event);
}

}  // namespace plumb
