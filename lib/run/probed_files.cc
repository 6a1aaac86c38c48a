#include "run/probed_files.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "base/clock.h"
#include "base/path.h"
#include "base/text.h"
#include "proc/process_ids.h"
#include "target/tls.h"

namespace plumb {
namespace {

constexpr std::size_t kMaxKnown = 65536;
constexpr std::size_t kMaxReport = 1024;
// A sweep reads the maps of all processes: some 0.1 ms for each. After at least so many new files with probes, and a
// quarter of what there is.
constexpr std::size_t kSweepAfter = 4;
constexpr std::string_view kNotProbed = "its functions could not be probed";

// glibc's and musl's; musl's is its C library as well.
bool is_dynamic_linker(std::string_view path) {
  const std::string_view name = file_name(path);
  return name.starts_with("ld-linux") || name.starts_with("ld-musl") || name.starts_with("ld-2.") ||
         name.starts_with("ld64.so");
}

std::int64_t ns_of(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::string shown(std::string_view path) {
  std::string out;
  append_printable(out, path);
  return out;
}

}  // namespace

ProbedFiles::ProbedFiles(Attacher attacher, std::vector<std::uint32_t> only, const Wanted& wanted, int held)
    : attacher_(std::move(attacher)), only_(only.begin(), only.end()), wanted_(wanted), held_(held) {}

ProbedFiles::~ProbedFiles() {
  std::vector<UprobeLink> links;
  for (auto& [key, known] : known_) std::ranges::move(known.links, std::back_inserter(links));
  closer_.close(std::move(links));
}

void ProbedFiles::say(std::string line) {
  if (report_.size() < kMaxReport) report_.push_back(std::move(line));
}

std::vector<MappedFile> ProbedFiles::files_of(std::uint32_t pid) {
  const auto maps = attacher_.read_maps(pid);
  return maps ? code_files(parse_maps(*maps)) : std::vector<MappedFile>{};
}

ProbedFiles::FileKey ProbedFiles::key_of(const MappedFile& file, std::uint32_t pid) const {
  return {std::uint64_t{file.device_major} << 32 | file.device_minor, file.inode, only_.empty() ? 0 : pid};
}

void ProbedFiles::started(std::uint32_t pid, bool held) {
  look_at(pid, true);
  if (!held) return;
  bpf_map_delete_elem(held_, &pid);
  static_cast<void>(attacher_.resume(pid));  // an Error: it is gone
}

void ProbedFiles::look_at(std::uint32_t pid, bool told) {
  if (!only_.empty() && !only_.contains(pid)) return;
  std::uint64_t since_ns = 0;
  std::string_view out_of_reach;
  const std::vector<MappedFile> files = files_of(pid);
  for (const MappedFile& file : files) {
    if (looks_like_program(file.path) || wanted_.may_have(file.path) || is_dynamic_linker(file.path)) {
      const Known* known = look_at_file(pid, file, told);
      if (known != nullptr && known->refused && out_of_reach.empty()) out_of_reach = kNotProbed;
      if (known != nullptr && known->probed && (since_ns == 0 || known->since_ns < since_ns))
        since_ns = known->since_ns;
    } else if (const auto why = wanted_.out_of_reach(file.path); !why.empty()) {
      if (is_new(key_of(file, pid))) say(fmt::format("{}: {}", shown(file.path), why));
      out_of_reach = why;
    }
  }
  if (on_look_ && !files.empty()) on_look_(pid, since_ns, out_of_reach);
  sweep_when_due();
}

// Without our own: this program holds such functions, too.
std::vector<std::uint32_t> ProbedFiles::running() const {
  if (!only_.empty()) return {only_.begin(), only_.end()};
  std::vector<std::uint32_t> out = process_ids();
  std::erase(out, static_cast<std::uint32_t>(::getpid()));
  return out;
}

Result<void> ProbedFiles::look_at_running() {
  const std::vector<std::uint32_t> pids = running();
  if (pids.empty()) return Error{"cannot find the processes that run", "/proc lists none"};
  for (const std::uint32_t pid : pids) look_at(pid, false);
  started_ = true;
  since_sweep_ = 0;
  return {};
}

// What is known of it then; nullptr: nothing.
const ProbedFiles::Known* ProbedFiles::look_at_file(std::uint32_t pid, const MappedFile& file, bool told) {
  const FileKey key = key_of(file, pid);
  const auto found = known_.find(key);
  Known* const before = found == known_.end() ? nullptr : &found->second;
  if (before != nullptr) {
    before->unmapped = false;
    // One that was made anew may have the inode of one that is gone.
    if (!told) return before;
  }
  const auto fd = attacher_.open_mapped_file(pid, file.start, file.end, file.path, file.inode);
  struct stat info {};
  if (!fd || ::fstat(fd->get(), &info) != 0)
    return before;  // gone meanwhile: the next process that runs it is asked
  Known known;
  known.changed_ns = ns_of(info.st_ctim);
  known.modified_ns = ns_of(info.st_mtim);
  known.size = info.st_size;
  if (before != nullptr) {
    // Of one with probes, a new link or mode, of which st_ctim tells as well, does not matter.
    const bool same = before->links.empty()
                          ? before->changed_ns == known.changed_ns
                          : before->modified_ns == known.modified_ns && before->size == known.size;
    if (same) return before;
    remove_probes(*before);
  }
  if (known_.size() >= kMaxKnown) forget_without_probes();
  probe(*fd, file, key.only_pid, known);
  if (!known.links.empty()) {
    ++with_links_;
    ++since_sweep_;
  }
  return &known_.insert_or_assign(key, std::move(known)).first->second;
}

// It is known from then on.
bool ProbedFiles::is_new(const FileKey& key) {
  if (known_.contains(key)) return false;
  if (known_.size() >= kMaxKnown) forget_without_probes();
  known_.try_emplace(key);
  return true;
}

// Files without probes are only looked at again.
void ProbedFiles::forget_without_probes() {
  std::erase_if(known_, [](const auto& entry) { return entry.second.links.empty(); });
}

void ProbedFiles::sweep_when_due() {
  if (started_ && since_sweep_ >= std::max(kSweepAfter, with_links_ / 4)) sweep();
}

// A file goes when two sweeps in a row find it in no process: one alone may miss a process that was born of one which ended
// meanwhile. What a process maps later than it is looked at here is told by an event that was not yet taken, so that the
// file is found to be new then.
void ProbedFiles::sweep() {
  since_sweep_ = 0;
  std::set<FileKey> mapped;
  for (const std::uint32_t pid : running()) {
    for (const MappedFile& file : files_of(pid)) mapped.insert(key_of(file, pid));
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
    take_links(known, gone);
    at = known_.erase(at);
  }
  closer_.close(std::move(gone));
}

void ProbedFiles::take_links(Known& known, std::vector<UprobeLink>& gone) {
  std::ranges::move(known.links, std::back_inserter(gone));
  known.links.clear();
  if (known.probed) --files_;
  known.probed = false;
  --with_links_;
}

// Waits until they are off: until then the kernel knows the instructions that were at their places, and would take them for
// those of new probes at the same places.
void ProbedFiles::remove_probes(Known& known) {
  if (known.links.empty()) return;
  std::vector<UprobeLink> gone;
  take_links(known, gone);
  closer_.close(std::move(gone));
  closer_.wait();
}

void ProbedFiles::probe(const UniqueFd& fd, const MappedFile& file, std::uint32_t only_pid, Known& known) {
  auto program = ProgramFile::open(elf_bytes(UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0))));
  if (!program) return;
  if (is_dynamic_linker(file.path)) probe_linker(fd, *program, only_pid, known);
  const std::optional<Finding> found = wanted_.find(*program, file.path);
  if (!found) return;
  known.refused = true;
  if (files_ >= kMaxFiles)
    return say(fmt::format("{}: not probed, there are too many files", shown(file.path)));
  std::string why = found->refused;
  if (!found->functions.empty()) {
    const auto attached = attach(*found, fd, only_pid, known);
    known.probed = attached.ok();
    known.refused = !known.probed;
    known.since_ns = system_clock_source().boot().ns;
    if (!attached) why = attached.error().why;
  }
  if (known.probed) ++files_;
  const std::string probed = known.probed           ? "probed: " + found->functions
                             : found->label.empty() ? "nothing probed"
                                                    : "";
  say(fmt::format("{}: {}{}{}{}{}", shown(file.path), found->label,
                  found->label.empty() || probed.empty() ? "" : ", ", probed,
                  why.empty() ? "" : "; not probed: ", why));
}

