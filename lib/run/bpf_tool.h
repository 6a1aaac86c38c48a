// BpfTool<Skel>: the steps that every tool with a BPF program, shared filters and a ring buffer takes, in
// their one order. A tool says what is its own: constants before load, what happens once attached, what a
// record means.
//
// Skel is the struct of `bpftool gen skeleton` for a program that includes filter.bpf.h and ringbuf.bpf.h.
#pragma once

#include <bpf/libbpf.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "probe/filter.h"
#include "probe/ring_buffer.h"
#include "probe/skeleton.h"
#include "run/tool.h"

namespace plumb {

template <class Skel>
class BpfTool : public Tool {
 public:
  Result<void> attach(Session& session) final {
    session_ = &session;
    auto types = session.features.kernel_types();
    if (!types) return std::move(types).error();
    auto opened = Skeleton<Skel>::open(**types);
    if (!opened) return std::move(opened).error();
    skeleton_.emplace(*std::move(opened));
    if (auto r = prepare_filter(skeleton(), session.filter); !r) return r;
    if (auto r = use_hooks(); !r) return r;
    if (auto r = skeleton_->load(); !r) return r;
    if (auto r = fill_filter(skeleton(), session.filter); !r) return r;
    auto ring = RingBuffer::open(bpf_map__fd(skeleton().maps.events), on_record, this);
    if (!ring) return std::move(ring).error();
    ring_.emplace(*std::move(ring));
    if (auto r = skeleton_->attach(); !r) return r;
    return attached(skeleton());
  }

  Result<void> drain(Pipeline& out) final {
    out_ = &out;
    auto records = ring_->drain();
    if (!records) return std::move(records).error();
    return drained(out);
  }
  int poll_fd() const final { return ring_->poll_fd(); }
  void detach() final { skeleton_->detach(); }

  std::uint64_t lost() const override {
    std::uint64_t sum = 0;
    for (const std::uint64_t n : skeleton().bss->lost_events) sum += n;
    return sum;
  }
  std::uint64_t seen() const override { return skeleton().bss->seen_events; }
  const bpf_object* object() const final { return skeleton_ ? skeleton().obj : nullptr; }

 protected:
  // hooks() with `wanted` unset where this run's options have no use for one.
  virtual std::vector<Hook> hooks_of_this_run(const CommonOptions&) const { return hooks(); }
  // Before load: constants, map sizes. `choices` are the variants that will run.
  virtual Result<void> configure(Skel&, const CommonOptions&, const std::vector<HookChoice>&) { return {}; }
  // Once every probe is in place: iterators, memory maps.
  virtual Result<void> attached(Skel&) { return {}; }
  // One record; false when the pipeline wants no more. Bytes of a wrong size or out of range are no record of
  // ours.
  virtual bool record(std::span<const std::byte> bytes, Pipeline& out) = 0;
  // After each drain: what a tool gathers by itself.
  virtual Result<void> drained(Pipeline&) { return {}; }

  Skel& skeleton() const { return **skeleton_; }
  Session& session() const { return *session_; }

 private:
  Result<void> use_hooks() {
    const std::vector<Hook> hooks = hooks_of_this_run(session_->options);
    auto choices = choose_hooks(session_->features, hooks, forced_hooks());
    if (!choices) return std::move(choices).error();
    if (auto r = apply_choices(skeleton().obj, hooks, *choices); !r) return r;
    if (session_->options.verbose) std::fputs(describe_choices(*choices).c_str(), stderr);
    return configure(skeleton(), session_->options, *choices);
  }

  static bool on_record(void* context, std::span<const std::byte> bytes) {
    auto& self = *static_cast<BpfTool*>(context);
    return self.record(bytes, *self.out_);
  }

  mutable std::optional<Skeleton<Skel>> skeleton_;
  std::optional<RingBuffer> ring_;
  Session* session_ = nullptr;
  Pipeline* out_ = nullptr;
};

}  // namespace plumb
