// Calls of the C library's resolver, in processes that run and in those that start later, into a dns::Calls.
//
//   start() loads, attaches what needs no process, and starts the attacher while privileges are there
//   attach_running() finds the libraries of the processes that run: it parses their files, so once privileges are dropped
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bpf/filter_config.h"
#include "dns/calls.h"
#include "dnsx/libc_wire.h"
#include "probe/probe.h"
#include "run/probed_files.h"
#include "run/tool.h"

#include "libc.skel.h"  // after the structs of its constants

namespace plumb {

class LibcProbe {
 public:
  static std::vector<Hook> hooks(bool wanted);

  // `session` and `calls` outlive the probe.
  Result<void> start(Session& session, dns::Calls& calls);
  Result<void> attach_running();
  AnyProbe& probe() { return probe_; }
  std::vector<std::string> report() const;

 private:
  bool record(std::span<const std::byte> bytes);
  void call(const libc_call& call);
  void begin(const libc_call& call);
  void end(const libc_call& call);

  Probe<libc_bpf> probe_;
  dns::Calls* calls_ = nullptr;
  std::unique_ptr<ProbedFiles> files_;
  std::vector<IpAddress> addresses_;
};

}  // namespace plumb
