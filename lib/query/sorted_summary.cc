#include "query/sorted_summary.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "query/scalar.h"

namespace plumb {
namespace {

// A row kept beyond the summary's own: texts are copies.
struct KeptRow {
  std::vector<Value> values;
  Value operator[](std::size_t i) const { return values[i]; }
};

class SortedSummary final : public Summary {
 public:
  SortedSummary(std::unique_ptr<Summary> summary, std::size_t field)
      : summary_(std::move(summary)), field_(field) {
    const Schema& rows = summary_->schema();
    for (std::size_t i = 0; i < rows.size(); ++i) specs_.push_back(rows.spec(i));
    schema_ = Schema::of_specs<KeptRow>(specs_, rows.types());
  }

  const Schema& schema() const override { return schema_; }
  void add(const Row& row) override { summary_->add(row); }
  std::uint64_t lost() const override { return summary_->lost(); }

  void finish(const Out& out) override {
    summary_->finish([this](const Row& row) {
      keep(row);
      return true;
    });
    std::ranges::stable_sort(rows_, [this](const KeptRow& a, const KeptRow& b) { return before(a, b); });
    for (const KeptRow& row : rows_) {
      if (!out(Row(schema_, row))) return;
    }
  }

 private:
  void keep(const Row& row) {
    KeptRow kept;
    for (std::size_t i = 0; i < specs_.size(); ++i) {
      Value value = row.get(i);
      if (const auto* text = std::get_if<std::string_view>(&value)) {
        value = std::string_view(texts_.emplace_back(*text));
      } else if (std::holds_alternative<TextList>(value)) {
        value = None{};  // no summary has lists
      }
      kept.values.push_back(value);
    }
    rows_.push_back(std::move(kept));
  }

  static std::string_view text_of(const Value& value) {
    if (const auto* name = std::get_if<Name>(&value)) return name->text;
    const auto* text = std::get_if<std::string_view>(&value);
    return text == nullptr ? std::string_view{} : *text;
  }

  bool before(const KeptRow& a, const KeptRow& b) const {
    const Value& x = a.values[field_];
    const Value& y = b.values[field_];
    if (std::holds_alternative<None>(x) || std::holds_alternative<None>(y))
      return !std::holds_alternative<None>(x) && std::holds_alternative<None>(y);
    const auto m = query::Scalar::of(x);
    const auto n = query::Scalar::of(y);
    if (m && n) return m->value() > n->value();
    if (const auto* left = std::get_if<IpAddress>(&x)) {
      const auto* right = std::get_if<IpAddress>(&y);
      return right != nullptr && std::ranges::lexicographical_compare(left->bytes(), right->bytes());
    }
    return text_of(x) < text_of(y);
  }

  std::unique_ptr<Summary> summary_;
  std::size_t field_;
  std::vector<FieldSpec> specs_;
  Schema schema_;
  std::deque<std::string> texts_;
  std::vector<KeptRow> rows_;
};

}  // namespace

Result<std::unique_ptr<Summary>> sort_summary(std::unique_ptr<Summary> summary, std::string_view key) {
  const Schema& rows = summary->schema();
  const std::size_t field = rows.find(key);
  if (field != Schema::npos)
    return std::unique_ptr<Summary>(std::make_unique<SortedSummary>(std::move(summary), field));
  std::vector<std::string_view> keys;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows.spec(i).shown || rows.spec(i).if_any) keys.push_back(rows.spec(i).key);
  }
  std::string printable;
  append_printable(printable, key);
  std::string hint;
  for (const std::string_view near : suggestions(key, keys))
    hint += (hint.empty() ? "did you mean " : " or ") + std::string(near);
  return Error{"the summary has no field '" + printable + "'", "--sort takes one of its own",
               hint.empty() ? "--summary --list-fields shows them" : hint + "?"};
}

}  // namespace plumb
