// The Firefox Profiler's processed profile format, version 48 (its importer brings older versions up to date; see
// docs-developer/CHANGELOG-formats.md of firefox-devtools/profiler). A thread for each process and thread that the
// samples name. Samples carry no times here: they stand one after the other, as long as they weigh, so that the tool's
// tree, flame graph and shares are right and its timeline shows the heaviest first.

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <map>
#include <unordered_map>

#include "base/text.h"
#include "profile/write.h"

namespace plumb::profile {
namespace {

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_json_escaped(out, text);
  out += '"';
}

// Categories, by FrameKind. Colours are names that the profiler knows.
constexpr std::string_view kCategories =
    R"([{"name":"User","color":"yellow","subcategories":["Other"]},)"
    R"({"name":"Kernel","color":"orange","subcategories":["Other"]},)"
    R"({"name":"JIT","color":"green","subcategories":["Other"]},)"
    R"({"name":"Inlined","color":"lightblue","subcategories":["Other"]},)"
    R"({"name":"Python","color":"blue","subcategories":["Other"]},)"
    R"({"name":"Other","color":"grey","subcategories":["Other"]}])";

constexpr std::int64_t kNull = -1;  // of a column: JSON's null

// A table of columns, as the format has them.
class Table {
 public:
  explicit Table(std::vector<std::string_view> names) : names_(std::move(names)), columns_(names_.size()) {}
  std::size_t add(std::initializer_list<std::int64_t> row) {
    std::size_t i = 0;
    for (const std::int64_t value : row) columns_[i++].push_back(value);
    return columns_[0].size() - 1;
  }
  std::size_t size() const { return columns_[0].size(); }
  std::int64_t at(std::size_t column, std::size_t row) const { return columns_[column][row]; }
  // `minus_one` names the columns where -1 is -1.
  void write(std::string& out, std::string_view minus_one = {}) const {
    out += '{';
    for (std::size_t c = 0; c < names_.size(); ++c) {
      fmt::format_to(std::back_inserter(out), "\"{}\":[", names_[c]);
      for (std::size_t i = 0; i < columns_[c].size(); ++i) {
        if (i != 0) out += ',';
        if (columns_[c][i] == kNull && names_[c] != minus_one)
          out += "null";
        else
          fmt::format_to(std::back_inserter(out), "{}", columns_[c][i]);
      }
      out += "],";
    }
    fmt::format_to(std::back_inserter(out), "\"length\":{}}}", size());
  }

 private:
  std::vector<std::string_view> names_;
  std::vector<std::vector<std::int64_t>> columns_;
};

struct ThreadKey {
  std::uint32_t pid, tid;
  std::string_view comm;
  friend auto operator<=>(const ThreadKey&, const ThreadKey&) = default;  // NOLINT(modernize-use-nullptr)
};

class Thread {
 public:
  Thread(const Profile& profile, const std::vector<std::int64_t>& libs) : profile_(profile), libs_(libs) {}

  void add(const Sample& s) {
    std::int64_t stack = kNull;
    for (const FrameId f : s.frames) stack = child(stack, frame(f));
    samples_.push_back({stack, s.value});
  }

  void write(std::string& out, const ThreadKey& key, double per_ms) {
    fmt::format_to(
        std::back_inserter(out),
        R"({{"processType":"default","processStartupTime":0,"processShutdownTime":null,"registerTime":0,)"
        R"("unregisterTime":null,"pausedRanges":[],"isMainThread":{},"showMarkersInTimeline":false,"pid":"{}","tid":{},)",
        key.pid == key.tid, key.pid, key.tid);
    const std::string_view name = key.comm.empty() ? "all" : key.comm;
    out += "\"name\":";
    append_quoted(out, name);
    out += ",\"processName\":";
    append_quoted(out, name);
    samples(out, per_ms);
    out +=
        ",\n\"markers\":{\"data\":[],\"name\":[],\"startTime\":[],\"endTime\":[],\"phase\":[],\"category\":[],\"length\":0}";
    out += ",\n\"stackTable\":";
    stacks_.write(out);
    out += ",\n\"frameTable\":";
    frames_.write(out, "address");
    out += ",\n\"funcTable\":";
    functions_.write(out, "resource");
    out += ",\n\"resourceTable\":";
    resources_.write(out);
    out += ",\n\"nativeSymbols\":";
    Table({"libIndex", "address", "name", "functionSize"}).write(out);
    out += ",\n\"stringArray\":[";
    for (std::size_t i = 0; i < strings_.size(); ++i) {
      if (i != 0) out += ',';
      append_quoted(out, strings_[i]);
    }
    out += "]}";
  }

