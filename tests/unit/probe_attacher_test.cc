// The attacher with a real program: a counter in a map, attached to functions of this test's own file and seen in
// processes that start after privileges have dropped. Needs root; without it only what fails is tested.
#include "probe/attacher.h"

#include <dirent.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "run/confine.h"
#include "symbol/elf.h"
#include "target/maps.h"
#include "target/program_file.h"

using namespace plumb;

extern "C" {
// What is probed. Not inlined and not optimised, so that there is an entry and a return each time; without sanitizers,
// since clang's puts data in front of a function's instructions (-fsanitize=function), which no sweep can read.
#ifdef __clang__
[[gnu::noinline, clang::optnone, clang::no_sanitize("address", "undefined", "function", "coverage")]]
#else
[[gnu::noinline, gnu::noipa]]
#endif
int plumb_test_probed(int n) {
  asm volatile("" : "+r"(n));
  return n + 1;
}
}

namespace {

template <class Attr>
int bpf_call(int command, Attr& attr) {
  return static_cast<int>(::syscall(SYS_bpf, command, &attr, sizeof attr));
}

// An array of one counter, and a program that adds 1 to it.
struct Counter {
  UniqueFd map;
  UniqueFd program;

  explicit Counter(UprobeKind kind) {
    bpf_attr create{};
    create.map_type = BPF_MAP_TYPE_ARRAY;
    create.key_size = 4;
    create.value_size = 8;
    create.max_entries = 1;
    map.reset(bpf_call(BPF_MAP_CREATE, create));
    const auto op = [](unsigned code, unsigned dst, unsigned src, int off, int imm) {
      return bpf_insn{static_cast<__u8>(code), static_cast<__u8>(dst & 15U), static_cast<__u8>(src & 15U),
                      static_cast<__s16>(off), imm};
    };
    const std::array<bpf_insn, 11> code{
        op(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0),
        op(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
        op(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4),
        op(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map.get()),
        op(0, 0, 0, 0, 0),
        op(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
        op(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2, 0),
        op(BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, 1),
        op(BPF_STX | BPF_ATOMIC | BPF_DW, 0, 1, 0, BPF_ADD),
        op(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
        op(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };
    bpf_attr load{};
    load.prog_type = BPF_PROG_TYPE_KPROBE;
    load.insns = reinterpret_cast<std::uint64_t>(code.data());
    load.insn_cnt = static_cast<std::uint32_t>(code.size());
    load.license = reinterpret_cast<std::uint64_t>("Dual MIT/GPL");
    if (kind == UprobeKind::multi)
      load.expected_attach_type = static_cast<std::uint32_t>(kUprobeMultiAttachType);
    program.reset(bpf_call(BPF_PROG_LOAD, load));
  }

  std::uint64_t value() const {
    const std::uint32_t key = 0;
    std::uint64_t out = 0;
    bpf_attr look{};
    look.map_fd = static_cast<std::uint32_t>(map.get());
    look.key = reinterpret_cast<std::uint64_t>(&key);
    look.value = reinterpret_cast<std::uint64_t>(&out);
    return bpf_call(BPF_MAP_LOOKUP_ELEM, look) == 0 ? out : ~std::uint64_t{0};
  }
};

bool can_load() {
  return Counter(UprobeKind::perf).program.get() >= 0;
}

std::size_t open_descriptors(const std::string& pid = "self") {
  DIR* dir = ::opendir(("/proc/" + pid + "/fd").c_str());
  std::size_t n = 0;
  while (dir != nullptr && ::readdir(dir) != nullptr) ++n;
  if (dir != nullptr) ::closedir(dir);
  return n;
}

// A process that calls the probed function `calls` times once it is told to, and ends.
struct Target {
  int go[2];
  pid_t pid;

  explicit Target(int calls) {
    REQUIRE(::pipe(go) == 0);
    pid = ::fork();
    if (pid != 0) return;
    ::close(go[1]);
    char c = 0;
    if (::read(go[0], &c, 1) != 1) ::_exit(1);
    int n = 0;
    for (int i = 0; i < calls; ++i) n = plumb_test_probed(n);
    ::_exit(n == calls ? 0 : 2);
  }
  int run() {
    REQUIRE(::write(go[1], "x", 1) == 1);
    ::close(go[0]);
    ::close(go[1]);
    int status = 0;
    ::waitpid(pid, &status, 0);
    return status;
  }
};

// Entry and returns of the probed function in this file.
std::vector<std::uint64_t> probed_offsets(const UniqueFd& file) {
  auto program = ProgramFile::open(elf_bytes(UniqueFd(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0))));
  REQUIRE(program.ok());
  constexpr std::string_view kName[] = {"plumb_test_probed"};
  const auto found = program->find(kName);
  REQUIRE(found.size() == 1);
  const CodeRange range = found.begin()->second;
  std::vector<std::uint64_t> out{*program->file_offset(range.address)};
  auto returns = find_returns(range, *program);
  REQUIRE(returns.ok());
  for (const std::uint64_t address : *returns) out.push_back(*program->file_offset(address));
  return out;
}

// Runs `body` in a child and gives what it returns; 0 says that all went well.
int in_child(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    try {
      ::_exit(body());
    } catch (...) {  // a REQUIRE that failed: only the parent goes on with the tests
      ::_exit(99);
    }
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::vector<UprobeKind> kinds() {
  std::vector<UprobeKind> out{UprobeKind::perf};
  if (probe_uprobe_kind() == UprobeKind::multi) out.push_back(UprobeKind::multi);
  return out;
}

// A raw conversation, for messages that Attacher never sends.
struct Served {
  UniqueFd socket;
  pid_t pid = -1;

  Served() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    socket.reset(ends[0]);
    pid = ::fork();
    if (pid == 0) {
      socket.reset();
      attacher::serve(ends[1], UprobeKind::perf, {}, -1);
      ::_exit(0);
    }
    ::close(ends[1]);
  }
  ~Served() {
    socket.reset();
    int status = -1;
    ::waitpid(pid, &status, 0);
    CHECK(status == 0);
  }
  // The error of the reply to any bytes, with `fds` copies of standard input along.
  int say(const void* bytes, std::size_t size, std::size_t fds = 0) const {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 64)> control{};
    iovec data{const_cast<void*>(bytes), size};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (fds != 0) {
      message.msg_control = control.data();
      message.msg_controllen = CMSG_SPACE(sizeof(int) * fds);
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int) * fds);
      std::memset(CMSG_DATA(header), 0, sizeof(int) * fds);
    }
    if (::sendmsg(socket.get(), &message, MSG_NOSIGNAL) < 0) return -errno;
    attacher::Reply reply;
    return ::recv(socket.get(), &reply, sizeof reply, 0) == sizeof reply ? reply.error : -1;
  }
};

attacher::Request request(attacher::Ask ask, std::uint32_t pid) {
  attacher::Request r;
  r.size = sizeof r;
  r.ask = ask;
  r.pid = pid;
  return r;
}

}  // namespace

