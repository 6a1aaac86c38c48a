// The aggregates of `tcpconnect --summary`: made by the kernel, or here where an expression has to see each
// event.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "query/summary.h"
#include "tcpconnect/event.h"

namespace plumb {

class ConnectSums final : public Summary {
 public:
  const Schema& schema() const override { return kConnectSummarySchema; }
  void add(const Row& row) override {
    if (const auto* event = row.event<Connect>(); event != nullptr) add(*event);
  }
  // One event, counted as connection.bpf.h counts it.
  void add(const Connect& event);
  // One aggregate of the kernel.
  void add(const tcpconnect_summary_key& key, const tcpconnect_summary& value) { sums_[key] = value; }
  // Events beyond the first kMost keys: as in the kernel's map, they are not counted, and said to be lost.
  std::uint64_t lost() const override { return lost_; }
  static constexpr std::size_t kMost = 8192;
  // Every aggregate as a row, most attempts first.
  void finish(const Out& out) override { finish(out, true); }
  // Without closes what comes of them is not known.
  void finish(const Out& out, bool knows_closes);

 private:
  struct Hash {
    std::size_t operator()(const tcpconnect_summary_key& key) const;
  };
  struct Equal {
    bool operator()(const tcpconnect_summary_key& a, const tcpconnect_summary_key& b) const;
  };
  std::unordered_map<tcpconnect_summary_key, tcpconnect_summary, Hash, Equal> sums_;
  std::uint64_t lost_ = 0;
};

// The same of saved lines, whose fields say what the event said.
class SavedConnectSums final : public Summary {
 public:
  // `lines` is the schema of the rows.
  explicit SavedConnectSums(const Schema& lines);

  const Schema& schema() const override { return kConnectSummarySchema; }
  void add(const Row& row) override;
  std::uint64_t lost() const override { return sums_.lost(); }
  void finish(const Out& out) override { sums_.finish(out, closes_); }

 private:
  std::size_t pid_, comm_, role_, local_port_, remote_addr_, remote_port_, outcome_, latency_, tx_, rx_,
      retransmits_;
  bool closes_ = false;  // there was one
  ConnectSums sums_;
};

}  // namespace plumb
