// Which files of which processes have TLS probes. Each file (by device and inode) is looked at once, whoever runs it. What
// no process maps any more (rebuilt programs, containers that ended) loses its probes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "httptrace/link_closer.h"
#include "probe/attacher.h"
#include "target/maps.h"
#include "target/tls.h"

namespace plumb {

// Programs of tls.bpf.c in the order in which the attacher knows them: the one for the entry of each TlsCall, those for
// return instructions (all C functions have the same), then the one for the dynamic linker.
constexpr std::uint32_t entry_program(TlsCall call) {
  return static_cast<std::uint32_t>(call);
}
constexpr std::uint32_t return_program(TlsCall call) {
  const std::uint32_t go = call == TlsCall::go_read ? 1 : 2;
  return static_cast<std::uint32_t>(kTlsCalls) +
         (call == TlsCall::go_read || call == TlsCall::go_write ? go : 0);
}
constexpr std::uint32_t kLinkerProgram = kTlsCalls + 3;

class TlsTargets {
 public:
  // More files than this get no probes; said in the report.
  static constexpr std::size_t kMaxFiles = 512;

  // `only`: probe these processes alone (-p); empty: each file wherever it runs.
  TlsTargets(Attacher attacher, std::vector<std::uint32_t> only);

  ~TlsTargets();

  // Probes what the process runs and has no probes yet. Nothing to do for one that is gone. `told`: a program started
  // in it, or mapped a library, just now.
  void look_at(std::uint32_t pid, bool told = false);
  // The same for all processes that run now.
  Result<void> look_at_running();
  // What each look found: since when (CLOCK_BOOTTIME) a file of the process has TLS probes, 0: none has; and a sentence on
  // TLS that is out of reach, empty: none is known of. Not told of processes that are gone.
  using OnLook = std::function<void(std::uint32_t pid, std::uint64_t since_ns, std::string_view unreadable)>;
  void on_look(OnLook on_look) { on_look_ = std::move(on_look); }
  // Lets a process go on that a program has stopped.
  void resume(std::uint32_t pid);

  std::size_t processes() const { return processes_; }
  std::size_t refused() const { return refused_; }
  std::size_t files() const { return files_; }
  const std::vector<std::string>& report() const { return report_; }
  // Lines since the last call.
  std::vector<std::string> take_news();

 private:
  // Device and inode as /proc/PID/maps shows them, and the process where probes are for one alone.
  struct FileKey {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint32_t only_pid = 0;
    auto operator<=>(const FileKey&) const = default;
  };

  // What is known of a file. Its probes hold its inode: nothing else gets that number while they are there.
  struct Known {
    std::vector<UprobeLink> links;
    std::int64_t changed_ns = 0;  // st_ctim: without links, another file may have the same number later
    std::uint64_t since_ns = 0;   // CLOCK_BOOTTIME when its TLS probes were on
    bool probed = false;
    bool unmapped = false;  // no process mapped it at the last sweep
  };
  using Files = std::map<FileKey, Known>;

  std::vector<std::uint32_t> running() const;
  std::vector<MappedFile> files_of(std::uint32_t pid);
  void look_at_file(std::uint32_t pid, const MappedFile& file, const FileKey& key, bool told);
  void probe(const UniqueFd& fd, const MappedFile& file, std::uint32_t only_pid, Known& known);
  void probe_linker(const UniqueFd& fd, const ProgramFile& program, std::uint32_t only_pid, Known& known);
  bool attach(std::uint32_t program, const UniqueFd& fd, const std::vector<std::uint64_t>& offsets,
              std::uint32_t only_pid, Known& known, std::string& why);
  void sweep_when_due();
  void sweep();
  void forget_without_probes();
  void say(std::string line);

  Attacher attacher_;
  std::set<std::uint32_t> only_;
  Files known_;
  OnLook on_look_;
  bool started_ = false;  // what ran at the start was looked at
  LinkCloser closer_;
  std::size_t with_links_ = 0;
  std::size_t since_sweep_ = 0;  // files that got links
  std::vector<std::string> report_;
  std::size_t told_ = 0;
  std::size_t processes_ = 0;
  std::size_t refused_ = 0;
  std::size_t files_ = 0;
};

}  // namespace plumb