TEST_CASE("attacher: probes in a process that starts after all privileges were given up") {
  if (!can_load()) {
    MESSAGE("SKIP: needs root");
    return;
  }
  for (const UprobeKind kind : kinds()) {
    const Counter counter(kind);
    REQUIRE(counter.program);
    const int failed = in_child([&] {
      const int programs[] = {counter.program.get()};
      auto attacher = Attacher::start(kind, programs);
      if (!attacher) return 1;
      give_up_capabilities();
      const std::uint64_t first[] = {0};
      const UniqueFd own(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
      // Not by itself. (A link takes no capability once the program is loaded.)
      if (kind == UprobeKind::perf && attach_uprobes(kind, counter.program.get(), {own.get(), first, 0}))
        return 2;
      Target target(3);
      auto file = attacher->open_program(static_cast<std::uint32_t>(target.pid));
      if (!file) return 3;
      const auto offsets = probed_offsets(*file);
      auto link = attacher->attach(0, {file->get(), offsets, 0});
      if (!link) return 4;
      if (link->descriptors() != (kind == UprobeKind::multi ? 1 : offsets.size())) return 5;
      return target.run() == 0 ? 0 : 6;
    });
    CHECK(failed == 0);
    CHECK(counter.value() == 6);  // three calls, entry and return each
    in_child([] { return plumb_test_probed(1); });
    CHECK(counter.value() == 6);  // no probe is left behind
  }
}

TEST_CASE("attacher: a probe for one process is not seen in others, and not after its link ends") {
  if (!can_load()) {
    MESSAGE("SKIP: needs root");
    return;
  }
  for (const UprobeKind kind : kinds()) {
    const Counter counter(kind);
    Target one(2);
    Target other(2);
    const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    const auto offsets = probed_offsets(file);
    {
      auto link = attach_uprobes(kind, counter.program.get(),
                                 {file.get(), offsets, static_cast<std::uint32_t>(one.pid)});
      REQUIRE(link.ok());
      CHECK(other.run() == 0);
      CHECK(counter.value() == 0);
      CHECK(one.run() == 0);
      CHECK(counter.value() == 4);
    }
    in_child([] { return plumb_test_probed(1); });
    CHECK(counter.value() == 4);
  }
}

TEST_CASE("attacher: opens maps, mappings and files in a process's root, regular files only") {
  auto attacher = Attacher::start(UprobeKind::perf, {});
  REQUIRE(attacher.ok());
  const auto self = static_cast<std::uint32_t>(::getpid());
  auto maps = attacher->open_maps(self);
  REQUIRE(maps.ok());
  std::string text(1 << 20, 0);
  std::size_t used = 0;
  for (ssize_t n = 0; (n = ::read(maps->get(), text.data() + used, text.size() - used)) > 0;)
    used += static_cast<std::size_t>(n);
  const auto files = code_files(parse_maps(std::string_view(text).substr(0, used)));
  REQUIRE(!files.empty());
  struct stat info {};
  if (::geteuid() == 0) {
    auto mapped = attacher->open_mapping(self, files[0].start, files[0].end);
    REQUIRE_MESSAGE(mapped.ok(), mapped.error().what, mapped.error().why);
    CHECK((::fstat(mapped->get(), &info) == 0 && info.st_ino == files[0].inode));
  }
  auto in_root = attacher->open_in_root(self, files[0].path);
  REQUIRE(in_root.ok());
  CHECK((::fstat(in_root->get(), &info) == 0 && info.st_ino == files[0].inode));
  CHECK_FALSE(attacher->open_in_root(self, "/dev/null").ok());
  CHECK_FALSE(attacher->open_in_root(self, "/proc/self/exe").ok());  // no magic links
  CHECK_FALSE(attacher->open_in_root(self, "relative").ok());
  CHECK_FALSE(attacher->open_mapping(self, 1, 2).ok());
  CHECK_FALSE(attacher->open_program(0x7fffffff).ok());
}

TEST_CASE("attacher: links inside a root do not lead out of it") {
  if (::geteuid() != 0) {
    MESSAGE("SKIP: needs root");
    return;
  }
  char folder[] = "/tmp/plumb-root-XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  const std::string link = std::string(folder) + "/escape";
  REQUIRE(::symlink("/etc/passwd", link.c_str()) == 0);
  int ready[2];
  int go[2];
  REQUIRE((::pipe(ready) == 0 && ::pipe(go) == 0));
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(go[1]);
    if (::chroot(folder) != 0 || ::write(ready[1], "x", 1) != 1) ::_exit(1);
    char c = 0;
    ::_exit(::read(go[0], &c, 1) == 0 ? 0 : 1);
  }
  char c = 0;
  REQUIRE(::read(ready[0], &c, 1) == 1);
  {
    auto attacher = Attacher::start(UprobeKind::perf, {});
    REQUIRE(attacher.ok());
    CHECK_FALSE(attacher->open_in_root(static_cast<std::uint32_t>(pid), "/escape").ok());
  }
  for (const int fd : {go[0], go[1], ready[0], ready[1]}) ::close(fd);
  ::waitpid(pid, nullptr, 0);
  CHECK(::unlink(link.c_str()) == 0);
  CHECK(::rmdir(folder) == 0);
}