 private:
  struct Weighed {
    std::int64_t stack;
    std::uint64_t value;
  };

  std::int64_t text(std::string_view raw) {
    const auto [at, added] = string_ids_.try_emplace(std::string(raw), strings_.size());
    if (added) strings_.emplace_back(raw);
    return static_cast<std::int64_t>(at->second);
  }

  std::int64_t resource(MappingId mapping) {
    if (mapping == kNoMapping) return -1;
    constexpr std::int64_t kLibrary = 1;
    const auto [at, added] = resource_ids_.try_emplace(mapping, resources_.size());
    if (added)
      resources_.add({libs_[mapping], text(module_name(profile_.mapping_of(mapping).path)), kNull, kLibrary});
    return static_cast<std::int64_t>(at->second);
  }

  std::int64_t function(const Frame& f) {
    const std::int64_t name = text(display_name(profile_, f)), from = resource(f.mapping),
                       file = f.file.empty() ? kNull : text(f.file);
    const auto [at, added] = function_ids_.try_emplace(std::array{name, from, file}, functions_.size());
    if (added) functions_.add({name, 0, 0, from, file, kNull, kNull});
    return static_cast<std::int64_t>(at->second);
  }

  std::int64_t frame(FrameId id) {
    const auto known = frame_ids_.find(id);
    if (known != frame_ids_.end()) return static_cast<std::int64_t>(known->second);
    const Frame f = profile_.frame_of(id);
    const bool small = f.mapping != kNoMapping && f.address < (std::uint64_t{1} << 53);  // within its file
    const std::int64_t line = f.line == 0 ? kNull : static_cast<std::int64_t>(f.line);
    const std::size_t index =
        frames_.add({small ? static_cast<std::int64_t>(f.address) : -1, f.kind == FrameKind::inlined ? 1 : 0,
                     static_cast<std::int64_t>(f.kind), 0, function(f), kNull, 0, line, kNull, kNull});
    frame_ids_.emplace(id, index);
    return static_cast<std::int64_t>(index);
  }

  std::int64_t child(std::int64_t prefix, std::int64_t frame) {
    const auto [at, added] = stack_ids_.try_emplace(std::pair(prefix, frame), stacks_.size());
    if (added) stacks_.add({frame, category_of(frame), 0, prefix});
    return static_cast<std::int64_t>(at->second);
  }
  std::int64_t category_of(std::int64_t frame) const {
    return frames_.at(2, static_cast<std::size_t>(frame));
  }

  void samples(std::string& out, double per_ms) const {
    const Unit unit = profile_.description().unit;
    out += ",\n\"samples\":{\"stack\":[";
    std::string times, weights;
    double at = 0;
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      const char* comma = i == 0 ? "" : ",";
      if (samples_[i].stack == kNull)
        fmt::format_to(std::back_inserter(out), "{}null", comma);
      else
        fmt::format_to(std::back_inserter(out), "{}{}", comma, samples_[i].stack);
      fmt::format_to(std::back_inserter(times), "{}{:.6f}", comma, at);
      const auto value = static_cast<double>(samples_[i].value);
      if (unit == Unit::nanoseconds)
        fmt::format_to(std::back_inserter(weights), "{}{:.6f}", comma, value / 1e6);
      else
        fmt::format_to(std::back_inserter(weights), "{}{}", comma, samples_[i].value);
      at += value / per_ms;
    }
    const char* type = unit == Unit::nanoseconds ? "tracing-ms" : unit == Unit::bytes ? "bytes" : "samples";
    fmt::format_to(std::back_inserter(out), R"(],"time":[{}],"weight":[{}],"weightType":"{}","length":{}}})",
                   times, weights, type, samples_.size());
  }

  struct PairHash {
    std::size_t operator()(const std::pair<std::int64_t, std::int64_t>& p) const {
      return mixed(static_cast<std::uint64_t>(p.first), static_cast<std::uint64_t>(p.second));
    }
  };

