#include "probe/privileges.h"

#include <doctest/doctest.h>
#include <linux/capability.h>

#include <algorithm>
#include <cerrno>

#include "probe/skeleton.h"

using namespace plumb;

namespace {

constexpr std::uint64_t bit(unsigned n) {
  return std::uint64_t{1} << n;
}
constexpr std::uint64_t kBpf = bit(39);
constexpr std::uint64_t kPerfmon = bit(38);
constexpr std::uint64_t kSysPtrace = bit(CAP_SYS_PTRACE);

Privileges with(std::uint64_t effective) {
  Privileges p;
  p.effective = effective;
  p.program = "/usr/bin/plumb";
  p.memlock_limit = ~std::uint64_t{0};
  return p;
}

std::string shown(const Privileges& p, int error = EPERM) {
  const Error e = refused("cannot load", error, p);
  return e.what + ": " + e.why + "\n" + e.hint;
}

}  // namespace

TEST_CASE("exactly the missing capabilities are named, and the line that grants them") {
  CHECK(shown(with(0)) ==
        "cannot load: missing: CAP_BPF and CAP_PERFMON\n"
        "run it as root, or once: setcap cap_bpf,cap_perfmon+ep /usr/bin/plumb");
  CHECK(shown(with(kBpf | kSysPtrace)) ==
        "cannot load: missing: CAP_PERFMON\n"
        "run it as root, or once: setcap cap_bpf,cap_perfmon+ep /usr/bin/plumb");
  constexpr Capability kSome[] = {Capability::syslog, Capability::sys_ptrace};
  CHECK(lacking(with(kSysPtrace), kSome) == std::vector{Capability::syslog});
  CHECK(setcap_line(with(0), kSome) ==
        "setcap cap_bpf,cap_perfmon,cap_syslog,cap_sys_ptrace+ep /usr/bin/plumb");
}

TEST_CASE("CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, and before 5.8 it is the one") {
  CHECK(missing_for_tracing(with(bit(CAP_SYS_ADMIN))).empty());
  Privileges old = with(kSysPtrace);
  old.last_capability = 37;
  CHECK(shown(old) ==
        "cannot load: missing: CAP_SYS_ADMIN (this kernel has no CAP_BPF yet)\n"
        "run it as root, or once: setcap cap_sys_admin+ep /usr/bin/plumb");
}

TEST_CASE("with all capabilities, what else forbids it is named") {
  Privileges p = with(~std::uint64_t{0});
  CHECK(shown(p).find("a security module refuses it") != std::string::npos);
  p.seccomp = true;
  CHECK(shown(p).find("a seccomp filter is in force") != std::string::npos);
  Privileges container = with(kBpf | kPerfmon);
  container.seccomp = true;  // tells more than what only some tools need
  CHECK(shown(container) ==
        "cannot load: EPERM: Operation not permitted; a seccomp filter is in force\n"
        "let it allow bpf(2); in a container: --security-opt seccomp=unconfined, or a newer runtime");
  p.memlock_counts = true;
  p.memlock_limit = 65536;
  CHECK(shown(p).find("RLIMIT_MEMLOCK is 64 KiB") != std::string::npos);
  p.lockdown = "none";
  CHECK(shown(p).find("locked") == std::string::npos);
  p.lockdown = "confidentiality";
  CHECK(shown(p).find("the kernel is locked down (confidentiality)") != std::string::npos);
  p.initial_user_namespace = false;
  CHECK(shown(p).find("user namespace, where capabilities do not count") != std::string::npos);
}

TEST_CASE("no error takes more than three lines") {
  for (const std::uint64_t effective : {std::uint64_t{0}, kBpf, ~std::uint64_t{0}}) {
    for (const int error : {EPERM, EACCES}) {
      const std::string text = shown(with(effective), error);
      CHECK(std::ranges::count(text, '\n') == 1);
      CHECK_FALSE(text.ends_with('\n'));
    }
  }
  for (const int error : {EPERM, EINVAL, E2BIG, EACCES, ENOENT, 12345}) {
    const Error e = bpf_error("cannot load the BPF programs", error);
    CHECK_FALSE(e.why.empty());
    CHECK_FALSE(e.hint.empty());
    CHECK(std::ranges::count(e.what + e.why + e.hint, '\n') == 0);
  }
}

TEST_CASE("lists of capabilities read as text") {
  CHECK(capability_list({}).empty());
  CHECK(capability_list({Capability::bpf}) == "CAP_BPF");
  CHECK(capability_list({Capability::bpf, Capability::perfmon}) == "CAP_BPF and CAP_PERFMON");
}

TEST_CASE("capabilities by name, number, and use") {
  CHECK(setcap_name(Capability::dac_read_search) == "cap_dac_read_search");
  CHECK(capability_bit(Capability::bpf) == kBpf);
  CHECK(capability_bit(Capability::kill) == bit(CAP_KILL));
  CHECK(held_for_tracing(with(kBpf | bit(CAP_KILL))) == std::vector{Capability::bpf});  // not for tracing
  CHECK(
      held_for_tracing(with(bit(CAP_SYS_ADMIN))) ==
      std::vector{Capability::bpf, Capability::perfmon, Capability::sys_admin});  // which implies the others
  const auto own = own_capabilities();
  REQUIRE(own.ok());
  CHECK((own->effective & ~own->permitted) == 0);
}
