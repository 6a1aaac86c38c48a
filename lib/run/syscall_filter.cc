#include "run/syscall_filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/sanitizers.h"

namespace plumb {
namespace {

constexpr std::uint32_t kArchitecture =
#if defined(__x86_64__)
    AUDIT_ARCH_X86_64;
#else
    AUDIT_ARCH_AARCH64;
#endif

// Whatever their arguments are.
constexpr int kForbidden[] = {
    // other programs and processes
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_kill,
    SYS_tkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_pidfd_getfd,
    SYS_setpriority,
    // places: namespaces, roots, mounts
    SYS_setns,
    SYS_unshare,
    SYS_chroot,
    SYS_pivot_root,
    SYS_mount,
    SYS_umount2,
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_open_by_handle_at,
    // files: all that a run writes is open
    SYS_unlinkat,
    SYS_renameat,
    SYS_renameat2,
    SYS_linkat,
    SYS_symlinkat,
    SYS_mkdirat,
    SYS_mknodat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_truncate,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_fsetxattr,
    SYS_removexattr,
    SYS_lremovexattr,
    SYS_fremovexattr,
    SYS_utimensat,
    SYS_memfd_create,
    // the machine
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_quotactl,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_syslog,
    // large or old parts of the kernel
    SYS_personality,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_io_setup,
    SYS_perf_event_open,
    SYS_fanotify_init,
    SYS_remap_file_pages,
#if defined(__x86_64__)
    SYS_fork,
    SYS_vfork,
    SYS_creat,
    SYS_unlink,
    SYS_rename,
    SYS_link,
    SYS_symlink,
    SYS_mkdir,
    SYS_rmdir,
    SYS_mknod,
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_utime,
    SYS_utimes,
    SYS_futimesat,
    SYS_kexec_file_load,
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
    SYS_uselib,
#endif
};

// A thread or a file is asked for in memory, where a filter cannot look; the C library knows the older calls, too.
constexpr int kUnknown[] = {SYS_clone3};
constexpr int kOfOtherRoots[] = {SYS_openat2};

constexpr int kOfNetwork[] = {SYS_connect, SYS_listen, SYS_accept, SYS_accept4};

// Of bpf(2): maps, iterators and programs that were loaded before, and what --stats asks.
constexpr std::uint32_t kBpfCommands[] = {BPF_MAP_LOOKUP_ELEM,
                                          BPF_MAP_UPDATE_ELEM,
                                          BPF_MAP_DELETE_ELEM,
                                          BPF_MAP_GET_NEXT_KEY,
                                          BPF_MAP_LOOKUP_AND_DELETE_ELEM,
                                          BPF_MAP_LOOKUP_BATCH,
                                          BPF_MAP_LOOKUP_AND_DELETE_BATCH,
                                          BPF_OBJ_GET_INFO_BY_FD,
                                          BPF_ITER_CREATE,
                                          BPF_PROG_TEST_RUN};

constexpr std::uint32_t kWriting =
    O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);

// Each rule is a block of its own that ends with the number of the system call loaded again, or with a verdict: jumps stay
// short, and rules do not know each other.
class Program {
 public:
  Program() {
    load(offsetof(seccomp_data, arch));
    jump(BPF_JEQ, kArchitecture, 1, 0);
    verdict(SECCOMP_RET_KILL_PROCESS);
    load_number();
#if defined(__x86_64__)
    jump(BPF_JGE, 0x40000000, 0, 1);  // the x32 numbers of the same calls
    verdict(SECCOMP_RET_KILL_PROCESS);
#endif
  }

  void forbid(std::span<const int> calls, int error) {
    for (const int call : calls) {
      jump(BPF_JEQ, static_cast<std::uint32_t>(call), 0, 1);
      verdict(fails_with(error));
    }
  }

  // Where any of these bits is set in an argument.
  void forbid_bits(int call, unsigned argument, std::uint32_t bits, int error) {
    jump(BPF_JEQ, static_cast<std::uint32_t>(call), 0, 4);
    load_argument(argument);
    jump(BPF_JSET, bits, 0, 1);
    verdict(fails_with(error));
    load_number();
  }

