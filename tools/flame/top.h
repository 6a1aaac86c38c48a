// The live table of --top: the hottest functions. One frame of it:
//
//   flame  12.0 s  cpu-clock 99 Hz  2,345 samples, 0 lost, 99.1 % rooted, 0.0 % truncated
//     SELF%↓  TOTAL%    NOW%   SAMPLES MODULE         FUNCTION
//      23.41   23.41   24.00       549 libc.so.6      __memmove_avx_unaligned_erms
//      12.00   61.28   11.10       281 [kernel]       copy_page_to_iter
//   214 more rows   q quit  s sort  r reverse  p pause  / filter
//
// Shares are of the weight since the start; NOW is the own share of the last interval. Pure: it draws on a Screen.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "flame/functions.h"
#include "sink/top.h"

namespace plumb {

// Which of --by's fields make groups.
struct FunctionGroups {
  bool comm = false, pid = false;
};

// Where the table comes from while a capture runs. Without a capture it comes from saved rows.
struct FunctionSource {
  std::function<void(FunctionTable&, bool interval)> update;  // brings the table up to date
  std::function<std::string()> about;                         // what is captured, and how well
  std::function<profile::Description()> description;
};

// `screen` and `clock` outlive the sink.
std::unique_ptr<TopSink> make_function_top(Screen& screen, const ClockSource& clock, TopStyle style,
                                           FunctionSource source, FunctionGroups groups = {});

}  // namespace plumb
