// What a confined plumb asks of its attacher, and what comes back: one message of a fixed size each way, over a
// SOCK_SEQPACKET pair. Both ends are the same executable, so the structs need no version.
#pragma once

#include <cstddef>
#include <cstdint>

namespace plumb::attacher {

// More probes than any function needs at its entry and its return instructions.
constexpr std::size_t kMaxOffsets = 64;
constexpr std::size_t kMaxPath = 4096;

enum class Ask : std::uint32_t {
  open_maps = 1,  // /proc/PID/maps
  open_program,   // /proc/PID/exe: the file itself, wherever it is
  open_mapping,   // /proc/PID/map_files/START-END: the same for any mapped file, unlinked or not
  open_in_root,   // /proc/PID/root/PATH, for kernels or capabilities that do not let map_files be opened
  attach,         // `program` at `offsets` of the file whose descriptor comes along
  resume,         // SIGCONT to a process that a program of ours has stopped
};

struct Request {
  std::uint32_t size = 0;  // of this struct
  Ask ask{};
  std::uint32_t id = 0;  // comes back with the reply
  std::uint32_t pid = 0;
  std::uint64_t start = 0;  // open_mapping
  std::uint64_t end = 0;
  std::uint32_t program = 0;  // attach: index among the programs given at the start
  std::uint32_t offset_count = 0;
  std::uint32_t only_pid = 0;  // attach: in this process only; 0: in all that run the file
  std::uint32_t path_size = 0;
  std::uint64_t offsets[kMaxOffsets] = {};
  char path[kMaxPath] = {};  // open_in_root, absolute, without NUL
};

struct Reply {
  std::uint32_t id = 0;
  std::int32_t error = 0;      // errno; 0: done
  std::uint32_t fd_count = 0;  // descriptors that come along: a file, or what keeps the probes attached
  std::uint32_t padding = 0;
};

static_assert(sizeof(Request) == 4656 && sizeof(Reply) == 16);

}  // namespace plumb::attacher
