// What `flame render` and `flame diff` share: saved stacks from files or standard input, and files to write.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/option.h"
#include "profile/bytes.h"
#include "profile/profile.h"
#include "run/common_options.h"
#include "sink/output.h"

namespace plumb {

// The options that both have.
struct SavedOptions {
  std::vector<std::string> outputs;  // as given; none: standard output
  std::string title;
  bool icicle = false;

  // What to write: "" is standard output.
  std::vector<std::string> paths() const { return outputs.empty() ? std::vector<std::string>(1) : outputs; }
};
OptionTable saved_option_table(SavedOptions& options);

// Folded or pprof, gzip or not; "-" is standard input.
Result<profile::Profile> read_saved(const std::string& path);

// The format by the file's ending, else `otherwise`.
Format format_of(const std::string& path, Format otherwise);

// Where a command writes. The reader may take its time: nothing is dropped.
class SavedOutput {
 public:
  // "" and "-" are standard output.
  static Result<SavedOutput> open(const std::string& path);
  Result<void> write(std::string_view text);
  // For the writers of lib/profile.
  profile::Bytes bytes() {
    return profile::Bytes([this](std::string_view part) { return write(part); });
  }

 private:
  std::optional<Output> file_;  // nothing: standard output
};

}  // namespace plumb
