#include "probe/executable.h"

#include <bpf/bpf.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "bpf/executable.h"

namespace plumb {
namespace {

std::optional<std::uint64_t> inode_of(const char* path) {
  struct stat info {};
  if (::stat(path, &info) != 0) return std::nullopt;
  return info.st_ino;
}

}  // namespace

std::string resolved_executable(const executable& e, std::uint64_t own_mount_ns) {
  std::string path(e.path, ::strnlen(e.path, sizeof e.path));
  // execveat(2) on a descriptor gives /dev/fd/N.
  if (!path.starts_with('/') || path.starts_with("/dev/fd/")) return {};
  if (e.mount_ns != own_mount_ns) return path;
  struct Free {
    void operator()(char* text) const { std::free(text); }
  };
  const std::unique_ptr<char, Free> real(::realpath(path.c_str(), nullptr));
  return real != nullptr && inode_of(real.get()) == e.inode ? std::string(real.get()) : std::string{};
}

std::string executable_path(int map, std::uint32_t pid, std::uint64_t start_ns) {
  static const std::uint64_t own_mount_ns = inode_of("/proc/self/ns/mnt").value_or(0);
  executable e{};
  if (bpf_map_lookup_elem(map, &pid, &e) != 0 || e.start_ns != start_ns) return {};
  return resolved_executable(e, own_mount_ns);
}

}  // namespace plumb
