// Attaching uprobes by the system calls themselves: Debian 12's libbpf knows no uprobe_multi, and its headers neither.
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "probe/attacher.h"

namespace plumb {
namespace {

// union bpf_attr for BPF_LINK_CREATE of an uprobe_multi link (include/uapi/linux/bpf.h, Linux 6.6).
struct UprobeMultiAttr {
  std::uint32_t prog_fd = 0;
  std::uint32_t target_fd = 0;
  std::uint32_t attach_type = kUprobeMultiAttachType;
  std::uint32_t flags = 0;
  std::uint64_t path = 0;
  std::uint64_t offsets = 0;
  std::uint64_t ref_ctr_offsets = 0;
  std::uint64_t cookies = 0;
  std::uint32_t count = 0;
  std::uint32_t link_flags = 0;
  std::uint32_t pid = 0;
  std::uint32_t padding = 0;
};
static_assert(sizeof(UprobeMultiAttr) == 64);

template <class Attr>
int bpf_call(int command, Attr& attr) {
  return static_cast<int>(::syscall(SYS_bpf, command, &attr, sizeof attr));
}

// Names an open file to the kernel, which wants paths: whoever replaces the file meanwhile changes nothing.
class FdPath {
 public:
  explicit FdPath(int fd) { std::snprintf(text_, sizeof text_, "/proc/self/fd/%d", fd); }
  std::uint64_t address() const { return reinterpret_cast<std::uint64_t>(text_); }

 private:
  char text_[32];
};

int attach_multi(int program, const UprobePlace& place) {
  const FdPath path(place.file);
  UprobeMultiAttr attr;
  attr.prog_fd = static_cast<std::uint32_t>(program);
  attr.path = path.address();
  attr.offsets = reinterpret_cast<std::uint64_t>(place.offsets.data());
  attr.count = static_cast<std::uint32_t>(place.offsets.size());
  attr.pid = place.only_pid;
  return bpf_call(BPF_LINK_CREATE, attr);
}

// The type number of the PMU "uprobe"; 0 when there is none.
std::uint32_t uprobe_pmu() {
  char text[16];
  std::FILE* file = std::fopen("/sys/bus/event_source/devices/uprobe/type", "re");
  if (file == nullptr) return 0;
  const std::size_t n = std::fread(text, 1, sizeof text, file);
  std::fclose(file);
  std::uint32_t type = 0;
  std::from_chars(text, text + n, type);
  return type;
}

std::uint32_t known_uprobe_pmu() {
  static const std::uint32_t pmu = uprobe_pmu();
  return pmu;
}

int attach_perf(std::uint32_t pmu, int program, int file, std::uint64_t offset, std::uint32_t only_pid) {
  const FdPath path(file);
  perf_event_attr attr{};
  attr.size = sizeof attr;
  attr.type = pmu;
  attr.config1 = path.address();
  attr.config2 = offset;
  const pid_t pid = only_pid == 0 ? -1 : static_cast<pid_t>(only_pid);
  UniqueFd fd(static_cast<int>(
      ::syscall(SYS_perf_event_open, &attr, pid, only_pid == 0 ? 0 : -1, -1, PERF_FLAG_FD_CLOEXEC)));
  if (!fd || ::ioctl(fd.get(), PERF_EVENT_IOC_SET_BPF, program) != 0 ||
      ::ioctl(fd.get(), PERF_EVENT_IOC_ENABLE, 0) != 0)
    return -1;
  return fd.release();
}

Error cannot_attach(int error) {
  Error e{"cannot attach a probe to a program", errno_text(error)};
  if (error == EPERM || error == EACCES) e.hint = "that takes CAP_PERFMON and CAP_BPF, or root";
  if (error == EOPNOTSUPP) e.why = "this kernel has no uprobes";
  if (error == EMFILE) e.hint = "raise the limit of open files: ulimit -n";
  return e;
}

}  // namespace

void prepare_uprobes() {
  known_uprobe_pmu();
}

int attach_descriptors(UprobeKind kind, int program, const UprobePlace& place, std::vector<UniqueFd>& out) {
  if (kind == UprobeKind::multi) {
    out.emplace_back(attach_multi(program, place));
    return out.back() ? 0 : errno;
  }
  const std::uint32_t pmu = known_uprobe_pmu();
  if (pmu == 0) return EOPNOTSUPP;
  for (const std::uint64_t offset : place.offsets) {
    out.emplace_back(attach_perf(pmu, program, place.file, offset, place.only_pid));
    if (!out.back()) return errno;
  }
  return 0;
}

Result<UprobeLink> attach_uprobes(UprobeKind kind, int program, const UprobePlace& place) {
  std::vector<UniqueFd> fds;
  if (const int error = attach_descriptors(kind, program, place, fds); error != 0)
    return cannot_attach(error);
  return UprobeLink(std::move(fds));
}

UprobeKind probe_uprobe_kind() {
  const std::array<bpf_insn, 2> nothing{
      {{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_KPROBE;
  load.insns = reinterpret_cast<std::uint64_t>(nothing.data());
  load.insn_cnt = static_cast<std::uint32_t>(nothing.size());
  load.license = reinterpret_cast<std::uint64_t>("Dual MIT/GPL");
  load.expected_attach_type = static_cast<std::uint32_t>(kUprobeMultiAttachType);
  const UniqueFd program(bpf_call(BPF_PROG_LOAD, load));
  if (!program) return UprobeKind::perf;
  // A path that is no file: EBADF on kernels that know the link type, EINVAL on others. No probe is placed.
  const char* root = "/";
  const std::uint64_t offset = 0;
  UprobeMultiAttr attr;
  attr.prog_fd = static_cast<std::uint32_t>(program.get());
  attr.path = reinterpret_cast<std::uint64_t>(root);
  attr.offsets = reinterpret_cast<std::uint64_t>(&offset);
  attr.count = 1;
  const UniqueFd link(bpf_call(BPF_LINK_CREATE, attr));
  return !link && errno == EBADF ? UprobeKind::multi : UprobeKind::perf;
}

}  // namespace plumb
