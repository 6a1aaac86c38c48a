#include "flame/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string>

namespace plumb {
namespace {

std::uint64_t inode_of(const UniqueFd& fd) {
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return 0;
  return status.st_ino;
}

// "NSpid:\t4711\t12\n" of /proc/PID/status: the last number is the innermost one.
std::uint32_t innermost(std::string_view status) {
  constexpr std::string_view kKey = "\nNSpid:";
  const std::size_t at = status.find(kKey);
  if (at == std::string_view::npos) return 0;
  std::string_view line = status.substr(at + kKey.size());
  line = line.substr(0, line.find('\n'));
  line.remove_prefix(std::min(line.find_last_of("\t ") + 1, line.size()));
  std::uint32_t number = 0;
  std::from_chars(line.data(), line.data() + line.size(), number);
  return number;
}

}  // namespace

std::string read_text(int fd, std::size_t most) {
  std::string text;
  while (fd >= 0 && text.size() < most) {
    const std::size_t had = text.size();
    text.resize(had + (std::size_t{64} << 10));
    const ssize_t n = ::read(fd, text.data() + had, text.size() - had);
    text.resize(had + static_cast<std::size_t>(n > 0 ? n : 0));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
  }
  return text;
}

Result<void> TargetFiles::start() {
  auto attacher = Attacher::start(UprobeKind::perf, {});
  if (!attacher) return std::move(attacher).error();
  attacher_.emplace(*std::move(attacher));
  return {};
}

std::string TargetFiles::maps(std::uint32_t pid) {
  auto text = attacher_->read_maps(pid);
  return text ? *std::move(text) : std::string{};
}

UniqueFd TargetFiles::open_in_root(std::uint32_t pid, std::string_view path) {
  auto fd = attacher_->open_in_root(pid, path);
  return fd ? *std::move(fd) : UniqueFd{};
}

// The link in map_files leads to the very file, even to one that is unlinked or replaced. The path may lead to
// another one by now: then the inode differs. Overlay file systems give a process another inode than the kernel has,
// so that only map_files is sure there.
UniqueFd TargetFiles::open_mapped(const MappedPart& part) {
  if (auto fd = attacher_->open_mapping(part.pid, part.start, part.end)) return *std::move(fd);
  if (UniqueFd fd = open_in_root(part.pid, part.path); fd && inode_of(fd) == part.inode) return fd;
  UniqueFd fd = open_regular(std::string(part.path));
  if (fd && inode_of(fd) == part.inode) return fd;
  return {};
}

std::uint32_t TargetFiles::own_number(std::uint32_t pid) {
  const UniqueFd fd(::open(("/proc/" + std::to_string(pid) + "/status").c_str(), O_RDONLY | O_CLOEXEC));
  const std::uint32_t number = innermost(read_text(fd.get(), 65'536));
  return number != 0 ? number : pid;
}

std::string TargetFiles::program(std::uint32_t pid) {
  std::string path(4'096, '\0');
  const ssize_t n = ::readlink(("/proc/" + std::to_string(pid) + "/exe").c_str(), path.data(), path.size());
  path.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  return path;
}

UniqueFd open_regular(const std::string& path) {
  const UniqueFd place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (inode_of(place) == 0) return {};
  return UniqueFd(::open(("/proc/self/fd/" + std::to_string(place.get())).c_str(), O_RDONLY | O_CLOEXEC));
}

std::string perf_map_path(std::uint32_t own_number) {
  return "/tmp/perf-" + std::to_string(own_number) + ".map";
}

}  // namespace plumb
