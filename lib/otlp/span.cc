#include "otlp/span.h"

#include <utility>

namespace plumb::otlp {

std::string_view SpanDraft::keep(std::string text) {
  return *own_.emplace_back(std::make_unique<std::string>(std::move(text)));
}

void SpanDraft::clear() {
  name = {};
  kind = SpanKind::client;
  start = end = {};
  failed = false;
  trace_id = parent_id = {};
  flags = 0;
  attributes.clear();
  owner.clear();
  own_.clear();
}

}  // namespace plumb::otlp
