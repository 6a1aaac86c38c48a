#include "symbol/unwind.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

#include "cfi_bytes.h"
#include "symbol/elf.h"
#include "symbol/elf_symbols.h"
#include "target/maps.h"

using namespace plumb;
using namespace cfi_bytes;

#if defined(__x86_64__)  // code of that machine; arm64's: symbol_unwind_arm64_test.cc

namespace {

// A section at address 0x10000 with one CIE ("zR", absolute 4-byte addresses; CFA = rsp + 8, return address at
// CFA - 8) and a function of 0x100 bytes at 0x1000 with this program.
Bytes section_of(std::initializer_list<unsigned> program, unsigned return_column = 16, bool signal = false) {
  Bytes out;
  put32(out, 0);
  put32(out, 0);
  put(out, {1, 'z', 'R', signal ? unsigned{'S'} : 0U});
  if (signal) put(out, {0});
  put(out, {1, 0x78, return_column, 1, 0x03});
  put(out, {0x0c, 7, 8, 0x90, 1});
  close_entry(out, 0);
  add_function(out, program);
  return out;
}

UnwindTable table_of(std::initializer_list<unsigned> program) {
  return {section_of(program), 0x10000, 0, false};
}

struct OneModule final : CodeFinder {
  explicit OneModule(UnwindTable t) : table(std::move(t)) {}
  std::optional<CodeAt> find(std::uint64_t address) override {
    if (address >= 0x10000) return std::nullopt;
    return CodeAt{&table, nullptr, 0};
  }
  UnwindTable table;
};

// A stack at 0x7000 of these words.
struct Stack {
  explicit Stack(std::vector<std::uint64_t> w) : words(std::move(w)) {}
  StackCopy copy(bool cut = false) const { return {0x7000, std::as_bytes(std::span(words)), cut}; }
  std::vector<std::uint64_t> words;
};

Registers at(std::uint64_t ip, std::uint64_t sp = 0x7000) {
  Registers r;
  r.set(kReturn, ip);
  r.set(kStackPointer, sp);
  r.set(kFramePointer, 0x7010);
  return r;
}

Unwound walk(UnwindTable table, const Registers& r, const StackCopy& stack, std::size_t depth = 64) {
  OneModule code(std::move(table));
  Unwound out;
  unwind(r, stack, code, depth, out);
  return out;
}

}  // namespace

TEST_CASE("rows hold from their address on") {
  // push rbp; at +1 CFA = rsp + 16, rbp at CFA - 16; at +4 CFA = rbp + 16; at +0x84 (advance by 128) CFA = rsp + 8
  UnwindTable t = table_of({0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x02, 0x80, 0x0c, 7, 8});
  REQUIRE(t.functions() == 1);
  CHECK(t.find(0x1000)->cfa_offset == 8);
  CHECK(t.find(0x1001)->cfa_offset == 16);
  CHECK(t.find(0x1003)->cfa_register == kStackPointer);
  CHECK(t.find(0x1004)->cfa_register == kFramePointer);
  CHECK(t.find(0x1083)->cfa_register == kFramePointer);
  CHECK(t.find(0x1084)->cfa_register == kStackPointer);
  CHECK(t.find(0x10ff)->cfa_register == kStackPointer);
  CHECK_FALSE(t.find(0x1100));
  CHECK_FALSE(t.find(0xfff));
  CHECK(*t.function_start(0x10ff) == 0x1000);
}

TEST_CASE("remembered states come back; a state that was not remembered ends the program") {
  UnwindTable t = table_of({0x0a, 0x41, 0x0e, 16, 0x41, 0x0b, 0x41, 0x0e, 24});
  CHECK(t.find(0x1001)->cfa_offset == 16);
  CHECK(t.find(0x1002)->cfa_offset == 8);
  CHECK(t.find(0x1003)->cfa_offset == 24);
  CHECK_FALSE(table_of({0x0b}).find(0x1000));
}

TEST_CASE("callers by return address minus one, until it is undefined") {
  // f: CFA = rsp + 8; at +0x80 the return address is undefined.
  const auto program = {0x02u, 0x80u, 0x07u, 16u};
  const Stack s({0x1011, 0x1021, 0x1085});
  const Unwound u = walk(table_of(program), at(0x1000), s.copy());
  CHECK(u.addresses == std::vector<std::uint64_t>{0x1000, 0x1010, 0x1020, 0x1084});
  CHECK(u.end == UnwindEnd::root);
}

