#include "run/otlp_profile.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/text.h"

namespace plumb {
namespace {

using otlp::Key;
using otlp::MessageWriter;
using otlp::Within;
using profile::Frame;
using profile::FrameKind;

// The registry's profile.frame.type; empty: it has no word for it.
std::string_view frame_type(FrameKind kind) {
  switch (kind) {
    case FrameKind::user:
    case FrameKind::inlined:
      return "native";
    case FrameKind::kernel:
      return "kernel";
    case FrameKind::python:
      return "cpython";
    case FrameKind::jit:
    case FrameKind::note:
      break;
  }
  return {};
}

std::int64_t number(std::uint64_t n) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(n, std::numeric_limits<std::int64_t>::max()));
}

// An address as a column of a table.
std::int64_t bits(std::uint64_t n) {
  return static_cast<std::int64_t>(n);
}

// proto3: a zero is not written.
void index(MessageWriter& out, Key key, std::int64_t v) {
  if (v != 0) out.small(key, static_cast<std::uint32_t>(v));
}
void indices(MessageWriter& out, Key key, const std::int64_t* begin, const std::int64_t* end) {
  if (begin != end) out.all_small(key, {begin, end});
}

// Where the columns of the tables are.
enum MappingColumn : std::size_t { kStart, kLimit, kOffset, kFile, kBuildId };
enum LocationColumn : std::size_t {
  kMapping,
  kAddress,
  kType,
  kLines
};  // then function, line; innermost first

}  // namespace

std::uint32_t OtlpProfile::Table::index(Numbers row, std::uint32_t first) {
  const auto next = static_cast<std::uint32_t>(rows.size()) + first;
  const auto [at, added] = ids.try_emplace(std::move(row), next);
  if (added) rows.push_back(&at->first);
  return at->second;
}

OtlpProfile::OtlpProfile(const profile::Profile& profile) : profile_(profile) {
  const profile::Description& d = profile.description();
  type_ = text(d.unit == profile::Unit::count ? d.counted : d.event.empty() ? "weight" : d.event);
  unit_ = text(name_of(d.unit));
  if (d.period != 0) {
    period_type_ = text(d.period_unit == profile::Unit::nanoseconds ? "cpu" : d.event);
    period_unit_ = text(name_of(d.period_unit));
  }
  for (std::size_t i = 0; i < profile.samples(); ++i) sample(profile.sample(i));
}

std::uint32_t OtlpProfile::Texts::index(std::string_view raw) {
  std::string shown;
  append_printable(shown, raw);
  const auto [at, added] = ids.try_emplace(std::move(shown), static_cast<std::uint32_t>(list.size()));
  if (added) list.push_back(at->first);
  return at->second;
}

std::uint32_t OtlpProfile::attribute(std::string_view key, std::int64_t value) {
  return attributes_.index({text(key), kNumber, value});
}
std::uint32_t OtlpProfile::attribute(std::string_view key, std::string_view value) {
  return attributes_.index({text(key), kText, values_of_attributes_.index(value)});
}

std::uint32_t OtlpProfile::mapping(profile::MappingId id) {
  if (id == profile::kNoMapping) return 0;
  const profile::Mapping m = profile_.mapping_of(id);
  Numbers row{bits(m.start), bits(m.limit), bits(m.file_offset), text(m.path)};
  if (!m.build_id.empty()) row.push_back(attribute("process.executable.build_id.gnu", m.build_id));
  return mappings_.index(std::move(row));
}

// Leaf first; what is inlined into a frame is a line of its location.
std::uint32_t OtlpProfile::stack(const profile::Sample& s) {
  Numbers locations;
  for (std::size_t i = 0; i < s.frames.size();) {
    const Frame outer = profile_.frame_of(s.frames[i]);
    std::vector<Frame> frames{outer};
    for (++i; i < s.frames.size(); ++i) {
      const Frame f = profile_.frame_of(s.frames[i]);
      if (f.kind != FrameKind::inlined || f.mapping != outer.mapping || f.address != outer.address) break;
      frames.push_back(f);
    }
    Numbers row{mapping(outer.mapping), bits(outer.address), 0};
    if (const std::string_view type = frame_type(outer.kind); !type.empty())
      row[kType] = attribute("profile.frame.type", type);
    std::reverse(frames.begin(), frames.end());
    for (const Frame& f : frames) {
      if (f.function.empty()) continue;
      row.push_back(functions_.index({text(f.function), text(f.file)}));
      row.push_back(f.line);
    }
    locations.push_back(locations_.index(std::move(row)));
  }
  if (locations.empty()) return 0;
  std::reverse(locations.begin(), locations.end());
  return stacks_.index(std::move(locations));
}

void OtlpProfile::sample(const profile::Sample& s) {
  Numbers row{stack(s)};
  if (s.pid != 0) row.push_back(attribute("process.pid", std::int64_t{s.pid}));
  if (s.tid != 0) row.push_back(attribute("thread.id", std::int64_t{s.tid}));
  if (!s.comm.empty()) row.push_back(attribute("plumb.comm", s.comm));
  const std::uint32_t at = samples_.index(std::move(row), 0);
  if (at == values_.size()) values_.push_back(0);
  values_[at] = number(static_cast<std::uint64_t>(values_[at]) + static_cast<std::uint64_t>(number(s.value)));
}

