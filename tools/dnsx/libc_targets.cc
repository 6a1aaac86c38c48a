#include "dnsx/libc_targets.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include "base/text.h"

namespace plumb {
namespace {

constexpr std::size_t kMaxKnown = 65536;
constexpr std::size_t kMaxReport = 1024;

struct Known {
  std::string_view name;
  LibcProgram entry;
};
// gethostbyname and gethostbyname2 call these, in glibc and in musl.
constexpr Known kKnown[] = {{"getaddrinfo", LibcProgram::getaddrinfo},
                            {"gethostbyname_r", LibcProgram::gethostbyname},
                            {"gethostbyname2_r", LibcProgram::gethostbyname2}};
constexpr std::string_view kLinkerFunction[] = {"_dl_debug_state"};

std::string_view basename(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);
}

bool is_program(std::string_view path) {
  return basename(path).find(".so") == std::string_view::npos;
}

bool is_dynamic_linker(std::string_view path) {
  const std::string_view name = basename(path);
  return name.starts_with("ld-") || name.starts_with("ld64.so");
}

}  // namespace

bool is_c_library(std::string_view path) {
  const std::string_view name = basename(path);
  return name.starts_with("libc.so") || name.starts_with("libc-2.") || name.starts_with("ld-musl") ||
         name.starts_with("libc.musl");
}

LibcTargets::LibcTargets(Attacher attacher, std::vector<std::uint32_t> only)
    : attacher_(std::move(attacher)), only_(only.begin(), only.end()) {}

void LibcTargets::say(std::string line) {
  if (report_.size() < kMaxReport) report_.push_back(std::move(line));
}

void LibcTargets::look_at(std::uint32_t pid) {
  const std::uint32_t only_pid = only_.empty() ? 0 : pid;
  if (only_pid != 0 && !only_.contains(pid)) return;
  const auto maps = attacher_.read_maps(pid);
  if (!maps) return;
  for (const MappedFile& file : code_files(parse_maps(*maps))) {
    if (!is_program(file.path) && !is_c_library(file.path) && !is_dynamic_linker(file.path)) continue;
    // What has no probe is only looked at again.
    if (known_.size() >= kMaxKnown) std::erase_if(known_, [](const auto& known) { return !known.second; });
    const FileKey key{std::uint64_t{file.device_major} << 32 | file.device_minor, file.inode, only_pid};
    if (known_.contains(key)) continue;
    const auto fd = attacher_.open_mapped_file(pid, file.start, file.end, file.path, file.inode);
    if (!fd) continue;  // gone meanwhile: the next process that runs it is asked
    known_[key] = probe(*fd, file, only_pid);
  }
}

bool LibcTargets::probe(const UniqueFd& fd, const MappedFile& file, std::uint32_t only_pid) {
  auto program = ProgramFile::open(elf_bytes(UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0))));
  if (!program) return false;
  const std::size_t links = links_.size();
  std::string why;
  if (is_dynamic_linker(file.path)) {
    const auto found = program->find(kLinkerFunction);
    const auto at = found.empty() ? std::nullopt : program->file_offset(found.begin()->second.address);
    if (at) attach(LibcProgram::linker, fd, {*at}, only_pid, why);
  }
  std::string_view wanted[std::size(kKnown)];
  std::ranges::transform(kKnown, wanted, &Known::name);
  const auto found = program->find(wanted);
  if (found.empty()) return links_.size() != links;
  std::set<std::uint64_t> all_returns;  // gethostbyname_r may end in gethostbyname2_r
  std::vector<std::pair<const Known*, std::uint64_t>> entries;
  for (const Known& known : kKnown) {
    const auto at = found.find(known.name);
    if (at == found.end()) continue;
    const auto entry = program->file_offset(at->second.address);
    auto returns = find_returns(at->second, *program);
    if (!returns || !entry) {
      why = fmt::format("{}: {}", known.name, returns ? "its code is not in the file" : returns.error().why);
      continue;
    }
    for (const std::uint64_t address : *returns) {
      if (const auto offset = program->file_offset(address)) all_returns.insert(*offset);
    }
    entries.emplace_back(&known, *entry);
  }
  std::string names;
  if (files_ >= kMaxFiles) {
    why = "there are too many files";
  } else if (!entries.empty() &&
             // Before the entries: a call that was seen to begin is waited for.
             attach(LibcProgram::call_return, fd, {all_returns.begin(), all_returns.end()}, only_pid, why)) {
    for (const auto& [known, entry] : entries) {
      if (attach(known->entry, fd, {entry}, only_pid, why))
        names += (names.empty() ? "" : ", ") + std::string(known->name);
    }
  }
  if (!names.empty()) ++files_;
  std::string shown;
  append_printable(shown, file.path);
  say(fmt::format("{}: {}{}{}", shown, names.empty() ? "nothing probed" : "probed: " + names,
                  why.empty() ? "" : "; not probed: ", why));
  return links_.size() != links;
}

bool LibcTargets::attach(LibcProgram program, const UniqueFd& fd, const std::vector<std::uint64_t>& offsets,
                         std::uint32_t only_pid, std::string& why) {
  std::span<const std::uint64_t> left = offsets;
  while (!left.empty()) {
    const std::size_t count = std::min(left.size(), attacher::kMaxOffsets);
    auto link =
        attacher_.attach(static_cast<std::uint32_t>(program), {fd.get(), left.first(count), only_pid});
    if (!link) {
      why = link.error().why;
      return false;
    }
    links_.push_back(*std::move(link));
    left = left.subspan(count);
  }
  return true;
}

void LibcTargets::resume(std::uint32_t pid) {
  static_cast<void>(attacher_.resume(pid));  // an Error: it is gone
}

}  // namespace plumb
