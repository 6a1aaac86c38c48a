// Whether plumb walks stacks as libdw does: samples of real programs, each walked by both from the same registers and the
// same copy of the stack.
//
//     bench_unwind [--samples 10000] [COMMAND ARG...]
//
// The default is xz and python3 with half of the samples each. COMMAND has to run until it is ended. Ends with 1 when two
// stacks differ in a frame, or when libdw gets further in one of them. x86-64; needs a kernel.perf_event_paranoid of at
// most 2, as most machines have it.
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "symbol/elf.h"
#include "symbol/go_table.h"
#include "symbol/unwind.h"
#include "target/maps.h"

namespace {

using namespace plumb;

constexpr std::uint32_t kStackBytes = 32'768;
constexpr std::size_t kRingPages = 1'024;
constexpr std::size_t kDepth = 1'024;

// By perf's numbers of registers (asm/perf_regs.h): ax bx cx dx si di bp sp ip, then r8 to r15. And DWARF's of each.
constexpr std::uint64_t kRegisterMask = 0x1FF | 0xFF0000ULL;
constexpr std::array<std::size_t, 17> kDwarfNumbers = {0, 3, 2,  1,  4,  5,  6,  7, 16,
                                                       8, 9, 10, 11, 12, 13, 14, 15};

struct Sample {
  Registers registers;
  StackCopy stack;
};

using Addresses = std::vector<std::uint64_t>;

// The code of one process, for plumb's unwinder.
class Code final : public CodeFinder {
 public:
  explicit Code(pid_t pid) {
    std::ifstream file(fmt::format("/proc/{}/maps", pid));
    std::stringstream text;
    text << file.rdbuf();
    maps_ = parse_maps(text.str());
  }

  std::optional<CodeAt> find(std::uint64_t address) override {
    for (const Mapping& m : maps_) {
      if (address < m.start || address >= m.end || !m.executable) continue;
      if (m.inode == 0) return CodeAt{};
      File& f = file(m.path);
      if (!f.elf) return CodeAt{};
      const auto in_file = f.elf->address_of(address - m.start + m.offset);
      return in_file ? CodeAt{&f.table, &f.go, address - *in_file} : CodeAt{};
    }
    return std::nullopt;
  }

 private:
  struct File {
    std::string path;
    std::optional<ElfFile> elf;
    UnwindTable table;
    GoTable go;
  };
  File& file(const std::string& path) {
    for (const auto& f : files_) {
      if (f->path == path) return *f;
    }
    auto f = std::make_unique<File>();
    f->path = path;
    if (auto elf = ElfFile::open(elf_bytes(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)))); elf) {
      f->elf.emplace(*std::move(elf));
      f->table = UnwindTable::of(*f->elf);
      f->go = GoTable::of(*f->elf);
    }
    files_.push_back(std::move(f));
    return *files_.back();
  }

  std::vector<Mapping> maps_;
  std::vector<std::unique_ptr<File>> files_;
};

// libdw's unwinder over a sample instead of a stopped process.
class Libdw {
 public:
  explicit Libdw(pid_t pid) : pid_(pid), dwfl_(::dwfl_begin(&kCallbacks)) {
    ::dwfl_report_begin(dwfl_);
    if (::dwfl_linux_proc_report(dwfl_, pid) != 0 || ::dwfl_report_end(dwfl_, nullptr, nullptr) != 0 ||
        !::dwfl_attach_state(dwfl_, nullptr, pid, &kThread, this)) {
      fmt::print(stderr, "libdw: {}\n", ::dwfl_errmsg(-1));
      std::exit(1);
    }
  }
  Libdw(const Libdw&) = delete;
  Libdw& operator=(const Libdw&) = delete;
  ~Libdw() { ::dwfl_end(dwfl_); }

  const Addresses& walk(const Sample& sample) {
    sample_ = &sample;
    addresses_.clear();
    ::dwfl_getthread_frames(dwfl_, pid_, frame, this);
    return addresses_;
  }

