// HTTP/1: each sample conversation gives the same exchanges however its bytes are cut.
#include <doctest/doctest.h>

#include "http_samples.h"

using namespace plumb::http;
using Lines = std::vector<std::string>;

namespace {

constexpr auto kIn = Direction::received;
constexpr auto kOut = Direction::sent;

struct Sample {
  std::string name;
  std::vector<Said> said;
  Lines lines;
};

const std::vector<Sample>& samples() {
  static const std::vector<Sample> all{
      {"get",
       {{kIn, "GET /a?b=c HTTP/1.1\r\nHost: example.org\r\n\r\n"},
        {kOut, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}},
       {"server GET /a?b=c 200 0/5 host example.org"}},
      {"the client's side",
       {{kOut, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"},
        {kIn, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"}},
       {"client GET /a 404 0/0 host h"}},
      {"keep-alive",
       {{kIn, "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"},
        {kOut, "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"},
        {kIn, "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"},
        {kOut, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"}},
       {"server POST /1 201 3/2 host h", "server GET /2 200 0/1 host h"}},
      {"pipelining",
       {{kIn,
         "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPUT /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nGET GET /3 "
         "HTTP/1.1\r\nHost: h\r\n\r\n"},
        {kOut,
         "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 "
         "OK\r\nContent-Length: 3\r\n\r\n333"}},
       {"server GET /1 200 0/1 host h", "server PUT /2 204 4/0 host h", "server GET /3 200 0/3 host h"}},
      {"chunked with trailers and extensions, both ways",
       {{kIn, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
        {kOut,
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5;a=b\r\nhello\r\n1A\r\n"
         "abcdefghijklmnopqrstuvwxyz\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\n"},
        {kIn, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"},
        {kOut, "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n"}},
       {"server POST / 200 13/67 host h", "server GET /next 304 0/0 host h"}},
      {"interim responses",
       {{kIn, "PUT /u HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"},
        {kOut, "HTTP/1.1 100 Continue\r\n\r\n"},
        {kIn, "body"},
        {kOut, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}},
       {"server PUT /u 200 4/0 host h"}},
      {"HEAD has a length and no body",
       {{kIn, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"},
        {kOut, "HTTP/1.1 200 OK\r\nContent-Length: 612\r\n\r\n"},
        {kIn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
        {kOut, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"}},
       {"server HEAD / 200 0/0 host h", "server GET / 200 0/2 host h"}},
      {"until the connection ends",
       {{kIn, "GET / HTTP/1.0\r\n\r\n"}, {kOut, "HTTP/1.0 200 OK\r\nServer: s\r\n\r\nabc"}, {kOut, "defg"}},
       {"server GET / 200 0/7 1.0"}},
      {"no answer",
       {{kIn, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n"}},
       {"server GET /slow - 0/0 host h closed"}},
      {"an answer that breaks off",
       {{kIn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
        {kOut, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"}},
       {"server GET / 200 0/5 host h closed"}},
      {"answered before the request ended",
       {{kIn, "POST /big HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"},
        {kOut, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"},
        {kIn, "defghij"}},
       {"server POST /big 413 10/0 host h"}},
      {"a head that never ends",
       {{kIn, "GET /slow?a=1 HTTP/1.1\r\nHost: h\r\nX-1: 2\r\n"}},
       {"server GET /slow?a=1 - 0/0 host h incomplete closed"}},
      {"a first line that never ends",
       {{kOut, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
        {kIn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
        {kOut, "GET /sl"}},
       {"client GET / 200 0/0 host h", "client GET /sl - 0/0 incomplete closed"}},
      {"a head that was given up",
       {{kIn, "POST /slow HTTP/1.1\r\nHost: h\r\nContent-Len"},
        {kOut, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 2\r\n\r\nno"},
        {kIn, "gth: 3\r\n"}},
       {"server POST /slow 408 0/2 host h incomplete"}},
      {"a response's head that never ends",
       {{kIn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"}, {kOut, "HTTP/1.1 200 OK\r\nServer: s\r\n"}},
       {"server GET / 200 0/0 host h incomplete closed"}},
      {"folded fields, bare line feeds, blank lines before",
       {{kIn, "\r\n\r\nGET /f HTTP/1.1\nHost:\n  folded\n\t.example\nX: y\n\n"},
        {kOut, "HTTP/1.1 200 OK\nContent-Length: 0\n\n"}},
       {"server GET /f 200 0/0 host folded .example"}},
      {"absolute target",
       {{kOut, "GET http://user:secret@proxy.example:81/p?q=1 HTTP/1.1\r\nHost: other\r\n\r\n"},
        {kIn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}},
       {"client GET /p?q=1 200 0/0 host proxy.example:81"}},
      {"a tunnel",
       {{kOut, "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n"},
        {kIn, "HTTP/1.1 200 Connection established\r\n\r\n"},
        {kOut, std::string("\x16\x03\x01 nobody's business", 21)},
        {kIn, "GET / HTTP/1.1\r\n\r\n"}},
       {"client CONNECT  200 0/0 host example.org:443"}},
      {"websocket",
       {{kIn, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"},
        {kOut, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n\x81\x02hi"},
        {kIn, std::string("\x01\x81mask1\x80\x81mask2\x89\x80mask", 20)},  // two fragments, a ping
        {kOut, std::string("\x82\x7e\x00\x82", 4) + std::string(130, 'b')}},
       {"server GET /ws 101 20/138 websocket messages 3 host h"}},
      {"server-sent events",
       {{kIn, "GET /events HTTP/1.1\r\nHost: h\r\n\r\n"},
        {kOut, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {kOut, "b\r\ndata: one\n\n\r\n"},
        {kOut, "d\r\n:keep-alive\n\n\r\n10\r\ndata: two\ndata\r\n\r\n1\r\n\n\r\n0\r\n\r\n"}},
       {"server GET /events 200 0/67 sse messages 2 host h"}},
  };
  return all;
}

}  // namespace

TEST_CASE("http1: sample conversations") {
  for (const Sample& s : samples()) {
    CAPTURE(s.name);
    const Heard heard = hear(s.said);
    CHECK(heard.lines == s.lines);
    CHECK(heard.untold.stray_bytes == 0);
    CHECK(heard.untold.unpaired_responses == 0);
  }
}

TEST_CASE("http1: pieces of every size give the same") {
  for (const Sample& s : samples()) {
    for (std::size_t size = 1; size < 40; ++size) {
      CAPTURE(s.name);
      CAPTURE(size);
      CHECK(hear(s.said, size).lines == s.lines);
    }
  }
}

TEST_CASE("http1: cut in two at every byte gives the same") {
  for (const Sample& s : samples()) {
    for (std::size_t i = 0; i < s.said.size(); ++i) {
      for (std::size_t at = 1; at < s.said[i].bytes.size(); ++at) {
        std::vector<Said> said = s.said;
        said[i].bytes.resize(at);
        said.insert(said.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                    {s.said[i].direction, s.said[i].bytes.substr(at)});
        CAPTURE(s.name);
        CAPTURE(at);
        CHECK(hear(said).lines == s.lines);
      }
    }
  }
}

TEST_CASE("http1: bodies that were not captured are counted") {
  CHECK(hear({{kIn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n", 100000},
              {kOut, "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n", 60000},
              {kOut, "", 10000},
              {kIn, "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"},
              {kOut, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"}})
            .lines == Lines{"server POST / 200 100000/70000 host h", "server GET /2 200 0/1 host h"});
}

TEST_CASE("http1: a chunked body of which only the end of each call was captured") {
  CHECK(hear({{kIn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
              {kOut, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 5000, "abcdefgh"},
              {kOut, "", 5000, "\n\r\n0\r\n\r\n"},
              {kIn, "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"},
              {kOut, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"}})
            .lines == Lines{"server GET / 200 0/10016 host h", "server GET /2 200 0/1 host h"});
}

TEST_CASE("http1: a head that was cut is told, and the next request is found") {
  const Heard heard = hear({{kIn, "GET /long HTTP/1.1\r\nHost: h\r\nCookie: aaaa", 30000},
                            {kOut, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"},
                            {kIn, "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"},
                            {kOut, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"}});
  CHECK(heard.lines ==
        Lines{"server GET /long 200 30000/1 host h incomplete", "server GET /2 200 0/1 host h"});
}

TEST_CASE("http1: joined in the middle of a body") {
  const Heard heard = hear({{kOut, "rest of a body"},
                            {kOut, "and more"},
                            {kIn, "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"},
                            {kOut, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"}},
                           SIZE_MAX, false);
  CHECK(heard.lines == Lines{"server GET /2 200 0/1 host h"});
  CHECK(heard.untold.stray_bytes == 0);
}

TEST_CASE("http1: an answer to a request from before is not given to the next") {
  const Heard heard = hear({{kOut, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"},
                            {kIn, "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"},
                            {kOut, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"}},
                           SIZE_MAX, false);
  CHECK(heard.lines == Lines{"server GET /2 200 0/1 host h"});
  CHECK(heard.untold.unpaired_responses == 1);
}

TEST_CASE("http1: how it ended") {
  const std::vector<Said> said{{kIn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"}};
  CHECK(hear(said, SIZE_MAX, true, Failure::reset).lines == Lines{"server GET / - 0/0 host h reset"});
  CHECK(hear(said, SIZE_MAX, true, Failure::trace_ended).lines ==
        Lines{"server GET / - 0/0 host h trace_ended"});
}

TEST_CASE("http: other protocols are none") {
  CHECK(hear({{kIn, "*1\r\n$4\r\nPING\r\n and so on, for long"}, {kOut, "+PONG\r\n"}}).lines.empty());
  CHECK(hear({{kOut, "220 mail.example ESMTP ready to serve\r\n"}, {kIn, "GET / HTTP/1.1\r\n\r\n"}})
            .lines.empty());
  CHECK(hear({{kIn, std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and more of it", 26)}})
            .lines.empty());
}

TEST_CASE("http1: what is taken of the fields") {
  Keep keep;
  keep.headers = {"x-request-id"};
  const Heard heard =
      hear({{kIn,
             "GET /a?x=1&sig=abc&Signature=&%73ig=z HTTP/1.1\r\nHost: h\r\nX-Request-Id:  r1 \r\n"
             "User-Agent: curl/8\r\ntraceparent: "
             "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n"},
            {kOut,
             "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Request-ID: r2\r\n"
             "Content-Length: 0\r\n\r\n"}},
           SIZE_MAX, true, Failure::closed, keep);
  CHECK(heard.last.query == "x=1&sig=REDACTED&Signature=REDACTED&%73ig=REDACTED");
  CHECK(heard.last.user_agent == "curl/8");
  CHECK(heard.last.content_type == "text/html");
  CHECK(heard.last.trace_id == "0af7651916cd43dd8448eb211c80319c");
  CHECK(heard.last.parent_id == "b7ad6b7169203331");
  CHECK(heard.last.headers == Lines{"x-request-id: r1", "x-request-id: r2"});
  CHECK_FALSE(may_keep_header("cookie"));
  CHECK(may_keep_header("accept"));
}

TEST_CASE("http1: times are those of the first and the last byte") {
  const Heard heard = hear({{kIn, "GET / HTTP/1.1\r\nHost:"},
                            {kIn, " h\r\n\r\n"},
                            {kOut, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab"},
                            {kOut, "cd"}});
  CHECK(heard.last.request_begin.ns == 2000);
  CHECK(heard.last.request_end.ns == 3000);
  CHECK(heard.last.response_begin.ns == 4000);
  CHECK(heard.last.response_end.ns == 5000);
}
