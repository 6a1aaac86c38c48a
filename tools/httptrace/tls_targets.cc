#include "httptrace/tls_targets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "base/text.h"

namespace plumb {
namespace {

constexpr std::size_t kMaxMapsBytes = std::size_t{8} << 20;
constexpr std::size_t kMaxKnown = 65536;
constexpr std::size_t kMaxReport = 1024;

std::string_view basename(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);
}

// glibc's and musl's; musl's is its C library as well.
bool is_dynamic_linker(std::string_view path) {
  const std::string_view name = basename(path);
  return name.starts_with("ld-linux") || name.starts_with("ld-musl") || name.starts_with("ld-2.") ||
         name.starts_with("ld64.so");
}

std::string read_all(const UniqueFd& fd) {
  std::string text;
  constexpr std::size_t kStep = std::size_t{64} << 10;
  while (text.size() < kMaxMapsBytes) {
    const std::size_t used = text.size();
    text.resize(used + kStep);
    const ssize_t n = ::read(fd.get(), text.data() + used, kStep);
    text.resize(used + (n > 0 ? static_cast<std::size_t>(n) : 0));
    if (n == 0 || (n < 0 && errno != EINTR)) break;
  }
  return text;
}

std::string shown(std::string_view path) {
  std::string out;
  append_printable(out, path);
  return out;
}

}  // namespace

TlsTargets::TlsTargets(Attacher attacher, std::vector<std::uint32_t> only)
    : attacher_(std::move(attacher)), only_(only.begin(), only.end()) {}

void TlsTargets::say(std::string line) {
  if (report_.size() < kMaxReport) report_.push_back(std::move(line));
}

std::vector<std::string> TlsTargets::take_news() {
  std::vector<std::string> out(report_.begin() + static_cast<std::ptrdiff_t>(told_), report_.end());
  told_ = report_.size();
  return out;
}

std::vector<MappedFile> TlsTargets::files_of(std::uint32_t pid) {
  auto maps = attacher_.open_maps(pid);
  return maps ? code_files(parse_maps(read_all(*maps))) : std::vector<MappedFile>{};
}

// By the mapping, which cannot lead to another file; else by the path, if the same file is there.
UniqueFd TlsTargets::open(std::uint32_t pid, const MappedFile& file) {
  if (auto fd = attacher_.open_mapping(pid, file.start, file.end)) return *std::move(fd);
  auto fd = attacher_.open_in_root(pid, file.path);
  struct stat info {};
  if (!fd || ::fstat(fd->get(), &info) != 0 || info.st_ino != file.inode) return UniqueFd();
  return *std::move(fd);
}

void TlsTargets::look_at(std::uint32_t pid) {
  const std::uint32_t only_pid = only_.empty() ? 0 : pid;
  if (only_pid != 0 && !only_.contains(pid)) return;
  ++processes_;
  for (const MappedFile& file : files_of(pid)) {
    if (!looks_like_program(file.path) && !may_hold_tls(file.path) && !is_dynamic_linker(file.path)) {
      if (const auto why = unreadable_tls(file.path); !why.empty()) {
        const FileKey key{std::uint64_t{file.device_major} << 32 | file.device_minor, file.inode, 0};
        if (known_.insert(key).second) say(fmt::format("{}: {}", shown(file.path), why));
      }
      continue;
    }
    if (known_.size() >= kMaxKnown) known_.clear();  // links stay; a file is only looked at again
    const FileKey key{std::uint64_t{file.device_major} << 32 | file.device_minor, file.inode, only_pid};
    if (known_.contains(key)) continue;
    const UniqueFd fd = open(pid, file);
    if (!fd) continue;  // gone meanwhile: the next process that runs it is asked
    known_.insert(key);
    probe(fd, file, only_pid);
  }
}

void TlsTargets::probe(const UniqueFd& fd, const MappedFile& file, std::uint32_t only_pid) {
  auto program = ProgramFile::open(elf_bytes(UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0))));
  if (!program) return;
  if (is_dynamic_linker(file.path)) probe_linker(fd, *program, only_pid);
  const auto found = find_tls(*program, file.path);
  if (!found) return;
  if (files_ >= kMaxFiles) {
    ++refused_;
    return say(fmt::format("{}: not probed, there are too many files", shown(file.path)));
  }
  std::string names;
  // By program: functions that share their end give the same offsets.
  std::map<std::uint32_t, std::set<std::uint64_t>> places;
  for (const TlsFunction& f : found->functions) {
    places[entry_program(f.call)].insert(f.entry);
    if (!f.returns.empty()) places[return_program(f.call)].insert(f.returns.begin(), f.returns.end());
    names += (names.empty() ? "" : ", ") + std::string(f.name);
  }
  std::string why;
  for (const auto& [number, offsets] : places) {
    if (!attach(number, fd, {offsets.begin(), offsets.end()}, only_pid, why)) names.clear();
  }
  for (const TlsRefused& r : found->refused) why = fmt::format("{}: {}", r.name, r.why);
  if (!names.empty()) ++files_;
  if (!why.empty()) ++refused_;
  say(fmt::format("{}: {}{}{}{}", shown(file.path), tls_library_name(found->library),
                  names.empty() ? "" : ", probed: " + names, why.empty() ? "" : "; not probed: ", why));
}

bool TlsTargets::attach(std::uint32_t program, const UniqueFd& fd, const std::vector<std::uint64_t>& offsets,
                        std::uint32_t only_pid, std::string& why) {
  std::span<const std::uint64_t> left = offsets;
  while (!left.empty()) {
    const std::size_t count = std::min(left.size(), attacher::kMaxOffsets);
    auto link = attacher_.attach(program, {fd.get(), left.first(count), only_pid});
    if (!link) {
      why = link.error().why;
      return false;
    }
    links_.push_back(*std::move(link));
    left = left.subspan(count);
  }
  return true;
}

void TlsTargets::probe_linker(const UniqueFd& fd, const ProgramFile& program, std::uint32_t only_pid) {
  constexpr std::string_view kName[] = {"_dl_debug_state"};
  const auto found = program.find(kName);
  if (found.empty()) return;
  const auto offset = program.file_offset(found.begin()->second.address);
  std::string why;
  if (offset) attach(kLinkerProgram, fd, {*offset}, only_pid, why);
}

void TlsTargets::resume(std::uint32_t pid) {
  static_cast<void>(attacher_.resume(pid));  // an Error: it is gone
}

}  // namespace plumb
