// Which files of which processes have TLS probes. Each file (by device and inode) is looked at once, whoever runs it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

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

  // Probes what the process runs and has no probes yet. Nothing to do for one that is gone.
  void look_at(std::uint32_t pid);
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

  std::vector<MappedFile> files_of(std::uint32_t pid);
  UniqueFd open(std::uint32_t pid, const MappedFile& file);
  void probe(const UniqueFd& fd, const MappedFile& file, std::uint32_t only_pid);
  void probe_linker(const UniqueFd& fd, const ProgramFile& program, std::uint32_t only_pid);
  bool attach(std::uint32_t program, const UniqueFd& fd, const std::vector<std::uint64_t>& offsets,
              std::uint32_t only_pid, std::string& why);
  void say(std::string line);

  Attacher attacher_;
  std::set<std::uint32_t> only_;
  std::set<FileKey> known_;
  std::vector<UprobeLink> links_;
  std::vector<std::string> report_;
  std::size_t told_ = 0;
  std::size_t processes_ = 0;
  std::size_t refused_ = 0;
  std::size_t files_ = 0;
};

}  // namespace plumb
