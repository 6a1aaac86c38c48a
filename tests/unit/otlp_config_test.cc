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
