#include <numeric>

#include "base/text.h"
#include "sink/formats.h"

namespace plumb {
namespace {

Error unknown_column(const Schema& schema, const std::string& name) {
  std::vector<std::string_view> keys;
  for (std::size_t i = 0; i < schema.size(); ++i) keys.push_back(schema.spec(i).key);
  std::string printable;
  append_printable(printable, name);
  std::string hint;
  for (std::string_view near : suggestions(name, keys)) {
    hint += hint.empty() ? "did you mean " : " or ";
    hint += near;
  }
  hint += hint.empty() ? "--list-fields shows them all" : "? --list-fields shows them all";
  return Error{"no column is named '" + printable + "'", "--columns takes the names of fields", hint};
}

}  // namespace

Result<std::vector<std::size_t>> choose_columns(const Schema& schema, const std::vector<std::string>& wanted,
                                                bool wide) {
  std::vector<std::size_t> chosen;
  for (const std::string& name : wanted) {
    const std::size_t i = schema.find(name);
    if (i == Schema::npos) return unknown_column(schema, name);
    chosen.push_back(i);
  }
  if (!chosen.empty()) return chosen;
  for (std::size_t i = 0; i < schema.size(); ++i) {
    if (wide || schema.spec(i).shown || schema.spec(i).if_any) chosen.push_back(i);
  }
  if (chosen.empty()) {  // a schema that singles nothing out shows everything
    chosen.resize(schema.size());
    std::iota(chosen.begin(), chosen.end(), std::size_t{0});
  }
  return chosen;
}

}  // namespace plumb
