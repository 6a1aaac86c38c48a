// Whose spans are: what a process is called, and resources of their own in one request.
#include <doctest/doctest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "otlp/batcher.h"
#include "proc/otel_context.h"
#include "run/otlp_owner.h"

using namespace plumb;
using namespace std::literals;

namespace {

std::string service_of(const ProcessResource& resource) {
  for (const ResourceAttribute& a : resource) {
    if (a.key == "service.name") return a.value;
  }
  return {};
}

std::string field(int number, std::string_view bytes) {
  std::string out(1, static_cast<char>(number << 3 | 2));
  std::size_t size = bytes.size();
  for (; size > 127; size >>= 7) out += static_cast<char>((size & 127) | 128);
  return out.append(1, static_cast<char>(size)).append(bytes);
}
std::string pair_of(std::string_view key, std::string_view value) {
  return field(1, field(1, key) + field(2, field(1, value)));
}

std::string header(std::uint64_t published, std::uint64_t payload, std::uint32_t size,
                   std::uint32_t version = 2) {
  std::string out = "OTEL_CTX";
  const auto add = [&out](auto n) { out.append(reinterpret_cast<const char*>(&n), sizeof n); };
  add(version), add(size), add(published), add(payload);
  return out;
}

// One process, 7, whose memory is `memory` from address 4096 on; each read of it may change it.
struct OneProcess final : ProcFs {
  std::string maps, environment;
  mutable std::string memory;
  std::function<void(std::string&)> on_read = [](std::string&) {};

  Result<std::string> read(const std::string& path) const override {
    if (path == "/proc/7/maps") return maps;
    if (path == "/proc/7/environ") return environment;
    if (path == "/proc/7/stat") return std::string("7 (x) S 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 100 0");
    return Error{"none"};
  }
  Result<std::string> read_memory(std::uint32_t pid, std::uint64_t address, std::size_t size) const override {
    if (pid != 7 || address < 4096 || address - 4096 > memory.size() ||
        size > memory.size() - (address - 4096))
      return Error{"none"};
    const std::string bytes = memory.substr(address - 4096, size);
    on_read(memory);
    return bytes;
  }
  Result<std::string> read_link(const std::string&) const override { return std::string("/bin/x"); }
  Result<std::vector<std::string>> list(const std::string&) const override { return Error{"none"}; }
  Result<std::vector<std::string>> list_directories(const std::string&) const override {
    return Error{"none"};
  }
  Result<std::uint64_t> inode(const std::string&) const override { return Error{"none"}; }
};

}  // namespace

