// A report as JSON, and the schema of it.
#include <nlohmann/json.hpp>

#include "report/text.h"

namespace plumb::report {
namespace {

using Json = nlohmann::ordered_json;

Json number_or_null(const std::optional<double>& n) {
  return n ? Json(*n) : Json(nullptr);
}
Json text_or_null(const std::string& s) {
  return s.empty() ? Json(nullptr) : Json(s);
}

Json verdict_json(const Verdict& v) {
  Json measured = Json::array();
  for (const Measured& m : v.measured) {
    measured.push_back({{"aggregate", m.text},
                        {"value", number_or_null(m.number)},
                        {"text", m.value},
                        {"limit", number_or_null(m.limit_number)},
                        {"n", m.n},
                        {"low", number_or_null(m.low)},
                        {"high", number_or_null(m.high)}});
  }
  return {{"expression", v.expression},
          {"group", text_or_null(v.group)},
          {"verdict", outcome(v)},
          {"failed", v.failed},
          {"rows_needed", v.rows_needed ? Json(*v.rows_needed) : Json(nullptr)},
          {"measured", std::move(measured)}};
}

Json certificate_json(const Report& r) {
  Json losses = Json::array(), hooks = Json::array(), programs = Json::array();
  for (const Loss& loss : r.losses) losses.push_back({{"count", loss.count}, {"why", loss.why}});
  for (const Hook& h : r.hooks) hooks.push_back({{"name", h.name}, {"variant", text_or_null(h.variant)}});
  for (const Program& p : r.programs) programs.push_back({{"name", p.name}, {"runs", p.runs}, {"ns", p.ns}});
  return {{"seen", r.seen},
          {"kept", r.kept},
          {"filtered", r.filtered},
          {"lost", r.lost()},
          {"losses", std::move(losses)},
          {"without_owner", r.without_owner ? Json(*r.without_owner) : Json(nullptr)},
          {"hooks", std::move(hooks)},
          {"programs", std::move(programs)},
          {"cpu_seconds", r.cpu_seconds},
          {"memory_bytes", r.memory_bytes}};
}

Json object_schema(Json properties) {
  Json required = Json::array();
  for (const auto& [key, value] : properties.items()) required.push_back(key);
  return {{"type", "object"},
          {"properties", std::move(properties)},
          {"required", std::move(required)},
          {"additionalProperties", false}};
}

Json typed(const char* type, const char* description) {
  return {{"type", type}, {"description", description}};
}
Json nullable(const char* type, const char* description) {
  return {{"type", Json::array({type, "null"})}, {"description", description}};
}
Json list_of(Json items) {
  return {{"type", "array"}, {"items", std::move(items)}};
}
Json count(const char* description) {
  return {{"type", "integer"}, {"minimum", 0}, {"description", description}};
}

Json verdict_schema() {
  Json measured = object_schema(
      {{"aggregate", typed("string", "As written.")},
       {"value", nullable("number", "In milliseconds, bytes or a fraction of 1; null: nothing seen.")},
       {"text", typed("string", "The value as people read it.")},
       {"limit", nullable("number", "What it is compared with, in the same unit.")},
       {"n", count("Rows that it is of.")},
       {"low", nullable("number",
                        "Beside a baseline: the value is at least this, with 95 % "
                        "confidence on both sides; null: no bound.")},
       {"high", nullable("number", "And at most this.")}});
  return object_schema(
      {{"expression", typed("string", "As written.")},
       {"group", nullable("string", "With --by: whose rows; null: all.")},
       {"verdict", {{"enum", {"passed", "failed", "inconclusive"}}}},
       {"failed", typed("boolean", "Whether it made the run fail: with --strict an inconclusive one, too.")},
       {"rows_needed",
        {{"type", {"integer", "null"}},
         {"description", "Inconclusive: about how many rows each run would need."}}},
       {"measured", list_of(std::move(measured))}});
}

Json certificate_schema() {
  Json loss = object_schema({{"count", count("Events.")}, {"why", typed("string", "Where they were lost.")}});
  Json hook = object_schema({{"name", typed("string", "As `plumb doctor` names it.")},
                             {"variant", nullable("string", "The one that ran; null: none works here.")}});
  Json program = object_schema({{"name", typed("string", "The BPF program.")},
                                {"runs", count("How often it ran.")},
                                {"ns", count("Its time in all, in nanoseconds.")}});
  return object_schema(
      {{"seen", count("Events that the hooks saw, or lines read.")},
       {"kept", count("After all filters.")},
       {"filtered", count("Left out by --where.")},
       {"lost", count("In all.")},
       {"losses", list_of(std::move(loss))},
       {"without_owner", {{"type", {"integer", "null"}}, {"description", "Kept, and nobody knows whose."}}},
       {"hooks", list_of(std::move(hook))},
       {"programs", list_of(std::move(program))},
       {"cpu_seconds", typed("number", "Of plumb itself.")},
       {"memory_bytes", typed("number", "Its peak.")}});
}

}  // namespace

std::string to_json(const Report& r) {
  Json verdicts = Json::array();
  for (const Verdict& v : r.verdicts) verdicts.push_back(verdict_json(v));
  const Json json = {{"type", "report"},
                     {"tool", r.tool},
                     {"version", r.version},
                     {"kernel", r.kernel},
                     {"command", r.command},
                     {"source", text_or_null(r.source)},
                     {"started", time_text(r.started)},
                     {"duration_ms", static_cast<double>(r.duration.ns) / 1e6},
                     {"error", text_or_null(r.error)},
                     {"failed", r.failed()},
                     {"verdicts", std::move(verdicts)},
                     {"certificate", certificate_json(r)}};
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + '\n';
}

std::string json_report_schema() {
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "plumb report"}};
  schema.update(object_schema(
      {{"type", {{"const", "report"}}},
       {"tool", typed("string", "Which tool.")},
       {"version", typed("string", "Of plumb.")},
       {"kernel", typed("string", "Release of the kernel that plumb ran on.")},
       {"command", list_of({{"type", "string"}})},
       {"source", nullable("string", "Saved lines: where from; null: the kernel.")},
       {"started", {{"type", "string"}, {"format", "date-time"}}},
       {"duration_ms", typed("number", "How long; of saved lines, from the first to the last.")},
       {"error", nullable("string", "Why the run ended early.")},
       {"failed", typed("boolean", "Whether a verdict is failed.")},
       {"verdicts", list_of(verdict_schema())},
       {"certificate", certificate_schema()}}));
  return schema.dump(2) + '\n';
}

}  // namespace plumb::report