Result<void> ProbedFiles::attach(const Finding& finding, const UniqueFd& fd, std::uint32_t only_pid,
                                 Known& known) {
  std::vector<UprobeLink> links;
  // Backwards, in words that clang 14 takes.
  for (auto place = finding.places.end(); place != finding.places.begin();) {
    --place;
    if (auto r = attach(place->first, place->second, fd, only_pid, links); !r) return r;
  }
  std::ranges::move(links, std::back_inserter(known.links));
  return {};
}

Result<void> ProbedFiles::attach(std::uint32_t program, const std::set<std::uint64_t>& offsets,
                                 const UniqueFd& fd, std::uint32_t only_pid, std::vector<UprobeLink>& links) {
  const std::vector<std::uint64_t> all(offsets.begin(), offsets.end());
  std::span<const std::uint64_t> left = all;
  while (!left.empty()) {
    const std::size_t count = std::min(left.size(), attacher::kMaxOffsets);
    auto link = attacher_.attach(program, {fd.get(), left.first(count), only_pid});
    if (!link) return std::move(link).error();
    links.push_back(*std::move(link));
    left = left.subspan(count);
  }
  return {};
}

void ProbedFiles::probe_linker(const UniqueFd& fd, const ProgramFile& program, std::uint32_t only_pid,
                               Known& known) {
  constexpr std::string_view kName[] = {"_dl_debug_state"};
  const auto found = program.find(kName);
  if (found.empty()) return;
  // An Error: what it maps later is not told of; what there is was looked at.
  if (const auto offset = program.file_offset(found.begin()->second.address))
    static_cast<void>(attach(wanted_.linker_program, {*offset}, fd, only_pid, known.links));
}

UprobePrograms::UprobePrograms(std::vector<bpf_program*> programs)
    : programs_(std::move(programs)), kind_(probe_uprobe_kind()) {
  if (kind_ != UprobeKind::multi) return;
  for (bpf_program* p : programs_)
    bpf_program__set_expected_attach_type(p, static_cast<bpf_attach_type>(kUprobeMultiAttachType));
}

Result<std::unique_ptr<ProbedFiles>> UprobePrograms::start(const TaskFilter& filter, const bpf_map* held,
                                                           const ProbedFiles::Wanted& wanted) const {
  std::vector<int> fds;
  for (const bpf_program* p : programs_) fds.push_back(bpf_program__fd(p));
  // Nobody is held without a command under trace, and the attacher would wait at its end for those who are.
  const int held_fd = filter.follow ? bpf_map__fd(held) : -1;
  auto attacher = Attacher::start(kind_, fds, held_fd);
  if (!attacher) return std::move(attacher).error();
  return std::make_unique<ProbedFiles>(
      *std::move(attacher), filter.follow ? std::vector<std::uint32_t>{} : filter.pids, wanted, held_fd);
}

}  // namespace plumb
