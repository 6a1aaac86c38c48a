#include "flame/functions.h"

#include <algorithm>

namespace plumb {
namespace {

using profile::Frame;
using profile::FrameKind;

constexpr std::uint32_t kNone = UINT32_MAX;

std::string_view module_of(const profile::Profile& profile, const Frame& frame) {
  if (frame.kind == FrameKind::kernel) return "[kernel]";
  return profile::module_name(profile.mapping_of(frame.mapping).path);
}

}  // namespace

FunctionTable::FunctionId FunctionTable::id_of(std::string_view name, std::string_view module) {
  key_.assign(module).append(1, '\0').append(name);
  const auto [it, added] = ids_.try_emplace(key_, static_cast<FunctionId>(functions_.size()));
  if (added) add_row({.name = std::string(name), .module = std::string(module)});
  return it->second;
}

FunctionTable::FunctionId FunctionTable::add_row(FunctionWeight row) {
  functions_.push_back(std::move(row));
  seen_.push_back(0);
  before_.push_back(0);
  return static_cast<FunctionId>(functions_.size() - 1);
}

std::uint32_t FunctionTable::group_of(std::string_view comm, std::uint32_t pid) {
  if (!by_comm_ && !by_pid_) return 0;
  if (!by_comm_) comm = {};
  if (!by_pid_) pid = 0;
  key_.assign(comm).append(1, '\0').append(std::to_string(pid));
  const auto [it, added] = group_ids_.try_emplace(key_, static_cast<std::uint32_t>(groups_.size() + 1));
  if (added) groups_.emplace_back(comm, pid);
  return it->second;
}

// Its row without a group stays empty.
FunctionTable::FunctionId FunctionTable::in_group(FunctionId function, std::uint32_t group) {
  if (group == 0) return function;
  constexpr std::size_t kMostRows = 1 << 18;
  if (grouped_.size() >= kMostRows && !grouped_.contains(std::uint64_t{group} << 32 | function)) {
    if (!others_) others_ = add_row({.name = "[others]"});
    return *others_;
  }
  const auto [it, added] = grouped_.try_emplace(std::uint64_t{group} << 32 | function, 0);
  if (added) {
    const auto& [comm, pid] = groups_[group - 1];
    it->second = add_row(
        {.name = functions_[function].name, .module = functions_[function].module, .comm = comm, .pid = pid});
  }
  return it->second;
}

void FunctionTable::name(const profile::Profile& profile, const Naming& naming) {
  frames_.resize(profile.frames());
  for (std::size_t i = 0; i < frames_.size(); ++i) {
    Named& named = frames_[i];
    if (named.settled) continue;
    const Frame frame = profile.frame_of(static_cast<profile::FrameId>(i));
    out_.clear();
    naming(frame, out_);
    named.functions.clear();
    for (const Frame& f : out_) {
      if (f.kind == FrameKind::note) continue;  // a CPU's number is no function
      named.functions.push_back(id_of(profile::display_name(profile, f), module_of(profile, f)));
    }
    named.settled = std::ranges::none_of(
        out_, [](const Frame& f) { return f.kind == FrameKind::jit && f.function.empty(); });
  }
}

void FunctionTable::count(FunctionId id, std::uint64_t weight) {
  if (seen_[id] == stack_) return;  // recursion
  seen_[id] = stack_;
  functions_[id].total += weight;
}

void FunctionTable::update(const profile::Profile& profile, const Naming& naming, bool interval) {
  name(profile, naming);
  for (std::size_t i = 0; i < functions_.size(); ++i) {
    if (interval) before_[i] = functions_[i].self;
    functions_[i].self = functions_[i].total = 0;
  }
  for (std::size_t i = 0; i < profile.samples(); ++i) {
    const profile::Sample sample = profile.sample(i);
    ++stack_;
    FunctionId innermost = kNone;
    const std::uint32_t group = group_of(sample.comm, sample.pid);
    for (const profile::FrameId frame : sample.frames) {
      for (const FunctionId f : frames_[frame].functions) count(innermost = in_group(f, group), sample.value);
    }
    if (innermost != kNone) functions_[innermost].self += sample.value;
  }
  // A frame that got its name meanwhile took its weight along.
  for (std::size_t i = 0; i < functions_.size(); ++i) {
    FunctionWeight& f = functions_[i];
    f.recent = f.self > before_[i] ? f.self - before_[i] : 0;
  }
  if (interval) weight_before_ = weight_;
  weight_ = profile.total_value();
  recent_ = weight_ - weight_before_;
}

void FunctionTable::add(std::span<const std::string_view> functions, std::string_view comm, std::uint32_t pid,
                        std::uint64_t weight) {
  ++stack_;
  FunctionId innermost = kNone;
  const std::uint32_t group = group_of(comm, pid);
  for (const std::string_view f : functions) count(innermost = in_group(id_of(f, {}), group), weight);
  if (innermost != kNone) functions_[innermost].self += weight;
  weight_ += weight;
}

}  // namespace plumb
