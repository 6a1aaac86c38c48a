#include "run/push_down.h"

#include <limits>

namespace plumb {
namespace {

bool selects(const Condition& c) {
  return c.compare == query::Compare::equal || c.compare == query::Compare::in;
}

std::vector<std::string> texts_wanted(const Condition& c) {
  std::vector<std::string> out;
  if (!selects(c)) return out;
  for (const Condition::Literal& value : c.values) {
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) return {};
    out.push_back(*text);
  }
  return out;
}

}  // namespace

std::vector<std::uint64_t> numbers_wanted(const Condition& c) {
  std::vector<std::uint64_t> out;
  if (!selects(c)) return out;
  for (const Condition::Literal& value : c.values) {
    if (const auto* u = std::get_if<std::uint64_t>(&value)) {
      out.push_back(*u);
    } else if (const auto* i = std::get_if<std::int64_t>(&value); i != nullptr && *i >= 0) {
      out.push_back(static_cast<std::uint64_t>(*i));
    } else {
      return {};
    }
  }
  return out;
}

bool narrow(TaskFilter& filter, const Condition& c, const Schema& schema) {
  const std::string_view key = schema.spec(c.field).key;
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint32_t>::max();
  if (key == "pid" && filter.pids.empty()) {
    for (const std::uint64_t pid : numbers_wanted(c)) {
      if (pid != 0 && pid <= kMax) filter.pids.push_back(static_cast<std::uint32_t>(pid));
    }
    return !filter.pids.empty();
  }
  if (key == "uid" && !filter.uid) {
    const auto uids = numbers_wanted(c);
    if (uids.size() == 1 && uids.front() <= kMax) filter.uid = static_cast<std::uint32_t>(uids.front());
    return filter.uid.has_value();
  }
  if (key == "comm" && filter.comms.empty()) {
    filter.comms = texts_wanted(c);
    return !filter.comms.empty();
  }
  return false;
}

}  // namespace plumb
