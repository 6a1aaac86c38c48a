// What `flame render` and `flame diff` share: saved stacks from files or standard input, and files to write.
#pragma once

#include <string>

#include "base/result.h"
#include "profile/profile.h"
#include "run/common_options.h"
#include "sink/output.h"

namespace plumb {

// Folded or pprof, gzip or not; "-" is standard input.
Result<profile::Profile> read_saved(const std::string& path);

// The format by the file's ending, else `otherwise`.
Format format_of(const std::string& path, Format otherwise);

// "" and "-" are standard output.
Result<Output> open_output(const std::string& path);

}  // namespace plumb