  const Profile& profile_;
  const std::vector<std::int64_t>& libs_;
  std::vector<Weighed> samples_;
  Table stacks_{{"frame", "category", "subcategory", "prefix"}};
  Table frames_{{"address", "inlineDepth", "category", "subcategory", "func", "nativeSymbol", "innerWindowID",
                 "line", "column", "implementation"}};
  Table functions_{{"name", "isJS", "relevantForJS", "resource", "fileName", "lineNumber", "columnNumber"}};
  Table resources_{{"lib", "name", "host", "type"}};
  std::vector<std::string> strings_;
  std::unordered_map<std::string, std::size_t> string_ids_;
  std::unordered_map<MappingId, std::size_t> resource_ids_;
  std::map<std::array<std::int64_t, 3>, std::size_t> function_ids_;
  std::unordered_map<FrameId, std::size_t> frame_ids_;
  std::unordered_map<std::pair<std::int64_t, std::int64_t>, std::size_t, PairHash> stack_ids_;
};

// Writes `libs` and says at which index of it each mapping stands.
std::vector<std::int64_t> write_libs(const Profile& profile, std::string& out) {
  std::vector<std::int64_t> index(profile.mappings(), kNull);
  out += ",\n\"libs\":[";
  for (MappingId id = 1; id < profile.mappings(); ++id) {
    const Mapping m = profile.mapping_of(id);
    index[id] = static_cast<std::int64_t>(id) - 1;
    if (id != 1) out += ',';
    out += R"({"arch":"","name":)";
    append_quoted(out, module_name(m.path));
    out += ",\"path\":";
    append_quoted(out, m.path);
    out += ",\"debugName\":";
    append_quoted(out, module_name(m.path));
    out += ",\"debugPath\":";
    append_quoted(out, m.path);
    out += R"(,"breakpadId":"","codeId":)";
    if (m.build_id.empty())
      out += "null";
    else
      append_quoted(out, m.build_id);
    out += '}';
  }
  out += ']';
  return index;
}

void write_meta(const Profile& profile, std::string& out) {
  const Description& d = profile.description();
  const double interval =
      d.period != 0 && d.period_unit == Unit::nanoseconds ? static_cast<double>(d.period) / 1e6 : 1;
  fmt::format_to(
      std::back_inserter(out),
      "{{\"meta\":{{\"interval\":{:.6f},\"startTime\":{:.3f},\"version\":24,\"preprocessedProfileVersion\":48,"
      "\"processType\":0,\"stackwalk\":1,\"symbolicated\":true,\"importedFrom\":\"plumb\",\"platform\":\"Linux\","
      "\"oscpu\":\"Linux\",\"markerSchema\":[],\"categories\":{},\"product\":",
      interval, static_cast<double>(d.start.ns) / 1e6, kCategories);
  const std::string product = d.command.empty() ? std::string("plumb") : d.command;
  append_quoted(out, d.host.empty() ? product : product + " on " + d.host);
  out += '}';
}

}  // namespace

Result<void> write_firefox(const Profile& profile, Bytes& out) {
  std::string& buffer = out.buffer();
  write_meta(profile, buffer);
  const std::vector<std::int64_t> libs = write_libs(profile, buffer);
  std::map<ThreadKey, std::vector<std::size_t>> threads;
  for (const std::size_t i : by_weight(profile)) {
    const Sample s = profile.sample(i);
    threads[{s.pid, s.tid, s.comm}].push_back(i);
  }
  // As many milliseconds as samples took, or the weight itself where it is a time.
  const Description& d = profile.description();
  const double per_ms = d.unit == Unit::nanoseconds ? 1e6 : d.unit == Unit::bytes ? 1024 : 1;
  buffer += ",\n\"threads\":[";
  bool first = true;
  for (const auto& [key, samples] : threads) {
    if (!first) buffer += ",\n";
    first = false;
    Thread thread(profile, libs);
    for (const std::size_t i : samples) thread.add(profile.sample(i));
    thread.write(buffer, key, per_ms);
    if (auto r = out.maybe_drain(); !r) return r;
  }
  buffer += "]}\n";
  return out.drain();
}

}  // namespace plumb::profile
