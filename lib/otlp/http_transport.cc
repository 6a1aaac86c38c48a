// OTLP's HTTP/1.1 with Boost.Beast and OpenSSL. All of Boost is here and in http_answer.cc.
//
// Each step is started with a deadline and waited for: beast::tcp_stream cancels what takes longer. Names are
// looked up by the C library, limited to what is linked into it (/etc/hosts and DNS): other NSS modules would
// be loaded from the machine that this is, by a C library of another version.
#include <nss.h>
// Boost 1.74 under C++20 needs <utility> before asio.
#include <utility>
//
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include <array>
#include <chrono>
#include <fstream>
#include <optional>
#include <vector>

#include "otlp/http_answer.h"

namespace plumb::otlp {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

// Where distributions keep the authorities that they trust.
constexpr const char* kBundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Arch, Gentoo, Alpine
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",                   // older RHEL
    "/etc/ssl/ca-bundle.pem",                             // SUSE
    "/etc/ssl/cert.pem",                                  // Alpine
};

Error tls_error(const std::string& what, const error_code& e, const std::string& file, const char* hint) {
  return Error{what + " " + file, e.message(), hint};
}

Result<void> trust(ssl::context& context, const Config& config) {
  error_code e;
  if (!config.certificate.empty()) {
    context.load_verify_file(config.certificate, e);
    if (e) {
      return tls_error("cannot read the certificates in", e, config.certificate,
                       "OTEL_EXPORTER_OTLP_CERTIFICATE names a PEM file of authorities");
    }
    return {};
  }
  context.set_default_verify_paths(e);  // SSL_CERT_FILE, SSL_CERT_DIR, and Debian's places
  for (const char* bundle : kBundles) {
    if (std::ifstream(bundle).good()) {
      context.load_verify_file(bundle, e);
      break;
    }
  }
  return {};
}

Result<void> identify(ssl::context& context, const Config& config) {
  if (config.client_certificate.empty()) return {};
  error_code e;
  context.use_certificate_chain_file(config.client_certificate, e);
  if (e) {
    return tls_error("cannot use the certificate in", e, config.client_certificate,
                     "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE names a PEM file");
  }
  context.use_private_key_file(config.client_key, ssl::context::pem, e);
  if (e) {
    return tls_error("cannot use the private key in", e, config.client_key,
                     "OTEL_EXPORTER_OTLP_CLIENT_KEY names a PEM file with the key of the certificate");
  }
  return {};
}

class HttpTransport final : public Transport {
 public:
  HttpTransport(const Config& config, const std::string& content_type, const std::string& user_agent)
      : endpoint_(config.endpoint) {
    request_.method(http::verb::post);
    request_.version(11);
    request_.target(endpoint_.target);
    request_.set(http::field::host, endpoint_.authority());
    request_.set(http::field::user_agent, user_agent);
    for (const Pair& header : config.headers) request_.set(header.key, header.value);
    request_.set(http::field::content_type, content_type);
    if (config.gzip) request_.set(http::field::content_encoding, "gzip");
    request_.keep_alive(true);
  }

  Result<void> prepare_tls(const Config& config) {
    // No openssl.cnf: it could name modules of another version to load.
    OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, nullptr);
    context_.emplace(ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(context_->native_handle(), TLS1_2_VERSION);
    context_->set_verify_mode(ssl::verify_peer);
    if (auto r = trust(*context_, config); !r) return r;
    return identify(*context_, config);
  }

  Result<Response> post(const std::string& body, std::int64_t timeout_ns) override {
    deadline_ = Clock::now() + std::chrono::nanoseconds(timeout_ns);
    request_.body() = body;
    request_.prepare_payload();
    // A connection that was kept may have been closed by the other side meanwhile: then a new one is due.
    const bool kept = connected_;
    auto answer = exchange();
    if (!answer && kept && Clock::now() < deadline_) answer = exchange();
    return answer;
  }

 private:
  Result<Response> exchange() {
    if (!connected_) {
      if (auto r = connect(); !r) return std::move(r).error();
    }
    error_code e = with_stream(
        [&](auto& stream) { return wait([&](auto done) { http::async_write(stream, request_, done); }); });
    if (e) return failed("cannot send to", e);
    HttpAnswer answer;
    e = read(answer);
    if (!answer.has_status() && e == http::error::bad_value) return disconnect(), Response{};
    if (!answer.has_status()) return failed("no answer from", e);
    if (!answer.keep_alive()) disconnect();
    return answer.response();
  }

  // Until the answer is whole, or cannot become so; then the error says why.
  error_code read(HttpAnswer& answer) {
    std::array<char, 16 * 1024> piece;
    while (true) {
      std::size_t size = 0;
      const error_code e = with_stream([&](auto& stream) {
        return wait([&](auto done) {
          stream.async_read_some(asio::buffer(piece),
                                 [&size, done](error_code status, std::size_t n) mutable {
                                   size = n;
                                   done(status, n);
                                 });
        });
      });
      const auto state = e ? answer.closed() : answer.put({piece.data(), size});
      if (e && state != HttpAnswer::State::complete) return e;
      if (state == HttpAnswer::State::broken) return http::error::bad_value;
      if (state == HttpAnswer::State::complete) return {};
    }
  }

