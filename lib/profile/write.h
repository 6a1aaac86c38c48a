// The writers: one a format, one a file. Each takes a whole Profile, makes names of any bytes harmless for its format
// and ends with a drain(). Folded, svg and json give the same bytes for the same samples in whatever order they came.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "profile/bytes.h"
#include "profile/profile.h"

namespace plumb::profile {

// What stands below a stack's first frame, where the format has no better place for it.
enum class Root : std::uint8_t {
  none,
  comm,    // "xz", when it is known
  thread,  // "xz-4711/4712": comm, pid and tid
};

struct FoldedStyle {
  Root root = Root::comm;
  // Marks the kind of a frame after its name, as stackcollapse-perf.pl --all does: _[k] kernel, _[j] JIT, _[i] inlined;
  // and _[p] python.
  bool marks = true;
};
// "root;caller;leaf 42" a line, sorted; the number is the weight (Sample::value).
Result<void> write_folded(const Profile& profile, const FoldedStyle& style, Bytes& out);

struct SvgStyle {
  Root root = Root::comm;
  std::string title;                 // empty: made from the description: event, command, host
  std::string note;                  // one more line of the head; empty: none
  bool icicle = false;               // the root at the top; otherwise leaves at the top
  std::size_t width = 1200;          // pixels, where no script adapts them to the window
  std::size_t most_frames = 30'000;  // drawn; the thinnest ones beyond it are left out, which the graph says
};
// A flame graph in one self-contained file: zoom, search and details where scripts run, readable where they do not.
Result<void> write_svg(const Profile& profile, const SvgStyle& style, Bytes& out);

// pprof's profile.proto, gzip: for `go tool pprof` and what reads its files.
Result<void> write_pprof(const Profile& profile, Bytes& out);

// speedscope.app's file format; the heaviest stacks first.
Result<void> write_speedscope(const Profile& profile, Bytes& out);

// profiler.firefox.com's processed profile: a thread for each tid of the samples.
Result<void> write_firefox(const Profile& profile, Bytes& out);

// CONTRACT's `stack` lines, the heaviest first; then a `lost` line when samples were lost.
Result<void> write_json(const Profile& profile, Bytes& out);

// --- Parts that several writers share.

// The indexes of all samples, heaviest first; equal weights by stack names, comm, pid, tid.
std::vector<std::size_t> by_weight(const Profile& profile);
// What a sample's root label is; empty for none.
std::string root_label(const Sample& sample, Root root);
// "1,980 samples, 3 lost, 99.7 % rooted, 0.1 % truncated; without names: libfoo.so 2.1 %"; what nobody knows is left out.
std::string quality_text(const Profile& profile);
// "1.25 s", "3.4 MiB", "1,980 samples".
std::string weight_text(const Description& description, std::uint64_t value);
// Appends `text` for XML: escaped, control bytes and broken UTF-8 visible.
void append_xml(std::string& out, std::string_view text);

}  // namespace plumb::profile
