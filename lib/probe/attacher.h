// The attacher: a small second process that keeps the privileges which plumb gives up before it parses its first byte
// from outside. It opens files of other processes and attaches programs that were loaded before, on request, and parses
// nothing. So a bug in a parser of hostile bytes has the worth of what can be asked here: to read files that run on
// this machine, and to attach plumb's own read-only programs to them.
//
//   loaded programs -> Attacher::start() -> [fork] -> privileges drop -> ask for files, parse them, ask for probes
//
// It ends with its parent, since the socket closes then, and lets go of processes that are still held. Each probe lives as long as the
// descriptors that came back for it, so that none is left behind whatever ends either process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "probe/attacher_protocol.h"

namespace plumb {

// How uprobes get attached; decided before the programs are loaded, since they are loaded for one of the two.
enum class UprobeKind : std::uint8_t {
  multi,  // one BPF link for all offsets of a file (Linux 6.6); 48 is their expected attach type
  perf,   // a perf event for each offset
};
constexpr int kUprobeMultiAttachType = 48;  // BPF_TRACE_UPROBE_MULTI

// What this kernel has, found by loading and linking a program that does nothing.
UprobeKind probe_uprobe_kind();

// Probes in one file. Destroying it takes them off.
class UprobeLink {
 public:
  UprobeLink() = default;
  explicit UprobeLink(std::vector<UniqueFd> fds) : fds_(std::move(fds)) {}
  std::size_t descriptors() const { return fds_.size(); }

 private:
  std::vector<UniqueFd> fds_;
};

struct UprobePlace {
  int file = -1;                           // descriptor of the file, opened for reading
  std::span<const std::uint64_t> offsets;  // of the instructions, in the file; at most attacher::kMaxOffsets
  std::uint32_t only_pid = 0;              // in this process alone; 0: wherever the file runs
};

// The same with an errno (0: done) and plain descriptors, for the attacher, which words no errors.
int attach_descriptors(UprobeKind kind, int program, const UprobePlace& place, std::vector<UniqueFd>& out);
// Reads what attaching needs to know of this machine. Later calls find it known.
void prepare_uprobes();

// Attaches directly, for tools that know all places before privileges drop. `program` is a descriptor.
Result<UprobeLink> attach_uprobes(UprobeKind kind, int program, const UprobePlace& place);

class Attacher {
 public:
  // Forks. `programs` are descriptors of loaded programs, which requests name by index. Call it while the process has
  // one thread and still all privileges. `held`: descriptor of a hash map of process ids that programs stopped by
  // SIGSTOP and that were not resumed; -1: none are.
  static Result<Attacher> start(UprobeKind kind, std::span<const int> programs, int held = -1);
  Attacher(Attacher&&) noexcept = default;
  Attacher& operator=(Attacher&& other) noexcept;
  ~Attacher();

  Result<UniqueFd> open_maps(std::uint32_t pid);
  // The text of it, as much as 8 MiB.
  Result<std::string> read_maps(std::uint32_t pid);
  Result<UniqueFd> open_program(std::uint32_t pid);
  // A file that a process has mapped at [start, end), as /proc/PID/maps says.
  Result<UniqueFd> open_mapping(std::uint32_t pid, std::uint64_t start, std::uint64_t end);
  // A regular file below a process's root.
  Result<UniqueFd> open_in_root(std::uint32_t pid, std::string_view path);
  // By the mapping, which cannot lead to another file; else by the path, if it leads to the file with that number.
  Result<UniqueFd> open_mapped_file(std::uint32_t pid, std::uint64_t start, std::uint64_t end,
                                    std::string_view path, std::uint64_t inode);
  Result<UprobeLink> attach(std::uint32_t program, const UprobePlace& place);
  // Lets a process go on that a program stopped with SIGSTOP.
  Result<void> resume(std::uint32_t pid);

  pid_t pid() const { return pid_; }

 private:
  Attacher(UniqueFd socket, pid_t pid) : socket_(std::move(socket)), pid_(pid) {}
  Result<std::vector<UniqueFd>> ask(attacher::Request& request, int file);
  Result<UniqueFd> ask_file(attacher::Request& request);
  void end();

  UniqueFd socket_;
  pid_t pid_ = -1;
  std::uint32_t last_id_ = 0;
};

namespace attacher {
// The attacher's side: serves requests until the other end closes. Returns then.
void serve(int socket, UprobeKind kind, std::span<const int> programs, int held);
// Gives up all capabilities but those that serving takes, and what else a process can do.
void confine(UprobeKind kind);
}  // namespace attacher

}  // namespace plumb
