#include "otlp/process_context.h"

#include <exception>
#include <protozero/pbf_reader.hpp>
#include <string>

namespace plumb::otlp {
namespace {

using protozero::pbf_reader;
constexpr auto kBytes = protozero::pbf_wire_type::length_delimited;

void add_attribute(std::string_view bytes, std::vector<Pair>& out) {
  pbf_reader pair(bytes.data(), bytes.size());
  Pair attribute;
  while (pair.next()) {
    if (pair.wire_type() != kBytes) {
      pair.skip();
      continue;
    }
    const auto field = pair.tag();
    const auto text = pair.get_view();
    if (field == 1) attribute.key.assign(text.data(), text.size());
    if (field != 2) continue;
    pbf_reader value(text.data(), text.size());  // AnyValue
    while (value.next(1, kBytes)) attribute.value = value.get_string();
  }
  if (!attribute.key.empty() && !attribute.value.empty()) out.push_back(std::move(attribute));
}

// What a field 1 holds is a KeyValue, which begins with its key, or a Resource, which begins with a KeyValue.
bool is_resource(std::string_view bytes) {
  constexpr char kFirst = (1 << 3) | 2;
  pbf_reader message(bytes.data(), bytes.size());
  if (!message.next(1, kBytes)) return false;
  const auto first = message.get_view();
  return !first.empty() && first.data()[0] == kFirst;
}

}  // namespace

std::vector<Pair> resource_of_context(std::string_view payload) {
  std::vector<Pair> out;
  try {
    pbf_reader context(payload.data(), payload.size());
    while (context.next(1, kBytes)) {
      const auto view = context.get_view();
      const std::string_view bytes(view.data(), view.size());
      if (!is_resource(bytes)) {
        add_attribute(bytes, out);
        continue;
      }
      pbf_reader resource(bytes.data(), bytes.size());
      while (resource.next(1, kBytes)) {
        const auto attribute = resource.get_view();
        add_attribute({attribute.data(), attribute.size()}, out);
      }
    }
  } catch (const std::exception&) {
    // Cut or no protobuf: what came before it stands.
  }
  return out;
}

}  // namespace plumb::otlp
