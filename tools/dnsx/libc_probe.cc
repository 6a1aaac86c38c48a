#include "dnsx/libc_probe.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "base/path.h"
#include "dnsx/wire.h"

namespace plumb {
namespace {

constexpr std::uint32_t kRingBytes = 1 << 20;
constexpr std::uint16_t kTypeA = 1;
constexpr std::uint16_t kTypeAaaa = 28;

// Programs of libc.bpf.c by number.
enum : std::uint32_t { kGetaddrinfo, kGethostbyname, kGethostbyname2, kCallReturn, kLinker };

std::vector<bpf_program*> uprobes(const libc_bpf& skel) {
  const auto& p = skel.progs;
  return {p.getaddrinfo_entry, p.gethostbyname_entry, p.gethostbyname2_entry, p.call_return,
          p.libraries_mapped};
}

// gethostbyname and gethostbyname2 call these, in glibc and in musl.
constexpr std::string_view kFunctions[] = {"getaddrinfo", "gethostbyname_r", "gethostbyname2_r"};

// glibc, or musl, which is its own dynamic linker.
bool is_c_library(std::string_view path) {
  const std::string_view name = file_name(path);
  return name.starts_with("libc.so") || name.starts_with("libc-2.") || name.starts_with("ld-musl") ||
         name.starts_with("libc.musl");
}

std::optional<ProbedFiles::Finding> find_functions(const ProgramFile& program, std::string_view) {
  const auto found = program.find(kFunctions);
  if (found.empty()) return std::nullopt;
  ProbedFiles::Finding out;
  for (std::uint32_t number = kGetaddrinfo; number <= kGethostbyname2; ++number) {
    const auto at = found.find(kFunctions[number]);
    if (at == found.end()) continue;
    const auto entry = program.file_offset(at->second.address);
    const auto returns = find_returns(at->second, program);
    if (!returns || !entry) {
      out.refused =
          std::string(at->first) + ": " + (returns ? "its code is not in the file" : returns.error().why);
      continue;
    }
    out.places[number].insert(*entry);
    for (const std::uint64_t address : *returns) {  // gethostbyname_r may end in gethostbyname2_r
      if (const auto offset = program.file_offset(address)) out.places[kCallReturn].insert(*offset);
    }
    out.functions += (out.functions.empty() ? "" : ", ") + std::string(at->first);
  }
  return out;
}

constexpr ProbedFiles::Wanted kWanted{is_c_library, find_functions,
                                      [](std::string_view) { return std::string_view{}; }, kLinker};

dns::Owner owner_of(const task_identity& task) {
  const dnsx_owner identity{task, 0, 1};
  dns::Owner owner;
  owner.pid = task.pid;
  owner.tid = task.tid;
  std::memcpy(owner.identity.data(), &identity, sizeof identity);
  return owner;
}

}  // namespace

std::vector<Hook> LibcProbe::hooks(bool wanted) {
  return {{.name = "libc-exec",
           .purpose = "the C library's resolver in programs that start later",
           .variants = {{"tp_btf",
                         {"program_started"},
                         [](Features& f) { return f.tracepoint("sched_process_exec"); },
                         "a look at each new program's files"}},
           .required = false,
           .wanted = wanted},
          {.name = "libc-exit",
           .purpose = "calls of the C library that end with their thread",
           .variants = {{"tp_btf",
                         {"thread_ended"},
                         [](Features& f) { return f.tracepoint("sched_process_exit"); },
                         "a look-up as each thread ends"}},
           .required = false,
           .wanted = wanted}};
}

Result<void> LibcProbe::start(Session& session, dns::Calls& calls) {
  calls_ = &calls;
  if (auto r = probe_.open(session.features, session.filter, hooks(true)); !r) return r;
  const UprobePrograms programs(uprobes(*probe_));
  probe_->rodata->config.hold = session.filter.follow;
  if (auto r = probe_.start<&LibcProbe::record>(kRingBytes, *this); !r) return r;
  auto files = programs.start(session.filter, probe_->maps.held, kWanted);
  if (!files) return std::move(files).error();
  files_ = *std::move(files);
  return {};
}

// All that run, also with a command under trace: it will most likely run the same library.
Result<void> LibcProbe::attach_running() {
  return files_->look_at_running();
}

bool LibcProbe::record(std::span<const std::byte> bytes) {
  if (bytes.size() == sizeof(libc_process)) {
    const auto& event = *reinterpret_cast<const libc_process*>(bytes.data());
    files_->started(event.pid, event.held != 0);
  } else if (bytes.size() >= sizeof(libc_call)) {
    call(*reinterpret_cast<const libc_call*>(bytes.data()));
  }
  return true;
}

void LibcProbe::call(const libc_call& call) {
  switch (call.record) {
    case LIBC_BEGIN:
      return begin(call);
    case LIBC_END:
      return end(call);
    case LIBC_AGAIN:
      return calls_->pause(owner_of(call.task), {call.time_ns});
    case LIBC_LEFT:
      return calls_->leave(owner_of(call.task), {call.time_ns});
    default:
      return;
  }
}

// An address as text is no name.
void LibcProbe::begin(const libc_call& call) {
  const std::string_view name(call.name, ::strnlen(call.name, sizeof call.name));
  if (IpAddress::parse(name.substr(0, name.find('%')))) return;
  const dns::Owner owner = owner_of(call.task);
  calls_->begin({.function = call.function == LIBC_GETADDRINFO ? dns::CallFunction::getaddrinfo
                                                               : dns::CallFunction::gethostbyname,
                 .time = {call.time_ns},
                 .netns = call.netns,
                 .type = call.family == AF_INET    ? kTypeA
                         : call.family == AF_INET6 ? kTypeAaaa
                                                   : std::uint16_t{0},
                 .owner = owner,
                 .name = name});
}

void LibcProbe::end(const libc_call& call) {
  addresses_.clear();
  const std::size_t count = std::min<std::size_t>(call.count, LIBC_MAX_ADDRESSES);
  for (std::size_t i = 0; i < count; ++i)
    addresses_.push_back(IpAddress::of(call.addresses[i].family,
                                       reinterpret_cast<const std::uint8_t*>(call.addresses[i].words)));
  calls_->end(owner_of(call.task), {call.time_ns}, call.error, addresses_);
}

std::vector<std::string> LibcProbe::report() const {
  return files_ ? files_->report() : std::vector<std::string>{};
}

}  // namespace plumb