TEST_CASE("what an environment says") {
  const auto service = [](std::string_view environment) {
    return service_of(resource_of_environment(environment));
  };
  CHECK(service({}) == "");
  CHECK(service("HOME=/\0OTEL_SERVICE_NAME=shop\0X=1\0"sv) == "shop");
  CHECK(service("OTEL_SERVICE_NAME=shop"sv) == "shop");
  CHECK(service("OTEL_RESOURCE_ATTRIBUTES=a=b,service.name=c%20d\0"sv) == "c d");
  CHECK(service("OTEL_RESOURCE_ATTRIBUTES=service.name=a\0OTEL_SERVICE_NAME=b\0"sv) == "b");
  CHECK(service("OTEL_SERVICE_NAME=\0OTEL_RESOURCE_ATTRIBUTES=service.name=a\0"sv) == "a");
  CHECK(service("XOTEL_SERVICE_NAME=shop\0OTEL_RESOURCE_ATTRIBUTES=broken\0\0\0"sv) == "");
  CHECK(service("OTEL_SERVICE_NAME=" + std::string(256, 'x')) == "");
  CHECK(service("OTEL_RESOURCE_ATTRIBUTES=" + std::string(100'000, ',')) == "");
  CHECK(resource_of_environment(
            "OTEL_RESOURCE_ATTRIBUTES=host.name=other,telemetry.sdk.name=x,a=b,process.pid=1\0"sv) ==
        ProcessResource{{"a", "b"}});
}

TEST_CASE("what a process's own context says") {
  const std::string attributes =
      pair_of("service.name", "shop") + pair_of("deployment.environment.name", "test");
  const ProcessResource expected{{"service.name", "shop"}, {"deployment.environment.name", "test"}};
  CHECK(resource_of_context(field(1, attributes) + field(2, "\x0a\x01z")) == expected);
  CHECK(resource_of_context(attributes) == expected);  // a Resource alone
  CHECK(resource_of_context({}).empty());
  // What plumb knows better, what is no text, what comes twice.
  CHECK(resource_of_context(field(1, pair_of("host.name", "other") + pair_of("telemetry.sdk.name", "x") +
                                         field(1, field(1, "n") + field(2, "\x18\x05")) +
                                         pair_of("service.name", "a") + pair_of("service.name", "b"))) ==
        ProcessResource{{"service.name", "a"}});
  const std::string whole = field(1, attributes);
  for (std::size_t n = 0; n < whole.size(); ++n) CHECK(resource_of_context(whole.substr(0, n)).size() <= 2);
  std::string many;
  for (std::size_t i = 0; i < 100; ++i) many += pair_of("k" + std::to_string(i), std::string(1 + i, 'v'));
  CHECK(resource_of_context(field(1, many)).size() == 32);
  std::string large;  // 4 KiB in all
  for (std::size_t i = 0; i < 9; ++i) large += pair_of("k" + std::to_string(i), std::string(1022, 'v'));
  CHECK(resource_of_context(field(1, large)).size() == 4);
}

TEST_CASE("a context is found by the name of its mapping and read whole") {
  CHECK(find_otel_context(
            "00400000-00401000 r--p 0 0:0 5 /x\n7f00-8f00 rw-p 0 0:1 9 /memfd:OTEL_CTX (deleted)\n") ==
        0x7f00);
  CHECK(find_otel_context("7f00-8f00 r--p 00000000 00:00 0     [anon_shmem:OTEL_CTX]\n") == 0x7f00);
  CHECK(find_otel_context("7f00-8f00 r--p 00000000 00:00 0     [anon:OTEL_CTX]") == 0x7f00);
  for (const char* none :
       {"", "\n\n", "x-y r--p 0 0:0 0 [anon:OTEL_CTX]", "7f00-8f00 r--p 0 0:0 0 [anon:OTEL_CT]",
        " [anon:OTEL_CTX]", "7f00 [anon:OTEL_CTX]"})
    CHECK(!find_otel_context(none));
  CHECK(parse_otel_context(header(1, 4128, 9)));
  CHECK(!parse_otel_context(header(0, 4128, 9)));
  CHECK(!parse_otel_context(header(1, 4128, 0)));
  CHECK(!parse_otel_context(header(1, 4128, 65'537)));
  CHECK(!parse_otel_context(header(1, 4128, 9, 1)));
  CHECK(!parse_otel_context(header(1, 4128, 9).substr(1)));
  OneProcess process;
  process.maps = "1000-2000 rw-p 00000000 00:01 9 /memfd:OTEL_CTX (deleted)\n";
  process.memory = header(5, 4096 + 32, 4) + "good";
  CHECK(read_otel_context(process, 7) == "good");
  CHECK(read_otel_context(process, 8).empty());
  // In memory of a file, whose file system may never answer; in two mappings; in none.
  for (const char* maps : {"1000-1020 rw-p 0 0:1 9 /memfd:OTEL_CTX\n1020-2000 r--s 0 0:30 77 /fuse/x\n",
                           "1000-1022 rw-p 0 0:1 9 /memfd:OTEL_CTX\n1022-2000 rw-p 0 0:0 0 [heap]\n",
                           "1000-1020 rw-p 0 0:1 9 /memfd:OTEL_CTX\n"}) {
    process.maps = maps;
    CHECK(read_otel_context(process, 7).empty());
  }
  process.maps = "1000-1020 rw-p 0 0:1 9 /memfd:OTEL_CTX\n1020-2000 rw-p 00000000 00:00 0    [heap]\n";
  CHECK(read_otel_context(process, 7) == "good");
  // It changes while it is read, once; then for ever.
  int reads = 0;
  process.on_read = [&reads](std::string& memory) {
    if (++reads == 1) memory = header(6, 4096 + 32, 4) + "next";
  };
  CHECK(read_otel_context(process, 7) == "next");
  process.on_read = [](std::string& memory) { ++memory[16]; };
  CHECK(read_otel_context(process, 7).empty());
  process.on_read = [](std::string&) {};
  process.memory = header(5, 4096 + 33, 4) + "good";  // beyond the end
  CHECK(read_otel_context(process, 7).empty());
}

TEST_CASE("a process is what its context says, or else its environment, and a context may come later") {
  OneProcess process;
  process.environment = "OTEL_SERVICE_NAME=by-environment\0"s;
  ProcessCache cache(process);
  cache.read_resources({resource_of_context, resource_of_environment});
  const ProcessKey key{7, 1'000'000'000};
  const auto service = [&] {
    const auto resource = cache.find(key, 0).resource;
    return service_of({resource.begin(), resource.end()});
  };
  CHECK(service() == "by-environment");
  const std::string payload = field(1, pair_of("service.name", "by-context"));
  process.maps = "1000-2000 rw-p 00000000 00:01 9 /memfd:OTEL_CTX (deleted)\n";
  process.memory = header(5, 4096 + 32, static_cast<std::uint32_t>(payload.size())) + payload;
  for (int i = 0; i < 4; ++i) service();
  CHECK(service() == "by-context");
  process.maps.clear();
  for (int i = 0; i < 64; ++i) CHECK(service() == "by-context");
}

TEST_CASE("a span's owner") {
  otlp::SpanDraft span;
  Origin origin;
  origin.names.exe = "/usr/sbin/nginx";
  set_owner(span, origin);
  CHECK(span.owner.empty());  // of a process that is not known
  origin.pid = 1;
  origin.names.container = "web";
  set_owner(span, origin);
  REQUIRE(span.owner.size() == 2);
  CHECK(std::get<std::string_view>(span.owner[0].value) == "nginx");
  CHECK(span.owner[1].key == "container.name");
  span.clear();
  const ProcessResource resource{
      {"service.version", "3"}, {"service.name", "shop"}, {"container.name", "mine"}};
  origin.names.resource = resource;
  set_owner(span, origin);
  REQUIRE(span.owner.size() == 3);
  CHECK(std::get<std::string_view>(span.owner[0].value) == "shop");
  CHECK(std::get<std::string_view>(span.owner[1].value) == "web");  // as the cgroup has it
  CHECK(span.owner[2].key == "service.version");
}

TEST_CASE("owners have resources of their own in a request, and counts and limits are of all") {
  struct Clock final : ClockSource {
    BootTime boot() const override { return {}; }
    UnixTime real() const override { return {}; }
  } clock;
  const otlp::Source source{{{"service.name", "plumb"}, {"service.version", "1"}, {"host.name", "h"}}, "1"};
  otlp::Queue queue(100, 1'000'000);
  for (const bool json : {true, false}) {
    const auto encoding = json ? otlp::make_json_encoding(source, otlp::Signal::traces)
                               : otlp::make_protobuf_encoding(source, otlp::Signal::traces);
    otlp::Batcher batcher(*encoding, queue, clock, {.records = 4});
    const otlp::Attribute a[] = {{"service.name", "a"sv}};
    const otlp::Attribute b[] = {{"service.name", "b"sv}};
    batcher.add_owned(otlp::Span{.name = "one"}, a);
    batcher.add_owned(otlp::Span{.name = "two"}, b);
    batcher.add_owned(otlp::Span{.name = "three"}, a);
    CHECK(queue.offered() == (json ? 0 : 4));
    batcher.add_owned(otlp::Span{.name = "four"}, {});
    const auto batch = queue.take();
    REQUIRE(batch);
    CHECK(batch->count == 4);
    CHECK(batch->owned.size() == 2);
    const std::string request = encoding->request(batch->records, batch->beside, batch->owned);
    if (!json) {
      CHECK(request.find("three") != std::string::npos);
      continue;
    }
    const auto resources = nlohmann::json::parse(request)["resourceSpans"];
    REQUIRE(resources.size() == 3);
    CHECK(resources[0]["scopeSpans"][0]["spans"][0]["name"] == "four");
    CHECK(resources[0]["resource"]["attributes"].size() == 3);
    CHECK(resources[1]["scopeSpans"][0]["spans"].size() == 2);
    CHECK(
        resources[1]["resource"]["attributes"].dump() ==
        R"([{"key":"service.name","value":{"stringValue":"a"}},{"key":"host.name","value":{"stringValue":"h"}}])");
  }
}
