#include "flame/collector.h"

#include <fmt/format.h>

#include <algorithm>

#include "symbol/jit_dump.h"

namespace plumb {
namespace {

constexpr std::size_t kMostWakers = 16'384;

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

Collector::Collector(const FlameOptions& options, TargetFiles& files, KernelNames& kernel)
    : options_(options),
      files_(files),
      processes_([](void* f, std::uint32_t pid) { return static_cast<TargetFiles*>(f)->maps(pid); }, &files_),
      modules_(files_, profile_),
      python_(profile_, modules_, processes_),
      symbols_(kernel) {
  profile_.quality() = {.lost = 0, .rooted = 0, .truncated = 0};
  kernel_ = profile_.mapping({.path = "[kernel.kallsyms]"});
}

bool Collector::keep(std::span<const std::byte> record) {
  if (python_.keep_name(record)) return true;
  flame_sample sample;
  if (record.size() < sizeof sample) return false;
  std::memcpy(&sample, record.data(), sizeof sample);
  if (record.size() != sizeof sample + sample.stack_bytes + sample.python_bytes ||
      sample.kernel_bytes > sizeof sample.kernel)
    return false;
  if ((sample.flags & FLAME_IS_WAKER) == 0 && !options_.tids.empty() &&
      std::ranges::find(options_.tids, sample.task.tid) == options_.tids.end())
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
      python_.on_event(next->event);
    }
  };
  for (const Kept& kept : kept_) {
    apply_until(kept.time_ns);
    flame_sample sample;
    std::memcpy(&sample, bytes_.data() + kept.offset, sizeof sample);
    add(sample, std::span(bytes_).subspan(kept.offset + sizeof sample, kept.size - sizeof sample));
  }
  add_waits();
  apply_until(UINT64_MAX);
  processes_.forget_ended();
  events_.clear();
  kept_.clear();
  bytes_.clear();
}

Collector::JitProcess& Collector::jit_process(ProcessCode& process, std::uint32_t uid) {
  const std::uint32_t pid = process.pid;
  const auto [it, added] = jits_.try_emplace(pid);
  JitProcess& jit = it->second;
  if (added) {
    // The number tells processes apart, whose addresses have nothing to do with one another.
    jit.mapping = profile_.mapping({.path = kJitPath, .start = pid});
    jit.uid = uid;
    jit.own_number = files_.own_number(pid);
    jit.map = files_.open_in_root(pid, perf_map_path(jit.own_number));
    jit.program = files_.program(pid);
  }
  if (!jit.dump && jit.mappings != process.mappings.size()) {
    jit.mappings = process.mappings.size();
    const auto dump =
        std::ranges::find_if(process.mappings, [](const CodeMapping& m) { return is_jit_dump(m.path); });
    if (dump != process.mappings.end())
      jit.dump = files_.open_mapped({pid, dump->start, dump->end, dump->path, dump->inode});
  }
  return jit;
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
    frame.mapping = jit_process(process, uid).mapping;
  }
  frames_.push_back(profile_.frame(frame));
}

// Root first.
void Collector::walk_user(const flame_sample& sample, std::span<const std::byte> behind) {
  ProcessCode& process = processes_.sampled(sample.task.pid);
  ProcessFinder finder(process, modules_);
  python_.look_at(process);
  const auto stack = behind.first(sample.stack_bytes);
  const StackCopy copy{sample.registers[kStackPointer], stack, (sample.flags & FLAME_STACK_CUT) != 0};
  unwind(registers_of(sample), copy, finder, options_.depth, unwound_);
  python_.place(process, sample, behind.subspan(sample.stack_bytes), unwound_);
  python_.append_outer(frames_);
  for (std::size_t i = unwound_.addresses.size(); i-- > 0;) {
    if (!python_.append_at(i, frames_)) add_frame(process, unwound_.addresses[i], sample.task.uid);
  }
}

// And counts how the stack ended.
void Collector::add_user(const flame_sample& sample, std::span<const std::byte> behind) {
  walk_user(sample, behind);
  if (processes_.sampled(sample.task.pid).mappings.empty()) ++counts_.without_process;
  ++counts_.by_end[static_cast<std::size_t>(unwound_.end)];
  profile::Quality& quality = profile_.quality();
  if (unwound_.end == UnwindEnd::root) ++quality.rooted;
  if (unwound_.end == UnwindEnd::cut || unwound_.end == UnwindEnd::too_deep) ++quality.truncated;
}

void Collector::add_kernel(const flame_sample& sample, std::size_t depth) {
  for (std::size_t i = depth; i-- > 0;) {
    // The innermost is where the CPU was; the others are return addresses.
    frames_.push_back(profile_.frame({.kind = profile::FrameKind::kernel,
                                      .mapping = kernel_,
                                      .address = sample.kernel[i] - (i == 0 ? 0 : 1)}));
  }
}

