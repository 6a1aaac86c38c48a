#include "dnsx/libc_probe.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "dnsx/libc_targets.h"
#include "dnsx/wire.h"
#include "proc/process.h"

namespace plumb {
namespace {

constexpr std::uint32_t kRingBytes = 1 << 20;
constexpr std::uint16_t kTypeA = 1;
constexpr std::uint16_t kTypeAaaa = 28;

// In the order of LibcProgram.
std::vector<bpf_program*> uprobes(const libc_bpf& skel) {
  const auto& p = skel.progs;
  return {p.getaddrinfo_entry, p.gethostbyname_entry, p.gethostbyname2_entry, p.call_return,
          p.libraries_mapped};
}

dns::Owner owner_of(const task_identity& task) {
  const dnsx_owner identity{task, 0, 1};
  dns::Owner owner;
  owner.pid = task.pid;
  owner.tid = task.tid;
  std::memcpy(owner.identity.data(), &identity, sizeof identity);
  return owner;
}

}  // namespace

LibcProbe::LibcProbe() = default;
LibcProbe::~LibcProbe() = default;

std::vector<Hook> LibcProbe::hooks(bool wanted) {
  return {{.name = "libc-exec",
           .purpose = "the C library's resolver in programs that start later",
           .variants = {{"tp_btf",
                         {"program_started"},
                         [](Features& f) { return f.tracepoint("sched_process_exec"); },
                         "a look at each new program's files"}},
           .required = false,
           .wanted = wanted}};
}

Result<void> LibcProbe::start(Session& session, dns::Calls& calls) {
  session_ = &session;
  calls_ = &calls;
  if (auto r = probe_.open(session.features, session.filter, hooks(true)); !r) return r;
  const UprobeKind kind = probe_uprobe_kind();
  const std::vector<bpf_program*> programs = uprobes(*probe_);
  if (kind == UprobeKind::multi) {
    for (bpf_program* p : programs)
      bpf_program__set_expected_attach_type(p, static_cast<bpf_attach_type>(kUprobeMultiAttachType));
  }
  probe_->rodata->config.hold = session.filter.follow;
  if (auto r = probe_.start<&LibcProbe::record>(kRingBytes, *this); !r) return r;
  std::vector<int> fds;
  for (bpf_program* p : programs) fds.push_back(bpf_program__fd(p));
  // Nobody is held without a command under trace, and the attacher would wait at its end for those who are.
  auto attacher = Attacher::start(kind, fds, session.filter.follow ? bpf_map__fd(probe_->maps.held) : -1);
  if (!attacher) return std::move(attacher).error();
  const bool by_pid = !session.filter.follow && !session.filter.pids.empty();
  targets_ = std::make_unique<LibcTargets>(*std::move(attacher),
                                           by_pid ? session.filter.pids : std::vector<std::uint32_t>{});
  return {};
}

// All that run, also with a command under trace: it will most likely run the same library.
Result<void> LibcProbe::attach_running() {
  if (!session_->filter.pids.empty() && !session_->filter.follow) {
    for (const std::uint32_t pid : session_->filter.pids) targets_->look_at(pid);
    return {};
  }
  auto entries = system_procfs().list("/proc");
  if (!entries) return std::move(entries).error();
  const auto self = static_cast<std::uint32_t>(::getpid());
  for (const std::string& entry : *entries) {
    std::uint32_t pid = 0;
    const auto [end, error] = std::from_chars(entry.data(), entry.data() + entry.size(), pid);
    if (error == std::errc{} && end == entry.data() + entry.size() && pid != self) targets_->look_at(pid);
  }
  return {};
}

bool LibcProbe::record(std::span<const std::byte> bytes) {
  if (bytes.size() == sizeof(libc_process)) {
    process(*reinterpret_cast<const libc_process*>(bytes.data()));
  } else if (bytes.size() >= sizeof(libc_call)) {
    const auto& call = *reinterpret_cast<const libc_call*>(bytes.data());
    call.record == LIBC_BEGIN ? begin(call) : end(call);
  }
  return true;
}

void LibcProbe::process(const libc_process& event) {
  targets_->look_at(event.pid);
  if (event.held == 0) return;
  bpf_map__delete_elem(probe_->maps.held, &event.pid, sizeof event.pid, 0);
  targets_->resume(event.pid);
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

const std::vector<std::string>& LibcProbe::report() const {
  static const std::vector<std::string> kNone;
  return targets_ ? targets_->report() : kNone;
}

}  // namespace plumb
