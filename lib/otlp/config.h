// What --otlp and the OTEL_* variables ask for: the OpenTelemetry specification's "OTLP Exporter
// Configuration", "Environment Variable Specification" and "Resource SDK", as far as OTLP over HTTP is
// concerned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace plumb::otlp {

enum class Protocol : std::uint8_t { protobuf, json };

enum class Signal : std::uint8_t { logs, traces, metrics, profiles };
inline constexpr std::size_t kSignals = 4;
inline constexpr std::string_view kSignalNames[kSignals] = {"logs", "traces", "metrics", "profiles"};
constexpr std::string_view name_of(Signal signal) {
  return kSignalNames[static_cast<std::size_t>(signal)];
}

enum class Sampler : std::uint8_t { parent_based, always_on, always_off };

struct Endpoint {
  bool tls = false;
  std::string host;    // a name or an address, without brackets
  std::string port;    // digits
  std::string target;  // path and query, at least "/"

  // As a person reads it, without the query: that may hold a key.
  std::string text() const;
  // host:port, or the host alone where the port is the scheme's own.
  std::string authority() const;
};

struct Pair {
  std::string key;
  std::string value;
  friend bool operator==(const Pair&, const Pair&) = default;
};

// Of one signal.
struct Config {
  Signal signal = Signal::logs;
  bool disabled = false;  // OTEL_SDK_DISABLED
  bool none = false;      // OTEL_..._EXPORTER: nothing of this signal
  Endpoint endpoint;
  Protocol protocol = Protocol::protobuf;
  std::vector<Pair> headers;
  std::int64_t timeout_ns = 10'000'000'000;  // of one request, and of what is left at the end
  bool gzip = false;
  std::string certificate;         // PEM file of authorities to trust; empty: the system's
  std::string client_certificate;  // PEM file; empty: none
  std::string client_key;          // PEM file; empty: none
  std::vector<Pair> resource;      // attributes of OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME
  std::size_t batch_records = 512;
  std::size_t queue_records = 65'536;
  std::int64_t delay_ns = 1'000'000'000;      // the longest that a record waits for others of its batch
  Sampler sampler = Sampler::parent_based;    // of traces
  bool delta = false;                         // temporality of metrics
  std::int64_t interval_ns = 60'000'000'000;  // of metrics
  bool dry_run = false;                       // print instead of sending
  bool url_template = false;                  // spans of clients have one
  std::vector<std::string> warnings;          // settings that were ignored, and why
};

// One OTEL_* variable; the table of them drives read_config() and the manual page.
struct Variable {
  std::string_view name;
  bool per_signal = false;    // OTEL_EXPORTER_OTLP_LOGS_... and the like exist too, and go before
  std::string_view fallback;  // what holds without it; empty: nothing
  std::string_view help;
  Result<void> (*apply)(Config&, std::string_view value);
  bool fatal = false;      // a wrong value is a wrong command line; others are ignored with a warning
  unsigned signals = ~0U;  // bit i: it is about Signal i
};
std::span<const Variable> variables();

// OTEL_EXPORTER_OTLP_LOGS_X for OTEL_EXPORTER_OTLP_X.
std::string per_signal_name(std::string_view name, Signal signal);

// The value of a variable, or nullptr: std::getenv.
using Environment = std::function<const char*(const char*)>;

// `url` is --otlp's, empty when it has none; it goes before every variable. An Error is a wrong command line.
Result<Config> read_config(std::string_view url, const Environment& environment,
                           Signal signal = Signal::logs);

// Appends "/v1/logs" or the like to the path when `base`.
Result<Endpoint> parse_endpoint(std::string_view url, bool base, Signal signal = Signal::logs);

// "key=value,key2=value2" with percent-encoded values (W3C Baggage).
Result<std::vector<Pair>> parse_pairs(std::string_view text);

}  // namespace plumb::otlp
