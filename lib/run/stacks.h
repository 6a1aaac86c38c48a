// The outputs of a run that are of stacks: flame graphs, folded stacks, pprof and others, written at its end.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "profile/write.h"
#include "run/common_options.h"
#include "sink/output.h"

namespace plumb {

struct StackOutput {
  Format format = Format::folded;
  Output* output = nullptr;
};

// What the run knows of a profile.
struct StackFacts {
  UnixTime start;
  Duration duration;
  std::uint64_t lost = 0;
};
// Fills in what the tool left empty: command line, host, times, losses.
void complete(profile::Profile& profile, const StackFacts& facts);

// `format` is one of stacks, or json.
Result<void> write_profile(Format format, const profile::Profile& profile, const profile::SvgStyle& style,
                           profile::Bytes& out);
// To an output of a run.
Result<void> write_profile(Format format, const profile::Profile& profile, const profile::SvgStyle& style,
                           Output& output);

}  // namespace plumb
