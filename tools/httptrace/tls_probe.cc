#include "httptrace/tls_probe.h"

#include <cstring>
#include <utility>

#include "httptrace/tls_targets.h"

namespace plumb {
namespace {

constexpr std::uint32_t kRingBytes = 4 << 20;

// In the order of entry_program() and return_program().
std::vector<bpf_program*> uprobes(const tls_bpf& skel) {
  const auto& p = skel.progs;
  return {p.ssl_read_entry,    p.ssl_write_entry,   p.ssl_read_ex_entry, p.ssl_write_ex_entry,
          p.gnutls_recv_entry, p.gnutls_send_entry, p.go_read_entry,     p.go_write_entry,
          p.object_freed,      p.go_closed,         p.call_return,       p.go_read_return,
          p.go_write_return,   p.libraries_mapped};
}

}  // namespace

TlsProbe::TlsProbe() = default;
TlsProbe::~TlsProbe() = default;

std::vector<Hook> TlsProbe::hooks(bool wanted) {
  return {{.name = "tls-exec",
           .purpose = "TLS in programs that start later",
           .variants = {{"tp_btf",
                         {"program_started"},
                         [](Features& f) { return f.tracepoint("sched_process_exec"); },
                         "a look at each new program's files"}},
           .required = false,
           .wanted = wanted}};
}

Result<void> TlsProbe::start(Session& session, OnRecord on_record) {
  session_ = &session;
  on_record_ = std::move(on_record);
  if (auto r = probe_.open(session.features, session.filter, hooks(true)); !r) return r;
  return load(session);
}

Result<void> TlsProbe::load(Session& session) {
  const UprobeKind kind = probe_uprobe_kind();
  const std::vector<bpf_program*> programs = uprobes(*probe_);
  if (kind == UprobeKind::multi) {
    for (bpf_program* p : programs)
      bpf_program__set_expected_attach_type(p, static_cast<bpf_attach_type>(kUprobeMultiAttachType));
  }
  probe_->rodata->config.hold = session.filter.follow;
  if (auto r = probe_.start<&TlsProbe::record>(kRingBytes, *this); !r) return r;
  std::vector<int> fds;
  for (bpf_program* p : programs) fds.push_back(bpf_program__fd(p));
  // Only a command's processes are held.
  auto attacher = Attacher::start(kind, fds, session.filter.follow ? bpf_map__fd(probe_->maps.held) : -1);
  if (!attacher) return std::move(attacher).error();
  const bool by_pid = !session.filter.follow && !session.filter.pids.empty();
  targets_ = std::make_unique<TlsTargets>(*std::move(attacher),
                                          by_pid ? session.filter.pids : std::vector<std::uint32_t>{});
  return {};
}

// A command under trace is not yet what it will be: its exec is told, as those of its children.
Result<void> TlsProbe::attach_running() {
  return targets_->look_at_running();
}

bool TlsProbe::record(std::span<const std::byte> bytes) {
  tls_process event{};
  static_assert(offsetof(tls_process, record) == offsetof(httptrace_header, record));
  if (bytes.size() < sizeof event ||
      std::to_integer<unsigned>(bytes[offsetof(tls_process, record)]) != TLS_PROCESS)
    return on_record_(bytes);
  std::memcpy(&event, bytes.data(), sizeof event);
  targets_->look_at(event.pid, true);
  if (event.held != 0) {
    bpf_map__delete_elem(probe_->maps.held, &event.pid, sizeof event.pid, 0);
    targets_->resume(event.pid);
  }
  return true;
}

void TlsProbe::on_look(TlsTargets::OnLook on_look) {
  targets_->on_look(std::move(on_look));
}

void TlsProbe::look_at(std::uint32_t pid) {
  targets_->look_at(pid);
}

std::uint64_t TlsProbe::first_call(std::uint32_t pid) const {
  std::uint64_t ns = 0;
  return bpf_map__lookup_elem(probe_->maps.first_calls, &pid, sizeof pid, &ns, sizeof ns, 0) == 0 ? ns : 0;
}

TlsProbe::Counts TlsProbe::counts() const {
  if (!targets_) return {};
  return {targets_->files(), targets_->refused(), targets_->processes()};
}

std::vector<std::string> TlsProbe::report() const {
  return targets_ ? targets_->report() : std::vector<std::string>{};
}

}  // namespace plumb
