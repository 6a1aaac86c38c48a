// pprof, gzip. Locations are written leaf first and with what is inlined into them as lines of one location, innermost
// first, as profile.proto demands. Strings are made
// printable: protobuf allows nothing but UTF-8, and pprof prints names to terminals as they are.

#include <fmt/format.h>
#include <zlib.h>

#include <memory>
#include <protozero/pbf_builder.hpp>
#include <unordered_map>

#include "base/text.h"
#include "profile/pprof.h"
#include "profile/write.h"

namespace plumb::profile {
namespace {

using namespace pprof;
using protozero::pbf_builder;

// Deflates what it is given, on the way to `out`.
class Gzip {
 public:
  explicit Gzip(Bytes& out) : out_(&out) {}
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  ~Gzip() { ::deflateEnd(&stream_); }

  Result<void> begin() {
    constexpr int kGzip = 15 + 16, kMemory = 8;
    if (::deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzip, kMemory, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
      return Error{"cannot compress the profile", "zlib does not start", ""};
    }
    return {};
  }
  Result<void> write(std::string_view data, bool last) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    stream_.avail_in = static_cast<uInt>(data.size());
    char room[32 * 1024];
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(room);
      stream_.avail_out = sizeof room;
      ::deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH);
      out_->buffer().append(room, sizeof room - stream_.avail_out);
      if (auto r = out_->maybe_drain(); !r) return r;
    } while (stream_.avail_out == 0);
    return last ? out_->drain() : Result<void>{};
  }

 private:
  Bytes* out_;
  z_stream stream_{};
};

// A location: a frame of its own, and what is inlined into it, root first.
struct Key {
  std::vector<FrameId> frames;
  friend bool operator==(const Key&, const Key&) = default;
};
struct KeyHash {
  std::size_t operator()(const Key& key) const {
    std::uint64_t hash = 7;
    for (const FrameId f : key.frames) hash = mixed(hash, f);
    return hash;
  }
};

class PprofWriter {
 public:
  PprofWriter(const Profile& profile, Bytes& out) : profile_(profile), gzip_(out) { text(""); }

  Result<void> write() {
    if (auto r = gzip_.begin(); !r) return r;
    types();
    for (const std::size_t i : by_weight(profile_)) {
      sample(profile_.sample(i));
      if (auto r = flush(false); !r) return r;
    }
    mappings();
    locations();
    functions();
    facts();
    for (const std::string& s : strings_) out_.add_string(ProfileTag::string_table, s);
    return flush(true);
  }

 private:
  // 64 KiB at a time; zlib counts in 32 bits.
  Result<void> flush(bool last) {
    constexpr std::size_t kChunk = 64 * 1024;
    if (!last && data_.size() < kChunk) return {};
    for (std::string_view rest = data_;;) {
      const std::string_view part = rest.substr(0, std::size_t{1} << 20);
      rest.remove_prefix(part.size());
      if (auto r = gzip_.write(part, last && rest.empty()); !r) return r;
      if (rest.empty()) break;
    }
    data_.clear();
    return {};
  }

  std::int64_t text(std::string_view raw) {
    scratch_.clear();
    append_printable(scratch_, raw);
    const auto [at, added] = string_ids_.try_emplace(scratch_, strings_.size());
    if (added) strings_.push_back(scratch_);
    return static_cast<std::int64_t>(at->second);
  }

