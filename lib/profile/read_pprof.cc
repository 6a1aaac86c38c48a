// pprof's protobuf. Two passes over the bytes: the first finds the tables (strings, functions, mappings, locations),
// since samples come before them in the file; the second reads the samples. Ids may be any numbers and name things that
// are not there. protozero throws on broken bytes; nothing of that leaves this file.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <protozero/pbf_message.hpp>
#include <unordered_map>

#include "base/text.h"
#include "profile/pprof.h"
#include "profile/read.h"

namespace plumb::profile {
namespace {

using namespace pprof;
using protozero::pbf_message;

// Lines of one location: the function and what is inlined into it.
constexpr std::size_t kMostLines = 128;
// Every table entry takes at least two bytes of the file and some 50 of memory.
constexpr std::size_t kMostEntries = std::size_t{1} << 22;
constexpr std::size_t kMostTypes = 64;
constexpr std::size_t kMostComments = 64;

struct Line {
  std::uint64_t function = 0;
  std::uint32_t line = 0;
};
struct Function {
  std::uint64_t name = 0, file = 0;
};
struct Location {
  std::uint64_t mapping = 0, address = 0;
  std::vector<Line> lines;      // innermost first
  std::vector<FrameId> frames;  // root first; made when the first sample asks
  bool resolved = false;
};
struct ValueType {
  std::uint64_t type = 0, unit = 0;
};

Error refused(std::string_view why) {
  return {"cannot read the pprof file", std::string(why),
          "plumb reads pprof's profile.proto, gzip or plain, and folded stacks"};
}

// How many of Unit a pprof unit is. Unknown units count as themselves.
struct Scale {
  Unit unit = Unit::count;
  std::uint64_t factor = 1;
};
Scale scale_of(std::string_view unit) {
  struct Known {
    std::string_view name;
    Scale scale;
  };
  constexpr Known kKnown[] = {{"nanoseconds", {Unit::nanoseconds, 1}},
                              {"ns", {Unit::nanoseconds, 1}},
                              {"microseconds", {Unit::nanoseconds, 1'000}},
                              {"us", {Unit::nanoseconds, 1'000}},
                              {"milliseconds", {Unit::nanoseconds, 1'000'000}},
                              {"ms", {Unit::nanoseconds, 1'000'000}},
                              {"seconds", {Unit::nanoseconds, 1'000'000'000}},
                              {"s", {Unit::nanoseconds, 1'000'000'000}},
                              {"bytes", {Unit::bytes, 1}},
                              {"kilobytes", {Unit::bytes, 1024}}};
  for (const Known& k : kKnown) {
    if (k.name == unit) return k.scale;
  }
  return {};
}

bool is_kernel(const Mapping& m, std::uint64_t address) {
  constexpr std::uint64_t kKernelHalf = 0xffff'8000'0000'0000;  // x86-64; arm64's is higher still
  if (m.path.starts_with("[kernel") || m.path.starts_with("[guest.kernel") || m.path.starts_with("[vmlinux"))
    return true;
  return m.path.ends_with(".ko") || m.path.ends_with("/vmlinux") || address >= kKernelHalf;
}

FrameKind kind_of(const Mapping& m, std::uint64_t address, std::string_view function) {
  if (is_kernel(m, address)) return FrameKind::kernel;
  if (m.path == kPythonMapping) return FrameKind::python;
  if (m.path == kJitMapping || m.path == "//anon" || m.path.find("/jitted-") != std::string_view::npos)
    return FrameKind::jit;
  if (m.path.empty() && function.starts_with('[') && function.ends_with(']')) return FrameKind::note;
  return FrameKind::user;
}

class PprofReader {
 public:
  explicit PprofReader(const Limits& limits) : limits_(limits), profile_({}, limits) {}

  Result<Profile> read(std::string_view data) {
    if (auto r = tables(data); !r) return r.error();
    if (strings_.empty()) return refused("it has no table of strings");
    if (types_.empty()) return refused("it says of no sample what it counts");
    choose_types();
    describe();
    for (const auto& [id, m] : raw_mappings_) {
      mapping_ids_[id] = profile_.mapping({text(m.path), text(m.build_id), m.start, m.limit, m.offset});
    }
    if (auto r = samples(data); !r) return r.error();
    return std::move(profile_);
  }

 private:
  struct RawMapping {
    std::uint64_t start = 0, limit = 0, offset = 0, path = 0, build_id = 0;
  };

  std::string_view text(std::uint64_t id) const {
    return id < strings_.size() ? strings_[id] : std::string_view();
  }

  Result<void> tables(std::string_view data) {
    pbf_message<ProfileTag> in(data.data(), data.size());
    while (in.next()) {
      if (strings_.size() + functions_.size() + raw_mappings_.size() + locations_.size() + lines_ >
          kMostEntries) {
        return refused(fmt::format("its tables have more than {} entries", kMostEntries));
      }
      if (!entry(in)) in.skip();
    }
    return {};
  }

  bool entry(pbf_message<ProfileTag>& in) {
    const bool bytes = in.wire_type() == protozero::pbf_wire_type::length_delimited;
    switch (in.tag()) {
      case ProfileTag::sample_type:
        return bytes &&
               (types_.size() >= kMostTypes ? false : (types_.push_back(value_type(in.get_message())), true));
      case ProfileTag::string_table:
        return bytes && (string(in.get_view()), true);
      case ProfileTag::function:
        return bytes && (function(in.get_message()), true);
      case ProfileTag::mapping:
        return bytes && (mapping(in.get_message()), true);
      case ProfileTag::location:
        return bytes && (location(in.get_message()), true);
      case ProfileTag::period_type:
        return bytes && (period_type_ = value_type(in.get_message()), true);
      default:
        return !bytes && number(in);
    }
  }

  bool number(pbf_message<ProfileTag>& in) {
    if (in.wire_type() != protozero::pbf_wire_type::varint) return false;
    switch (in.tag()) {
      case ProfileTag::time_nanos:
        return time_ = in.get_int64(), true;
      case ProfileTag::duration_nanos:
        return duration_ = in.get_int64(), true;
      case ProfileTag::period:
        return period_ = in.get_int64(), true;
      case ProfileTag::default_sample_type:
        return default_type_ = in.get_uint64(), true;
      case ProfileTag::comment:
        if (comments_.size() < kMostComments)
          comments_.push_back(in.get_uint64());
        else
          in.skip();
        return true;
      default:
        return false;
    }
  }

  void string(protozero::data_view view) { strings_.emplace_back(view.data(), view.size()); }

  static ValueType value_type(pbf_message<ValueTypeTag> in) {
    ValueType out;
    numbers(in, [&](ValueTypeTag tag, std::uint64_t n) {
      if (tag == ValueTypeTag::type) out.type = n;
      if (tag == ValueTypeTag::unit) out.unit = n;
    });
    return out;
  }

  // Calls set(tag, number) for each varint of a message that has nothing else of interest.
  template <class Tag, class Set>
  static void numbers(pbf_message<Tag>& in, const Set& set) {
    while (in.next()) {
      if (in.wire_type() == protozero::pbf_wire_type::varint)
        set(in.tag(), in.get_uint64());
      else
        in.skip();
    }
  }

  void function(pbf_message<FunctionTag> in) {
    std::uint64_t id = 0, system_name = 0;
    Function f;
    numbers(in, [&](FunctionTag tag, std::uint64_t n) {
      if (tag == FunctionTag::id) id = n;
      if (tag == FunctionTag::name) f.name = n;
      if (tag == FunctionTag::system_name) system_name = n;
      if (tag == FunctionTag::filename) f.file = n;
    });
    if (f.name == 0) f.name = system_name;
    functions_.insert_or_assign(id, f);
  }

  void mapping(pbf_message<MappingTag> in) {
    std::uint64_t id = 0;
    RawMapping m;
    numbers(in, [&](MappingTag tag, std::uint64_t n) {
      if (tag == MappingTag::id) id = n;
      if (tag == MappingTag::memory_start) m.start = n;
      if (tag == MappingTag::memory_limit) m.limit = n;
      if (tag == MappingTag::file_offset) m.offset = n;
      if (tag == MappingTag::filename) m.path = n;
      if (tag == MappingTag::build_id) m.build_id = n;
    });
    raw_mappings_.insert_or_assign(id, m);
  }

  void location(pbf_message<LocationTag> in) {
    std::uint64_t id = 0;
    Location l;
    while (in.next()) {
      const bool bytes = in.wire_type() == protozero::pbf_wire_type::length_delimited;
      if (in.tag() == LocationTag::line && bytes) {
        const Line line = line_of(in.get_message());
        if (l.lines.size() < kMostLines) l.lines.push_back(line), ++lines_;
      } else if (in.wire_type() != protozero::pbf_wire_type::varint) {
        in.skip();
      } else if (in.tag() == LocationTag::id) {
        id = in.get_uint64();
      } else if (in.tag() == LocationTag::mapping_id) {
        l.mapping = in.get_uint64();
      } else if (in.tag() == LocationTag::address) {
        l.address = in.get_uint64();
      } else {
        in.skip();
      }
    }
    locations_.insert_or_assign(id, std::move(l));
  }

  static Line line_of(pbf_message<LineTag> in) {
    Line out;
    numbers(in, [&](LineTag tag, std::uint64_t n) {
      if (tag == LineTag::function_id) out.function = n;
      if (tag == LineTag::line && n <= std::numeric_limits<std::uint32_t>::max())
        out.line = static_cast<std::uint32_t>(n);
    });
    return out;
  }

  // The weight: the file's default, else its last type, as pprof has it. The number of samples: the first type that
  // counts something.
  void choose_types() {
    weight_ = types_.size() - 1;
    for (std::size_t i = 0; i < types_.size(); ++i) {
      if (default_type_ != 0 && text(types_[i].type) == text(default_type_)) weight_ = i;
    }
    for (std::size_t i = types_.size(); i-- > 0;) {
      if (text(types_[i].unit) == "count") count_ = i;
    }
    // inuse_space goes with inuse_objects, not with the first count of a heap profile.
    if (weight_ > 0 && text(types_[weight_ - 1].unit) == "count") count_ = weight_ - 1;
    if (text(types_[weight_].unit) == "count") count_ = weight_;
    scale_ = scale_of(text(types_[weight_].unit));
  }

  void describe() {
    Description& d = profile_.description();
    d.unit = scale_.unit;
    const std::string_view type = text(types_[weight_].type);
    d.event = type;
    if (d.unit == Unit::count) {
      d.counted = type.empty() ? "samples" : type;
      if (type == "samples") d.event = text(period_type_.type);
    }
    d.start = {time_};
    d.duration = {duration_};
    const Scale period = scale_of(text(period_type_.unit));
    if (period_ > 0 &&
        !__builtin_mul_overflow(static_cast<std::uint64_t>(period_), period.factor, &d.period)) {
      d.period_unit = period.unit;
    }
    for (const std::uint64_t id : comments_) comment(text(id));
  }

  void comment(std::string_view line) {
    Description& d = profile_.description();
    Quality& q = profile_.quality();
    const auto after = [&](std::string_view key) { return std::string(line.substr(key.size())); };
    if (line.starts_with(kHost)) d.host = after(kHost);
    if (line.starts_with(kCommand)) d.command = after(kCommand);
    if (line.starts_with(kEvent)) d.event = after(kEvent);
    const auto count = [&](std::string_view key, std::int64_t& to) {
      if (!line.starts_with(key)) return;
      std::int64_t n = 0;
      const auto [end, error] = std::from_chars(line.data() + key.size(), line.data() + line.size(), n);
      if (error == std::errc{} && end == line.data() + line.size() && n >= 0) to = n;
    };
    count(kLost, q.lost);
    count(kRooted, q.rooted);
    count(kTruncated, q.truncated);
  }

  Result<void> samples(std::string_view data) {
    pbf_message<ProfileTag> in(data.data(), data.size());
    while (in.next()) {
      if (in.tag() != ProfileTag::sample || in.wire_type() != protozero::pbf_wire_type::length_delimited) {
        in.skip();
        continue;
      }
      if (auto r = sample(in.get_message()); !r) return r;
    }
    return {};
  }

  Result<void> sample(pbf_message<SampleTag> in) {
    ids_.clear();
    std::int64_t values[kMostTypes] = {};
    std::size_t have = 0;
    Sample s;
    const auto value = [&](std::int64_t v) {
      if (have < types_.size()) values[have++] = v;
    };
    while (in.next()) {
      const bool packed = in.wire_type() == protozero::pbf_wire_type::length_delimited;
      const bool single = in.wire_type() == protozero::pbf_wire_type::varint;
      if (in.tag() == SampleTag::location_id && packed) {
        for (const std::uint64_t id : in.get_packed_uint64()) location_id(id);
      } else if (in.tag() == SampleTag::location_id && single) {
        location_id(in.get_uint64());
      } else if (in.tag() == SampleTag::value && packed) {
        for (const std::int64_t v : in.get_packed_int64()) value(v);
      } else if (in.tag() == SampleTag::value && single) {
        value(in.get_int64());
      } else if (in.tag() == SampleTag::label && packed) {
        label(in.get_message(), s);
      } else {
        in.skip();
      }
    }
    return add(s, values[weight_], count_ ? std::optional(values[*count_]) : std::nullopt);
  }

  // The last ones are nearest to the root, and a stack that is too deep keeps that end.
  void location_id(std::uint64_t id) {
    if (ids_.size() >= 2 * limits_.depth) {
      ids_.erase(ids_.begin(), ids_.end() - static_cast<std::ptrdiff_t>(limits_.depth));
    }
    ids_.push_back(id);
  }

  Result<void> add(Sample& s, std::int64_t weight, std::optional<std::int64_t> count) {
    if (weight < 0 || count.value_or(0) < 0) {
      return refused("a sample has less than nothing: this is the difference of two profiles already");
    }
    if (weight == 0) return {};
    if (__builtin_mul_overflow(static_cast<std::uint64_t>(weight), scale_.factor, &s.value))
      s.value = ~std::uint64_t{0};
    s.count = static_cast<std::uint64_t>(count.value_or(1));
    frames_.clear();
    for (auto id = ids_.rbegin(); id != ids_.rend() && frames_.size() < limits_.depth; ++id) {
      const auto& frames = location_frames(*id);
      frames_.insert(frames_.end(), frames.begin(), frames.end());
    }
    s.frames = frames_;
    profile_.add(s);
    return {};
  }

  void label(pbf_message<LabelTag> in, Sample& s) const {
    std::uint64_t key = 0, str = 0, num = 0;
    numbers(in, [&](LabelTag tag, std::uint64_t n) {
      if (tag == LabelTag::key) key = n;
      if (tag == LabelTag::str) str = n;
      if (tag == LabelTag::num) num = n;
    });
    const std::string_view name = text(key);
    const auto id = num <= std::numeric_limits<std::uint32_t>::max() ? static_cast<std::uint32_t>(num) : 0;
    if (name == "comm") s.comm = text(str);
    if (name == "pid") s.pid = id;
    if (name == "tid") s.tid = id;
  }

  const std::vector<FrameId>& location_frames(std::uint64_t id) {
    static const std::vector<FrameId> kNothing;
    const auto at = locations_.find(id);
    if (at == locations_.end()) return kNothing;
    Location& l = at->second;
    if (l.resolved) return l.frames;
    l.resolved = true;
    const auto found = mapping_ids_.find(l.mapping);
    Frame f{.mapping = found == mapping_ids_.end() ? kNoMapping : found->second, .address = l.address};
    const Mapping m = profile_.mapping_of(f.mapping);
    for (auto line = l.lines.rbegin(); line != l.lines.rend(); ++line) {
      const auto function = functions_.find(line->function);
      f.function = function == functions_.end() ? std::string_view() : text(function->second.name);
      f.file = function == functions_.end() ? std::string_view() : text(function->second.file);
      f.line = line->line;
      f.kind = line == l.lines.rbegin() ? kind_of(m, l.address, f.function) : FrameKind::inlined;
      l.frames.push_back(profile_.frame(f));
    }
    if (l.lines.empty()) {
      f.kind = kind_of(m, l.address, {});
      l.frames.push_back(profile_.frame(f));
    }
    return l.frames;
  }

  Limits limits_;
  Profile profile_;
  std::vector<std::string_view> strings_;
  std::unordered_map<std::uint64_t, Function> functions_;
  std::map<std::uint64_t, RawMapping> raw_mappings_;  // in the order of ids, which follows the file's
  std::unordered_map<std::uint64_t, MappingId> mapping_ids_;
  std::unordered_map<std::uint64_t, Location> locations_;
  std::vector<ValueType> types_;
  ValueType period_type_;
  std::vector<std::uint64_t> comments_;
  std::uint64_t default_type_ = 0;
  std::int64_t time_ = 0, duration_ = 0, period_ = 0;
  std::size_t weight_ = 0;
  std::size_t lines_ = 0;  // of all locations
  std::optional<std::size_t> count_;
  Scale scale_;
  std::vector<std::uint64_t> ids_;  // of one sample, leaf first
  std::vector<FrameId> frames_;
};

// The first fields of a message have numbers and wire types of profile.proto; text has not.
bool looks_like_pprof(std::span<const std::byte> bytes) {
  int fields = 0;
  try {
    pbf_message<ProfileTag> in(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (; fields < 8 && in.next(); ++fields) {
      const auto tag = static_cast<unsigned>(in.tag());
      const bool message = (tag >= 1 && tag <= 6) || tag == 11;
      const bool has_length = in.wire_type() == protozero::pbf_wire_type::length_delimited;
      const bool packed = has_length && tag == 13;
      if (tag == 0 || tag > 15 || (message && !has_length)) return false;
      if (!message && !packed && in.wire_type() != protozero::pbf_wire_type::varint) return false;
      in.skip();
    }
    return fields > 0;
  } catch (const protozero::exception&) {  // cut off; text has no bytes like those of small numbers
    const auto small = [](std::byte b) { return b < std::byte{'\t'}; };
    return fields > 0 && std::ranges::any_of(bytes.first(std::min<std::size_t>(bytes.size(), 64)), small);
  }
}

}  // namespace

Result<Profile> read_pprof(std::span<const std::byte> bytes, const ReadLimits& limits) {
  std::string unpacked;
  std::string_view data(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (is_gzip(bytes)) {
    auto r = gunzip(bytes, limits.unpacked_bytes);
    if (!r) return std::move(r).error();
    unpacked = *std::move(r);
    data = unpacked;
  }
  try {
    return PprofReader(limits.profile).read(data);
  } catch (const protozero::exception&) {
    return refused("it is no protobuf, or is cut off");
  }
}

Result<Profile> read_profile(std::span<const std::byte> bytes, const ReadLimits& limits) {
  std::string unpacked;
  if (is_gzip(bytes)) {
    auto r = gunzip(bytes, limits.unpacked_bytes);
    if (!r) return std::move(r).error();
    unpacked = *std::move(r);
    bytes = std::as_bytes(std::span(unpacked));
  }
  return looks_like_pprof(bytes) ? read_pprof(bytes, limits) : read_folded(bytes, limits);
}

}  // namespace plumb::profile
