// Probes at functions of the files that processes run: of libraries, and of programs that they are linked into. Each file (by
// device and inode) is looked at once, whoever runs it. What no process maps any more (rebuilt programs, containers that
// ended) loses its probes.
//
//   UprobePrograms programs(...);  // the object is opened
//   programs.start(...)            // it is loaded, and privileges are there: starts the attacher
//   look_at_running()              // parses files, so once privileges are dropped
//   started()                      // for each process that a program tells of
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "probe/attacher.h"
#include "probe/filter.h"
#include "run/link_closer.h"
#include "target/maps.h"
#include "target/program_file.h"

namespace plumb {

class ProbedFiles {
 public:
  // More files than this get no probes; said in the report.
  static constexpr std::size_t kMaxFiles = 512;

  // What is wanted of one file. It gets all of it or nothing.
  struct Finding {
    std::string label;      // what it is, for the report: "openssl"; may be empty
    std::string functions;  // "SSL_read, SSL_write"; empty: none can be probed
    // Offsets in the file, by program. Programs with higher numbers are attached first: let those be the ones for
    // return instructions, since a call that was seen to begin is waited for.
    std::map<std::uint32_t, std::set<std::uint64_t>> places;
    std::string refused;  // what is there and cannot be probed, and why; empty: nothing
  };
  struct Wanted {
    // Whether a library may have such functions, by its path. Programs always may.
    bool (*may_have)(std::string_view path);
    // Nothing: it has none.
    std::optional<Finding> (*find)(const ProgramFile& file, std::string_view path);
    // A sentence for the report on what is out of reach in a library, by its path; empty: nothing.
    std::string_view (*out_of_reach)(std::string_view path);
    std::uint32_t linker_program;  // for the dynamic linker, which tells when libraries were mapped
  };

  // `only`: probe these processes alone (-p); empty: each file wherever it runs. `held`: descriptor of the map of
  // held.bpf.h; -1: no process is held.
  ProbedFiles(Attacher attacher, std::vector<std::uint32_t> only, const Wanted& wanted, int held);
  ~ProbedFiles();
  ProbedFiles(const ProbedFiles&) = delete;
  ProbedFiles& operator=(const ProbedFiles&) = delete;

  // Probes what they run and has no probes yet.
  Result<void> look_at_running();
  // The same for one. `told`: a program started in it, or it mapped a library, just now.
  void look_at(std::uint32_t pid, bool told = false);
  // What each look found: since when (CLOCK_BOOTTIME) a file of the process has its probes, 0: none has; and a sentence on
  // what is out of reach (a constant: whoever is told keeps the view), empty: nothing is known of. Not told of processes
  // that are gone.
  using OnLook =
      std::function<void(std::uint32_t pid, std::uint64_t since_ns, std::string_view out_of_reach)>;
  void on_look(OnLook on_look) { on_look_ = std::move(on_look); }
  // The same for one in which a program started, or which mapped a library, just now. `held`: it is stopped, and goes on
  // after that. Nothing to do for one that is gone.
  void started(std::uint32_t pid, bool held);

  // A line for each file: "/usr/lib/libssl.so.3: openssl, probed: SSL_read, SSL_write".
  const std::vector<std::string>& report() const { return report_; }

 private:
  // Device and inode as /proc/PID/maps shows them, and the process where probes are for one alone.
  struct FileKey {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint32_t only_pid = 0;
    auto operator<=>(const FileKey&) const = default;
  };
  // What is known of a file. Its probes hold its inode: nothing else gets that number while they are there. But it may be
  // written over (cp(1)): then they are at the wrong places.
  struct Known {
    std::vector<UprobeLink> links;
    std::int64_t changed_ns = 0;   // st_ctim: without links, another file may have the same number later
    std::int64_t modified_ns = 0;  // st_mtim
    std::int64_t size = 0;
    std::uint64_t since_ns = 0;  // CLOCK_BOOTTIME when its functions had their probes
    bool probed = false;
    bool unmapped = false;  // no process mapped it at the last sweep
    bool refused = false;   // it has such functions, and none is probed
  };

  std::vector<std::uint32_t> running() const;
  std::vector<MappedFile> files_of(std::uint32_t pid);
  FileKey key_of(const MappedFile& file, std::uint32_t pid) const;
  const Known* look_at_file(std::uint32_t pid, const MappedFile& file, bool told);
  void probe(const UniqueFd& fd, const MappedFile& file, std::uint32_t only_pid, Known& known);
  void probe_linker(const UniqueFd& fd, const ProgramFile& program, std::uint32_t only_pid, Known& known);
  Result<void> attach(const Finding& finding, const UniqueFd& fd, std::uint32_t only_pid, Known& known);
  Result<void> attach(std::uint32_t program, const std::set<std::uint64_t>& offsets, const UniqueFd& fd,
                      std::uint32_t only_pid, std::vector<UprobeLink>& links);
  void sweep_when_due();
  void sweep();
  void take_links(Known& known, std::vector<UprobeLink>& gone);
  void remove_probes(Known& known);
  bool is_new(const FileKey& key);
  void forget_without_probes();
  void say(std::string line);

  Attacher attacher_;
  std::set<std::uint32_t> only_;
  Wanted wanted_;
  int held_;
  std::map<FileKey, Known> known_;
  OnLook on_look_;
  bool started_ = false;  // what ran at the start was looked at
  LinkCloser closer_;
  std::size_t with_links_ = 0;
  std::size_t since_sweep_ = 0;  // files that got links
  std::size_t files_ = 0;        // with functions that are probed
  std::vector<std::string> report_;
};

// The programs of one object that such places get, by number.
class UprobePrograms {
 public:
  // Before the object is loaded, since a program is loaded for one of the ways to attach it.
  explicit UprobePrograms(std::vector<bpf_program*> programs);

  // Once it is loaded. `held`: the map of held.bpf.h.
  Result<std::unique_ptr<ProbedFiles>> start(const TaskFilter& filter, const bpf_map* held,
                                             const ProbedFiles::Wanted& wanted) const;

 private:
  std::vector<bpf_program*> programs_;
  UprobeKind kind_;
};

}  // namespace plumb