TEST_CASE("attacher: malformed messages are refused, and their descriptors closed") {
  const Served served;
  const std::string pid = std::to_string(served.pid);
  auto good = request(attacher::Ask::open_maps, static_cast<std::uint32_t>(::getpid()));
  CHECK(served.say(&good, sizeof good) == 0);
  CHECK(served.say(&good, 1) == EINVAL);  // what came with the last reply is closed by now
  const std::size_t before = open_descriptors(pid);
  CHECK(served.say(&good, sizeof good - 1) == EINVAL);
  CHECK(served.say(&good, 1) == EINVAL);
  std::vector<char> longer(sizeof good + 64, 0);
  std::memcpy(longer.data(), &good, sizeof good);
  CHECK(served.say(longer.data(), longer.size()) == EINVAL);
  CHECK(served.say(&good, sizeof good, 1) == EINVAL);  // a descriptor that nobody asked for
  for (const std::size_t fds : {std::size_t{2}, std::size_t{8}, std::size_t{9}, std::size_t{64}}) {
    auto attach = request(attacher::Ask::attach, 0);
    attach.offset_count = 1;
    CHECK(served.say(&attach, sizeof attach, fds) == EINVAL);
  }
  const auto refused = [&](auto change) {
    auto r = request(attacher::Ask::attach, 0);
    r.offset_count = 1;
    change(r);
    return served.say(&r, sizeof r, r.ask == attacher::Ask::attach ? 1 : 0);
  };
  CHECK(refused([](auto&) {}) == EINVAL);  // there are no programs
  CHECK(refused([](auto& r) { r.offset_count = 0; }) == EINVAL);
  CHECK(refused([](auto& r) { r.offset_count = 0xffffffff; }) == EINVAL);
  CHECK(refused([](auto& r) { r.program = 0xffffffff; }) == EINVAL);
  CHECK(refused([](auto& r) { r.size = 0; }) == EINVAL);
  CHECK(refused([](auto& r) { r.ask = static_cast<attacher::Ask>(0); }) == EINVAL);
  CHECK(refused([](auto& r) {
          r.ask = static_cast<attacher::Ask>(99);
          r.pid = 1;
        }) == EINVAL);
  CHECK(refused([](auto& r) { r.ask = attacher::Ask::open_maps; }) == EINVAL);  // pid 0
  CHECK(refused([](auto& r) {
          r.ask = attacher::Ask::open_maps;
          r.pid = 0xffffffff;
        }) == EINVAL);
  for (const std::string_view path :
       {std::string_view("etc"), std::string_view(""), std::string_view("/a\0b", 4)}) {
    CHECK(refused([&](auto& r) {
            r.ask = attacher::Ask::open_in_root;
            r.pid = static_cast<std::uint32_t>(::getpid());
            r.path_size = static_cast<std::uint32_t>(path.size());
            std::memcpy(r.path, path.data(), path.size());
          }) == EINVAL);
  }
  CHECK(refused([](auto& r) {
          r.ask = attacher::Ask::open_in_root;
          r.pid = 1;
          r.path_size = 0xffffffff;
        }) == EINVAL);
  CHECK(open_descriptors(pid) == before);
  CHECK(served.say(&good, sizeof good) == 0);  // still serves
}

