// Stacks as a profile of OpenTelemetry (opentelemetry/proto/profiles/v1development, version 1.11): --otlp-profiles.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "otlp/message.h"
#include "profile/profile.h"

namespace plumb {

// The dictionary's tables, filled from a Profile, and what refers to them. In each table entry 0 means none, entries are
// there once, and nothing is there that nothing refers to.
class OtlpProfile {
 public:
  explicit OtlpProfile(const profile::Profile& profile);

  // A message Profile.
  void describe_profile(otlp::MessageWriter& out) const;
  // ExportProfilesServiceRequest.dictionary.
  void describe_dictionary(otlp::MessageWriter& out) const;
  std::size_t samples() const { return samples_.rows.size(); }

 private:
  using Numbers = std::vector<std::int64_t>;
  // Rows of numbers, each kept once.
  struct Table {
    std::map<Numbers, std::uint32_t> ids;
    std::vector<const Numbers*> rows;  // of `ids`
    // The index of this row among those of the table's file: the first is `first`.
    std::uint32_t index(Numbers row, std::uint32_t first = 1);
  };
  // Printable texts, each kept once; the first is the empty one.
  struct Texts {
    std::vector<std::string> list{""};
    std::map<std::string, std::uint32_t, std::less<>> ids{{"", 0}};
    std::uint32_t index(std::string_view raw);
  };
  enum AttributeKind : std::int64_t { kText, kNumber };

  std::uint32_t text(std::string_view raw) { return strings_.index(raw); }
  std::uint32_t attribute(std::string_view key, std::int64_t value);
  std::uint32_t attribute(std::string_view key, std::string_view value);
  std::uint32_t mapping(profile::MappingId id);
  std::uint32_t stack(const profile::Sample& sample);
  void sample(const profile::Sample& sample);
  void describe_mappings(otlp::MessageWriter& out) const;
  void describe_locations(otlp::MessageWriter& out) const;
  void describe_functions(otlp::MessageWriter& out) const;
  void describe_attributes(otlp::MessageWriter& out) const;
  void describe_stacks(otlp::MessageWriter& out) const;

  const profile::Profile& profile_;
  Texts strings_;
  Texts values_of_attributes_;  // these are in the attributes themselves
  Table mappings_, locations_, functions_, attributes_, stacks_, samples_;
  std::vector<std::int64_t> values_;  // of samples_
  std::uint32_t type_ = 0, unit_ = 0, period_type_ = 0, period_unit_ = 0;
};

}  // namespace plumb
