#include "run/saved_lines.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/say.h"
#include "base/text.h"

namespace plumb {
namespace {

// So little at a time that what comes of it always fits into an output's buffer (Output::kMostWaiting).
constexpr std::size_t kChunk = std::size_t{64} * 1024;
constexpr std::uint64_t kBrokenSaid = 5;
constexpr std::size_t kMostTypes = 8;
constexpr std::size_t kLongestType = 32;
constexpr std::string_view kBroken = "a broken line";
constexpr std::string_view kSaved = "when the lines were saved";

// Options that choose what the kernel gives, or are about a trace.
Result<void> check_idle(const CommonOptions& o) {
  struct Idle {
    bool given;
    std::string_view option, instead;
  };
  for (const Idle& idle : {Idle{!o.pids.empty(), "--pid", "--where 'pid == 4711'"},
                           {!o.comms.empty(), "--comm", "--where 'comm == \"curl\"'"},
                           {o.uid.has_value(), "--uid", "--where 'uid == 1000'"},
                           {!o.cgroups.empty(), "--cgroup", ""},
                           {!o.containers.empty(), "--container", "--where 'container == \"NAME\"'"},
                           {!o.pods.empty(), "--pod", "--where 'pod == \"NAME\"'"},
                           {o.netns.has_value(), "--netns", "--where 'netns == 4026531840'"},
                           {o.duration_ns.has_value(), "--duration", "--count N"},
                           {!o.ready_file.empty(), "--ready-file", ""},
                           {!o.command.empty(), "-- COMMAND", ""}}) {
    if (!idle.given) continue;
    return Error{fmt::format("{} has no effect on saved lines", idle.option), "nothing is traced with --from",
                 idle.instead.empty() ? std::string{} : fmt::format("say {}", idle.instead)};
  }
  return {};
}

// Opening an output would empty the file.
Result<void> check_outputs_differ(const CommonOptions& options) {
  struct stat input {};
  if (::stat(options.from->c_str(), &input) != 0 || !S_ISREG(input.st_mode)) return {};
  for (const std::string& path : options.outputs) {
    struct stat output {};
    if (path == "-" || ::stat(path.c_str(), &output) != 0) continue;
    if (output.st_dev == input.st_dev && output.st_ino == input.st_ino)
      return Error{"--from and --output name the same file", "it would be empty before it is read"};
  }
  return {};
}

std::string_view plural(std::uint64_t n) {
  return n == 1 ? "" : "s";
}

}  // namespace

SavedLines::SavedLines(const ToolInfo& written_by, Tool& tool)
    : tool_(tool), reader_(*written_by.schema), info_(written_by) {
  info_.schema = &reader_.schema();
  info_.formats = kLineFormats;
  time_field_ = info_.schema->find("time");
}

Result<void> SavedLines::check(const CommonOptions& options, std::string_view traces) {
  if (auto r = check_idle(options); !r) return r;
  if (!traces.empty())
    return Error{fmt::format("--{} has no effect on saved lines", traces), "nothing is traced with --from",
                 "say it by --where; --list-fields shows the fields"};
  return check_outputs_differ(options);
}

Result<std::unique_ptr<SavedLines>> SavedLines::open(const ToolInfo& written_by, Tool& tool,
                                                     const CommonOptions& options, const std::string& path) {
  std::unique_ptr<SavedLines> saved(new SavedLines(written_by, tool));
  saved->summary_ = options.summary;
  const bool standard = path == "-";
  saved->name_ = standard ? "standard input" : path;
  saved->fd_.reset(standard ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                            : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!saved->fd_) return Error{"cannot read " + saved->name_, errno_text(errno)};
  return saved;
}

void SavedLines::take_broken(const Out& out, std::string_view why) {
  if (++broken_ <= kBrokenSaid) say("plumb: {}: line {} is broken: {}", name_, line_, why);
  out.lost({rows_ == 0 ? UnixTime{} : last_, 1, kBroken});
}

bool SavedLines::take_row(const Out& out) {
  if (time_field_ != Schema::npos) {
    if (const auto* t = std::get_if<UnixTime>(&reader_.row()[time_field_])) {
      first_ = rows_ == 0 ? *t : std::min(first_, *t);
      last_ = rows_ == 0 ? *t : std::max(last_, *t);
    }
  }
  ++rows_;
  return out.row(Row(reader_.schema(), reader_.row()));
}

// False: no more is wanted.
bool SavedLines::take(std::string_view line, const Out& out) {
  ++line_;
  switch (reader_.read(line)) {
    case replay::LineKind::row:
      return take_row(out);
    case replay::LineKind::lost:
      lost_ += reader_.lost_count();
      out.lost({reader_.lost_at(), reader_.lost_count(), kSaved});
      return true;
    case replay::LineKind::broken:
      take_broken(out, reader_.why());
      return true;
    case replay::LineKind::empty:
      return true;
    case replay::LineKind::other:
      break;
  }
  std::string type(reader_.other_type().substr(0, kLongestType));
  if (type.empty()) type = "no type";
  if (others_.size() >= kMostTypes && !others_.contains(type)) type = "other types";
  ++others_[type];
  return true;
}

// What is whole in the buffer. Of a line that is too long only the newline is waited for.
bool SavedLines::take_chunk(const Out& out) {
  std::string_view rest = buffer_;
  bool more = true;
  for (std::size_t end = rest.find('\n'); more && end != std::string_view::npos; end = rest.find('\n')) {
    if (too_long_) {
      ++line_;
      take_broken(out, "longer than 1 MiB");
    } else {
      more = take(rest.substr(0, end), out);
    }
    too_long_ = false;
    rest.remove_prefix(end + 1);
  }
  if (rest.size() > replay::LineReader::kLongest) too_long_ = true;
  buffer_.erase(0, too_long_ ? buffer_.size() : buffer_.size() - rest.size());
  return more;
}

// False at the end.
Result<bool> SavedLines::read_more() {
  const std::size_t kept = buffer_.size();
  buffer_.resize(kept + kChunk);
  const ssize_t n = ::read(fd_.get(), buffer_.data() + kept, kChunk);
  const int error = errno;
  buffer_.resize(kept + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  if (n < 0 && error != EINTR && error != EAGAIN) return Error{"cannot read " + name_, errno_text(error)};
  return n != 0;
}

Result<std::optional<replay::SavedReport>> SavedLines::report() {
  auto more = read_more();
  if (!more) return std::move(more).error();
  if (!replay::begins_report(buffer_)) return std::optional<replay::SavedReport>{};
  while (*more && buffer_.size() <= replay::kLargestReport) {
    more = read_more();
    if (!more) return std::move(more).error();
  }
  auto report = replay::read_report(buffer_);
  if (!report) {
    Error error = std::move(report).error();
    error.what = name_ + ": " + error.what;
    return error;
  }
  if (report->tool == info_.name) return std::optional(*std::move(report));
  std::string tool;
  append_printable(tool, report->tool);
  return Error{fmt::format("no report of {} in {}", info_.name, name_), fmt::format("it is one of {}", tool)};
}

Result<void> SavedLines::read(const Out& out, const std::function<bool(int fd)>& wait) {
  while (wait(fd_.get())) {
    const auto more = read_more();
    if (!more) return more.error();
    if (!*more) {
      if (!buffer_.empty() || too_long_) {  // the last line has no end
        buffer_ += '\n';
        take_chunk(out);
      }
      return check_kind();
    }
    if (!take_chunk(out)) return {};
  }
  return {};
}

// A file of something else is no run in which nothing happened.
Result<void> SavedLines::check_kind() const {
  if (rows_ != 0) return {};
  if (!others_.empty()) {
    std::string type;
    append_printable(type, others_.begin()->first);
    return Error{
        fmt::format("no line of {} in {}", info_.name, name_),
        fmt::format("its lines are of another tool or a summary: the first of their types is {}", type),
        "give --from lines that the same tool wrote with --json, without --summary"};
  }
  if (broken_ != 0 && lost_ == 0) {
    return Error{fmt::format("no line of {} in {}", info_.name, name_), "none of its lines is JSON",
                 "give --from lines that the same tool wrote with --json"};
  }
  return {};
}

void SavedLines::remark_on_lines() const {
  for (const auto& [type, count] : others_) {
    std::string shown;
    append_printable(shown, type);
    say("plumb: {}: {} line{} of another type passed over: {}", name_, count, plural(count), shown);
  }
  std::map<std::uint64_t, std::vector<std::string_view>> lacking;
  for (std::size_t i = 0; i < reader_.missing().size(); ++i) {
    if (reader_.missing()[i] != 0) lacking[reader_.missing()[i]].push_back(info_.schema->spec(i).key);
  }
  for (const auto& [count, keys] : lacking) {
    say("plumb: {}: {} line{} without {}: unknown there", name_, count, plural(count), fmt::join(keys, ", "));
  }
  for (const auto& [key, count] : reader_.unknown()) {
    say("plumb: {}: {} line{} with {}, which this plumb does not know", name_, count, plural(count), key);
  }
}

}  // namespace plumb
