#include "flame/saved.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/say.h"
#include "profile/read.h"

namespace plumb {
namespace {

// Larger files are refused: stacks that were added up are not that large.
constexpr std::size_t kMostBytes = std::size_t{2} << 30;

Result<std::string> read_bytes(const std::string& path) {
  const bool standard = path == "-";
  const std::string name = standard ? "standard input" : path;
  UniqueFd file(standard ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file) return Error{"cannot read " + name, errno_text(errno)};
  std::string bytes;
  for (;;) {
    const std::size_t at = bytes.size();
    bytes.resize(at + (std::size_t{1} << 20));
    const ssize_t n = ::read(file.get(), bytes.data() + at, bytes.size() - at);
    if (n < 0 && errno == EINTR) {
      bytes.resize(at);
      continue;
    }
    if (n < 0) return Error{"cannot read " + name, errno_text(errno)};
    bytes.resize(at + static_cast<std::size_t>(n));
    if (n == 0) return bytes;
    if (bytes.size() > kMostBytes) {
      return Error{fmt::format("{} has more than {} MB", name, kMostBytes >> 20), "that much is not read"};
    }
  }
}

constexpr auto kOptions = std::to_array<Option<SavedOptions>>({
    {{.name = "output",
      .short_name = 'o',
      .metavar = "FILE",
      .repeatable = true,
      .completes = Completes::file,
      .help =
          "Write to FILE instead of standard output; its ending chooses the format. May be given several times."},
     [](SavedOptions& o, std::string_view v) -> Result<void> {
       return o.outputs.emplace_back(v), Result<void>{};
     }},
    {{.name = "title", .metavar = "TEXT", .help = "The graph's title."},
     [](SavedOptions& o, std::string_view v) -> Result<void> { return o.title = v, Result<void>{}; }},
    {{.name = "icicle", .help = "Draw the root at the top and leaves below."},
     [](SavedOptions& o, std::string_view) -> Result<void> { return o.icicle = true, Result<void>{}; }},
});

}  // namespace

OptionTable saved_option_table(SavedOptions& options) {
  return OptionTable::of(kOptions, options);
}

Result<profile::Profile> read_saved(const std::string& path) {
  const auto bytes = read_bytes(path);
  if (!bytes) return bytes.error();
  auto profile = profile::read_profile(std::as_bytes(std::span(*bytes)));
  if (profile || path == "-") return profile;
  Error error = std::move(profile).error();
  error.what = path + ": " + error.what;
  return error;
}

Format format_of(const std::string& path, Format otherwise) {
  CommonOptions options;
  options.outputs = {path};
  options.default_format = otherwise;
  return output_specs(options).front().format;
}

Result<SavedOutput> SavedOutput::open(const std::string& path) {
  SavedOutput out;
  if (path.empty() || path == "-") return out;
  auto file = Output::file(path);
  if (!file) return std::move(file).error();
  out.file_.emplace(*std::move(file));
  out.file_->finish();
  return out;
}

Result<void> SavedOutput::write(std::string_view text) {
  if (file_) {
    file_->buffer() += text;
    return file_->write_out();
  }
  // A reader that has seen enough is no failure.
  if (print_text(text) || errno == EPIPE) return {};
  return Error{"cannot write to standard output", errno_text(errno)};
}

}  // namespace plumb
