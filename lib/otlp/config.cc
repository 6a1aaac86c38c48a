#include "otlp/config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace plumb::otlp {
namespace {

constexpr std::string_view kDefaultEndpoint = "http://localhost:4318";
constexpr std::string_view kPrefix = "OTEL_EXPORTER_OTLP_";

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool is_printable(char c) {
  return c > ' ' && c < '\x7f';
}
bool all_of(std::string_view text, bool (*holds)(char)) {
  return std::all_of(text.begin(), text.end(), holds);
}
// RFC 9110, section 5.6.2.
bool is_token_character(char c) {
  return is_alphanumeric(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}
// RFC 9110, section 5.5: what a header's value may hold.
bool is_field_character(char c) {
  return static_cast<unsigned char>(c) >= ' ' && c != '\x7f';
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned byte = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const char* digits = text.data() + i + 1;
    if (std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2) return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

Result<std::int64_t> positive(std::string_view text, std::int64_t most) {
  std::int64_t n = 0;
  const char* end = text.data() + text.size();
  const auto [rest, status] = std::from_chars(text.data(), end, n);
  if (status != std::errc{} || rest != end || n <= 0 || n > most) {
    return Error{"'" + std::string(text) + "'", "expected a number from 1 to " + std::to_string(most)};
  }
  return n;
}

Result<void> set_milliseconds(std::int64_t& ns, std::string_view text) {
  auto n = positive(text, 3'600'000);
  if (!n) return std::move(n).error();
  ns = *n * 1'000'000;
  return {};
}

Result<void> set_records(std::size_t& records, std::string_view text) {
  auto n = positive(text, 1'000'000);
  if (!n) return std::move(n).error();
  records = static_cast<std::size_t>(*n);
  return {};
}

Result<void> set_protocol(Config& c, std::string_view value) {
  if (value == "http/protobuf" || value == "http/json") {
    c.protocol = value == "http/json" ? Protocol::json : Protocol::protobuf;
    return {};
  }
  return Error{"'" + std::string(value) + "'", "plumb speaks http/protobuf and http/json",
               "collectors take both, on port 4318"};
}

Result<void> set_compression(Config& c, std::string_view value) {
  if (value != "gzip" && value != "none")
    return Error{"'" + std::string(value) + "'", "expected gzip or none"};
  c.gzip = value == "gzip";
  return {};
}

Result<void> set_headers(Config& c, std::string_view value) {
  auto pairs = parse_pairs(value);
  if (!pairs) return std::move(pairs).error();
  for (const Pair& p : *pairs) {
    if (!all_of(p.key, is_token_character) || !all_of(p.value, is_field_character))
      return Error{"'" + p.key + "'", "not an HTTP header"};
  }
  c.headers = *std::move(pairs);
  return {};
}

void set_resource_attribute(Config& c, std::string_view key, std::string_view value) {
  const auto same =
      std::find_if(c.resource.begin(), c.resource.end(), [&](const Pair& p) { return p.key == key; });
  if (same != c.resource.end()) {
    same->value = value;
  } else {
    c.resource.push_back({std::string(key), std::string(value)});
  }
}

Result<void> set_resource(Config& c, std::string_view value) {
  auto pairs = parse_pairs(value);
  if (!pairs) return std::move(pairs).error();
  for (const Pair& p : *pairs) set_resource_attribute(c, p.key, p.value);
  return {};
}

constexpr unsigned only(Signal signal) {
  return 1U << static_cast<unsigned>(signal);
}

Result<void> set_exporter(Config& c, std::string_view value) {
  if (value != "otlp" && value != "none")
    return Error{"'" + std::string(value) + "'", "expected otlp or none"};
  c.none = value == "none";
  return {};
}

Result<void> set_delay(Config& c, std::string_view value) {
  return set_milliseconds(c.delay_ns, value);
}
Result<void> set_batch(Config& c, std::string_view value) {
  return set_records(c.batch_records, value);
}
Result<void> set_queue(Config& c, std::string_view value) {
  return set_records(c.queue_records, value);
}

Result<void> set_sampler(Config& c, std::string_view value) {
  constexpr std::pair<std::string_view, Sampler> kSamplers[] = {
      {"parentbased_always_on", Sampler::parent_based},
      {"always_on", Sampler::always_on},
      {"always_off", Sampler::always_off}};
  for (const auto& [name, sampler] : kSamplers) {
    if (value == name) return c.sampler = sampler, Result<void>{};
  }
  return Error{"'" + std::string(value) + "'", "expected parentbased_always_on, always_on or always_off"};
}

Result<void> set_temporality(Config& c, std::string_view value) {
  const std::string preference = lower(value);
  if (preference != "cumulative" && preference != "delta" && preference != "lowmemory")
    return Error{"'" + std::string(value) + "'", "expected cumulative, delta or lowmemory"};
  c.delta =
      preference != "cumulative";  // lowmemory: delta for counters and histograms, and there are no others
  return {};
}

// Later entries overrule earlier ones: OTEL_SERVICE_NAME stands behind OTEL_RESOURCE_ATTRIBUTES.
constexpr auto kVariables = std::to_array<Variable>({
    {.name = "OTEL_EXPORTER_OTLP_ENDPOINT",
     .per_signal = true,
     .fallback = kDefaultEndpoint,
     .help = "Where to push to, unless --otlp=URL says so: an http or https URL. /v1/logs, /v1/traces or "
             "/v1/metrics is appended to its path; the URL for one signal alone is taken as it is.",
     .apply = [](Config& c, std::string_view value) -> Result<void> {
       auto endpoint = parse_endpoint(value, true, c.signal);
       if (!endpoint) return std::move(endpoint).error();
       c.endpoint = *std::move(endpoint);
       return {};
     },
     .fatal = true},
    {.name = "OTEL_EXPORTER_OTLP_PROTOCOL",
     .per_signal = true,
     .fallback = "http/protobuf",
     .help = "http/protobuf or http/json; there is no grpc.",
     .apply = set_protocol,
     .fatal = true},
    {.name = "OTEL_EXPORTER_OTLP_HEADERS",
     .per_signal = true,
     .help = "Headers of every request: key=value, several with commas; values are percent-decoded.",
     .apply = set_headers},
    {.name = "OTEL_EXPORTER_OTLP_COMPRESSION",
     .per_signal = true,
     .fallback = "none",
     .help = "gzip or none.",
     .apply = set_compression},
    {.name = "OTEL_EXPORTER_OTLP_TIMEOUT",
     .per_signal = true,
     .fallback = "10000",
     .help = "Milliseconds that one request may take, and that the end of a run waits for what is left.",
     .apply = [](Config& c, std::string_view value) { return set_milliseconds(c.timeout_ns, value); }},
    {.name = "OTEL_EXPORTER_OTLP_CERTIFICATE",
     .per_signal = true,
     .help = "A PEM file of the authorities to trust instead of the system's.",
     .apply = [](Config& c, std::string_view value) -> Result<void> {
       return c.certificate = value, Result<void>{};
     }},
    {.name = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
     .per_signal = true,
     .help = "A PEM file with plumb's own certificate, for collectors that ask for one.",
     .apply = [](Config& c, std::string_view value) -> Result<void> {
       return c.client_certificate = value, Result<void>{};
     }},
    {.name = "OTEL_EXPORTER_OTLP_CLIENT_KEY",
     .per_signal = true,
     .help = "A PEM file with the private key of that certificate.",
     .apply = [](Config& c, std::string_view value) -> Result<void> {
       return c.client_key = value, Result<void>{};
     }},
    {.name = "OTEL_BLRP_SCHEDULE_DELAY",
     .fallback = "1000",
     .help = "Milliseconds that a record waits at most for others to be sent with.",
     .apply = set_delay,
     .signals = only(Signal::logs)},
    {.name = "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
     .fallback = "512",
     .help = "Records of one request at most.",
     .apply = set_batch,
     .signals = only(Signal::logs)},
    {.name = "OTEL_BLRP_MAX_QUEUE_SIZE",
     .fallback = "65536",
     .help = "Records that wait to be sent at most; what comes beyond is dropped and counted.",
     .apply = set_queue,
     .signals = only(Signal::logs)},
    {.name = "OTEL_BSP_SCHEDULE_DELAY",
     .fallback = "1000",
     .help = "The same of spans.",
     .apply = set_delay,
     .signals = only(Signal::traces)},
    {.name = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
     .fallback = "512",
     .help = "The same of spans.",
     .apply = set_batch,
     .signals = only(Signal::traces)},
    {.name = "OTEL_BSP_MAX_QUEUE_SIZE",
     .fallback = "65536",
     .help = "The same of spans.",
     .apply = set_queue,
     .signals = only(Signal::traces)},
    {.name = "OTEL_TRACES_SAMPLER",
     .fallback = "parentbased_always_on",
     .help =
         "Which requests become spans: parentbased_always_on (not those whose traceparent says that their trace is "
         "not sampled), always_on or always_off.",
     .apply = set_sampler,
     .signals = only(Signal::traces)},
    {.name = "OTEL_METRIC_EXPORT_INTERVAL",
     .fallback = "60000",
     .help = "Milliseconds between two pushes of the metrics; the last is at the end.",
     .apply = [](Config& c, std::string_view value) { return set_milliseconds(c.interval_ns, value); },
     .signals = only(Signal::metrics)},
    {.name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
     .fallback = "cumulative",
     .help = "cumulative: values since the start; delta or lowmemory: since the last push.",
     .apply = set_temporality,
     .signals = only(Signal::metrics)},
    {.name = "OTEL_LOGS_EXPORTER",
     .fallback = "otlp",
     .help = "otlp, or none: no log records.",
     .apply = set_exporter,
     .signals = only(Signal::logs)},
    {.name = "OTEL_TRACES_EXPORTER",
     .fallback = "otlp",
     .help = "otlp, or none: no spans.",
     .apply = set_exporter,
     .signals = only(Signal::traces)},
    {.name = "OTEL_METRICS_EXPORTER",
     .fallback = "otlp",
     .help = "otlp, or none: no metrics.",
     .apply = set_exporter,
     .signals = only(Signal::metrics)},
    {.name = "OTEL_PROFILES_EXPORTER",
     .fallback = "otlp",
     .help = "otlp, or none: no profiles.",
     .apply = set_exporter,
     .signals = only(Signal::profiles)},
    {.name = "OTEL_RESOURCE_ATTRIBUTES",
     .help = "Attributes of the resource: key=value, several with commas; values are percent-decoded.",
     .apply = set_resource},
    {.name = "OTEL_SERVICE_NAME",
     .fallback = "plumb",
     .help = "The resource's service.name.",
     .apply = [](Config& c, std::string_view value) -> Result<void> {
       return set_resource_attribute(c, "service.name", value), Result<void>{};
     }},
    {.name = "OTEL_SDK_DISABLED",
     .fallback = "false",
     .help = "true switches --otlp off.",
     .apply = [](Config& c, std::string_view value) -> Result<void> {
       return c.disabled = lower(value) == "true", Result<void>{};
     }},
});

// An empty variable counts as unset, says the specification.
std::string_view value_of(const Environment& environment, const std::string& name) {
  const char* value = environment(name.c_str());
  return value == nullptr ? std::string_view{} : trimmed(value);
}

// For a message: who is at the front of the host, and what is in the query, may be secrets.
std::string without_secrets(std::string_view url) {
  const std::size_t colon = url.find("://");
  const std::size_t from = colon == std::string_view::npos ? 0 : colon + 3;
  const std::size_t end = std::min(url.find_first_of("?#", from), url.size());
  const std::size_t at = url.substr(0, end).rfind('@');
  std::string shown(url.substr(0, from));
  const bool named = at != std::string_view::npos && at >= from;
  if (named) shown += "...@";
  const std::size_t host = named ? at + 1 : from;
  shown += url.substr(host, end - host);
  if (end != url.size()) shown.append(1, url[end]).append("...");
  return shown;
}

Error bad_url(std::string_view url, const char* why) {
  return Error{"'" + without_secrets(url) + "'", why, "expected a URL such as http://localhost:4318"};
}

bool is_host(std::string_view host, bool bracketed) {
  if (host.empty()) return false;
  for (const char c : host) {
    if (!is_alphanumeric(c) && c != '.' && (bracketed ? c != ':' : (c != '-' && c != '_'))) return false;
  }
  return true;
}

}  // namespace

std::string Endpoint::authority() const {
  const std::string name = host.find(':') != std::string::npos ? "[" + host + "]" : host;
  return port == (tls ? "443" : "80") ? name : name + ":" + port;
}

std::string Endpoint::text() const {
  return (tls ? "https://" : "http://") + authority() + target.substr(0, target.find('?'));
}

Result<Endpoint> parse_endpoint(std::string_view url, bool base, Signal signal) {
  Endpoint out;
  const std::size_t colon = url.find("://");
  const std::string scheme = colon == std::string_view::npos ? "" : lower(url.substr(0, colon));
  if (scheme != "http" && scheme != "https")
    return bad_url(url, "it does not start with http:// or https://");
  if (!all_of(url, is_printable)) return bad_url(url, "a URL has no spaces and no bytes beyond ASCII");
  out.tls = scheme == "https";

  std::string_view rest = url.substr(colon + 3);
  rest = rest.substr(0, rest.find('#'));
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, end);
  rest.remove_prefix(end);
  if (authority.find('@') != std::string_view::npos) {
    return Error{"a URL with a user name or password", "it would show in the process list",
                 "OTEL_EXPORTER_OTLP_HEADERS='authorization=Basic%20...' does the same"};
  }
  const bool bracketed = authority.starts_with('[');
  std::size_t host_end = authority.find(bracketed ? ']' : ':');
  if (bracketed && host_end == std::string_view::npos) return bad_url(url, "its [ has no ]");
  host_end = std::min(host_end, authority.size());
  out.host = authority.substr(bracketed ? 1 : 0, host_end - (bracketed ? 1 : 0));
  authority.remove_prefix(host_end + (bracketed ? 1 : 0));
  if (!is_host(out.host, bracketed)) return bad_url(url, "it names no host");
  if (authority.starts_with(':')) {
    auto port = positive(authority.substr(1), 65'535);
    if (!port) return bad_url(url, "its port is not a number from 1 to 65535");
    out.port = std::to_string(*port);
  } else if (authority.empty()) {
    out.port = out.tls ? "443" : "80";
  } else {
    return bad_url(url, "it names no host");
  }

  const std::size_t query = std::min(rest.find('?'), rest.size());
  out.target = rest.substr(0, query);
  if (base) {
    while (out.target.ends_with('/')) out.target.pop_back();
    // Profiles are not stable: their package has another name, and will have another one still.
    out.target.append(signal == Signal::profiles ? "/v1development/" : "/v1/").append(name_of(signal));
  }
  if (out.target.empty()) out.target = "/";
  out.target += rest.substr(query);
  return out;
}

Result<std::vector<Pair>> parse_pairs(std::string_view text) {
  std::vector<Pair> out;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view item = trimmed(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (item.empty()) continue;
    const std::size_t equal = item.find('=');
    const std::string_view key = trimmed(item.substr(0, equal));
    // The value is not quoted: it may be a secret.
    if (equal == std::string_view::npos || key.empty())
      return Error{"an item without key=", "expected key=value, several with commas"};
    auto value = percent_decoded(trimmed(item.substr(equal + 1)));
    if (!value) return Error{"'" + std::string(key) + "'", "a % in its value without two hexadecimal digits"};
    out.push_back({std::string(key), *std::move(value)});
  }
  return out;
}

std::span<const Variable> variables() {
  return kVariables;
}

std::string per_signal_name(std::string_view name, Signal signal) {
  constexpr std::string_view kNames[kSignals] = {"LOGS_", "TRACES_", "METRICS_", "PROFILES_"};
  std::string out(kPrefix);
  return out.append(kNames[static_cast<std::size_t>(signal)]).append(name.substr(kPrefix.size()));
}

namespace {

// With a configuration file every other variable has to be ignored ("Declarative configuration"), and plumb reads none.
Result<Environment> effective(std::string_view url, const Environment& environment) {
  constexpr const char* kFile = "OTEL_CONFIG_FILE";
  if (value_of(environment, kFile).empty()) return environment;
  if (url.empty()) {
    return Error{std::string(kFile) + " is set, and plumb does not read such files",
                 "with it every other OTEL_* variable would have to be ignored",
                 "say where to push to with --otlp=URL, or unset it"};
  }
  return Environment([](const char*) -> const char* { return nullptr; });
}

}  // namespace

Result<Config> read_config(std::string_view url, const Environment& given, Signal signal) {
  auto allowed = effective(url, given);
  if (!allowed) return std::move(allowed).error();
  const Environment& environment = *allowed;
  Config config;
  config.signal = signal;
  const auto apply = [&](const Variable& v, const std::string& name, Result<void> result) -> Result<void> {
    if (result) return {};
    Error error = std::move(result).error();
    error.what = name + ": " + error.what;
    if (v.fatal) return error;
    config.warnings.push_back(error.what + " is ignored: " + error.why);
    return {};
  };
  for (const Variable& v : kVariables) {
    if ((v.signals & only(signal)) == 0) continue;
    const bool is_endpoint = &v == kVariables.data();
    std::string name = v.per_signal ? per_signal_name(v.name, signal) : std::string(v.name);
    std::string_view value = value_of(environment, name);
    Result<void> result;
    if (is_endpoint && !url.empty()) {
      name = "--otlp";
      result = v.apply(config, url);
    } else if (is_endpoint && !value.empty()) {
      auto endpoint = parse_endpoint(value, false);  // the one for the signal is used as it is
      if (endpoint)
        config.endpoint = *std::move(endpoint);
      else
        result = std::move(endpoint).error();
    } else {
      if (value.empty()) value = value_of(environment, name = v.name);
      if (value.empty() && is_endpoint) value = kDefaultEndpoint;
      if (!value.empty()) result = v.apply(config, value);
    }
    if (auto r = apply(v, name, std::move(result)); !r) return std::move(r).error();
  }
  if (config.client_certificate.empty() != config.client_key.empty()) {
    return Error{"a client certificate and its key are needed together", "only one of them is set",
                 "set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY"};
  }
  config.batch_records = std::min(config.batch_records, config.queue_records);
  return config;
}

}  // namespace plumb::otlp
