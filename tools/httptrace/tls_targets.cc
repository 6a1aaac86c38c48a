#include "httptrace/tls_targets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <iterator>
#include <span>

#include "base/clock.h"
#include "base/text.h"
#include "proc/process.h"

namespace plumb {
namespace {

constexpr std::size_t kMaxKnown = 65536;
constexpr std::size_t kMaxReport = 1024;
// A sweep reads the maps of all processes: some 0.1 ms for each. After at least so many new files with probes, and a
// quarter of what there is.
constexpr std::size_t kSweepAfter = 4;

std::string_view basename(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);
}

// glibc's and musl's; musl's is its C library as well.
bool is_dynamic_linker(std::string_view path) {
  const std::string_view name = basename(path);
  return name.starts_with("ld-linux") || name.starts_with("ld-musl") || name.starts_with("ld-2.") ||
         name.starts_with("ld64.so");
}

std::string shown(std::string_view path) {
  std::string out;
  append_printable(out, path);
  return out;
}

}  // namespace

TlsTargets::TlsTargets(Attacher attacher, std::vector<std::uint32_t> only)
    : attacher_(std::move(attacher)), only_(only.begin(), only.end()) {}

TlsTargets::~TlsTargets() {
  std::vector<UprobeLink> links;
  for (auto& [key, known] : known_) std::ranges::move(known.links, std::back_inserter(links));
  closer_.close(std::move(links));
}

void TlsTargets::say(std::string line) {
  if (report_.size() < kMaxReport) report_.push_back(std::move(line));
}

std::vector<std::string> TlsTargets::take_news() {
  std::vector<std::string> out(report_.begin() + static_cast<std::ptrdiff_t>(told_), report_.end());
  told_ = report_.size();
  return out;
}

std::vector<MappedFile> TlsTargets::files_of(std::uint32_t pid) {
  const auto maps = attacher_.read_maps(pid);
  return maps ? code_files(parse_maps(*maps)) : std::vector<MappedFile>{};
}

void TlsTargets::look_at(std::uint32_t pid, bool told) {
  const std::uint32_t only_pid = only_.empty() ? 0 : pid;
  if (only_pid != 0 && !only_.contains(pid)) return;
  ++processes_;
  std::uint64_t since_ns = 0;
  std::string_view unreadable;
  const std::vector<MappedFile> files = files_of(pid);
  for (const MappedFile& file : files) {
    const std::uint64_t device = std::uint64_t{file.device_major} << 32 | file.device_minor;
    if (looks_like_program(file.path) || may_hold_tls(file.path) || is_dynamic_linker(file.path)) {
      look_at_file(pid, file, {device, file.inode, only_pid}, told);
      const auto known = known_.find({device, file.inode, only_pid});
      if (known != known_.end() && known->second.probed &&
          (since_ns == 0 || known->second.since_ns < since_ns))
        since_ns = known->second.since_ns;
    } else if (const auto why = unreadable_tls(file.path); !why.empty()) {
      if (known_.emplace(FileKey{device, file.inode, 0}, Known{}).second)
        say(fmt::format("{}: {}", shown(file.path), why));
      unreadable = why;
    }
  }
  if (on_look_ && !files.empty()) on_look_(pid, since_ns, unreadable);
  sweep_when_due();
}

// Without our own: this program holds a TLS library, too.
std::vector<std::uint32_t> TlsTargets::running() const {
  if (!only_.empty()) return {only_.begin(), only_.end()};
  std::vector<std::uint32_t> out;
  const auto self = static_cast<std::uint32_t>(::getpid());
  const auto entries = system_procfs().list("/proc");
  if (!entries) return out;
  for (const std::string& entry : *entries) {
    std::uint32_t pid = 0;
    const auto [end, error] = std::from_chars(entry.data(), entry.data() + entry.size(), pid);
    if (error == std::errc{} && end == entry.data() + entry.size() && pid != self) out.push_back(pid);
  }
  return out;
}

Result<void> TlsTargets::look_at_running() {
  const std::vector<std::uint32_t> pids = running();
  if (pids.empty()) return Error{"cannot find the processes that run", "/proc lists none"};
  for (const std::uint32_t pid : pids) look_at(pid);
  started_ = true;
  since_sweep_ = 0;
  return {};
}

