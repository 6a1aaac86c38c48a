// What --otlp and the OTEL_* variables mean together.
#include <doctest/doctest.h>

#include <map>

#include "otlp/config.h"

using namespace plumb;
using otlp::Pair;

namespace {

using Variables = std::map<std::string, std::string>;

Result<otlp::Config> read(std::string_view url, const Variables& variables) {
  return otlp::read_config(url, [&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}
otlp::Config config(const Variables& variables) {
  auto c = read("", variables);
  REQUIRE(c.ok());
  return *c;
}
std::string endpoint(std::string_view url, const Variables& variables = {}) {
  auto c = read(url, variables);
  if (!c) return "error: " + c.error().what;
  return c->endpoint.text();
}

}  // namespace

TEST_CASE("where to push to") {
  const Variables generic{{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://generic:1"}};
  const Variables both{{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://generic:1"},
                       {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://logs:2"}};
  CHECK(endpoint("") == "http://localhost:4318/v1/logs");
  CHECK(endpoint("", generic) == "http://generic:1/v1/logs");
  CHECK(endpoint("", both) == "http://logs:2/");
  CHECK(endpoint("http://given:3", both) == "http://given:3/v1/logs");
  // An empty variable counts as unset, a wrong one that is overruled does not matter.
  CHECK(endpoint("", {{"OTEL_EXPORTER_OTLP_ENDPOINT", " "}}) == "http://localhost:4318/v1/logs");
  CHECK(endpoint("http://given:3", {{"OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense"}}) ==
        "http://given:3/v1/logs");
  CHECK(endpoint("", {{"OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense"}}) ==
        "error: OTEL_EXPORTER_OTLP_ENDPOINT: 'nonsense'");
  CHECK(endpoint("localhost:4318") == "error: --otlp: 'localhost:4318'");
  CHECK(endpoint("", {{"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "x"}}) ==
        "error: OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'x'");
}

TEST_CASE("URLs") {
  const auto base = [](std::string_view url) {
    auto e = otlp::parse_endpoint(url, true);
    return e ? e->text() : "error: " + e.error().why;
  };
  CHECK(base("http://h/") == "http://h/v1/logs");
  CHECK(base("HTTPS://h:4318/a/b/") == "https://h:4318/a/b/v1/logs");
  CHECK(base("https://h:443") == "https://h/v1/logs");
  CHECK(base("http://h:443") == "http://h:443/v1/logs");
  CHECK(base("http://192.0.2.7:0004318") == "http://192.0.2.7:4318/v1/logs");
  CHECK(base("http://[2001:db8::1]:4318") == "http://[2001:db8::1]:4318/v1/logs");
  CHECK(base("http://[::1]") == "http://[::1]/v1/logs");
  CHECK(base("http://h/#part") == "http://h/v1/logs");
  for (const char* bad : {"",
                          "h",
                          "//h",
                          "ftp://h",
                          "http://",
                          "http://:4318",
                          "http://h:",
                          "http://h:0",
                          "http://h:65536",
                          "http://h:4318x",
                          "http://[::1",
                          "http://[]:1",
                          "http://[::1]x",
                          "http://[h]:1 ",
                          "http://a b",
                          "http://h\n",
                          "http://h/\xc3\xa4",
                          "http://a,b",
                          "http://::1:4318",
                          "http://u:p@h"}) {
    CAPTURE(bad);
    const auto e = otlp::parse_endpoint(bad, true);
    CHECK(!e.ok());
  }
  const auto query = otlp::parse_endpoint("https://h/in?key=secret", true);
  REQUIRE(query.ok());
  CHECK(query->target == "/in/v1/logs?key=secret");
  CHECK(query->text() == "https://h/in/v1/logs");  // nothing secret in messages
  const auto exact = otlp::parse_endpoint("http://h:1?a=b", false);
  REQUIRE(exact.ok());
  CHECK(exact->target == "/?a=b");
  CHECK(exact->authority() == "h:1");
}

TEST_CASE("key=value lists") {
  const auto pairs = otlp::parse_pairs(" a=1 , b = x%20y%2C%3d ,, c=");
  REQUIRE(pairs.ok());
  CHECK(*pairs == std::vector<Pair>{{"a", "1"}, {"b", "x y,="}, {"c", ""}});
  CHECK(otlp::parse_pairs("authorization=Basic%20dTpw==")->front().value == "Basic dTpw==");
  for (const char* bad : {"a", "=1", "a=%", "a=%2", "a=%zz", "a=1,b"}) {
    CAPTURE(bad);
    CHECK(!otlp::parse_pairs(bad).ok());
  }
}

TEST_CASE("the other variables") {
  const otlp::Config none = config({});
  CHECK(none.protocol == otlp::Protocol::protobuf);
  CHECK(none.timeout_ns == 10'000'000'000);
  CHECK(!none.gzip);
  CHECK(!none.disabled);
  CHECK(none.warnings.empty());

  const otlp::Config set = config({{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
                                   {"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/json"},
                                   {"OTEL_EXPORTER_OTLP_TIMEOUT", "2500"},
                                   {"OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"},
                                   {"OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "none"},
                                   {"OTEL_EXPORTER_OTLP_HEADERS", "x-all=1"},
                                   {"OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x-logs=a%20b"},
                                   {"OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem"},
                                   {"OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment=x"},
                                   {"OTEL_SERVICE_NAME", "mine"},
                                   {"OTEL_BLRP_MAX_QUEUE_SIZE", "100"},
                                   {"OTEL_SDK_DISABLED", "True"}});
  CHECK(set.protocol == otlp::Protocol::json);
  CHECK(set.timeout_ns == 2'500'000'000);
  CHECK(!set.gzip);
  CHECK(set.headers == std::vector<Pair>{{"x-logs", "a b"}});
  CHECK(set.certificate == "ca.pem");
  CHECK(set.resource == std::vector<Pair>{{"service.name", "mine"}, {"deployment", "x"}});
  CHECK(set.queue_records == 100);
  CHECK(set.batch_records == 100);  // never more than the queue holds
  CHECK(set.disabled);
  CHECK(!config({{"OTEL_SDK_DISABLED", "1"}}).disabled);  // only "true" is true
}

TEST_CASE("wrong values: what the specification wants ignored is ignored, aloud") {
  const Variables wrong{{"OTEL_EXPORTER_OTLP_TIMEOUT", "10s"},
                        {"OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"},
                        {"OTEL_EXPORTER_OTLP_HEADERS", "a=1,secret"},
                        {"OTEL_RESOURCE_ATTRIBUTES", "a=%"},
                        {"OTEL_BLRP_MAX_QUEUE_SIZE", "-1"}};
  const otlp::Config c = config(wrong);
  CHECK(c.warnings.size() == wrong.size());
  CHECK(c.headers.empty());
  CHECK(c.resource.empty());
  CHECK(c.timeout_ns == 10'000'000'000);
  for (const std::string& w : c.warnings) CHECK(w.find("secret") == std::string::npos);
  CHECK(config({{"OTEL_EXPORTER_OTLP_HEADERS", "a=x%0d%0ay:%20z"}}).headers.empty());
  CHECK(config({{"OTEL_EXPORTER_OTLP_HEADERS", "a b=x"}}).headers.empty());

  for (const char* protocol : {"grpc", "http", "HTTP/JSON"}) {
    const auto c2 = read("", {{"OTEL_EXPORTER_OTLP_PROTOCOL", protocol}});
    REQUIRE(!c2.ok());
    CHECK(c2.error().what == "OTEL_EXPORTER_OTLP_PROTOCOL: '" + std::string(protocol) + "'");
  }
  CHECK(!read("", {{"OTEL_EXPORTER_OTLP_CLIENT_KEY", "k.pem"}}).ok());
}

TEST_CASE("errors about endpoints do not repeat secrets") {
  for (const char* url : {"ftp://me:geheim@host/path", "me:geheim@host:4318", "http://ho st/?token=geheim",
                          "http://me:geheim@a b@host/", "http://[::1?key=geheim"}) {
    CAPTURE(url);
    const auto e = otlp::parse_endpoint(url, true);
    REQUIRE_FALSE(e.ok());
    CHECK((e.error().what + e.error().why + e.error().hint).find("geheim") == std::string::npos);
  }
}

namespace {

// All that a configuration says, in one line.
std::string shown(const otlp::Config& c) {
  std::string out = c.endpoint.text() + (c.protocol == otlp::Protocol::json ? " json" : " protobuf");
  const auto pairs = [&](const char* what, const std::vector<Pair>& list) {
    for (const Pair& p : list) out.append(what).append(p.key).append("=").append(p.value);
  };
  pairs(" header:", c.headers);
  pairs(" resource:", c.resource);
  const auto number = [&](const char* what, std::int64_t n) { out.append(what).append(std::to_string(n)); };
  number(" timeout=", c.timeout_ns / 1'000'000);
  number(" delay=", c.delay_ns / 1'000'000);
  number(" batch=", static_cast<std::int64_t>(c.batch_records));
  number(" queue=", static_cast<std::int64_t>(c.queue_records));
  number(" interval=", c.interval_ns / 1'000'000);
  number(" sampler=", static_cast<int>(c.sampler));
  if (c.gzip) out += " gzip";
  if (c.delta) out += " delta";
  if (c.disabled) out += " disabled";
  if (c.none) out += " none";
  out.append(" ca=").append(c.certificate).append(" cert=").append(c.client_certificate);
  out.append(" key=").append(c.client_key);
  return out;
}

struct Rule {
  const char* what;
  Variables set;
  otlp::Signal signal;
  const char* says;      // part of shown(), or of the error
  const char* url = "";  // --otlp's
};
constexpr auto kLogs = otlp::Signal::logs;
constexpr auto kTraces = otlp::Signal::traces;
constexpr auto kMetrics = otlp::Signal::metrics;

#define ALL "OTEL_EXPORTER_OTLP_"
const Rule kRules[] = {
    {"nothing set", {}, kTraces, "http://localhost:4318/v1/traces protobuf timeout=10000"},
    {"each signal has its path", {}, kMetrics, "http://localhost:4318/v1/metrics "},
    {"the path is appended to the generic URL",
     {{ALL "ENDPOINT", "http://c:1/otlp/"}},
     kTraces,
     "http://c:1/otlp/v1/traces "},
    {"not to the one of a signal", {{ALL "TRACES_ENDPOINT", "http://c:1/own"}}, kTraces, "http://c:1/own "},
    {"which goes before the generic one",
     {{ALL "ENDPOINT", "http://c:1"}, {ALL "METRICS_ENDPOINT", "https://m"}},
     kMetrics,
     "https://m/ "},
    {"and is of no other signal",
     {{ALL "ENDPOINT", "http://c:1"}, {ALL "METRICS_ENDPOINT", "https://m"}},
     kLogs,
     "http://c:1/v1/logs "},
    {"an empty one is unset",
     {{ALL "ENDPOINT", "http://c:1"}, {ALL "LOGS_ENDPOINT", ""}},
     kLogs,
     "http://c:1/v1/logs "},
    {"spaces are nothing", {{ALL "ENDPOINT", "  "}}, kLogs, "http://localhost:4318/v1/logs "},
    {"--otlp=URL goes before all",
     {{ALL "ENDPOINT", "http://c:1"}, {ALL "LOGS_ENDPOINT", "http://l"}},
     kLogs,
     "http://given:2/v1/logs ",
     "http://given:2"},
    {"a signal's headers replace the generic ones",
     {{ALL "HEADERS", "a=1"}, {ALL "TRACES_HEADERS", "b=2"}},
     kTraces,
     "protobuf header:b=2 timeout"},
    {"an empty list of headers is unset",
     {{ALL "HEADERS", "a=1"}, {ALL "TRACES_HEADERS", ""}},
     kTraces,
     "protobuf header:a=1 timeout"},
    {"a signal's protocol",
     {{ALL "PROTOCOL", "http/protobuf"}, {ALL "LOGS_PROTOCOL", "http/json"}},
     kLogs,
     " json"},
    {"a signal's compression",
     {{ALL "COMPRESSION", "none"}, {ALL "METRICS_COMPRESSION", "gzip"}},
     kMetrics,
     " gzip"},
    {"a signal's timeout", {{ALL "TIMEOUT", "1"}, {ALL "TRACES_TIMEOUT", "2"}}, kTraces, " timeout=2 "},
    {"a timeout that is none is as unset", {{ALL "TIMEOUT", "0"}}, kTraces, " timeout=10000 "},
    {"a signal's authorities",
     {{ALL "CERTIFICATE", "all.pem"}, {ALL "TRACES_CERTIFICATE", "t.pem"}},
     kTraces,
     " ca=t.pem "},
    {"a certificate of its own and its key",
     {{ALL "CLIENT_CERTIFICATE", "c.pem"}, {ALL "CLIENT_KEY", "k.pem"}},
     kLogs,
     " cert=c.pem key=k.pem"},
    {"a certificate without its key", {{ALL "CLIENT_CERTIFICATE", "c.pem"}}, kLogs, "needed together"},
    {"a signal's key beside the generic certificate",
     {{ALL "CLIENT_CERTIFICATE", "c.pem"}, {ALL "CLIENT_KEY", "k.pem"}, {ALL "LOGS_CLIENT_KEY", "l.pem"}},
     kLogs,
     " cert=c.pem key=l.pem"},
    {"batches of records",
     {{"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "7"}, {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "9"}},
     kLogs,
     " batch=7 "},
    {"batches of spans",
     {{"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "7"}, {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "9"}},
     kTraces,
     " batch=9 "},
    {"the queue of spans", {{"OTEL_BSP_MAX_QUEUE_SIZE", "10"}}, kTraces, " batch=10 queue=10 "},
    {"the delay of spans", {{"OTEL_BSP_SCHEDULE_DELAY", "20"}}, kTraces, " delay=20 "},
    {"the delay of spans is not the records'", {{"OTEL_BSP_SCHEDULE_DELAY", "20"}}, kLogs, " delay=1000 "},
    {"the interval of metrics", {{"OTEL_METRIC_EXPORT_INTERVAL", "5000"}}, kMetrics, " interval=5000 "},
    {"delta", {{ALL "METRICS_TEMPORALITY_PREFERENCE", "Delta"}}, kMetrics, " delta "},
    {"low memory is delta", {{ALL "METRICS_TEMPORALITY_PREFERENCE", "lowmemory"}}, kMetrics, " delta "},
    {"a wrong preference is as unset",
     {{ALL "METRICS_TEMPORALITY_PREFERENCE", "x"}},
     kMetrics,
     " sampler=0 ca="},
    {"a sampler", {{"OTEL_TRACES_SAMPLER", "always_on"}}, kTraces, " sampler=1 "},
    {"a sampler that plumb has not", {{"OTEL_TRACES_SAMPLER", "traceidratio"}}, kTraces, " sampler=0 "},
    {"no exporter", {{"OTEL_TRACES_EXPORTER", "none"}}, kTraces, " none "},
    {"of one signal alone", {{"OTEL_TRACES_EXPORTER", "none"}}, kLogs, " sampler=0 ca="},
    {"the resource", {{"OTEL_RESOURCE_ATTRIBUTES", "a=b%20c,d=e"}}, kLogs, " resource:a=b c resource:d=e "},
    {"the name overrules the attributes",
     {{"OTEL_RESOURCE_ATTRIBUTES", "service.name=x"}, {"OTEL_SERVICE_NAME", "y"}},
     kLogs,
     " resource:service.name=y "},
    {"off", {{"OTEL_SDK_DISABLED", "TRUE"}}, kLogs, " disabled "},
    {"anything else is false", {{"OTEL_SDK_DISABLED", "yes"}}, kLogs, " sampler=0 ca="},
    {"a configuration file, and no URL",
     {{"OTEL_CONFIG_FILE", "/etc/otel.yaml"}},
     kLogs,
     "does not read such files"},
    {"a configuration file and a URL: all other variables are ignored",
     {{"OTEL_CONFIG_FILE", "/etc/otel.yaml"}, {ALL "HEADERS", "a=1"}, {"OTEL_SERVICE_NAME", "x"}},
     kLogs,
     "http://given/v1/logs protobuf timeout=",
     "http://given"},
    {"gRPC is not spoken", {{ALL "TRACES_PROTOCOL", "grpc"}}, kTraces, "TRACES_PROTOCOL: 'grpc'"},
};
#undef ALL

}  // namespace

TEST_CASE("the rules of the environment, one by one") {
  for (const Rule& rule : kRules) {
    CAPTURE(rule.what);
    const auto c = otlp::read_config(
        rule.url,
        [&](const char* name) -> const char* {
          const auto found = rule.set.find(name);
          return found == rule.set.end() ? nullptr : found->second.c_str();
        },
        rule.signal);
    const std::string got = c ? shown(*c) : c.error().what + ": " + c.error().why;
    CAPTURE(got);
    CHECK(got.find(rule.says) != std::string::npos);
  }
}