 private:
  static pid_t next_thread(Dwfl*, void* self, void** state) {
    if (*state != nullptr) return 0;
    *state = self;
    return static_cast<Libdw*>(self)->pid_;
  }
  static bool get_thread(Dwfl*, pid_t, void* self, void** state) { return *state = self, true; }
  static bool read_memory(Dwfl*, Dwarf_Addr address, Dwarf_Word* to, void* self) {
    const auto value = static_cast<Libdw*>(self)->sample_->stack.read(address);
    if (value) *to = *value;
    return value.has_value();
  }
  static bool set_registers(Dwfl_Thread* thread, void* self) {
    const auto& value = static_cast<Libdw*>(self)->sample_->registers.value;
    return ::dwfl_thread_state_registers(thread, 0, static_cast<unsigned>(value.size()), value.data());
  }
  static int frame(Dwfl_Frame* frame, void* self) {
    Dwarf_Addr pc = 0;
    bool activation = false;
    if (!::dwfl_frame_pc(frame, &pc, &activation)) return DWARF_CB_ABORT;
    Addresses& addresses = static_cast<Libdw*>(self)->addresses_;
    addresses.push_back(pc - (activation ? 0 : 1));
    return addresses.size() < kDepth ? DWARF_CB_OK : DWARF_CB_ABORT;
  }
  static int no_debug_file(Dwfl_Module*, void**, const char*, Dwarf_Addr, const char*, const char*, GElf_Word,
                           char**) {
    return -1;
  }

  static constexpr Dwfl_Callbacks kCallbacks = {.find_elf = ::dwfl_linux_proc_find_elf,
                                                .find_debuginfo = no_debug_file,
                                                .section_address = nullptr,
                                                .debuginfo_path = nullptr};
  static constexpr Dwfl_Thread_Callbacks kThread = {.next_thread = next_thread,
                                                    .get_thread = get_thread,
                                                    .memory_read = read_memory,
                                                    .set_initial_registers = set_registers,
                                                    .detach = nullptr,
                                                    .thread_detach = nullptr};
  pid_t pid_;
  Dwfl* dwfl_;
  const Sample* sample_ = nullptr;
  Addresses addresses_;
};

// A command, sampled in user mode.
class Sampled {
 public:
  explicit Sampled(const std::vector<std::string>& command) : pid_(start(command)) {
    perf_event_attr attr{};
    attr.size = sizeof attr;
    attr.type = PERF_TYPE_SOFTWARE;
    attr.config = PERF_COUNT_SW_CPU_CLOCK;
    attr.sample_period = 200'000;  // ns
    attr.sample_type = PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER;
    attr.sample_regs_user = kRegisterMask;
    attr.sample_stack_user = kStackBytes;
    attr.exclude_kernel = 1;
    attr.watermark = 1;
    attr.wakeup_watermark = kStackBytes;
    event_.reset(static_cast<int>(::syscall(SYS_perf_event_open, &attr, pid_, -1, -1, PERF_FLAG_FD_CLOEXEC)));
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    size_ = kRingPages * page;
    void* memory = event_ ? ::mmap(nullptr, size_ + page, PROT_READ | PROT_WRITE, MAP_SHARED, event_.get(), 0)
                          : MAP_FAILED;
    if (memory == MAP_FAILED) {
      std::perror("cannot sample");
      std::exit(1);
    }
    control_ = static_cast<perf_event_mmap_page*>(memory);
    ring_ = static_cast<const std::byte*>(memory) + page;
  }
  Sampled(const Sampled&) = delete;
  Sampled& operator=(const Sampled&) = delete;
  ~Sampled() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const { return pid_; }

  // Waits for samples and gives each to `take`, which says whether it wants more.
  template <typename Take>
  bool drain(const Take& take) {
    pollfd ready{event_.get(), POLLIN, 0};
    ::poll(&ready, 1, 1'000);
    const std::uint64_t head = __atomic_load_n(&control_->data_head, __ATOMIC_ACQUIRE);
    std::uint64_t tail = control_->data_tail;
    bool more = true;
    for (; tail < head && more; tail += record_.size()) {
      copy(tail, sizeof(perf_event_header));
      perf_event_header header;
      std::memcpy(&header, record_.data(), sizeof header);
      copy(tail, header.size);
      if (header.type == PERF_RECORD_SAMPLE && parse()) more = take(sample_);
    }
    __atomic_store_n(&control_->data_tail, tail, __ATOMIC_RELEASE);
    return more;
  }

 private:
  static pid_t start(const std::vector<std::string>& command) {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    std::vector<char*> arguments;
    for (const std::string& a : command) arguments.push_back(const_cast<char*>(a.c_str()));
    arguments.push_back(nullptr);
    const UniqueFd null(::open("/dev/null", O_RDWR));
    ::dup2(null.get(), STDOUT_FILENO);
    ::execvp(arguments.front(), arguments.data());
    ::_exit(127);
  }

  void copy(std::uint64_t at, std::size_t bytes) {
    record_.resize(bytes);
    for (std::size_t i = 0; i < bytes; ++i) record_[i] = ring_[(at + i) % size_];
  }

  // ABI of the registers, registers, size of the stack, stack, used part of it (perf_event_open(2)).
  bool parse() {
    const auto word = [this](std::size_t at) {
      std::uint64_t v = 0;
      std::memcpy(&v, record_.data() + at, sizeof v);
      return v;
    };
    std::size_t at = sizeof(perf_event_header);
    if (word(at) != PERF_SAMPLE_REGS_ABI_64) return false;
    for (const std::size_t number : kDwarfNumbers) sample_.registers.set(number, word(at += 8));
    const std::uint64_t size = word(at += 8);
    if (size == 0) return false;
    const std::uint64_t used = word(at + 8 + size);
    sample_.stack = {sample_.registers.value[kStackPointer], std::span(record_).subspan(at + 8, used),
                     used == size};
    return true;
  }

  pid_t pid_;
  UniqueFd event_;
  perf_event_mmap_page* control_ = nullptr;
  const std::byte* ring_ = nullptr;
  std::size_t size_ = 0;
  std::vector<std::byte> record_;
  Sample sample_;
};

struct Agreement {
  std::uint64_t samples = 0, frames = 0, rooted = 0;
  std::uint64_t same = 0, further = 0, less_far = 0, different = 0;