TEST_CASE("why a stack ends is told") {
  const Stack s({0x1011, 0x1021});
  CHECK(walk(table_of({}), at(0x1000), s.copy(true)).end == UnwindEnd::cut);
  CHECK(walk(table_of({}), at(0x1000), s.copy()).end == UnwindEnd::no_memory);
  CHECK(walk(table_of({}), at(0x1000), s.copy(), 2).end == UnwindEnd::too_deep);
  const Stack astray({0x99999});
  const Unwound nowhere = walk(table_of({}), at(0x1000), astray.copy());
  CHECK(nowhere.end == UnwindEnd::no_code);
  CHECK(nowhere.addresses.size() == 1);
  const Stack zero({0});
  CHECK(walk(table_of({}), at(0x1000), zero.copy()).end == UnwindEnd::root);
  // CFA = rsp + 0 for ever: no way up.
  CHECK(walk(table_of({0x0e, 0}), at(0x1000, 0x7008), s.copy()).end == UnwindEnd::no_progress);
}

TEST_CASE("without a rule the frame pointer is followed") {
  const Stack s({0, 0, 0x7028, 0x1505, 0, 0, 0x1605});
  const Unwound u = walk(table_of({}), at(0x1400), s.copy());
  CHECK(u.addresses == std::vector<std::uint64_t>{0x1400, 0x1504, 0x1604});
}

TEST_CASE("a realigned stack: CFA is where rbp - 8 points") {
  // DW_CFA_def_cfa_expression: breg6 -8, deref
  const Registers r = at(0x1000, 0x7000);
  const Stack good({0, 0x7020, 0, 0x1011, 0});
  CHECK(walk(table_of({0x0f, 3, 0x76, 0x78, 0x06}), r, good.copy(), 2).addresses ==
        std::vector<std::uint64_t>{0x1000, 0x1010});
}

TEST_CASE("a PLT entry's CFA depends on where in its 16 bytes the CPU is") {
  // breg7 8; breg16 0; lit15; and; lit11; ge; lit3; shl; plus
  const Bytes plt{std::byte{0x77}, std::byte{8},    std::byte{0x80}, std::byte{0},
                  std::byte{0x3f}, std::byte{0x1a}, std::byte{0x3b}, std::byte{0x2a},
                  std::byte{0x33}, std::byte{0x24}, std::byte{0x22}};
  const Stack s({0});
  CHECK(*evaluate(plt, at(0x1000), s.copy(), std::nullopt) == 0x7008);
  CHECK(*evaluate(plt, at(0x100b), s.copy(), std::nullopt) == 0x7010);
}

TEST_CASE("expressions that ask for what is not there give nothing") {
  const Stack s({42});
  const auto run = [&](std::initializer_list<unsigned> bytes) {
    Bytes b;
    put(b, bytes);
    return evaluate(b, at(0x1000), s.copy(), std::nullopt);
  };
  CHECK(*run({0x77, 0, 0x06}) == 42);
  CHECK_FALSE(run({}));
  CHECK_FALSE(run({0x22}));           // plus of nothing
  CHECK_FALSE(run({0x70, 0}));        // rax is not known
  CHECK_FALSE(run({0x77, 8, 0x06}));  // behind the copy
  CHECK_FALSE(run({0x28, 0, 0}));     // a branch
  CHECK_FALSE(run({0x77}));           // its operand is missing
  CHECK_FALSE(run({0x14}));           // over
  std::vector<unsigned> many(300, 0x96);
  Bytes nops;
  for (const unsigned b : many) nops.push_back(static_cast<std::byte>(b));
  CHECK_FALSE(evaluate(nops, at(0x1000), s.copy(), 1));
}

TEST_CASE("a signal frame's caller was interrupted: its address is exact and all registers live on") {
  // CFA = rsp + 8; rax (0) saved at CFA - 16 is not: it keeps its value; return address at CFA - 8
  OneModule code({section_of({}, 16, true), 0x10000, 0, false});
  const Stack s({0x1011});
  Unwound out;
  unwind(at(0x1000), s.copy(), code, 2, out);
  CHECK(out.addresses == std::vector<std::uint64_t>{0x1000, 0x1011});
}

