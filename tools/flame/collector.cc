#include "flame/collector.h"

#include <fmt/format.h>

#include <algorithm>

namespace plumb {
namespace {

// What the unwinder asks: the code at an address of one process.
class ProcessFinder final : public CodeFinder {
 public:
  ProcessFinder(ProcessCode& process, Modules& modules) : process_(process), modules_(modules) {}

  std::optional<CodeAt> find(std::uint64_t address) override {
    CodeMapping* mapping = process_.find(address);
    if (mapping == nullptr) return std::nullopt;
    Module* module = modules_.of(process_, *mapping);
    if (module == nullptr || !module->elf) return CodeAt{};
    const auto in_file = module->elf->address_of(address - mapping->start + mapping->offset);
    if (!in_file) return CodeAt{};
    return CodeAt{&module->cfi, &module->go, address - *in_file};
  }

 private:
  ProcessCode& process_;
  Modules& modules_;
};

std::string_view text_of(const char (&field)[TASK_COMM_LEN]) {
  return {field, ::strnlen(field, sizeof field)};
}

Registers registers_of(const flame_sample& sample) {
  Registers r;
  for (std::size_t i = 0; i < FLAME_REGISTERS; ++i) r.set(i, sample.registers[i]);
  return r;
}

}  // namespace

Collector::Collector(const FlameOptions& options, TargetFiles& files)
    : options_(options),
      files_(files),
      processes_([](void* f, std::uint32_t pid) { return static_cast<TargetFiles*>(f)->maps(pid); }, &files_),
      modules_(files_, profile_) {
  profile_.quality() = {.lost = 0, .rooted = 0, .truncated = 0};
  kernel_ = profile_.mapping({.path = "[kernel.kallsyms]"});
}

bool Collector::keep(std::span<const std::byte> record) {
  flame_sample sample;
  if (record.size() < sizeof sample) return false;
  std::memcpy(&sample, record.data(), sizeof sample);
  if (record.size() != sizeof sample + sample.stack_bytes || sample.kernel_bytes > sizeof sample.kernel)
    return false;
  if (!options_.tids.empty() && std::ranges::find(options_.tids, sample.task.tid) == options_.tids.end())
    return true;
  kept_.push_back({bytes_.size(), record.size(), sample.time_ns});
  bytes_.insert(bytes_.end(), record.begin(), record.end());
  return true;
}

// All that a sample's process mapped before it is in the buffers by now: the kernel wrote it first.
void Collector::settle(MappingEvents& events) {
  events.drain([this](const MappingEvent& e) { events_.push_back({e, std::string(e.path)}); });
  std::ranges::stable_sort(events_, {}, [](const KeptEvent& e) { return e.event.time_ns; });
  std::ranges::stable_sort(kept_, {}, &Kept::time_ns);
  auto next = events_.begin();
  const auto apply_until = [&](std::uint64_t time_ns) {
    for (; next != events_.end() && next->event.time_ns <= time_ns; ++next) {
      next->event.path = next->path;
      processes_.on_event(next->event);
    }
  };
  for (const Kept& kept : kept_) {
    apply_until(kept.time_ns);
    flame_sample sample;
    std::memcpy(&sample, bytes_.data() + kept.offset, sizeof sample);
    add(sample, std::span(bytes_).subspan(kept.offset + sizeof sample, kept.size - sizeof sample));
  }
  apply_until(UINT64_MAX);
  processes_.forget_ended();
  events_.clear();
  kept_.clear();
  bytes_.clear();
}

profile::MappingId Collector::jit_mapping(std::uint32_t pid, std::uint32_t uid) {
  const auto [it, added] = jits_.try_emplace(pid);
  JitProcess& jit = it->second;
  if (!added) return jit.mapping;
  // The number tells processes apart, whose addresses have nothing to do with one another.
  jit.mapping = profile_.mapping({.path = kJitPath, .start = pid});
  jit.uid = uid;
  jit.own_number = files_.own_number(pid);
  jit.map = files_.open_in_root(pid, perf_map_path(jit.own_number));
  jit.program = files_.program(pid);
  return jit.mapping;
}

std::uint32_t Collector::jit_process(profile::MappingId id) const {
  for (const auto& [pid, jit] : jits_) {
    if (jit.mapping == id) return pid;
  }
  return 0;
}

void Collector::add_frame(ProcessCode& process, std::uint64_t address, std::uint32_t uid) {
  profile::Frame frame{.address = address};
  CodeMapping* mapping = process.find(address);
  Module* module = mapping != nullptr ? modules_.of(process, *mapping) : nullptr;
  if (module != nullptr) {
    frame.mapping = module->mapping;
    const std::uint64_t offset = address - mapping->start + mapping->offset;
    frame.address = module->elf ? module->elf->address_of(offset).value_or(offset) : offset;
  } else if (mapping != nullptr) {
    frame.kind = profile::FrameKind::jit;
    frame.mapping = jit_mapping(process.pid, uid);
  }
  frames_.push_back(profile_.frame(frame));
}

// Root first. Counts how the stack ended.
void Collector::add_user(const flame_sample& sample, std::span<const std::byte> stack) {
  ProcessCode& process = processes_.sampled(sample.task.pid);
  if (process.mappings.empty()) ++counts_.without_process;
  ProcessFinder finder(process, modules_);
  const StackCopy copy{sample.registers[kStackPointer], stack, (sample.flags & FLAME_STACK_CUT) != 0};
  unwind(registers_of(sample), copy, finder, options_.depth, unwound_);
  ++counts_.by_end[static_cast<std::size_t>(unwound_.end)];
  std::ranges::reverse(unwound_.addresses);
  for (const std::uint64_t address : unwound_.addresses) add_frame(process, address, sample.task.uid);
  profile::Quality& quality = profile_.quality();
  if (unwound_.end == UnwindEnd::root) ++quality.rooted;
  if (unwound_.end == UnwindEnd::cut || unwound_.end == UnwindEnd::too_deep) ++quality.truncated;
}

void Collector::add_kernel(const flame_sample& sample) {
  const std::size_t depth = sample.kernel_bytes / sizeof sample.kernel[0];
  for (std::size_t i = depth; i-- > 0;) {
    // The innermost is where the CPU was; the others are return addresses.
    frames_.push_back(profile_.frame({.kind = profile::FrameKind::kernel,
                                      .mapping = kernel_,
                                      .address = sample.kernel[i] - (i == 0 ? 0 : 1)}));
  }
}

void Collector::add(const flame_sample& sample, std::span<const std::byte> stack) {
  ++counts_.samples;
  frames_.clear();
  if (options_.per_cpu) {
    frames_.push_back(
        profile_.frame({.function = fmt::format("cpu {}", sample.cpu), .kind = profile::FrameKind::note}));
  }
  if ((sample.flags & FLAME_HAS_USER) != 0) {
    add_user(sample, stack);
  } else if (sample.kernel_bytes != 0) {
    // A kernel thread, or --kernel: the kernel's own walk reaches its entry, but for its bound.
    const bool whole = sample.kernel_bytes < sizeof sample.kernel;
    ++(whole ? profile_.quality().rooted : profile_.quality().truncated);
  }
  add_kernel(sample);
  const bool threads = options_.threads;
  profile_.add({.frames = frames_,
                .value = sample.value,
                .comm = threads ? text_of(sample.thread_comm) : text_of(sample.task.comm),
                .pid = sample.task.pid,
                .tid = threads ? sample.task.tid : 0});
}

}  // namespace plumb
