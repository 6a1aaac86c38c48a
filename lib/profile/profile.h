// Stacks as data: what samples a run took, in which code, and how far they can be trusted. A capture adds
// samples, the writers (write.h) show them, the readers (read.h) bring saved ones back, diff.h compares two.
//
//   Profile profile({.event = "cpu-clock", .unit = Unit::count});
//   const MappingId libc = profile.mapping({.path = "/lib/x86_64-linux-gnu/libc.so.6", .build_id =
//   "ab12..."}); const FrameId write = profile.frame({.function = "write", .mapping = libc, .address =
//   0x10e1b0}); profile.add({.frames = stack, .comm = "xz", .pid = 4711, .tid = 4712});
//
// Everything is kept once: strings, frames, stacks, and samples that agree in stack, comm, pid and tid are
// added up. Two that are kept as one are equal byte for byte (hashes only lead to candidates). Adding a
// sample costs one hash of its frame ids and allocates nothing when the stack is known.
//
// Memory is bounded by Limits: a sample that brings a new stack when there is no room counts for the stack
// kOverflow, so that totals stay true, and is told in quality().overflowed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "profile/intern.h"

namespace plumb::profile {

// What runs there, which is also a frame's colour.
enum class FrameKind : std::uint8_t {
  user,
  kernel,
  jit,      // code that a runtime made: from a perf map or jitdump
  inlined,  // no call of its own: part of the frame below it (towards the root), whose address it has
  python,   // of an interpreter: a function of the language, not of the machine
  note,     // no code but a remark: a thread's name, a drop reason, "idle"
};
inline constexpr std::size_t kFrameKinds = 6;
// "user", "kernel", "jit", "inlined", "python", "note".
std::string_view name_of(FrameKind kind);

using MappingId = std::uint32_t;
using FrameId = std::uint32_t;
using StackId = std::uint32_t;
inline constexpr MappingId kNoMapping = 0;

// A file with code. The strings that come with one from outside live as long as the call; those that a
// Profile hands out live as long as the Profile.
struct Mapping {
  std::string_view path;  // as the process saw it; "[kernel.kallsyms]", "[vdso]" and a module's "[name]" too
  std::string_view build_id;  // lower-case hex; empty: none known
  // The range in which Frame::address counts. A capture that uses the file's own addresses (ELF virtual
  // addresses, so that an instruction is one frame in every process) gives the file's range, or zeros when it
  // does not know it.
  std::uint64_t start = 0;
  std::uint64_t limit = 0;
  std::uint64_t file_offset = 0;
  friend bool operator==(const Mapping&, const Mapping&) = default;
};

struct Frame {
  std::string_view function;  // empty: not symbolised; shown as module+0xaddress
  std::string_view file;      // of the source; empty: unknown
  std::uint32_t line = 0;     // 0: unknown
  FrameKind kind = FrameKind::user;
  MappingId mapping = kNoMapping;
  std::uint64_t address = 0;  // in the mapping's range; 0: unknown. Callers: the return address minus one
  friend bool operator==(const Frame&, const Frame&) = default;
};

// One sample, or several that are equal.
struct Sample {
  std::span<const FrameId> frames;  // root first
  std::uint64_t count = 1;          // samples
  std::uint64_t value = 1;          // their weight in the profile's unit
  std::string_view comm;            // empty: unknown
  std::uint32_t pid = 0;            // 0: unknown, or all added up
  std::uint32_t tid = 0;
};

enum class Unit : std::uint8_t { count, nanoseconds, bytes };
// "count", "nanoseconds", "bytes": the names that pprof has for them.
std::string_view name_of(Unit unit);

// What was captured, from where. Owned strings, of any bytes.
struct Description {
  std::string event;        // "cpu-clock", "offcpu", "sched:sched_switch"
  Unit unit = Unit::count;  // of Sample::value
  std::string counted =
      "samples";             // with Unit::count, what is counted, as people say it: "samples", "packets"
  std::uint64_t period = 0;  // of the event, from sample to sample; 0: unknown or each event
  Unit period_unit = Unit::nanoseconds;
  UnixTime start;       // 0: unknown
  Duration duration;    // 0: unknown
  std::string host;     // name of the machine
  std::string command;  // what was run to get this: "plumb flame -d 10s -p 4711"
};

// How far the samples can be trusted. -1: nobody knows (a file that does not say).
struct Quality {
  std::int64_t lost = -1;        // samples that found no room on the way from the kernel
  std::int64_t rooted = -1;      // samples whose stack reaches the thread's first function
  std::int64_t truncated = -1;   // samples whose stack is cut: by depth, or by how much of it was copied
  std::uint64_t overflowed = 0;  // samples that Limits left no room for: their stacks are in kOverflow
};

// Samples with a frame of this mapping that has no name, of all samples; the worst first.
struct Unsymbolised {
  MappingId mapping = kNoMapping;  // kNoMapping: addresses in no file
  std::uint64_t samples = 0;
};

struct Limits {
  std::size_t string_bytes = std::size_t{256} << 20;
  std::size_t mappings = std::size_t{1} << 16;
  std::size_t frames = std::size_t{1} << 22;
  std::size_t samples = std::size_t{1} << 22;       // distinct ones, and distinct stacks
  std::size_t stack_frames = std::size_t{1} << 26;  // of all distinct stacks together: 256 MiB
  std::size_t depth = std::size_t{1} << 16;         // of one stack; deeper ones keep the root's end
};

// The only frame of the stack that takes what has no room.
inline constexpr std::string_view kOverflow = "[more stacks than fit]";

class Profile {
 public:
  explicit Profile(Description description = {}, Limits limits = {});