  void add(const Unwound& ours, const Addresses& theirs) {
    ++samples;
    frames += ours.addresses.size();
    rooted += ours.end == UnwindEnd::root ? 1 : 0;
    const std::size_t shared = std::min(ours.addresses.size(), theirs.size());
    if (!std::equal(theirs.begin(), theirs.begin() + static_cast<std::ptrdiff_t>(shared),
                    ours.addresses.begin()))
      ++different;
    else if (ours.addresses.size() == theirs.size())
      ++same;
    else
      ++(ours.addresses.size() > theirs.size() ? further : less_far);
  }
};

std::string listed(const Addresses& addresses) {
  std::string text;
  for (const std::uint64_t a : addresses) text += fmt::format(" {:x}", a);
  return text;
}

Agreement compare(const std::vector<std::string>& command, std::uint64_t samples) {
  Sampled sampled(command);
  for (int warm_up = 0; warm_up < 500;) {  // until it has loaded what it needs
    if (!sampled.drain([&](const Sample&) { return ++warm_up, true; }) ||
        ::waitpid(sampled.pid(), nullptr, WNOHANG) != 0)
      break;
  }
  Code code(sampled.pid());
  Libdw libdw(sampled.pid());
  Agreement agreement;
  Unwound ours;
  const auto take = [&](const Sample& sample) {
    unwind(sample.registers, sample.stack, code, kDepth, ours);
    const Addresses& theirs = libdw.walk(sample);
    const std::uint64_t bad = agreement.different + agreement.less_far;
    agreement.add(ours, theirs);
    if (agreement.different + agreement.less_far > bad && bad < 5)
      fmt::print("plumb:{}\nlibdw:{}\n", listed(ours.addresses), listed(theirs));
    return agreement.samples < samples;
  };
  while (agreement.samples < samples && ::waitpid(sampled.pid(), nullptr, WNOHANG) == 0) sampled.drain(take);
  return agreement;
}

bool report(const std::string& name, const Agreement& a, std::uint64_t wanted) {
  fmt::print(
      "{}: {} samples with {} frames, {:.1f} % rooted: {} stacks as libdw has them, {} further, {} less far, {} different\n",
      name, a.samples, a.frames,
      100 * static_cast<double>(a.rooted) / static_cast<double>(std::max<std::uint64_t>(a.samples, 1)),
      a.same, a.further, a.less_far, a.different);
  return a.samples == wanted && a.different == 0 && a.less_far == 0;
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<std::string> rest(arguments + 1, arguments + count);
  std::uint64_t samples = 10'000;
  if (rest.size() >= 2 && rest[0] == "--samples") {
    samples = std::strtoull(rest[1].c_str(), nullptr, 10);
    rest.erase(rest.begin(), rest.begin() + 2);
  }
  if (!rest.empty()) return report(rest.front(), compare(rest, samples), samples) ? 0 : 1;
  const std::vector<std::string> python = {
      "/usr/bin/python3", "-c",
      "import json, re\nwhile True:\n t = json.dumps({'a': list(range(500))}); json.loads(t); re.findall(r'([0-9]+),', t)"};
  bool good = report("python3", compare(python, samples / 2), samples / 2);
  const std::vector<std::string> xz = {"xz", "-T1", "-6", "-c", "/dev/urandom"};
  good = report("xz", compare(xz, samples / 2), samples / 2) && good;
  return good ? 0 : 1;
}