void OtlpProfile::describe_profile(MessageWriter& out) const {
  const auto value_type = [&out](Key key, std::uint32_t type, std::uint32_t unit) {
    const Within within(out, key);
    index(out, {1, "typeStrindex"}, type);
    index(out, {2, "unitStrindex"}, unit);
  };
  const profile::Description& d = profile_.description();
  value_type({1, "sampleType"}, type_, unit_);
  out.open_list({2, "samples"});
  for (std::size_t i = 0; i < samples_.rows.size(); ++i) {
    const Numbers& row = *samples_.rows[i];
    const Within within(out, {2, "samples"});
    index(out, {1, "stackIndex"}, row[0]);
    indices(out, {2, "attributeIndices"}, row.data() + 1, row.data() + row.size());
    out.all_integers({4, "values"}, {&values_[i], 1});
  }
  out.close_list();
  if (d.start.ns > 0) out.fixed64({3, "timeUnixNano"}, static_cast<std::uint64_t>(d.start.ns));
  if (d.duration.ns > 0) out.wide({4, "durationNano"}, static_cast<std::uint64_t>(d.duration.ns));
  if (d.period == 0) return;
  value_type({5, "periodType"}, period_type_, period_unit_);
  out.integer({6, "period"}, number(d.period));
}

void OtlpProfile::describe_mappings(MessageWriter& out) const {
  constexpr Key kTable{1, "mappingTable"};
  out.open_list(kTable);
  { const Within none(out, kTable); }
  for (const Numbers* row : mappings_.rows) {
    const Within within(out, kTable);
    const auto address = [&](Key key, MappingColumn column) {
      if ((*row)[column] != 0) out.wide(key, static_cast<std::uint64_t>((*row)[column]));
    };
    address({1, "memoryStart"}, kStart);
    address({2, "memoryLimit"}, kLimit);
    address({3, "fileOffset"}, kOffset);
    index(out, {4, "filenameStrindex"}, (*row)[kFile]);
    indices(out, {5, "attributeIndices"}, row->data() + kBuildId, row->data() + row->size());
  }
  out.close_list();
}

void OtlpProfile::describe_locations(MessageWriter& out) const {
  constexpr Key kTable{2, "locationTable"};
  constexpr Key kLine{3, "lines"};
  out.open_list(kTable);
  { const Within none(out, kTable); }
  for (const Numbers* row : locations_.rows) {
    const Within within(out, kTable);
    index(out, {1, "mappingIndex"}, (*row)[kMapping]);
    if ((*row)[kAddress] != 0) out.wide({2, "address"}, static_cast<std::uint64_t>((*row)[kAddress]));
    out.open_list(kLine);
    for (std::size_t i = kLines; i < row->size(); i += 2) {
      const Within line(out, kLine);
      index(out, {1, "functionIndex"}, (*row)[i]);
      if ((*row)[i + 1] != 0) out.integer({2, "line"}, (*row)[i + 1]);
    }
    out.close_list();
    if ((*row)[kType] != 0)
      indices(out, {4, "attributeIndices"}, row->data() + kType, row->data() + kType + 1);
  }
  out.close_list();
}

void OtlpProfile::describe_functions(MessageWriter& out) const {
  constexpr Key kTable{3, "functionTable"};
  out.open_list(kTable);
  { const Within none(out, kTable); }
  for (const Numbers* row : functions_.rows) {
    const Within within(out, kTable);
    index(out, {1, "nameStrindex"}, (*row)[0]);
    index(out, {3, "filenameStrindex"}, (*row)[1]);
  }
  out.close_list();
}

void OtlpProfile::describe_attributes(MessageWriter& out) const {
  constexpr Key kTable{6, "attributeTable"};
  out.open_list(kTable);
  { const Within none(out, kTable); }
  for (const Numbers* row : attributes_.rows) {
    const Within within(out, kTable);
    index(out, {1, "keyStrindex"}, (*row)[0]);
    const Within value(out, {2, "value"});
    if ((*row)[1] == kText)
      out.text({1, "stringValue"}, values_of_attributes_.list[static_cast<std::size_t>((*row)[2])]);
    else
      out.integer({3, "intValue"}, (*row)[2]);
  }
  out.close_list();
}

void OtlpProfile::describe_stacks(MessageWriter& out) const {
  constexpr Key kTable{7, "stackTable"};
  out.open_list(kTable);
  { const Within none(out, kTable); }
  for (const Numbers* row : stacks_.rows) {
    const Within within(out, kTable);
    indices(out, {1, "locationIndices"}, row->data(), row->data() + row->size());
  }
  out.close_list();
}

void OtlpProfile::describe_dictionary(MessageWriter& out) const {
  constexpr Key kLinks{4, "linkTable"};
  constexpr std::byte kNoTrace[16] = {}, kNoSpan[8] = {};
  const Within dictionary(out, {2, "dictionary"});
  describe_mappings(out);
  describe_locations(out);
  describe_functions(out);
  out.open_list(kLinks);
  {
    const Within none(out, kLinks);
    out.identity({1, "traceId"}, kNoTrace);
    out.identity({2, "spanId"}, kNoSpan);
  }
  out.close_list();
  out.all_texts({5, "stringTable"}, strings_.list);
  describe_attributes(out);
  describe_stacks(out);
}

}  // namespace plumb
