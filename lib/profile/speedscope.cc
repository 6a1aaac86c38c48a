// speedscope's file format: a table of frames, and the stacks with their weights as one "sampled" profile.
// Schema: https://www.speedscope.app/file-format-schema.json

#include <fmt/format.h>

#include <iterator>
#include <map>

#include "base/text.h"
#include "profile/write.h"

namespace plumb::profile {
namespace {

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_json_escaped(out, text);
  out += '"';
}

// Frames as speedscope knows them: name, file, line. Processes come first, then the profile's frames.
class Frames {
 public:
  explicit Frames(const Profile& profile) : profile_(&profile) {
    for (std::size_t i = 0; i < profile.samples(); ++i) {
      const std::string_view comm = profile.sample(i).comm;
      if (!comm.empty()) comms_.try_emplace(comm, comms_.size());
    }
  }
  std::size_t of(FrameId id) const { return comms_.size() + id; }
  std::size_t of(std::string_view comm) const { return comms_.find(comm)->second; }

  Result<void> write(Bytes& out) const {
    std::vector<std::string_view> comms(comms_.size());
    for (const auto& [comm, index] : comms_) comms[index] = comm;
    bool first = true;
    const auto begin = [&](std::string_view name) {
      out.buffer() += first ? "{\"name\":" : ",\n{\"name\":";
      first = false;
      append_quoted(out.buffer(), name);
    };
    for (const std::string_view comm : comms) {
      begin(comm);
      out.buffer() += '}';
    }
    for (FrameId id = 0; id < profile_->frames(); ++id) {
      const Frame f = profile_->frame_of(id);
      begin(display_name(*profile_, f));
      const std::string_view module = profile_->mapping_of(f.mapping).path;
      if (!f.file.empty() || !module.empty()) {
        out.buffer() += ",\"file\":";
        append_quoted(out.buffer(), f.file.empty() ? module : f.file);
      }
      if (!f.file.empty() && f.line != 0)
        fmt::format_to(std::back_inserter(out.buffer()), ",\"line\":{}", f.line);
      out.buffer() += '}';
      if (auto r = out.maybe_drain(); !r) return r;
    }
    return {};
  }

 private:
  const Profile* profile_;
  std::map<std::string_view, std::size_t> comms_;
};

std::string_view unit_of(Unit unit) {
  if (unit == Unit::nanoseconds) return "nanoseconds";
  return unit == Unit::bytes ? "bytes" : "none";
}

Result<void> write_samples(const Profile& profile, const Frames& frames,
                           const std::vector<std::size_t>& order, Bytes& out) {
  out.buffer() += ",\n\"samples\":[";
  bool first_sample = true;
  for (const std::size_t i : order) {
    const Sample s = profile.sample(i);
    out.buffer() += first_sample ? "[" : ",\n[";
    first_sample = false;
    bool first = true;
    const auto add = [&](std::size_t index) {
      fmt::format_to(std::back_inserter(out.buffer()), "{}{}", first ? "" : ",", index);
      first = false;
    };
    if (!s.comm.empty()) add(frames.of(s.comm));
    for (const FrameId f : s.frames) add(frames.of(f));
    out.buffer() += ']';
    if (auto r = out.maybe_drain(); !r) return r;
  }
  out.buffer() += "],\n\"weights\":[";
  first_sample = true;
  for (const std::size_t i : order) {
    fmt::format_to(std::back_inserter(out.buffer()), "{}{}", first_sample ? "" : ",",
                   profile.sample(i).value);
    first_sample = false;
    if (auto r = out.maybe_drain(); !r) return r;
  }
  out.buffer() += "]";
  return {};
}

}  // namespace

Result<void> write_speedscope(const Profile& profile, Bytes& out) {
  const Description& d = profile.description();
  const Frames frames(profile);
  const std::string name =
      (d.event.empty() ? "profile" : d.event) + (d.command.empty() ? "" : ": " + d.command);
  out.buffer() +=
      "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\n\"exporter\":\"plumb\",\"name\":";
  append_quoted(out.buffer(), name);
  out.buffer() += ",\"activeProfileIndex\":0,\n\"shared\":{\"frames\":[";
  if (auto r = frames.write(out); !r) return r;
  out.buffer() += "]},\n\"profiles\":[{\"type\":\"sampled\",\"name\":";
  append_quoted(out.buffer(), name);
  fmt::format_to(std::back_inserter(out.buffer()), R"(,"unit":"{}","startValue":0,"endValue":{})",
                 unit_of(d.unit), profile.total_value());
  if (auto r = write_samples(profile, frames, by_weight(profile), out); !r) return r;
  out.buffer() += "}]}\n";
  return out.drain();
}

}  // namespace plumb::profile
