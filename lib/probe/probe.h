// Probe<Skel>: one BPF object with the shared filters and a ring buffer, from opening to detaching, as a member of
// whatever needs it. A tool may hold several, and those of other tools.
//
//   if (auto r = probe_.open(features, filter, hooks); !r) return r;     // filter set, hooks chosen
//   probe_->rodata->config = ...;                                        // constants, sizes of maps
//   if (auto r = probe_.start<&Tool::record>(kRingBytes, *this); !r) return r;  // every program is attached
//
// Skel is the struct of `bpftool gen skeleton` for a program that includes filter.bpf.h and ringbuf.bpf.h.
#pragma once

#include <bpf/libbpf.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "probe/features.h"
#include "probe/filter.h"
#include "probe/missed_runs.h"
#include "probe/ring_buffer.h"
#include "probe/skeleton.h"

namespace plumb {

// What the run loop asks of every probe, whatever it hooks.
class AnyProbe {
 public:
  virtual ~AnyProbe() = default;

  // Hands over what waits.
  virtual Result<void> drain() = 0;
  // Readable when the kernel side's buffer fills.
  virtual int poll_fd() const = 0;
  // Before the run sleeps for longer than its timer: the next record makes poll_fd() readable. False: it may not, for
  // something else than records has to be taken in time.
  virtual bool wake_at_next() { return false; }
  // Takes the programs off; what waits can still be drained, maps can still be read.
  virtual void detach() = 0;
  // Events that found no room, that the hooks saw, runs that the kernel skipped; all only ever grow.
  virtual std::uint64_t lost() const = 0;
  virtual std::uint64_t seen() const = 0;
  virtual std::uint64_t missed() const = 0;
  // nullptr before it is open.
  virtual const bpf_object* object() const = 0;
  // The map of programs that started while it traced (bpf/executable.bpf.h); -1: none.
  virtual int executables() const { return -1; }
  // The variants that run, in the order of the hooks that open() got.
  virtual const std::vector<HookChoice>& choices() const = 0;
};

template <class Skel>
class Probe final : public AnyProbe {
 public:
  // `filter` outlives start(). Hooks that are not `wanted` are left alone.
  Result<void> open(Features& features, const TaskFilter& filter, std::vector<Hook> hooks) {
    filter_ = &filter;
    hooks_ = std::move(hooks);
    auto types = features.kernel_types();
    if (!types) return std::move(types).error();
    auto opened = Skeleton<Skel>::open(**types);
    if (!opened) return std::move(opened).error();
    skeleton_.emplace(*std::move(opened));
    if (auto r = prepare_filter(**skeleton_, filter); !r) return r;
    if (!keeps_executables_) leave_out_executables();
    auto choices = choose_hooks(features, hooks_, forced_among(hooks_, forced_hooks()));
    if (!choices) return std::move(choices).error();
    choices_ = *std::move(choices);
    return apply_choices((*skeleton_)->obj, hooks_, choices_);
  }

  // Loads, fills the filters, attaches. Record(bytes) is called for each record by drain(); false ends that drain.
  // `ring_bytes`: a power of two, of at least a page. `owner` outlives the probe.
  template <auto Record, class Owner>
  Result<void> start(std::uint32_t ring_bytes, Owner& owner) {
    Skel& skel = **skeleton_;
    bpf_map__set_max_entries(skel.maps.events, ring_bytes);
    skel.rodata->ringbuf_wakeup_bytes = ring_bytes / 4;
    if (auto r = skeleton_->load(); !r) return r;
    if (auto r = fill_filter(skel, *filter_); !r) return r;
    const auto on_record = [](void* context, std::span<const std::byte> bytes) {
      return std::invoke(Record, *static_cast<Owner*>(context), bytes);
    };
    auto ring = RingBuffer::open(bpf_map__fd(skel.maps.events), on_record, &owner);
    if (!ring) return std::move(ring).error();
    ring_.emplace(*std::move(ring));
    return skeleton_->attach();
  }

  Result<void> drain() override {
    auto records = ring_->drain();
    return records ? Result<void>{} : std::move(records).error();
  }
  int poll_fd() const override { return ring_->poll_fd(); }
  bool wake_at_next() override {
    __atomic_store_n(&(**this).bss->ringbuf_asleep, 1U, __ATOMIC_SEQ_CST);
    return true;
  }
  void detach() override { skeleton_->detach(); }

  std::uint64_t lost() const override {
    std::uint64_t sum = 0;
    if (skeleton_) {
      for (const std::uint64_t n : (**this).bss->lost_events) sum += n;
    }
    return sum;
  }
  std::uint64_t seen() const override {
    std::uint64_t sum = 0;
    if (skeleton_) {
      for (const auto& place : (**this).bss->seen_events) sum += place.count;
    }
    return sum;
  }
  std::uint64_t missed() const override { return made_up_ ? made_up_(**this) : missed_runs(object()); }
  const bpf_object* object() const override { return skeleton_ ? (**this).obj : nullptr; }
  int executables() const override {
    return skeleton_ && keeps_executables_ ? bpf_map__fd((**this).maps.executables) : -1;
  }
  const std::vector<HookChoice>& choices() const override { return choices_; }

  // For an object in which another program takes what one misses: how many runs are missed after all.
  void count_missed_by(std::uint64_t (*missed)(Skel&)) { made_up_ = missed; }

  // Before open(): another probe of the run knows which programs start.
  void leave_executables_to_others() { keeps_executables_ = false; }

  explicit operator bool() const { return skeleton_.has_value(); }
  Skel& operator*() const { return **skeleton_; }
  Skel* operator->() const { return &**skeleton_; }

 private:
  void leave_out_executables() {
    Skel& skel = **skeleton_;
    bpf_program__set_autoload(skel.progs.remember_executable, false);
    bpf_map__set_autocreate(skel.maps.executables, false);
  }

  mutable std::optional<Skeleton<Skel>> skeleton_;
  std::vector<Hook> hooks_;
  std::vector<HookChoice> choices_;
  std::optional<RingBuffer> ring_;
  const TaskFilter* filter_ = nullptr;
  bool keeps_executables_ = true;
  std::uint64_t (*made_up_)(Skel&) = nullptr;
};

}  // namespace plumb