  static std::int64_t number(std::uint64_t n) {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(n, std::numeric_limits<std::int64_t>::max()));
  }

  void value_type(ProfileTag tag, std::string_view type, std::string_view unit) {
    pbf_builder<ValueTypeTag> message(out_, tag);
    message.add_int64(ValueTypeTag::type, text(type));
    message.add_int64(ValueTypeTag::unit, text(unit));
  }

  // Samples and their weight; the weight alone when it is the same.
  void types() {
    const Description& d = profile_.description();
    for (std::size_t i = 0; i < profile_.samples() && !two_values_; ++i) {
      two_values_ = profile_.sample(i).count != profile_.sample(i).value;
    }
    two_values_ = two_values_ || d.unit != Unit::count;
    if (two_values_) value_type(ProfileTag::sample_type, "samples", "count");
    weight_name_ = d.unit == Unit::count ? d.counted : d.event.empty() ? "weight" : d.event;
    value_type(ProfileTag::sample_type, weight_name_, name_of(d.unit));
  }

  void sample(const Sample& s) {
    std::vector<std::uint64_t> ids;
    Key key;
    for (std::size_t i = 0; i < s.frames.size();) {
      const Frame outer = profile_.frame_of(s.frames[i]);
      key.frames.assign(1, s.frames[i++]);
      for (; i < s.frames.size(); ++i) {
        const Frame f = profile_.frame_of(s.frames[i]);
        if (f.kind != FrameKind::inlined || f.mapping != outer.mapping || f.address != outer.address) break;
        key.frames.push_back(s.frames[i]);
      }
      ids.push_back(location_ids_.try_emplace(key, location_ids_.size() + 1).first->second);
      if (ids.back() > locations_.size()) locations_.push_back(key);
    }
    std::reverse(ids.begin(), ids.end());
    pbf_builder<SampleTag> message(out_, ProfileTag::sample);
    message.add_packed_uint64(SampleTag::location_id, ids.begin(), ids.end());
    const std::int64_t values[] = {number(s.count), number(s.value)};
    message.add_packed_int64(SampleTag::value, two_values_ ? values : values + 1, values + 2);
    if (!s.comm.empty()) label(message, "comm", s.comm, 0);
    if (s.pid != 0) label(message, "pid", "", s.pid);
    if (s.tid != 0) label(message, "tid", "", s.tid);
  }

  void label(pbf_builder<SampleTag>& sample, std::string_view key, std::string_view str, std::int64_t num) {
    const std::int64_t key_id = text(key), str_id = text(str);
    pbf_builder<LabelTag> message(sample, SampleTag::label);
    message.add_int64(LabelTag::key, key_id);
    if (!str.empty())
      message.add_int64(LabelTag::str, str_id);
    else
      message.add_int64(LabelTag::num, num);
  }

  // Mapping ids of the file: those of the profile, then the ones that tell a kind. 0 is none.
  std::uint64_t mapping_of(const Frame& f) {
    if (f.mapping != kNoMapping) return f.mapping;
    const std::size_t kinds = profile_.mappings();
    if (f.kind == FrameKind::kernel) return kinds;
    if (f.kind == FrameKind::jit) return kinds + 1;
    return f.kind == FrameKind::python ? kinds + 2 : 0;
  }

  void mappings() {
    bool used[3] = {};
    std::vector<bool> named(profile_.mappings() + 3, true), lines(profile_.mappings() + 3), inlined(lines);
    for (FrameId id = 0; id < profile_.frames(); ++id) {
      const Frame f = profile_.frame_of(id);
      if (f.function.empty()) named[f.mapping] = false;
      if (!f.file.empty()) lines[f.mapping] = true;
      if (f.kind == FrameKind::inlined) inlined[f.mapping] = true;
      if (const std::uint64_t to = mapping_of(f); to >= profile_.mappings())
        used[to - profile_.mappings()] = true;
    }
    for (MappingId id = 1; id < profile_.mappings(); ++id) {
      mapping(id, profile_.mapping_of(id), named[id], lines[id], inlined[id]);
    }
    const std::size_t kinds = profile_.mappings();
    if (used[0]) mapping(kinds, {.path = kKernelMapping}, true, false, false);
    if (used[1]) mapping(kinds + 1, {.path = kJitMapping}, true, false, false);
    if (used[2]) mapping(kinds + 2, {.path = kPythonMapping}, true, true, false);
  }

  void mapping(std::uint64_t id, const Mapping& m, bool named, bool lines, bool inlined) {
    const std::int64_t path = text(m.path), build_id = text(m.build_id);
    pbf_builder<MappingTag> message(out_, ProfileTag::mapping);
    message.add_uint64(MappingTag::id, id);
    message.add_uint64(MappingTag::memory_start, m.start);
    message.add_uint64(MappingTag::memory_limit, m.limit);
    message.add_uint64(MappingTag::file_offset, m.file_offset);
    message.add_int64(MappingTag::filename, path);
    message.add_int64(MappingTag::build_id, build_id);
    // Only what is named throughout says so: pprof symbolises the others itself, by build id.
    message.add_bool(MappingTag::has_functions, named);
    message.add_bool(MappingTag::has_filenames, lines);
    message.add_bool(MappingTag::has_line_numbers, lines);
    message.add_bool(MappingTag::has_inline_frames, inlined);
  }

  void locations() {
    for (std::size_t i = 0; i < locations_.size(); ++i) {
      const std::vector<FrameId>& frames = locations_[i].frames;
      const Frame outer = profile_.frame_of(frames.front());
      pbf_builder<LocationTag> message(out_, ProfileTag::location);
      message.add_uint64(LocationTag::id, i + 1);
      message.add_uint64(LocationTag::mapping_id, mapping_of(outer));
      message.add_uint64(LocationTag::address, outer.address);
      for (std::size_t n = frames.size(); n-- > 0;) {
        const Frame frame = profile_.frame_of(frames[n]);
        if (frame.function.empty()) continue;
        const std::uint64_t function = function_of(frame);
        pbf_builder<LineTag> line(message, LocationTag::line);
        line.add_uint64(LineTag::function_id, function);
        line.add_int64(LineTag::line, frame.line);
      }
    }
  }

  std::uint64_t function_of(const Frame& f) {
    const auto name = static_cast<std::uint64_t>(text(f.function)),
               file = static_cast<std::uint64_t>(text(f.file));
    const auto [at, added] = function_ids_.try_emplace(name << 32 | file, function_ids_.size() + 1);
    if (added) functions_.emplace_back(name, file);
    return at->second;
  }

  void functions() {
    for (std::size_t i = 0; i < functions_.size(); ++i) {
      pbf_builder<FunctionTag> message(out_, ProfileTag::function);
      message.add_uint64(FunctionTag::id, i + 1);
      message.add_int64(FunctionTag::name, static_cast<std::int64_t>(functions_[i].first));
      message.add_int64(FunctionTag::system_name, static_cast<std::int64_t>(functions_[i].first));
      message.add_int64(FunctionTag::filename, static_cast<std::int64_t>(functions_[i].second));
    }
  }

  void facts() {
    const Description& d = profile_.description();
    const Quality& q = profile_.quality();
    if (d.start.ns > 0) out_.add_int64(ProfileTag::time_nanos, d.start.ns);
    if (d.duration.ns > 0) out_.add_int64(ProfileTag::duration_nanos, d.duration.ns);
    if (d.period != 0) {
      value_type(ProfileTag::period_type, d.period_unit == Unit::nanoseconds ? "cpu" : d.event,
                 name_of(d.period_unit));
      out_.add_int64(ProfileTag::period, number(d.period));
    }
    const auto comment = [&](std::string_view key, std::string_view value) {
      if (!value.empty()) out_.add_int64(ProfileTag::comment, text(fmt::format("{}{}", key, value)));
    };
    comment(kHost, d.host);
    comment(kCommand, d.command);
    comment(kEvent, d.event);
    if (q.lost >= 0) comment(kLost, std::to_string(q.lost));
    if (q.rooted >= 0) comment(kRooted, std::to_string(q.rooted));
    if (q.truncated >= 0) comment(kTruncated, std::to_string(q.truncated));
    if (two_values_) out_.add_int64(ProfileTag::default_sample_type, text(weight_name_));
  }

  const Profile& profile_;
  Gzip gzip_;
  std::string data_;
  pbf_builder<ProfileTag> out_{data_};
  std::string scratch_;
  std::vector<std::string> strings_;
  std::unordered_map<std::string, std::size_t> string_ids_;
  std::unordered_map<Key, std::uint64_t, KeyHash> location_ids_;
  std::vector<Key> locations_;
  std::unordered_map<std::uint64_t, std::uint64_t> function_ids_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> functions_;
  bool two_values_ = false;
  std::string weight_name_;
};

}  // namespace

Result<void> write_pprof(const Profile& profile, Bytes& out) {
  return PprofWriter(profile, out).write();
}

}  // namespace plumb::profile
