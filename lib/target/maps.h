// What a process has mapped: /proc/PID/maps. Paths in it are the target's own choice, so every byte is hostile.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

struct Mapping {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t offset = 0;  // in the file
  bool readable = false;
  bool writable = false;
  bool executable = false;
  std::uint32_t device_major = 0;  // as this file shows it: btrfs and overlayfs show another one to stat(2)
  std::uint32_t device_minor = 0;
  std::uint64_t inode = 0;  // 0: no file
  std::string path;         // as seen from the process's root; "[heap]" and the like; empty: anonymous
  bool deleted = false;     // the file is unlinked: only /proc/PID/map_files leads to it
};

// More mappings than any process that is traced here; what is beyond is left out.
constexpr std::size_t kMaxMappings = 65536;
constexpr std::size_t kMaxCodeFiles = 1024;

// Lines that are not in the format (a last one that was cut) are skipped.
std::vector<Mapping> parse_maps(std::string_view text);

// One file that code runs from.
struct MappedFile {
  std::string path;
  std::uint64_t inode = 0;
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  bool deleted = false;
  std::uint64_t start = 0;  // its first executable mapping: the name of the link in map_files
  std::uint64_t end = 0;

  bool operator==(const MappedFile&) const = default;
};

// The files that are mapped executable, each once, in the order of their addresses.
std::vector<MappedFile> code_files(const std::vector<Mapping>& mappings);

}  // namespace plumb
