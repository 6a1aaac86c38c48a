// The connections that the kernel side tells of, each with its conversation: records in, requests out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "bpf/task.h"
#include "http/conversation.h"
#include "httptrace/event.h"
#include "httptrace/wire.h"

namespace plumb {

class HttpConnections final : private http::ExchangeSink {
 public:
  // A request that is over; what it holds is the callee's only until it returns. False ends the drain.
  using OnRequest = std::function<bool(Request&)>;
  // More connections than this at one time are not kept: the one that was idle for longest goes.
  static constexpr std::size_t kMost = 65536;

  // `keep` and `clock` outlive it.
  HttpConnections(const http::Keep& keep, const BootClock& clock, OnRequest on_request,
                  std::size_t most = kMost);

  // One record of the ring buffer, of sockets or of TLS libraries. Skips records of a wrong size or out of range. False:
  // no more is wanted.
  bool take(std::span<const std::byte> record);
  // Gives up the connections that closed a while before `now`: a call that was sending when the connection broke ends
  // only after it.
  void settle(BootTime now);
  // The trace ends: what is under way is told as that.
  void finish(BootTime now);

  const http::Untold& untold() const { return surroundings_.untold; }
  std::uint64_t given_up() const { return given_up_; }

 private:
  struct Connection {
    explicit Connection(http::Surroundings& surroundings) : conversation(surroundings) {}
    httptrace_key key{};
    task_identity task{};
    std::uint32_t netns = 0;
    std::uint8_t library = LIBRARY_NONE;
    std::uint16_t local_port = 0;
    std::uint16_t remote_port = 0;
    IpAddress local;
    IpAddress remote;
    http::Conversation conversation;
  };
  struct Hash {
    std::size_t operator()(const httptrace_key& key) const;
  };
  struct Equal {
    bool operator()(const httptrace_key& a, const httptrace_key& b) const {
      return a.object == b.object && a.since_ns == b.since_ns;
    }
  };
  using Order = std::list<Connection>;  // the longest idle first

  Connection* find(const httptrace_key& key);
  void open(const httptrace_open& record);
  void data(Connection& c, const httptrace_data& record, std::span<const std::byte> payload);
  void close(const httptrace_close& record);
  struct Closed {
    httptrace_key key;
    http::Failure failure;
    BootTime time;
  };

  void give_up(Order::iterator at, http::Failure failure, BootTime time);
  void finished(const http::Exchange& exchange, http::Role role) override;

  const BootClock* clock_;
  OnRequest on_request_;
  std::size_t most_;
  http::Surroundings surroundings_;
  Order order_;
  std::unordered_map<httptrace_key, Order::iterator, Hash, Equal> by_key_;
  std::deque<Closed> closed_;
  Connection* current_ = nullptr;  // whose record is being taken
  BootTime now_;
  bool wanted_ = true;
  std::uint64_t given_up_ = 0;
  std::string template_;
  std::vector<std::string_view> headers_;
};

}  // namespace plumb