TEST_CASE("damaged sections give no rules and no harm") {
  const Bytes good = section_of({0x41, 0x0e, 16, 0x86, 2});
  for (std::size_t size = 0; size < good.size(); ++size) {
    UnwindTable t({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}, 0x10000, 0, false);
    t.find(0x1000);
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] ^= std::byte{0xff};
    UnwindTable t(bad, 0x10000, 0, false);
    t.find(0x1000);
    t.find(0x1001);
  }
  CHECK_FALSE(UnwindTable(section_of({}, 8), 0x10000, 0, false).find(0x1000));  // code of another machine
}

namespace {
// The index of section_of()'s one function.
CfiIndex index_of(std::uint32_t start, std::uint32_t fde, std::uint32_t count = 1,
                  std::uint32_t kind = 0x3b031b01) {
  constexpr std::uint32_t kAddress = 0xf000;
  CfiIndex index{{}, kAddress};
  put32(index.bytes, kind);
  put32(index.bytes, 0x10000 - kAddress - 4);
  put32(index.bytes, count);
  put32(index.bytes, start - kAddress);
  put32(index.bytes, fde - kAddress);
  return index;
}

}  // namespace

TEST_CASE("the linker's index says where functions are, and is not trusted") {
  const Bytes section = section_of({0x41, 0x0e, 16});
  std::uint32_t length = 0;
  std::memcpy(&length, section.data(), 4);
  const std::uint32_t fde = 0x10000 + length + 4;
  const auto with = [&](const CfiIndex& index) { return UnwindTable(section, 0x10000, 0, false, index); };
  UnwindTable good = with(index_of(0x1000, fde));
  CHECK(good.functions() == 1);
  CHECK(good.find(0x1001)->cfa_offset == 16);
  CHECK(good.function_start(0x10ff) == 0x1000);
  CHECK_FALSE(good.find(0x1100));
  CHECK_FALSE(good.function_start(0x1100));
  // Of another function than it says, or of none: no rule.
  for (const CfiIndex& wrong :
       {index_of(0x0f80, fde), index_of(0x1000, 0x10000), index_of(0x1000, fde + 3)}) {
    UnwindTable t = with(wrong);
    CHECK_FALSE(t.find(0x1001));
    CHECK_FALSE(t.function_start(0x1001));
  }
  // Damaged, or of a kind that is not known: the section itself is read.
  CfiIndex cut = index_of(0x1000, fde);
  cut.bytes.pop_back();
  CfiIndex elsewhere = index_of(0x1000, fde);
  elsewhere.address += 8;
  for (const CfiIndex& bad : {cut, elsewhere, index_of(0x1000, 0x20000), index_of(0x1000, fde, 2),
                              index_of(0x1000, fde, 0), index_of(0x1000, fde, 1, 0x3b031b02), CfiIndex{}}) {
    UnwindTable t = with(bad);
    CHECK(t.functions() == 1);
    CHECK(t.find(0x1001)->cfa_offset == 16);
  }
}

#endif

TEST_CASE("this program's index and its section give the same functions and rules") {
  auto file = ElfFile::open(elf_bytes(UniqueFd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC))));
  REQUIRE(file.ok());
  const ElfSection* section = file->section(".eh_frame");
  const ElfSection* text = file->section(".text");
  REQUIRE((section != nullptr && text != nullptr && file->section(".eh_frame_hdr") != nullptr));
  UnwindTable indexed = UnwindTable::of(*file);
  UnwindTable scanned(file->contents(*section), section->address, file->low_address(), false);
  CHECK(indexed.functions() == scanned.functions());
  std::size_t different = 0;
  for (std::uint64_t at = text->address; at < text->address + text->size; at += 97) {
    const auto a = indexed.find(at), b = scanned.find(at);
    const bool same =
        a.has_value() == b.has_value() &&
        (!a || (a->cfa == b->cfa && a->cfa_register == b->cfa_register && a->cfa_offset == b->cfa_offset &&
                std::ranges::equal(a->registers, b->registers)));
    if (!same || indexed.function_start(at) != scanned.function_start(at)) ++different;
  }
  CHECK(different == 0);
}

