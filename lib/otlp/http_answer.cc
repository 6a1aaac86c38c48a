#include "otlp/http_answer.h"

// Boost 1.74 under C++20 needs <utility> before asio.
#include <utility>
//
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <limits>
#include <optional>
#include <string>

namespace plumb::otlp {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

// http::string_body reserves what the header announces, and Boost 1.74 does not hold a parser to its body_limit when
// the body begins in the piece that ends the header. So this body keeps what has come, and counts itself.
struct BoundedBody {
  using value_type = std::string;
  class reader {
   public:
    template <bool isRequest, class Fields>
    reader(http::header<isRequest, Fields>&, value_type& body) : body_(body) {}
    void init(const boost::optional<std::uint64_t>&, error_code& e) { e = {}; }
    template <class Buffers>
    std::size_t put(const Buffers& buffers, error_code& e) {
      const std::size_t size = asio::buffer_size(buffers);
      if (size > HttpAnswer::kLongestBody - body_.size()) {
        e = http::error::body_limit;
        return 0;
      }
      for (auto b = asio::buffer_sequence_begin(buffers); b != asio::buffer_sequence_end(buffers); ++b) {
        const asio::const_buffer piece = *b;
        body_.append(static_cast<const char*>(piece.data()), piece.size());
      }
      e = {};
      return size;
    }
    void finish(error_code& e) { e = {}; }

   private:
    value_type& body_;
  };
};

}  // namespace

struct HttpAnswer::Parser {
  Parser() { restart(); }

  void restart() {
    answer.emplace();
    answer->eager(true);
    answer->header_limit(kLongestHeader);
    // Not none: Boost 1.74 takes that for zero when the body begins in a piece of its own.
    answer->body_limit(std::numeric_limits<std::uint64_t>::max());
  }

  // RFC 9110, section 15.2: any number of interim answers may come first; 101 ends HTTP on the connection.
  bool is_interim() const {
    const unsigned status = answer->get().result_int();
    return status >= 100 && status < 200 && status != 101;
  }

  std::optional<http::response_parser<BoundedBody>> answer;
  std::string waiting;  // came, but cannot be understood yet
  int interim = 0;
  State state = State::more;
  bool too_long = false;
};

HttpAnswer::HttpAnswer() : parser_(std::make_unique<Parser>()) {}
HttpAnswer::HttpAnswer(HttpAnswer&&) noexcept = default;
HttpAnswer::~HttpAnswer() = default;

HttpAnswer::State HttpAnswer::put(std::string_view piece) {
  Parser& p = *parser_;
  if (p.state != State::more) return p.state;
  p.waiting.append(piece);
  while (!p.waiting.empty()) {
    error_code e;
    const std::size_t taken = p.answer->put(asio::buffer(p.waiting), e);
    p.waiting.erase(0, taken);
    p.too_long = e == http::error::body_limit;
    if (e && e != http::error::need_more) return p.state = State::broken;
    if (p.answer->is_done()) {
      if (!p.is_interim()) return p.state = State::complete;
      if (++p.interim > kMostInterim) return p.state = State::broken;
      p.restart();
    } else if (e || taken == 0) {
      break;
    }
  }
  if (p.waiting.size() > kLongestLine) p.state = State::broken;
  return p.state;
}

HttpAnswer::State HttpAnswer::closed() {
  Parser& p = *parser_;
  if (p.state != State::more) return p.state;
  error_code e;
  if (p.answer->is_header_done()) p.answer->put_eof(e);
  return p.state = !e && p.answer->is_done() ? State::complete : State::broken;
}

bool HttpAnswer::has_status() const {
  return parser_->answer->is_header_done() && !parser_->is_interim();
}

Response HttpAnswer::response() const {
  const auto& message = parser_->answer->get();
  return Response{message.result_int(), std::string(message[http::field::retry_after]),
                  parser_->state == State::complete ? message.body() : std::string{}, parser_->too_long};
}

// What stands behind the answer belongs to no request of ours.
bool HttpAnswer::keep_alive() const {
  return parser_->state == State::complete && parser_->answer->get().keep_alive() && parser_->waiting.empty();
}

}  // namespace plumb::otlp
