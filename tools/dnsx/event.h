// The event of dnsx: a lookup that ended, with what enrichment adds. Public for tests and benches; the tool itself is in
// tool.cc.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "base/clock.h"
#include "bpf/task.h"
#include "dns/lookup.h"
#include "dns/names.h"
#include "event/field.h"
#include "run/origin.h"

namespace plumb {

// A view of its lookup and of itself.
struct Query {
  explicit Query(const dns::Lookup& lookup, const BootClock& clock);
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  const dns::Lookup& lookup;
  Origin origin;
  task_identity task{};
  std::string_view type;
  std::string_view rcode;  // empty: no answer
  std::array<std::string_view, 6> flags;
  std::size_t flag_count = 0;

 private:
  dns::NumberText type_room_;
  dns::NumberText rcode_room_;
};

// Adds container, pod and namespace.
void enrich(Query& query, ProcessCache& processes);

extern const Schema kQuerySchema;

}  // namespace plumb
