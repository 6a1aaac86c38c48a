#include "dnsx/search_misses.h"

#include <string_view>
#include <variant>

#include "dns/message.h"
#include "dnsx/event.h"

namespace plumb {
namespace {

std::string_view text_of(const Row& row, std::size_t field) {
  const Value v = row.get(field);
  if (const auto* text = std::get_if<std::string_view>(&v)) return *text;
  if (const auto* name = std::get_if<Name>(&v)) return name->text;
  return {};
}

}  // namespace

SearchMisses::SearchMisses(std::unique_ptr<Summary> summary, const Schema& lines, SearchMissCounts& counts)
    : summary_(std::move(summary)),
      counts_(counts),
      name_(lines.find("name")),
      search_of_(lines.find("search_of")),
      rcode_(lines.find("rcode")),
      outcome_(lines.find("outcome")) {}

void SearchMisses::add(const Row& row) {
  // Encrypted connections are no lookups.
  if ((kQueryRows >> row.type() & 1U) != 0 && text_of(row, outcome_) != "encrypted") {
    ++counts_.lookups;
    const std::string_view wanted = text_of(row, search_of_);
    // The name as it was wanted is asked for without a search list as well.
    if (!wanted.empty() && !dns::same_name(wanted, text_of(row, name_)) &&
        (text_of(row, rcode_) == "NXDOMAIN" || text_of(row, outcome_) == "nodata"))
      ++counts_.misses;
  }
  summary_->add(row);
}

}  // namespace plumb
