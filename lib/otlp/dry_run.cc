// --otlp-dry-run: the transport that prints.
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

#include "base/result.h"
#include "base/text.h"
#include "otlp/transport.h"

namespace plumb::otlp {
namespace {

std::mutex printing;  // each signal has a thread of its own, and a line is one write or several

void append_pair(std::string& out, std::string_view key, std::string_view value) {
  if (out.back() != '{') out += ',';
  append_json_escaped(out.append(1, '"'), key);
  append_json_escaped(out.append("\":\""), value);
  out += '"';
}

class DryRun final : public Transport {
 public:
  DryRun(const Config& config, const std::string& content_type, const std::string& user_agent) : head_("{") {
    append_pair(head_, "signal", name_of(config.signal));
    append_pair(head_, "url", config.endpoint.text());  // without the query, which may hold a key
    head_ += ",\"headers\":{";
    append_pair(head_, "Content-Type", content_type);
    append_pair(head_, "User-Agent", user_agent);
    if (config.gzip) append_pair(head_, "Content-Encoding", "gzip");
    for (const Pair& header : config.headers) append_pair(head_, header.key, "***");
    head_ += "},\"body\":";
  }

  Result<Response> post(const std::string& body, std::int64_t) override {
    const std::lock_guard lock(printing);
    std::string line = head_;
    line.append(body).append("}\n");
    for (std::string_view rest = line; !rest.empty();) {
      const ssize_t n = ::write(STDOUT_FILENO, rest.data(), rest.size());
      if (n < 0 && errno == EAGAIN) {
        pollfd ready{STDOUT_FILENO, POLLOUT, 0};
        ::poll(&ready, 1, -1);
        continue;
      }
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Response{.status = 400, .body = R"({"message":")" + errno_text(errno) + R"("})"};
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    return Response{.status = 200};
  }

 private:
  std::string head_;
};

}  // namespace

std::unique_ptr<Transport> make_dry_run(const Config& config, const std::string& content_type,
                                        const std::string& user_agent) {
  return std::make_unique<DryRun>(config, content_type, user_agent);
}

}  // namespace plumb::otlp