namespace {

struct Self final : CodeFinder {
  Self() {
    std::ifstream file("/proc/self/maps");
    std::stringstream text;
    text << file.rdbuf();
    maps = parse_maps(text.str());
  }
  struct Loaded {
    std::string path;
    std::optional<ElfFile> elf;
    UnwindTable table;
  };
  std::optional<CodeAt> find(std::uint64_t address) override {
    for (const Mapping& m : maps) {
      if (address < m.start || address >= m.end || !m.executable || m.inode == 0) continue;
      Loaded& l = load(m.path);
      const auto in_file = l.elf->address_of(address - m.start + m.offset);
      return CodeAt{&l.table, nullptr, address - in_file.value_or(0)};
    }
    return std::nullopt;
  }
  Loaded& load(const std::string& path) {
    for (const auto& l : loaded) {
      if (l->path == path) return *l;
    }
    auto l = std::make_unique<Loaded>();
    l->path = path;
    auto elf = ElfFile::open(elf_bytes(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC))));
    REQUIRE(elf.ok());
    l->elf.emplace(*std::move(elf));
    l->table = UnwindTable::of(*l->elf);
    loaded.push_back(std::move(l));
    return *loaded.back();
  }
  std::vector<Mapping> maps;
  std::vector<std::unique_ptr<Loaded>> loaded;
};

struct Captured {
  Registers registers;
  std::vector<std::byte> stack;
  std::uint64_t base = 0;
};

[[gnu::noinline]] void capture_here(Captured& out, const std::vector<Mapping>& maps) {
  ucontext_t context;
  ::getcontext(&context);
#if defined(__aarch64__)
  for (std::size_t i = 19; i < 31; ++i) out.registers.set(i, context.uc_mcontext.regs[i]);
  out.registers.set(kStackPointer, context.uc_mcontext.sp);
  out.registers.set(kReturn, context.uc_mcontext.pc);
#else
  const greg_t* g = context.uc_mcontext.gregs;
  out.registers.set(kRbx, static_cast<std::uint64_t>(g[REG_RBX]));
  out.registers.set(kFramePointer, static_cast<std::uint64_t>(g[REG_RBP]));
  out.registers.set(kStackPointer, static_cast<std::uint64_t>(g[REG_RSP]));
  out.registers.set(12, static_cast<std::uint64_t>(g[REG_R12]));
  out.registers.set(13, static_cast<std::uint64_t>(g[REG_R13]));
  out.registers.set(14, static_cast<std::uint64_t>(g[REG_R14]));
  out.registers.set(15, static_cast<std::uint64_t>(g[REG_R15]));
  out.registers.set(kReturn, static_cast<std::uint64_t>(g[REG_RIP]));
#endif
  out.base = out.registers.value[kStackPointer];
  std::uint64_t end = 0;
  for (const Mapping& m : maps) {
    if (out.base >= m.start && out.base < m.end) end = m.end;
  }
  out.stack.resize(end - out.base);
  const iovec to{out.stack.data(), out.stack.size()};
  // By the kernel, as plumb's own programs read it: a sanitizer lets no code copy a whole stack.
  const iovec from{reinterpret_cast<void*>(out.base), out.stack.size()};  // NOLINT(performance-no-int-to-ptr)
  REQUIRE(::process_vm_readv(::getpid(), &to, 1, &from, 1, 0) == static_cast<ssize_t>(out.stack.size()));
}

// Called through volatile pointers, so that the compiler keeps them apart.
using Level = int (*)(Captured& out, const std::vector<Mapping>& maps);

int level3(Captured& out, const std::vector<Mapping>& maps) {
  capture_here(out, maps);
  return static_cast<int>(out.stack.size() % 7);
}
const volatile Level call_level3 = level3;

int level2(Captured& out, const std::vector<Mapping>& maps) {
  volatile char room[64] = {};
  return call_level3(out, maps) + room[1];
}
const volatile Level call_level2 = level2;

int level1(Captured& out, const std::vector<Mapping>& maps) {
  return call_level2(out, maps) + 1;
}
const volatile Level call_level1 = level1;

}  // namespace

TEST_CASE("this program's own stack is walked to its first function") {
  Self self;
  Captured captured;
  call_level1(captured, self.maps);
  Unwound out;
  unwind(captured.registers, {captured.base, captured.stack, false}, self, 512, out);
  CHECK(out.end == UnwindEnd::root);
  const auto function = [&](std::uint64_t address) {
    const auto code = self.find(address);
    return code->cfi->function_start(address - code->bias).value_or(0) + code->bias;
  };
  REQUIRE(out.addresses.size() > 4);
  const Level levels[] = {level3, level2, level1};
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(function(out.addresses[i + 1]) == reinterpret_cast<std::uint64_t>(levels[i]));
}
