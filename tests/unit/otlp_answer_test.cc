// What a server may answer, in one piece and byte by byte.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "otlp/http_answer.h"

using plumb::otlp::HttpAnswer;
using State = HttpAnswer::State;

namespace {

State put_by(HttpAnswer& answer, std::string_view bytes, std::size_t piece) {
  State state = State::more;
  for (std::size_t at = 0; at < bytes.size() && state == State::more; at += piece)
    state = answer.put(bytes.substr(at, piece));
  return state;
}

}  // namespace

TEST_CASE("an answer, however it is cut") {
  const std::string_view text = "HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 5\r\n\r\nlater";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    HttpAnswer answer;
    CHECK(put_by(answer, text, piece) == State::complete);
    CHECK(answer.has_status());
    CHECK(answer.response().status == 429);
    CHECK(answer.response().retry_after == "7");
    CHECK(answer.response().body == "later");
    CHECK(answer.keep_alive());
  }
}

TEST_CASE("interim answers are passed over, but not for ever") {
  const std::string interim = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
  HttpAnswer answer;
  CHECK(answer.put("HTTP/1.1 100 Continue\r\n\r\n" + interim) == State::more);
  CHECK_FALSE(answer.has_status());
  CHECK(answer.put("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") == State::complete);
  CHECK(answer.response().status == 200);

  HttpAnswer endless;
  State state = State::more;
  for (int i = 0; i <= HttpAnswer::kMostInterim && state == State::more; ++i) state = endless.put(interim);
  CHECK(state == State::broken);
  CHECK_FALSE(endless.has_status());
}

TEST_CASE("what is announced takes no memory, and what comes only so much") {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n";
  HttpAnswer answer;
  CHECK(answer.put(head + "x") == State::more);  // ended by std::bad_alloc
  const std::string megabyte(1 << 20, 'x');
  State state = State::more;
  for (int i = 0; i < 8 && state == State::more; ++i) state = answer.put(megabyte);
  CHECK(state == State::broken);
  CHECK(answer.has_status());
  CHECK(answer.response().status == 200);
  CHECK(answer.response().body.empty());
  CHECK_FALSE(answer.keep_alive());
}

TEST_CASE("headers and the heads of chunks are bounded too") {
  HttpAnswer header;
  CHECK(put_by(header, "HTTP/1.1 200 OK\r\nX: " + std::string(1 << 20, 'x'), 1000) == State::broken);
  HttpAnswer chunk;
  CHECK(put_by(chunk, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(1 << 20, 'x'),
               1000) == State::broken);
  CHECK(chunk.response().status == 200);
}

TEST_CASE("an answer up to the end of the connection, and one that is cut") {
  HttpAnswer open;
  CHECK(open.put("HTTP/1.0 200 OK\r\n\r\nall") == State::more);
  CHECK(open.closed() == State::complete);
  CHECK(open.response().body == "all");
  CHECK_FALSE(open.keep_alive());
  HttpAnswer cut;
  CHECK(cut.put("HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nhal") == State::more);
  CHECK(cut.closed() == State::broken);
  CHECK(cut.response().status == 503);
  CHECK(cut.response().body.empty());
  HttpAnswer nothing;
  CHECK(nothing.closed() == State::broken);
  CHECK_FALSE(nothing.has_status());
}

TEST_CASE("what stands behind an answer is no answer to the next request") {
  HttpAnswer answer;
  CHECK(answer.put("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n") == State::complete);
  CHECK_FALSE(answer.keep_alive());
}
