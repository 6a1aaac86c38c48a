// Reads the answer to one HTTP/1.1 request, in pieces as they come. No I/O; any bytes are taken, and memory is bounded
// whatever they announce.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "otlp/transport.h"

namespace plumb::otlp {

class HttpAnswer {
 public:
  HttpAnswer();
  HttpAnswer(HttpAnswer&&) noexcept;
  ~HttpAnswer();

  enum class State {
    more,      // not all has come
    complete,  // all of it
    broken,    // what came is no answer, or too long
  };
  State put(std::string_view piece);
  // The other side closed the connection.
  State closed();

  // The status counts from the end of the header on, whatever becomes of the body.
  bool has_status() const;
  // What came: the body is empty unless the answer is complete. With has_status().
  Response response() const;
  // The connection can carry another request. With State::complete.
  bool keep_alive() const;

  static constexpr std::size_t kLongestBody = std::size_t{4} << 20;  // OTLP: an answer has 4 MiB at most
  static constexpr std::uint32_t kLongestHeader = 16 * 1024;
  static constexpr std::size_t kLongestLine = 64 * 1024;  // of a chunk's head, which nothing else bounds
  static constexpr int kMostInterim = 32;                 // 1xx answers before the one that counts

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace plumb::otlp