TEST_CASE("attacher: ends with its parent, however that ends") {
  int said[2];
  REQUIRE(::pipe(said) == 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    auto attacher = Attacher::start(UprobeKind::perf, {});
    const pid_t pid = attacher ? attacher->pid() : -1;
    if (::write(said[1], &pid, sizeof pid) == sizeof pid) ::pause();
    ::_exit(1);
  }
  pid_t pid = -1;
  REQUIRE(::read(said[0], &pid, sizeof pid) == sizeof pid);
  REQUIRE(pid > 0);
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  REQUIRE(process);
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  pollfd ended{process.get(), POLLIN, 0};
  CHECK(::poll(&ended, 1, 60'000) == 1);
  ::close(said[0]);
  ::close(said[1]);
}

TEST_CASE("attacher: no descriptors are left here") {
  const std::size_t before = open_descriptors();
  {
    auto attacher = Attacher::start(UprobeKind::perf, {});
    REQUIRE(attacher.ok());
    for (int i = 0; i < 100; ++i) {
      CHECK(attacher->open_maps(static_cast<std::uint32_t>(::getpid())).ok());
      CHECK_FALSE(attacher->open_in_root(static_cast<std::uint32_t>(::getpid()), "/no such file").ok());
    }
  }
  CHECK(open_descriptors() == before);
}
