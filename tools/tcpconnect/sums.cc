#include "tcpconnect/sums.h"

#include <algorithm>
#include <cstring>
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

void ConnectSums::finish(const Out& out) {
  std::vector<ConnectSummary> rows;
  rows.reserve(sums_.size());
  for (const auto& [key, value] : sums_) rows.push_back(summary_of(key, value));
  std::sort(rows.begin(), rows.end(), [](const ConnectSummary& a, const ConnectSummary& b) {
    return a.attempts() != b.attempts() ? a.attempts() > b.attempts() : bytes_of(*a.key) < bytes_of(*b.key);
  });
  for (const ConnectSummary& row : rows) out(Row(kConnectSummarySchema, row));
}

}  // namespace plumb