void TlsTargets::look_at_file(std::uint32_t pid, const MappedFile& file, const FileKey& key, bool told) {
  const auto found = known_.find(key);
  if (found != known_.end()) {
    Known& known = found->second;
    known.unmapped = false;
    // A program that was built anew may have the inode of the one before.
    if (!known.links.empty() || !told || !looks_like_program(file.path)) return;
  }
  const auto fd = attacher_.open_mapped_file(pid, file.start, file.end, file.path, file.inode);
  struct stat info {};
  if (!fd || ::fstat(fd->get(), &info) != 0)
    return;  // gone meanwhile: the next process that runs it is asked
  const std::int64_t changed_ns = std::int64_t{info.st_ctim.tv_sec} * 1'000'000'000 + info.st_ctim.tv_nsec;
  if (found != known_.end() && found->second.changed_ns == changed_ns) return;
  if (known_.size() >= kMaxKnown) forget_without_probes();
  Known known;
  known.changed_ns = changed_ns;
  probe(*fd, file, key.only_pid, known);
  if (!known.links.empty()) {
    ++with_links_;
    ++since_sweep_;
  }
  known_.insert_or_assign(key, std::move(known));
}

// Files without probes are only looked at again.
void TlsTargets::forget_without_probes() {
  std::erase_if(known_, [](const auto& entry) { return entry.second.links.empty(); });
}

void TlsTargets::sweep_when_due() {
  if (started_ && since_sweep_ >= std::max(kSweepAfter, with_links_ / 4)) sweep();
}

// A file goes when two sweeps in a row find it in no process: one alone may miss a process that was born of one which ended
// meanwhile. What a process maps later than it is looked at here is told by an event that was not yet taken, so that the
// file is found to be new then.
void TlsTargets::sweep() {
  since_sweep_ = 0;
  std::set<FileKey> mapped;
  for (const std::uint32_t pid : running()) {
    for (const MappedFile& file : files_of(pid)) {
      mapped.insert(
          {std::uint64_t{file.device_major} << 32 | file.device_minor, file.inode, only_.empty() ? 0 : pid});
    }
  }
  std::vector<UprobeLink> gone;
  for (auto at = known_.begin(); at != known_.end();) {
    Known& known = at->second;
    const bool absent = !known.links.empty() && !mapped.contains(at->first);
    if (!absent || !known.unmapped) {
      known.unmapped = absent;
      ++at;
      continue;
    }
    std::ranges::move(known.links, std::back_inserter(gone));
    if (known.probed) --files_;
    --with_links_;
    at = known_.erase(at);
  }
  closer_.close(std::move(gone));
}

void TlsTargets::probe(const UniqueFd& fd, const MappedFile& file, std::uint32_t only_pid, Known& known) {
  auto program = ProgramFile::open(elf_bytes(UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0))));
  if (!program) return;
  if (is_dynamic_linker(file.path)) probe_linker(fd, *program, only_pid, known);
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
    if (!attach(number, fd, {offsets.begin(), offsets.end()}, only_pid, known, why)) names.clear();
  }
  for (const TlsRefused& r : found->refused) why = fmt::format("{}: {}", r.name, r.why);
  known.probed = !names.empty();
  known.since_ns = system_clock_source().boot().ns;
  if (known.probed) ++files_;
  if (!why.empty()) ++refused_;
  say(fmt::format("{}: {}{}{}{}", shown(file.path), tls_library_name(found->library),
                  names.empty() ? "" : ", probed: " + names, why.empty() ? "" : "; not probed: ", why));
}

bool TlsTargets::attach(std::uint32_t program, const UniqueFd& fd, const std::vector<std::uint64_t>& offsets,
                        std::uint32_t only_pid, Known& known, std::string& why) {
  std::span<const std::uint64_t> left = offsets;
  while (!left.empty()) {
    const std::size_t count = std::min(left.size(), attacher::kMaxOffsets);
    auto link = attacher_.attach(program, {fd.get(), left.first(count), only_pid});
    if (!link) {
      why = link.error().why;
      return false;
    }
    known.links.push_back(*std::move(link));
    left = left.subspan(count);
  }
  return true;
}

void TlsTargets::probe_linker(const UniqueFd& fd, const ProgramFile& program, std::uint32_t only_pid,
                              Known& known) {
  constexpr std::string_view kName[] = {"_dl_debug_state"};
  const auto found = program.find(kName);
  if (found.empty()) return;
  const auto offset = program.file_offset(found.begin()->second.address);
  std::string why;
  if (offset) attach(kLinkerProgram, fd, {*offset}, only_pid, known, why);
}

void TlsTargets::resume(std::uint32_t pid) {
  static_cast<void>(attacher_.resume(pid));  // an Error: it is gone
}

}  // namespace plumb