  Description& description() { return description_; }
  const Description& description() const { return description_; }
  Quality& quality() { return quality_; }
  const Quality& quality() const { return quality_; }

  // The id of an equal mapping or frame, new or known. With no room left: kNoMapping, and overflow_frame().
  MappingId mapping(const Mapping& mapping);
  FrameId frame(const Frame& frame);
  FrameId overflow_frame();

  // A frame id that is not of this profile counts as overflow. A stack without frames is kept: the time
  // belongs to the root alone.
  void add(const Sample& sample);

  // What is kept. Ids count from 0 and are dense; mapping 0 (kNoMapping) is the empty one. Frames of a sample
  // live until the next add().
  std::size_t mappings() const { return mappings_.size(); }
  std::size_t frames() const { return frames_.size(); }
  std::size_t samples() const { return samples_.size(); }
  Mapping mapping_of(MappingId id) const;
  Frame frame_of(FrameId id) const;
  Sample sample(std::size_t index) const;
  std::uint64_t total_count() const { return total_count_; }  // of all samples; saturates
  std::uint64_t total_value() const { return total_value_; }
  bool empty() const { return samples_.empty(); }

  std::vector<Unsymbolised> unsymbolised() const;

  // This profile with each frame replaced by those that `rewriter` appends to its second argument (none: the
  // frame goes; more: root first, such as a function and what was inlined into it). It is called once for
  // each distinct frame, whatever the number of samples; samples that become equal are added up. Mapping ids
  // stay valid. So a capture adds addresses alone and names them once at the end.
  using Rewriter = std::function<void(const Frame& frame, std::vector<Frame>& out)>;
  Profile rewritten(const Rewriter& rewriter) const;

 private:
  struct KeptFrame {
    StringId function, file;
    std::uint32_t line;
    MappingId mapping;
    std::uint64_t address;
    FrameKind kind;
    friend bool operator==(const KeptFrame&, const KeptFrame&) = default;
  };
  struct KeptMapping {
    StringId path, build_id;
    std::uint64_t start, limit, file_offset;
    friend bool operator==(const KeptMapping&, const KeptMapping&) = default;
  };
  struct KeptStack {
    std::size_t begin;
    std::uint32_t size;
  };
  struct KeptSample {
    StackId stack;
    StringId comm;
    std::uint32_t pid, tid;
    std::uint64_t count, value;
  };

  bool knows(std::span<const FrameId> frames) const;
  std::span<const FrameId> stack_of(StackId id) const;
  bool stack(std::span<const FrameId> frames, StackId& id);
  bool keep(std::span<const FrameId> frames, const Sample& sample);
  void overflow(const Sample& sample);

  Description description_;
  Quality quality_;
  Limits limits_;
  Strings strings_;
  std::vector<KeptMapping> mappings_;
  std::vector<KeptFrame> frames_;
  std::vector<FrameId> pool_;  // the frames of all stacks
  std::vector<KeptStack> stacks_;
  std::vector<KeptSample> samples_;
  IdTable mapping_ids_, frame_ids_, stack_ids_, sample_ids_;
  FrameId overflow_frame_ = 0;
  bool has_overflow_frame_ = false;
  std::size_t overflow_sample_ = 0;
  bool has_overflow_sample_ = false;
  std::uint64_t total_count_ = 0;
  std::uint64_t total_value_ = 0;
};

// A frame as people read it: its function, or "libfoo.so+0x1234", or "0x1234", or "[unknown]" when nothing is
// known. Raw bytes: whoever prints escapes them.
std::string display_name(const Profile& profile, const Frame& frame);
// The last part of a path: "libc.so.6".
std::string_view module_name(std::string_view path);

}  // namespace plumb::profile
