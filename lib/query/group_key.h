// The fields that rows are grouped by, and a group's values, kept beyond the row.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "event/field.h"

namespace plumb {

class GroupFields {
 public:
  GroupFields() = default;
  // `fields` are indexes of `schema`.
  GroupFields(const Schema& schema, std::vector<std::size_t> fields)
      : schema_(&schema), fields_(std::move(fields)) {}

  std::size_t size() const { return fields_.size(); }
  const FieldSpec& spec(std::size_t i) const { return schema_->spec(fields_[i]); }
  // Replaces `key` by bytes that are equal exactly for rows of one group. A field that the row's type does not carry
  // counts as unknown.
  void key_of(const Row& row, std::string& key) const;
  // The values behind such a key. Views into the key, and into what outlives every row (names).
  std::vector<Value> values_of(const std::string& key) const;
  // "remote_addr 192.0.2.1, remote_port 443": printable.
  std::string text_of(const std::string& key) const;

 private:
  const Schema* schema_ = nullptr;
  std::vector<std::size_t> fields_;
};

// The fields with these keys. An Error names near ones; a list cannot be grouped by.
Result<std::vector<std::size_t>> group_fields(const Schema& schema, const std::vector<std::string>& keys);

}  // namespace plumb
