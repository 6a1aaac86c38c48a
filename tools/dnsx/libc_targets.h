// Which files of which processes have probes at the C library's resolver: the library itself, or a program that it is
// linked into. Each file (by device and inode) is looked at once, whoever runs it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "probe/attacher.h"
#include "target/maps.h"
#include "target/program_file.h"

namespace plumb {

// Programs of libc.bpf.c in the order in which the attacher knows them.
enum class LibcProgram : std::uint32_t {
  getaddrinfo,
  gethostbyname,
  gethostbyname2,
  call_return,
  linker,
};

// By the file's name: glibc, or musl, which is its own dynamic linker.
bool is_c_library(std::string_view path);

class LibcTargets {
 public:
  // More files than this get no probes; said in the report.
  static constexpr std::size_t kMaxFiles = 512;

  // `only`: probe these processes alone (-p); empty: each file wherever it runs.
  LibcTargets(Attacher attacher, std::vector<std::uint32_t> only);

  // Probes what the process runs and has no probes yet. Nothing to do for one that is gone.
  void look_at(std::uint32_t pid);
  // Lets a process go on that a program has stopped.
  void resume(std::uint32_t pid);

  // A line for each file: "/lib/x86_64-linux-gnu/libc.so.6: getaddrinfo, gethostbyname_r".
  const std::vector<std::string>& report() const { return report_; }
  std::size_t files() const { return files_; }

 private:
  // Device and inode as /proc/PID/maps shows them, and the process where probes are for one alone.
  struct FileKey {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint32_t only_pid = 0;
    auto operator<=>(const FileKey&) const = default;
  };

  // False: there is nothing to probe in it.
  bool probe(const UniqueFd& fd, const MappedFile& file, std::uint32_t only_pid);
  bool attach(LibcProgram program, const UniqueFd& fd, const std::vector<std::uint64_t>& offsets,
              std::uint32_t only_pid, std::string& why);
  void say(std::string line);

  Attacher attacher_;
  std::set<std::uint32_t> only_;
  std::map<FileKey, bool> known_;  // whether something is probed there
  std::vector<UprobeLink> links_;
  std::vector<std::string> report_;
  std::size_t files_ = 0;
};

}  // namespace plumb
