#include <nlohmann/json.hpp>

#include "sink/formats.h"

namespace plumb {
namespace {

using Json = nlohmann::ordered_json;

Json nullable(const char* type) {
  return Json{{"type", Json::array({type, "null"})}};
}

std::string with_unit(const FieldSpec& spec) {
  std::string text(spec.help);
  if (spec.type == FieldType::duration) text += " (milliseconds)";
  if (spec.type == FieldType::bytes) text += " (bytes)";
  return text;
}

Json shape_of(const FieldSpec& spec) {
  switch (spec.type) {
    case FieldType::boolean:
      return nullable("boolean");
    case FieldType::integer:
      return nullable("integer");
    case FieldType::number:
    case FieldType::duration:
      return nullable("number");
    case FieldType::text:
      return nullable("string");
    case FieldType::unsigned_integer:
    case FieldType::bytes: {
      Json shape = nullable("integer");
      shape["minimum"] = 0;
      return shape;
    }
    case FieldType::enumeration: {
      Json names = Json::array();
      for (std::string_view name : spec.values) names.push_back(name);
      names.push_back(nullptr);
      return Json{{"enum", names}};
    }
    case FieldType::address: {
      Json shape = nullable("string");
      shape["anyOf"] = Json::array({Json{{"format", "ipv4"}}, Json{{"format", "ipv6"}}});
      return shape;
    }
    case FieldType::time: {
      Json shape = nullable("string");
      shape["format"] = "date-time";
      return shape;
    }
    case FieldType::list: {
      Json shape = nullable("array");
      shape["items"] = Json{{"type", "string"}};
      return shape;
    }
  }
  return Json::object();
}

Json branch(const std::string& title, Json properties) {
  Json required = Json::array();
  for (const auto& [key, shape] : properties.items()) required.push_back(key);
  return Json{{"title", title},
              {"type", "object"},
              {"properties", std::move(properties)},
              {"required", std::move(required)},
              {"additionalProperties", false}};
}

Json branch_of(const Schema& schema, std::size_t type) {
  const std::string name(schema.types()[type]);
  Json properties = Json::object();
  for (std::size_t i = 0; i < schema.size(); ++i) {
    const FieldSpec& spec = schema.spec(i);
    if ((spec.types >> type & 1U) == 0) continue;
    Json shape = spec.key == "type" ? Json{{"const", name}} : shape_of(spec);
    shape["description"] = with_unit(spec);
    properties[std::string(spec.key)] = std::move(shape);
  }
  return branch(name, std::move(properties));
}

Json lost_branch() {
  return branch(
      "lost",
      Json{
          {"type", {{"const", "lost"}, {"description", "Events were lost here."}}},
          {"time",
           {{"type", "string"}, {"format", "date-time"}, {"description", "When the loss was noticed, UTC."}}},
          {"count", {{"type", "integer"}, {"minimum", 1}, {"description", "How many events were lost."}}}});
}

}  // namespace

std::string json_schema(const Schema& schema, const std::string& tool) {
  Json branches = Json::array();
  for (std::size_t type = 0; type < schema.types().size(); ++type)
    branches.push_back(branch_of(schema, type));
  branches.push_back(lost_branch());
  const Json root{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                  {"title", "A line of plumb " + tool + " --json"},
                  {"oneOf", std::move(branches)}};
  return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace plumb
