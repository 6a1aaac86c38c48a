// unwind_compare PID SAMPLES: stops a thread again and again, walks its stack by libdw (dwfl_linux_proc_attach) and by
// plumb's unwinder from registers and a copy of 64 KiB of its stack, and compares all addresses. Prints how many agree
// and the first that do not; exits 1 when there are such.
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "symbol/elf.h"
#include "symbol/go_table.h"
#include "symbol/unwind.h"
#include "target/maps.h"

namespace {

using namespace plumb;

struct Loaded {
  std::optional<ElfFile> elf;
  UnwindTable cfi;
  GoTable go;
};

class Process final : public CodeFinder {
 public:
  explicit Process(pid_t pid) : pid_(pid) { refresh(); }
  void refresh() {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/maps");
    std::stringstream text;
    text << file.rdbuf();
    maps_ = parse_maps(text.str());
  }
  std::optional<CodeAt> find(std::uint64_t address) override {
    for (const Mapping& m : maps_) {
      if (address < m.start || address >= m.end || !m.executable) continue;
      if (m.inode == 0) return CodeAt{};
      Loaded& l = load(m);
      if (!l.elf) return CodeAt{};
      const auto in_file = l.elf->address_of(address - m.start + m.offset);
      return CodeAt{&l.cfi, &l.go, address - in_file.value_or(0)};
    }
    return std::nullopt;
  }

 private:
  Loaded& load(const Mapping& m) {
    auto& l = loaded_[m.path];
    if (!l) {
      l = std::make_unique<Loaded>();
      auto elf = ElfFile::open(elf_bytes(UniqueFd(::open(m.path.c_str(), O_RDONLY | O_CLOEXEC))));
      if (elf) {
        l->elf.emplace(*std::move(elf));
        l->cfi = UnwindTable::of(*l->elf);
        l->go = GoTable::of(*l->elf);
      }
    }
    return *l;
  }
  pid_t pid_;
  std::vector<Mapping> maps_;
  std::map<std::string, std::unique_ptr<Loaded>> loaded_;
};

Registers registers_of(pid_t pid) {
  user_regs_struct u{};
  ::ptrace(PTRACE_GETREGS, pid, nullptr, &u);
  const std::uint64_t by_dwarf[] = {u.rax, u.rdx, u.rcx, u.rbx, u.rsi, u.rdi, u.rbp, u.rsp, u.r8,
                                    u.r9,  u.r10, u.r11, u.r12, u.r13, u.r14, u.r15, u.rip};
  Registers r;
  for (std::size_t i = 0; i < std::size(by_dwarf); ++i) r.set(i, by_dwarf[i]);
  return r;
}

std::vector<std::byte> stack_of(pid_t pid, std::uint64_t sp) {
  std::vector<std::byte> bytes(65'536);
  std::size_t got = 0;
  while (got < bytes.size()) {
    const std::size_t chunk = 4'096 - ((sp + got) & 4'095);
    iovec local{bytes.data() + got, std::min(chunk, bytes.size() - got)};
    iovec remote{reinterpret_cast<void*>(sp + got), local.iov_len};  // NOLINT(performance-no-int-to-ptr)
    if (::process_vm_readv(pid, &local, 1, &remote, 1, 0) <= 0) break;
    got += local.iov_len;
  }
  bytes.resize(got);
  return bytes;
}

int on_frame(Dwfl_Frame* frame, void* out) {
  Dwarf_Addr pc = 0;
  bool activation = false;
  if (!dwfl_frame_pc(frame, &pc, &activation)) return DWARF_CB_ABORT;
  static_cast<std::vector<std::uint64_t>*>(out)->push_back(pc - (activation ? 0 : 1));
  return DWARF_CB_OK;
}

Dwfl* open_dwfl(pid_t pid) {
  static const Dwfl_Callbacks kCallbacks{.find_elf = dwfl_linux_proc_find_elf,
                                         .find_debuginfo = dwfl_standard_find_debuginfo,
                                         .section_address = nullptr,
                                         .debuginfo_path = nullptr};
  Dwfl* dwfl = dwfl_begin(&kCallbacks);
  dwfl_linux_proc_report(dwfl, pid);
  dwfl_report_end(dwfl, nullptr, nullptr);
  dwfl_linux_proc_attach(dwfl, pid, true);
  return dwfl;
}

void print(const char* who, const std::vector<std::uint64_t>& stack) {
  std::printf("  %s:", who);
  for (const std::uint64_t a : stack) std::printf(" %lx", a);
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const pid_t pid = std::atoi(argv[1]);
  const int samples = std::atoi(argv[2]);
  if (::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) return 2;
  Process process(pid);
  Dwfl* dwfl = nullptr;
  std::mt19937 random(1);
  int same = 0;
  int longer = 0;  // plumb's agrees with all of libdw's and goes on
  int differ = 0;
  int taken = 0;
  for (; taken < samples; ++taken) {
    const timespec pause{0, static_cast<long>(random() % 1'000'000)};
    ::nanosleep(&pause, nullptr);
    ::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr);
    int status = 0;
    if (::waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) break;
    if (dwfl == nullptr) dwfl = open_dwfl(pid);
    std::vector<std::uint64_t> theirs;
    dwfl_getthread_frames(dwfl, pid, on_frame, &theirs);
    const Registers registers = registers_of(pid);
    const auto stack = stack_of(pid, registers.value[kStackPointer]);
    Unwound ours;
    unwind(registers, {registers.value[kStackPointer], stack, false}, process, 4'096, ours);
    if (ours.addresses == theirs) {
      ++same;
    } else if (ours.end == UnwindEnd::root && ours.addresses.size() > theirs.size() &&
               std::equal(theirs.begin(), theirs.end(), ours.addresses.begin())) {
      ++longer;
    } else if (++differ <= 5) {
      std::printf("differ (end %d):\n", static_cast<int>(ours.end));
      print("libdw", theirs);
      print("plumb", ours.addresses);
    }
    ::ptrace(PTRACE_CONT, pid, nullptr,
             WIFSTOPPED(status) && WSTOPSIG(status) != SIGTRAP ? WSTOPSIG(status) : 0);
  }
  std::printf("%d samples: %d equal, %d where libdw gave up earlier, %d differ\n", taken, same, longer,
              differ);
  return differ == 0 ? 0 : 1;
}