profile::FrameId Collector::remark(std::string_view text) {
  return profile_.frame({.function = text, .kind = profile::FrameKind::note});
}

void Collector::add(const flame_sample& sample, std::span<const std::byte> behind) {
  if ((sample.flags & FLAME_IS_WAKER) != 0) return keep_waker(sample, behind);
  ++counts_.samples;
  frames_.clear();
  if (options_.per_cpu) frames_.push_back(remark(fmt::format("cpu {}", sample.cpu)));
  if ((sample.flags & FLAME_HAS_USER) != 0) {
    add_user(sample, behind);
  } else if (sample.kernel_bytes != 0) {
    // A kernel thread, or --kernel: the kernel's own walk reaches its entry, but for its bound.
    const bool whole = sample.kernel_bytes < sizeof sample.kernel;
    ++(whole ? profile_.quality().rooted : profile_.quality().truncated);
  }
  add_kernel(sample, sample.kernel_bytes / sizeof sample.kernel[0]);
  if (!options_.wakers) return add_to_profile(sample);
  waited_.push_back({{sample.time_ns, sample.task.tid}, sample, frames_});
}

// The sample's stack is in frames_.
void Collector::add_to_profile(const flame_sample& sample) {
  const bool threads = options_.threads;
  profile_.add({.frames = frames_,
                .value = sample.value,
                .comm = threads ? text_of(sample.thread_comm) : text_of(sample.task.comm),
                .pid = sample.task.pid,
                .tid = threads ? sample.task.tid : 0});
}

// How many of the innermost kernel frames are of an interrupt; 0: the thread itself runs there. On the way back from an
// interrupt it does, such as when it is preempted or runs what it put off.
std::size_t Collector::interrupt_frames(std::span<const __u64> kernel) {
  static constexpr std::string_view kEntries[] = {"asm_sysvec_",   "asm_common_interrupt",  // x86
                                                  "el0_irq",       "el1_irq",
                                                  "el0_interrupt", "el1_interrupt",
                                                  "el1h_64_irq",   "el0t_64_irq"};  // arm64
  static constexpr std::string_view kExits[] = {"irqentry_exit", "raw_irqentry_exit", "exit_to_user_mode",
                                                "do_notify_resume", "arm64_preempt_schedule_irq"};
  const auto begins_with = [](std::string_view name, std::span<const std::string_view> begins) {
    return std::ranges::any_of(begins, [&](std::string_view b) { return name.starts_with(b); });
  };
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    const std::string_view name = symbols_.find(kernel[i]);
    if (begins_with(name, kExits)) return 0;
    if (begins_with(name, kEntries)) return i + 1;
  }
  return 0;
}

// An interrupt wakes on its own account: the thread whose stack it came on top of has nothing to do with it. Symbols
// that cannot be read leave that open, and then nobody is named.
void Collector::keep_waker(const flame_sample& sample, std::span<const std::byte> behind) {
  const std::size_t depth = sample.kernel_bytes / sizeof sample.kernel[0];
  const std::size_t interrupt = interrupt_frames(std::span(sample.kernel).first(depth));
  if (depth == 0 || !symbols_.problem().empty()) return;
  frames_.clear();
  if (interrupt == 0 && (sample.flags & FLAME_HAS_USER) != 0) walk_user(sample, behind);
  if (options_.kernel) add_kernel(sample, interrupt != 0 ? interrupt : depth);
  std::ranges::reverse(frames_);
  const auto name = options_.threads ? text_of(sample.thread_comm) : text_of(sample.task.comm);
  frames_.push_back(remark(interrupt != 0 ? "[interrupt]" : name));
  wakers_.try_emplace({sample.value, sample.woken}, frames_);
}

// Above the frames of who waited, in frames_.
void Collector::append_waker(const Wait& wait) {
  frames_.push_back(remark("woken by"));
  const auto found = wakers_.find(wait);
  if (found == wakers_.end()) {
    frames_.push_back(remark("[not seen]"));
    return;
  }
  frames_.insert(frames_.end(), found->second.begin(), found->second.end());
  wakers_.erase(found);
}

void Collector::add_waits() {
  for (const Waited& w : waited_) {
    frames_ = w.frames;
    if ((w.sample.flags & FLAME_STILL_WAITS) == 0) append_waker(w.wait);
    add_to_profile(w.sample);
  }
  waited_.clear();
  while (wakers_.size() > kMostWakers) wakers_.erase(wakers_.begin());  // whose sample was lost
}

}  // namespace plumb
