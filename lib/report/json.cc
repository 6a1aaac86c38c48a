// A report as JSON; its schema is in json_schema.cc.
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
          {"unpaired", r.unpaired ? Json(*r.unpaired) : Json(nullptr)},
          {"hooks", std::move(hooks)},
          {"programs", std::move(programs)},
          {"cpu_seconds", r.cpu_seconds},
          {"memory_bytes", r.memory_bytes}};
}

// Buckets as one text, "8123:5 8124:9": a number a line would be thousands of lines.
Json sketch_json(const Sketch& s) {
  const Quantiles::Figures f = s.values.figures();
  const auto add = [](std::string& text, auto number, auto count) {
    text += (text.empty() ? "" : " ") + std::to_string(number) + ':' + std::to_string(count);
  };
  std::string buckets;
  for (const auto& [number, count] : s.values.filled()) add(buckets, number, count);
  Json parts = Json::array();
  for (const Stretches::Part& part : s.stretches.parts()) {
    std::string text;
    for (const Stretches::Bucket& b : part) add(text, b.key, b.count);
    parts.push_back(std::move(text));
  }
  return {{"group", text_or_null(s.group)},
          {"of", s.of},
          {"rows", s.rows},
          {"held", s.held},
          {"count", f.count},
          {"zeros", f.zeros},
          {"whole", f.whole},
          {"min", f.min},
          {"max", f.max},
          {"sum", f.sum},
          {"buckets", buckets},
          {"parts", std::move(parts)}};
}

}  // namespace

std::string to_json(const Report& r) {
  Json verdicts = Json::array();
  for (const Verdict& v : r.verdicts) verdicts.push_back(verdict_json(v));
  Json sketches = Json::array();
  for (const Sketch& s : r.sketches) sketches.push_back(sketch_json(s));
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
                     {"certificate", certificate_json(r)},
                     {"where", r.where},
                     {"by", r.by},
                     {"sketches", std::move(sketches)}};
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + '\n';
}

}  // namespace plumb::report
