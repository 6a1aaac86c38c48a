// The events of dnsx: a lookup that ended, and a call of the C library that asked for a name, with what enrichment adds. Public for tests and benches; the tool itself is in
// tool.cc.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "bpf/task.h"
#include "dns/calls.h"
#include "dns/lookup.h"
#include "dns/names.h"
#include "event/field.h"
#include "run/origin.h"

namespace plumb {

// A view of its lookup, or of its call, and of itself.
struct Query {
  explicit Query(const dns::Lookup& lookup, const BootClock& clock);
  explicit Query(const dns::Call& call, const BootClock& clock);
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  const dns::Lookup& lookup;  // of a call, one without anything
  const dns::Call* call = nullptr;
  Origin origin;
  task_identity task{};
  std::string_view type;
  std::string_view rcode;  // empty: no answer
  std::array<std::string_view, 6> flags;
  std::size_t flag_count = 0;
  task_identity caller{};  // of a lookup; pid 0: not known
  std::string_view caller_comm;
  std::string_view error;  // of a call; empty: none

 private:
  void set_owner(const dns::Owner& owner);
  dns::NumberText type_room_;
  dns::NumberText rcode_room_;
  std::string error_room_;
};

// Adds container, pod and namespace.
void enrich(Query& query, ProcessCache& processes);

// Types of its rows.
inline constexpr TypeMask kQueryRows = 1;
// By dns::Outcome.
inline constexpr std::string_view kOutcomeNames[] = {
    "answered", "nodata", "timeout", "late", "pending", "unreachable", "encrypted", "failed", "malformed"};
inline constexpr TypeMask kCallRows = 2;
extern const Schema kQuerySchema;

}  // namespace plumb
