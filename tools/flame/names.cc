#include "flame/names.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "base/path.h"
#include "symbol/demangle.h"
#include "symbol/elf_symbols.h"
#include "symbol/jit_dump.h"
#include "symbol/perf_map.h"

namespace plumb {
namespace {

using profile::Frame;
using profile::FrameKind;
using profile::MappingId;

constexpr std::size_t kMostJitNames = std::size_t{256} << 20;  // bytes of a runtime's file

bool some_missing(const std::vector<WantedName>& wanted) {
  return std::ranges::any_of(wanted, [](const WantedName& w) { return w.name.empty(); });
}

// Debug files that a distribution installs beside stripped ones: by build id, then by .gnu_debuglink. A file that
// does not say the same build id is another build's. `use` says whether it wants another one.
template <typename Use>
void each_debug_file(const Module& module, TargetFiles& files, const Use& use) {
  const std::string& id = module.elf->build_id();
  if (id.size() < 4) return;
  std::vector<std::string> paths{"/usr/lib/debug/.build-id/" + id.substr(0, 2) + "/" + id.substr(2) +
                                 ".debug"};
  if (const DebugLink link = debuglink_of(*module.elf); !link.name.empty()) {
    const std::string folder = module.path.substr(0, module.path.rfind('/') + 1);
    paths.push_back(folder + link.name);
    paths.push_back(folder + ".debug/" + link.name);
    paths.push_back("/usr/lib/debug" + folder + link.name);
  }
  for (const std::string& path : paths) {
    UniqueFd fd = files.open_in_root(module.pid, path);
    if (!fd) fd = open_regular(path);
    if (!fd) continue;
    auto debug = ElfFile::open(elf_bytes(std::move(fd)));
    if (debug && debug->build_id() == id && !use(*debug)) return;
  }
}

bool has_debug_info(const ElfFile& file) {
  return file.bytes().fd() >= 0 &&
         (file.section(".debug_info") != nullptr || file.section(".zdebug_info") != nullptr);
}

// What is inlined at these addresses, by the file's own debug information or that of its debug file.
InlinedAnswer inlined_of(InlineReader& reader, const Module& module, TargetFiles& files,
                         const std::vector<WantedName>& wanted) {
  InlinedAnswer answer;
  if (!module.elf) return answer;
  std::vector<std::uint64_t> addresses;
  for (const WantedName& w : wanted) addresses.push_back(w.address);
  const auto read = [&](const ElfFile& file) {
    if (!has_debug_info(file)) return true;
    answer = reader.read(file.bytes().fd(), addresses);
    return false;
  };
  if (read(*module.elf)) each_debug_file(module, files, read);
  return answer;
}

// Of functions without a name the start stands for all their addresses, so that each is one frame.
void name_module(const Module& module, TargetFiles& files, std::vector<WantedName>& wanted) {
  if (!module.elf) return;
  for (WantedName& w : wanted) {
    const auto function = module.go.find(w.address);
    if (!function || function->name.empty()) continue;
    w.name = function->name;
    w.start = function->start;
  }
  if (some_missing(wanted)) find_symbols(*module.elf, wanted);
  if (some_missing(wanted)) {
    each_debug_file(module, files, [&](const ElfFile& debug) {
      find_symbols(debug, wanted);
      return some_missing(wanted);
    });
  }
  for (WantedName& w : wanted) {
    if (w.start == 0) w.start = module.cfi.function_start(w.address).value_or(0);
  }
}

// Feeds a file from its begin to `search`; it may have been read before.
template <typename Feed>
void read_all(const UniqueFd& fd, const Feed& feed) {
  if (::lseek(fd.get(), 0, SEEK_SET) != 0) return;
  std::string piece(std::size_t{256} << 10, '\0');
  for (std::size_t done = 0; done < kMostJitNames;) {
    const ssize_t n = ::read(fd.get(), piece.data(), piece.size());
    if (n <= 0 || !feed(std::string_view(piece.data(), static_cast<std::size_t>(n)))) return;
    done += static_cast<std::size_t>(n);
  }
}

// A file names what the process's own user, or root, wrote into it; another user's could say anything.
bool is_own(const UniqueFd& fd, std::uint32_t uid) {
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  return status.st_uid == uid || status.st_uid == 0;
}

void name_jit(std::uint32_t pid, Collector::JitProcess& jit, TargetFiles& files,
              std::vector<WantedName>& wanted) {
  if (is_own(jit.dump, jit.uid)) {
    JitDumpSearch search(wanted);
    read_all(jit.dump, [&](std::string_view s) { return search.feed(std::as_bytes(std::span(s))); });
    if (!some_missing(wanted)) return;
  }
  if (!jit.map) jit.map = files.open_in_root(pid, perf_map_path(jit.own_number));
  if (!is_own(jit.map, jit.uid)) return;
  PerfMapSearch search(wanted);
  read_all(jit.map, [&](std::string_view s) { return search.feed(s), true; });
  search.finish();
}

// What runs between the event and the program that takes the stack.
bool leads_to_probe(std::string_view name) {
  static constexpr std::string_view kBegins[] = {
      "bpf_prog_",      "bpf_trace_run",    "__bpf_trace_",         "__traceiter_",
      "trace_call_bpf", "perf_trace_",      "bpf_overflow_handler", "__perf_event_overflow",
      "perf_swevent_",  "___perf_sw_event", "__perf_sw_event"};
  return std::ranges::any_of(kBegins, [&](std::string_view b) { return name.starts_with(b); });
}

}  // namespace

// By mapping, ascending; the kernel's are looked up at once.
FrameNames::Wanted FrameNames::wanted_names() {
  Wanted wanted;
  std::vector<std::uint64_t> kernel;
  const profile::Profile& profile = collector_.profile();
  for (; asked_ < profile.frames(); ++asked_) {
    const Frame frame = profile.frame_of(static_cast<profile::FrameId>(asked_));
    if (!frame.function.empty()) continue;
    if (frame.kind == FrameKind::kernel) {
      kernel.push_back(frame.address);
    } else {
      wanted[frame.mapping].push_back({frame.address});
    }
  }
  kernel_.learn(kernel);
  for (const auto& [mapping, addresses] : unnamed_) {
    for (const std::uint64_t address : addresses) wanted[mapping].push_back({address});
  }
  for (auto& [mapping, list] : wanted) {
    std::ranges::sort(list, {}, &WantedName::address);
    const auto same = [](const WantedName& a, const WantedName& b) { return a.address == b.address; };
    list.erase(std::unique(list.begin(), list.end(), same), list.end());
  }
  return wanted;
}

void FrameNames::update() {
  for (auto& [mapping, wanted] : wanted_names()) {
    if (const Module* module = collector_.modules().with_mapping(mapping); module != nullptr) {
      name_module(*module, files_, wanted);
      if (style_.inlined != nullptr) keep_inlined(mapping, *module, wanted);
    } else if (const std::uint32_t pid = collector_.jit_process(mapping); pid != 0) {
      name_process(mapping, pid, wanted);
    }
    keep(mapping, wanted);
  }
}

// The runtime may name later what it has not named yet.
void FrameNames::name_process(MappingId mapping, std::uint32_t pid, std::vector<WantedName>& wanted) {
  name_jit(pid, collector_.jit(pid), files_, wanted);
  std::vector<std::uint64_t>& unnamed = unnamed_[mapping];
  unnamed.clear();
  for (const WantedName& w : wanted) {
    if (w.name.empty()) unnamed.push_back(w.address);
  }
}

void FrameNames::keep(MappingId mapping, std::vector<WantedName>& wanted) {
  for (WantedName& w : wanted) {
    std::string name = style_.raw ? std::move(w.name) : demangled(w.name);
    names_[{mapping, w.address}] = {std::move(name), w.start};
  }
}

void FrameNames::keep_inlined(MappingId mapping, const Module& module,
                              const std::vector<WantedName>& wanted) {
  InlinedAnswer answer = inlined_of(*style_.inlined, module, files_, wanted);
  if (!answer.whole && std::ranges::find(unread_, module.path) == unread_.end())
    unread_.push_back(module.path);
  for (InlinedAt& at : answer.found) {
    for (SourceFrame& f : at.frames) {
      if (!style_.raw) f.function = demangled(f.function);
    }
    inlined_[{mapping, at.address}] = std::move(at.frames);
  }
}

// The function in whose code it is gets its line, and what is inlined there follows as frames of their own.
void FrameNames::append_inlined(const Frame& original, std::vector<Frame>& out) const {
  const auto found = inlined_.find({original.mapping, original.address});
  if (found == inlined_.end()) return;
  const std::vector<SourceFrame>& frames = found->second;
  Frame& outer = out.back();
  if (outer.function.empty()) outer.function = frames.front().function;
  outer.address = original.address;
  outer.file = frames.front().file;
  outer.line = frames.front().line;
  for (std::size_t i = 1; i < frames.size(); ++i) {
    out.push_back({.function = frames[i].function,
                   .file = frames[i].file,
                   .line = frames[i].line,
                   .kind = FrameKind::inlined,
                   .mapping = original.mapping,
                   .address = original.address});
  }
}

void FrameNames::append(const Frame& frame, std::vector<Frame>& out) {
  if (frame.kind == FrameKind::kernel) return append_kernel(frame, out);
  out.push_back(frame);
  Frame& named = out.back();
  const auto found = names_.find({frame.mapping, frame.address});
  if (found == names_.end()) return;
  named.function = found->second.name;
  if (named.function.empty() && found->second.start != 0) named.address = found->second.start;
  append_inlined(frame, out);
}

void FrameNames::append_kernel(const Frame& frame, std::vector<Frame>& out) {
  const std::string_view name = kernel_.find(frame.address);
  if (style_.hide_probe && leads_to_probe(name)) return;
  out.push_back(frame);
  out.back().function = name;
}

NamedProfile FrameNames::whole() {
  std::vector<MissingJitMap> missing;
  for (const auto& unnamed : unnamed_) {
    const MappingId mapping = unnamed.first;  // a name of its own: clang 14 captures no structured binding
    const auto known = [mapping](const auto& place) {
      return place.first.first == mapping && !place.second.name.empty();
    };
    if (unnamed.second.empty() || std::ranges::any_of(names_, known)) continue;
    const std::uint32_t pid = collector_.jit_process(mapping);
    missing.push_back({pid, unnamed.second.size(), collector_.jit(pid).program});
  }
  const auto rewriter = [this](const Frame& f, std::vector<Frame>& out) { append(f, out); };
  return {collector_.profile().rewritten(rewriter), std::move(missing), std::move(unread_)};
}

std::string jit_map_advice(const MissingJitMap& missing) {
  const std::string_view program = file_name(missing.path);
  if (program == "node" || program == "nodejs") return "start it with: node --perf-basic-prof ...";
  if (program == "java") return fmt::format("run: jcmd {} Compiler.perfmap   (JDK 17 or later)", missing.pid);
  if (program.starts_with("python3"))
    return fmt::format("start it with: {} -X perf ...   (Python 3.12 or later)", program);
  return {};
}

}  // namespace plumb