  // Where an argument has one of these values.
  void forbid_values(int call, unsigned argument, std::span<const std::uint32_t> values) {
    jump(BPF_JEQ, static_cast<std::uint32_t>(call), 0, static_cast<std::uint8_t>(2 + 2 * values.size()));
    load_argument(argument);
    for (const std::uint32_t value : values) {
      jump(BPF_JEQ, value, 0, 1);
      verdict(fails_with(EPERM));
    }
    load_number();
  }

  // Unless an argument has one of these values.
  void allow_values(int call, unsigned argument, std::span<const std::uint32_t> values) {
    jump(BPF_JEQ, static_cast<std::uint32_t>(call), 0, static_cast<std::uint8_t>(3 + 2 * values.size()));
    load_argument(argument);
    for (const std::uint32_t value : values) {
      jump(BPF_JEQ, value, 0, 1);
      verdict(SECCOMP_RET_ALLOW);
    }
    verdict(fails_with(EPERM));
    load_number();
  }

  // Unless any of these bits is set.
  void need_bits(int call, unsigned argument, std::uint32_t bits) {
    jump(BPF_JEQ, static_cast<std::uint32_t>(call), 0, 4);
    load_argument(argument);
    jump(BPF_JSET, bits, 1, 0);
    verdict(fails_with(EPERM));
    load_number();
  }

  Result<void> install() {
    verdict(SECCOMP_RET_ALLOW);
    const sock_fprog filter{static_cast<unsigned short>(code_.size()), code_.data()};
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) != 0 && errno != EINVAL)
      return Error{"cannot give up system calls", errno_text(errno)};
    return {};
  }

 private:
  static std::uint32_t fails_with(int error) {
    return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error);
  }
  void load(std::size_t offset) {
    code_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
  }
  void load_number() {
    load(offsetof(seccomp_data, nr));
  }
  // Its low half: both machines are little endian, and what is compared here are ints to the kernel.
  void load_argument(unsigned n) {
    load(offsetof(seccomp_data, args) + n * sizeof(std::uint64_t));
  }
  void jump(int how, std::uint32_t value, std::uint8_t if_true, std::uint8_t if_false) {
    const auto code = static_cast<std::uint16_t>(BPF_JMP | how | BPF_K);
    code_.push_back(sock_filter{code, if_true, if_false, value});
  }
  void verdict(std::uint32_t what) {
    code_.push_back(BPF_STMT(BPF_RET | BPF_K, what));
  }

  std::vector<sock_filter> code_;
};

}  // namespace

Result<void> forbid_system_calls(const SyscallFilter& filter) {
  if (kSanitized) return {};  // the leak checker's thread is a process, and traces
  Program program;
  program.forbid(kForbidden, EPERM);
  program.forbid(kUnknown, ENOSYS);
  if (!filter.files_in_other_roots) program.forbid(kOfOtherRoots, ENOSYS);
  program.need_bits(SYS_clone, 0, CLONE_THREAD);
  program.forbid_bits(SYS_openat, 2, kWriting, EPERM);
#if defined(__x86_64__)
  program.forbid_bits(SYS_open, 1, kWriting, EPERM);
#endif
  constexpr std::uint32_t kTyping[] = {TIOCSTI, TIOCLINUX};  // what a terminal's other programs would read
  program.forbid_values(SYS_ioctl, 1, kTyping);
  program.allow_values(SYS_bpf, 0, kBpfCommands);
  constexpr std::uint32_t kOwn[] = {0};
  program.allow_values(SYS_prlimit64, 0, kOwn);
  if (!filter.signals) program.forbid(std::span<const int>({SYS_pidfd_send_signal}), EPERM);
  if (!filter.network) {
    program.forbid(kOfNetwork, EPERM);
    constexpr std::uint32_t kLocal[] = {AF_NETLINK};
    program.allow_values(SYS_socket, 0, kLocal);
    program.forbid_bits(SYS_mmap, 2, PROT_EXEC, EPERM);
    program.forbid_bits(SYS_mprotect, 2, PROT_EXEC, EPERM);
  }
  return program.install();
}

}  // namespace plumb