  Result<void> connect() {
    std::vector<asio::ip::tcp::endpoint> addresses;
    if (auto r = look_up(addresses); !r) return r;
    // One after another: one that swallows what is sent to it leaves the others their share of the time.
    const Clock::time_point end = deadline_;
    error_code e = asio::error::host_not_found;
    for (std::size_t i = 0; i < addresses.size() && e; ++i) {
      disconnect();
      if (context_)
        tls_.emplace(io_, *context_);
      else
        plain_.emplace(io_);
      const auto left = end - Clock::now();
      deadline_ = Clock::now() + left / static_cast<int>(addresses.size() - i);
      e = wait([&](auto done) {
        lowest().async_connect(addresses[i], [done](error_code status) mutable { done(status, 0); });
      });
    }
    deadline_ = end;
    if (e) return failed("cannot connect to", e);
    lowest().socket().set_option(asio::ip::tcp::no_delay(true), e);
    connected_ = true;
    return context_ ? handshake() : Result<void>{};
  }

  Result<void> look_up(std::vector<asio::ip::tcp::endpoint>& addresses) {
    const auto port = static_cast<std::uint16_t>(std::stoi(endpoint_.port));
    error_code e;
    if (const auto literal = asio::ip::make_address(endpoint_.host, e); !e) {
      addresses.emplace_back(literal, port);
      return {};
    }
    __nss_configure_lookup("hosts", "files dns");
    asio::ip::tcp::resolver resolver(io_);
    const auto found =
        resolver.resolve(endpoint_.host, endpoint_.port, asio::ip::tcp::resolver::numeric_service, e);
    if (e) return Error{"cannot look up " + endpoint_.host, e.message()};
    for (const auto& entry : found) addresses.push_back(entry.endpoint());
    return {};
  }

  Result<void> handshake() {
    const bool literal = endpoint_.host.find(':') != std::string::npos ||
                         endpoint_.host.find_first_not_of("0123456789.") == std::string::npos;
    if (!literal) SSL_set_tlsext_host_name(tls_->native_handle(), endpoint_.host.c_str());
    // OpenSSL itself compares the names: then its verdict says that they differ.
    X509_VERIFY_PARAM* const expected = SSL_get0_param(tls_->native_handle());
    if (literal)
      X509_VERIFY_PARAM_set1_ip_asc(expected, endpoint_.host.c_str());
    else
      X509_VERIFY_PARAM_set1_host(expected, endpoint_.host.c_str(), endpoint_.host.size());
    const error_code e = wait([&](auto done) {
      tls_->async_handshake(ssl::stream_base::client, [done](error_code status) mutable { done(status, 0); });
    });
    if (!e) return {};
    const long verdict = SSL_get_verify_result(tls_->native_handle());
    if (verdict == X509_V_OK) return failed("no TLS with", e);
    disconnect();
    Error error{"no TLS with " + endpoint_.text(), X509_verify_cert_error_string(verdict)};
    if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH)
      error.why = "its certificate is not for " + endpoint_.host;
    return error;
  }

  // Runs one step to its end, or to the deadline.
  template <class Start>
  error_code wait(Start start) {
    error_code result;
    lowest().expires_at(deadline_);
    start([&result](error_code e, std::size_t) { result = e; });
    io_.restart();
    io_.run();
    return result;
  }

  template <class Use>
  error_code with_stream(Use use) {
    return tls_ ? use(*tls_) : use(*plain_);
  }
  beast::tcp_stream& lowest() { return tls_ ? tls_->next_layer() : *plain_; }

  Error failed(const char* what, const error_code& e) {
    disconnect();
    std::string why = e.message();
    if (e == beast::error::timeout) why = "it took too long";
    // A gRPC server hangs up on HTTP/1.1.
    return Error{std::string(what) + " " + endpoint_.text(), std::move(why),
                 endpoint_.port == "4317" ? kGrpcHint : ""};
  }

  void disconnect() {
    connected_ = false;
    tls_.reset();
    plain_.reset();
  }

  Endpoint endpoint_;
  asio::io_context io_{1};
  std::optional<ssl::context> context_;  // for https
  std::optional<beast::ssl_stream<beast::tcp_stream>> tls_;
  std::optional<beast::tcp_stream> plain_;
  http::request<http::string_body> request_;
  Clock::time_point deadline_;
  bool connected_ = false;
};

}  // namespace

Result<std::unique_ptr<Transport>> make_http_transport(const Config& config, const std::string& content_type,
                                                       const std::string& user_agent) {
  auto transport = std::make_unique<HttpTransport>(config, content_type, user_agent);
  if (config.endpoint.tls) {
    if (auto r = transport->prepare_tls(config); !r) return std::move(r).error();
  }
  return std::unique_ptr<Transport>(std::move(transport));
}

}  // namespace plumb::otlp
