#include "profile/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace plumb::profile {
namespace {

constexpr std::uint32_t kNone = IdTable::kNone;

void add_saturated(std::uint64_t& sum, std::uint64_t value) {
  if (__builtin_add_overflow(sum, value, &sum)) sum = std::numeric_limits<std::uint64_t>::max();
}

std::uint64_t hash_of(std::span<const FrameId> frames) {
  std::uint64_t hash = mixed(1, frames.size());
  for (const FrameId f : frames) hash = mixed(hash, f);
  return hash;
}

}  // namespace

std::string_view name_of(FrameKind kind) {
  constexpr std::string_view kNames[kFrameKinds] = {"user", "kernel", "jit", "inlined", "python", "note"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view name_of(Unit unit) {
  constexpr std::string_view kNames[] = {"count", "nanoseconds", "bytes"};
  return kNames[static_cast<std::size_t>(unit)];
}

Profile::Profile(Description description, Limits limits)
    : description_(std::move(description)), limits_(limits), strings_(limits.string_bytes) {
  mapping({});
}

MappingId Profile::mapping(const Mapping& m) {
  const KeptMapping kept{.path = strings_.intern(m.path),
                         .build_id = strings_.intern(m.build_id),
                         .start = m.start,
                         .limit = m.limit,
                         .file_offset = m.file_offset};
  if (kept.path == kNone || kept.build_id == kNone) return kNoMapping;
  const auto hash_of = [](const KeptMapping& k) {
    return mixed(mixed(mixed(mixed(mixed(2, k.path), k.build_id), k.start), k.limit), k.file_offset);
  };
  const std::uint64_t hash = hash_of(kept);
  const MappingId known = mapping_ids_.find(hash, [&](MappingId id) { return mappings_[id] == kept; });
  if (known != kNone) return known;
  if (mappings_.size() >= std::max<std::size_t>(limits_.mappings, 1)) return kNoMapping;
  mappings_.push_back(kept);
  const auto id = static_cast<MappingId>(mappings_.size() - 1);
  mapping_ids_.insert(hash, id, [&](MappingId i) { return hash_of(mappings_[i]); });
  return id;
}

FrameId Profile::frame(const Frame& f) {
  const KeptFrame kept{.function = strings_.intern(f.function),
                       .file = strings_.intern(f.file),
                       .line = f.line,
                       .mapping = f.mapping < mappings_.size() ? f.mapping : kNoMapping,
                       .address = f.address,
                       .kind = f.kind};
  if (kept.function == kNone || kept.file == kNone) return overflow_frame();
  const auto hash_of = [](const KeptFrame& k) {
    const std::uint64_t names = mixed(mixed(mixed(3, k.function), k.file), k.line);
    return mixed(mixed(mixed(names, k.mapping), k.address), static_cast<std::uint64_t>(k.kind));
  };
  const std::uint64_t hash = hash_of(kept);
  const FrameId known = frame_ids_.find(hash, [&](FrameId id) { return frames_[id] == kept; });
  if (known != kNone) return known;
  if (frames_.size() >= limits_.frames) return overflow_frame();
  frames_.push_back(kept);
  const auto id = static_cast<FrameId>(frames_.size() - 1);
  frame_ids_.insert(hash, id, [&](FrameId i) { return hash_of(frames_[i]); });
  return id;
}

// Made past the limits when it is needed: one frame and one string.
FrameId Profile::overflow_frame() {
  if (has_overflow_frame_) return overflow_frame_;
  has_overflow_frame_ = true;
  frames_.push_back({.function = strings_.intern_always(kOverflow),
                     .file = 0,
                     .line = 0,
                     .mapping = kNoMapping,
                     .address = 0,
                     .kind = FrameKind::note});
  overflow_frame_ = static_cast<FrameId>(frames_.size() - 1);
  return overflow_frame_;
}

bool Profile::knows(std::span<const FrameId> frames) const {
  return std::ranges::all_of(frames, [&](FrameId f) { return f < frames_.size(); });
}

std::span<const FrameId> Profile::stack_of(StackId id) const {
  return std::span(pool_).subspan(stacks_[id].begin, stacks_[id].size);
}

// False when there is no room for a new one.
bool Profile::stack(std::span<const FrameId> frames, StackId& id) {
  const std::uint64_t hash = hash_of(frames);
  id = stack_ids_.find(hash, [&](StackId s) { return std::ranges::equal(stack_of(s), frames); });
  if (id != kNone) return true;
  if (stacks_.size() >= limits_.samples || pool_.size() + frames.size() > limits_.stack_frames) return false;
  stacks_.push_back({pool_.size(), static_cast<std::uint32_t>(frames.size())});
  pool_.insert(pool_.end(), frames.begin(), frames.end());
  id = static_cast<StackId>(stacks_.size() - 1);
  stack_ids_.insert(hash, id, [&](StackId s) { return hash_of(stack_of(s)); });
  return true;
}

bool Profile::keep(std::span<const FrameId> frames, const Sample& s) {
  const StringId comm = strings_.intern(s.comm);
  StackId stack_id = 0;
  if (comm == kNone || !stack(frames, stack_id)) return false;
  const auto hash_of = [](const KeptSample& k) {
    return mixed(mixed(mixed(mixed(4, k.stack), k.comm), k.pid), k.tid);
  };
  const KeptSample kept{stack_id, comm, s.pid, s.tid, s.count, s.value};
  const std::uint64_t hash = hash_of(kept);
  const std::uint32_t known = sample_ids_.find(hash, [&](std::uint32_t i) {
    const KeptSample& k = samples_[i];
    return k.stack == stack_id && k.comm == comm && k.pid == s.pid && k.tid == s.tid;
  });
  if (known != kNone) {
    add_saturated(samples_[known].count, s.count);
    add_saturated(samples_[known].value, s.value);
    return true;
  }
  if (samples_.size() >= limits_.samples) return false;
  samples_.push_back(kept);
  sample_ids_.insert(hash, static_cast<std::uint32_t>(samples_.size() - 1),
                     [&](std::uint32_t i) { return hash_of(samples_[i]); });
  return true;
}

void Profile::add(const Sample& s) {
  add_saturated(total_count_, s.count);
  add_saturated(total_value_, s.value);
  const auto frames = s.frames.first(std::min(s.frames.size(), limits_.depth));
  if (!knows(frames) || !keep(frames, s)) overflow(s);
}

// One sample past the limits takes them all; it may be there already, among the ordinary ones.
void Profile::overflow(const Sample& s) {
  add_saturated(quality_.overflowed, s.count);
  if (has_overflow_sample_) {
    add_saturated(samples_[overflow_sample_].count, s.count);
    add_saturated(samples_[overflow_sample_].value, s.value);
    return;
  }
  has_overflow_sample_ = true;
  const FrameId frame = overflow_frame();
  stacks_.push_back({pool_.size(), 1});
  pool_.push_back(frame);
  samples_.push_back({static_cast<StackId>(stacks_.size() - 1), 0, 0, 0, s.count, s.value});
  overflow_sample_ = samples_.size() - 1;
}

Mapping Profile::mapping_of(MappingId id) const {
  const KeptMapping& k = mappings_[id];
  return {strings_.view(k.path), strings_.view(k.build_id), k.start, k.limit, k.file_offset};
}

Frame Profile::frame_of(FrameId id) const {
  const KeptFrame& k = frames_[id];
  return {strings_.view(k.function), strings_.view(k.file), k.line, k.kind, k.mapping, k.address};
}

Sample Profile::sample(std::size_t index) const {
  const KeptSample& k = samples_[index];
  return {stack_of(k.stack), k.count, k.value, strings_.view(k.comm), k.pid, k.tid};
}

std::vector<Unsymbolised> Profile::unsymbolised() const {
  std::vector<std::uint64_t> samples(mappings_.size());
  std::vector<std::size_t> seen_in(mappings_.size());  // the last sample that counted, from 1
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    for (const FrameId f : stack_of(samples_[i].stack)) {
      const KeptFrame& k = frames_[f];
      if (k.function != 0 || seen_in[k.mapping] == i + 1) continue;
      seen_in[k.mapping] = i + 1;
      add_saturated(samples[k.mapping], samples_[i].count);
    }
  }
  std::vector<Unsymbolised> out;
  for (MappingId m = 0; m < samples.size(); ++m) {
    if (samples[m] != 0) out.push_back({m, samples[m]});
  }
  std::ranges::stable_sort(out, std::greater<>(), &Unsymbolised::samples);
  return out;
}

Profile Profile::rewritten(const Rewriter& rewriter) const {
  Profile out(description_, limits_);
  out.quality_ = quality_;
  for (MappingId m = 1; m < mappings_.size(); ++m) out.mapping(mapping_of(m));
  std::vector<std::vector<FrameId>> replaced(frames_.size());
  std::vector<Frame> scratch;
  for (FrameId f = 0; f < frames_.size(); ++f) {
    scratch.clear();
    rewriter(frame_of(f), scratch);
    for (const Frame& to : scratch) replaced[f].push_back(out.frame(to));
  }
  std::vector<FrameId> frames;
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    Sample s = sample(i);
    frames.clear();
    for (const FrameId f : s.frames) frames.insert(frames.end(), replaced[f].begin(), replaced[f].end());
    s.frames = frames;
    out.add(s);
  }
  return out;
}

std::string display_name(const Profile& profile, const Frame& frame) {
  if (!frame.function.empty()) return std::string(frame.function);
  const std::string_view module = module_name(profile.mapping_of(frame.mapping).path);
  if (!module.empty()) return fmt::format("{}+{:#x}", module, frame.address);
  return frame.address != 0 ? fmt::format("{:#x}", frame.address) : "[unknown]";
}

std::string_view module_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace plumb::profile
