// Plaintext that goes through TLS libraries, in processes that run and in those that start later. Tells records of
// wire.h, like the socket side; what to do with them is the tool's affair.
//
//   start() loads, attaches what needs no process, and starts the attacher while privileges are there
//   attach_running() finds the TLS code of the processes that run: it parses their files, so call it once privileges
//   are dropped (it works before as well)
//   drain() of probe() yields records, and probes what was started meanwhile
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/filter_config.h"
#include "httptrace/tls_wire.h"
#include "httptrace/wire.h"
#include "probe/probe.h"
#include "run/probed_files.h"
#include "run/tool.h"

#include "tls.skel.h"  // after the structs of its constants

namespace plumb {

class TlsProbe {
 public:
  static std::vector<Hook> hooks(bool wanted);

  // One record of wire.h (OPEN, DATA, CLOSE); false ends the drain. May be longer than what its struct says.
  using OnRecord = std::function<bool(std::span<const std::byte>)>;

  // `session` outlives the probe.
  Result<void> start(Session& session, OnRecord on_record);
  Result<void> attach_running();
  AnyProbe& probe() { return probe_; }

  // Descriptors of the maps of search.bpf.h, for the programs that see sockets. After start().
  struct Search {
    int searching = -1;
    int searchers = -1;
  };
  Search search() const { return {bpf_map__fd(probe_->maps.searching), bpf_map__fd(probe_->maps.searchers)}; }

  // What of other sockets' TLS is not read: see unread_tls.h. After start().
  void on_look(ProbedFiles::OnLook on_look);
  void look_at(std::uint32_t pid);
  // CLOCK_BOOTTIME of the first call of a TLS library that a probe saw in a process; 0: none.
  std::uint64_t first_call(std::uint32_t pid) const;

  // What was probed and what could not be, for -v: a line for each file.
  std::vector<std::string> report() const;

 private:
  bool record(std::span<const std::byte> bytes);

  Probe<tls_bpf> probe_;
  OnRecord on_record_;
  std::unique_ptr<ProbedFiles> files_;
};

}  // namespace plumb
