// Every name that goes over OTLP is one of the semantic conventions, or begins with "plumb.".
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>

#include "otlp/log_sink.h"
#include "run/tool.h"

using namespace plumb;

namespace plumb {
extern const ToolInfo kTcpconnect, kHttptrace, kDrops, kFlame, kDnsx;
}

namespace {

constexpr const ToolInfo* kTools[] = {&kTcpconnect, &kHttptrace, &kDrops, &kFlame, &kDnsx};

std::set<std::string> conventions(const std::string& kind) {
  std::set<std::string> names;
  std::ifstream file(TEST_DATA "/conventions.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(kind + " ")) names.insert(line.substr(kind.size() + 1));
  }
  REQUIRE(names.size() > 100);
  return names;
}

bool is_own(std::string_view name) {
  return name.starts_with("plumb.") && name.size() > 6;
}

}  // namespace

TEST_CASE("fields are attributes of the conventions, or plumb's own") {
  const auto known = conventions("attribute");
  CHECK(known.contains("process.user.id"));
  CHECK_FALSE(known.contains("process.owner.id"));
  CHECK_FALSE(known.contains("network.connection.role"));
  for (const ToolInfo* tool : kTools) {
    for (const Schema* schema : {tool->schema, tool->summary_schema}) {
      for (std::size_t i = 0; schema != nullptr && i < schema->size(); ++i) {
        const std::string name = otlp::attribute_name(schema->spec(i));
        CAPTURE(name);
        CHECK((is_own(name) || known.contains(name)));
        // A command name is no name of an executable.
        CHECK((schema->spec(i).key != "comm" || is_own(name)));
      }
    }
  }
}

TEST_CASE("metrics are the conventions' or plumb's own, each told once") {
  const auto known = conventions("metric");
  std::set<std::string> names;
  for (const ToolInfo* tool : kTools) {
    if (tool->telemetry == nullptr) continue;
    for (const otlp::Instrument& instrument : tool->telemetry->instruments) {
      const std::string name(instrument.name);
      CAPTURE(name);
      CHECK((is_own(name) || known.contains(name)));
      CHECK(names.insert(name).second);
      CHECK_FALSE(instrument.unit.empty());
      CHECK(instrument.help.ends_with('.'));
      CHECK(std::ranges::is_sorted(instrument.bounds));
    }
  }
  CHECK(names.contains("dns.lookup.duration"));
  CHECK(names.contains("http.server.request.duration"));
}
