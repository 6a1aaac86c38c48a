// What the kernel tells of processes that start, become another program, map code and end: perf's side-band
// records, one buffer for each CPU. With them addresses of a process can still be named when it is gone.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace plumb {

struct MappingEvent {
  enum class Kind : std::uint8_t { fork, exec, exit, map };
  Kind kind = Kind::map;
  std::uint64_t time_ns = 0;  // CLOCK_MONOTONIC
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
  std::uint32_t parent = 0;  // fork: the process that did
  // map: executable memory [start, start + size) of the file from `offset` on.
  std::uint64_t start = 0, size = 0, offset = 0;
  std::uint32_t device_major = 0, device_minor = 0;
  std::uint64_t inode = 0;
  std::string_view path;  // as the process saw it; "//anon": no file. Valid during the call
};

// The record in the kernel's layout (perf_event_open(2), "MMAP layout"), with the trailer that MappingEvents asks
// for; false when it is none of the kinds or damaged.
bool parse_mapping_event(std::span<const std::byte> record, MappingEvent& event);

class MappingEvents {
 public:
  // Of all processes on all CPUs.
  static Result<MappingEvents> open();

  using OnEvent = std::function<void(const MappingEvent&)>;
  // All that waits, CPU after CPU: sort by time.
  void drain(const OnEvent& on_event);
  std::uint64_t lost() const { return lost_; }

 private:
  struct Unmap {
    std::size_t bytes;
    void operator()(void* p) const { ::munmap(p, bytes); }
  };
  struct Buffer {
    UniqueFd fd;
    std::unique_ptr<void, Unmap> pages;
  };
  void drain(Buffer& buffer, const OnEvent& on_event);

  std::vector<Buffer> buffers_;
  std::vector<std::byte> record_;
  std::uint64_t lost_ = 0;
};

}  // namespace plumb
