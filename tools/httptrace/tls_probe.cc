#include "httptrace/tls_probe.h"

#include <cstring>
#include <optional>
#include <utility>

#include "target/tls.h"

namespace plumb {
namespace {

constexpr std::uint32_t kRingBytes = 4 << 20;

// Programs of tls.bpf.c by number: the one for the entry of each TlsCall, those for return instructions (all C functions have
// the same), then the one for the dynamic linker.
constexpr std::uint32_t entry_program(TlsCall call) {
  return static_cast<std::uint32_t>(call);
}
constexpr std::uint32_t return_program(TlsCall call) {
  const std::uint32_t go = call == TlsCall::go_read ? 1 : 2;
  return static_cast<std::uint32_t>(kTlsCalls) +
         (call == TlsCall::go_read || call == TlsCall::go_write ? go : 0);
}
constexpr std::uint32_t kLinkerProgram = kTlsCalls + 3;

std::vector<bpf_program*> uprobes(const tls_bpf& skel) {
  const auto& p = skel.progs;
  return {p.ssl_read_entry,    p.ssl_write_entry,   p.ssl_read_ex_entry, p.ssl_write_ex_entry,
          p.gnutls_recv_entry, p.gnutls_send_entry, p.go_read_entry,     p.go_write_entry,
          p.object_freed,      p.go_closed,         p.call_return,       p.go_read_return,
          p.go_write_return,   p.libraries_mapped};
}

std::optional<ProbedFiles::Finding> find_functions(const ProgramFile& program, std::string_view path) {
  const auto found = find_tls(program, path);
  if (!found) return std::nullopt;
  ProbedFiles::Finding out{.label = std::string(tls_library_name(found->library))};
  for (const TlsFunction& f : found->functions) {
    out.places[entry_program(f.call)].insert(f.entry);
    if (!f.returns.empty()) out.places[return_program(f.call)].insert(f.returns.begin(), f.returns.end());
    out.functions += (out.functions.empty() ? "" : ", ") + std::string(f.name);
  }
  for (const TlsRefused& r : found->refused) out.refused = std::string(r.name) + ": " + r.why;
  return out;
}

std::string_view out_of_reach(std::string_view path) {
  return unreadable_tls(path);
}

constexpr ProbedFiles::Wanted kWanted{may_hold_tls, find_functions, out_of_reach, kLinkerProgram};

}  // namespace

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
  on_record_ = std::move(on_record);
  if (auto r = probe_.open(session.features, session.filter, hooks(true)); !r) return r;
  const UprobePrograms programs(uprobes(*probe_));
  probe_->rodata->config.hold = session.filter.follow;
  if (auto r = probe_.start<&TlsProbe::record>(kRingBytes, *this); !r) return r;
  auto files = programs.start(session.filter, probe_->maps.held, kWanted);
  if (!files) return std::move(files).error();
  files_ = *std::move(files);
  return {};
}

// A command under trace is not yet what it will be: its exec is told, as those of its children.
Result<void> TlsProbe::attach_running() {
  return files_->look_at_running();
}

bool TlsProbe::record(std::span<const std::byte> bytes) {
  tls_process event{};
  static_assert(offsetof(tls_process, record) == offsetof(httptrace_header, record));
  if (bytes.size() < sizeof event ||
      std::to_integer<unsigned>(bytes[offsetof(tls_process, record)]) != TLS_PROCESS)
    return on_record_(bytes);
  std::memcpy(&event, bytes.data(), sizeof event);
  files_->started(event.pid, event.held != 0);
  return true;
}

void TlsProbe::on_look(ProbedFiles::OnLook on_look) {
  files_->on_look(std::move(on_look));
}

void TlsProbe::look_at(std::uint32_t pid) {
  files_->look_at(pid);
}

std::uint64_t TlsProbe::first_call(std::uint32_t pid) const {
  std::uint64_t ns = 0;
  return bpf_map__lookup_elem(probe_->maps.first_calls, &pid, sizeof pid, &ns, sizeof ns, 0) == 0 ? ns : 0;
}

std::vector<std::string> TlsProbe::report() const {
  return files_ ? files_->report() : std::vector<std::string>{};
}

}  // namespace plumb
