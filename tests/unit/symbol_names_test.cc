#include <doctest/doctest.h>
#include <elf.h>
#include <fcntl.h>

#include <cstring>

#include "symbol/demangle.h"
#include "symbol/elf.h"
#include "symbol/elf_symbols.h"
#include "symbol/go_table.h"
#include "symbol/jit_dump.h"
#include "symbol/perf_map.h"

using namespace plumb;

namespace {

using Bytes = std::vector<std::byte>;

template <class T>
void put(Bytes& out, const T& value) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}
void put_text(Bytes& out, std::string_view text) {
  for (const char c : text) out.push_back(static_cast<std::byte>(c));
}

Elf64_Sym symbol(std::uint32_t name, std::uint64_t value, std::uint64_t size, int bind = STB_GLOBAL,
                 int type = STT_FUNC) {
  Elf64_Sym s{};
  s.st_name = name;
  s.st_info = static_cast<unsigned char>(ELF64_ST_INFO(bind, type));
  s.st_shndx = 1;
  s.st_value = value;
  s.st_size = size;
  return s;
}

// A file of one loaded segment (offset 0 at address 0x400000) and a .symtab of these symbols.
Bytes elf_of(const std::vector<Elf64_Sym>& symbols, std::string_view names) {
  constexpr std::string_view kSections{"\0.symtab\0.strtab\0.shstrtab\0", 27};
  Bytes out(sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr));
  const std::size_t symbols_at = out.size();
  for (const Elf64_Sym& s : symbols) put(out, s);
  const std::size_t names_at = out.size();
  put_text(out, names);
  const std::size_t sections_at = out.size();
  put_text(out, kSections);
  const std::size_t table_at = out.size();
  put(out, Elf64_Shdr{});
  put(out, Elf64_Shdr{.sh_name = 1,
                      .sh_type = SHT_SYMTAB,
                      .sh_offset = symbols_at,
                      .sh_size = symbols.size() * sizeof(Elf64_Sym),
                      .sh_link = 2});
  put(out, Elf64_Shdr{.sh_name = 9, .sh_type = SHT_STRTAB, .sh_offset = names_at, .sh_size = names.size()});
  put(out, Elf64_Shdr{
               .sh_name = 17, .sh_type = SHT_STRTAB, .sh_offset = sections_at, .sh_size = kSections.size()});
  Elf64_Ehdr h{};
  std::memcpy(h.e_ident, ELFMAG, SELFMAG);
  h.e_ident[EI_CLASS] = ELFCLASS64;
  h.e_ident[EI_DATA] = ELFDATA2LSB;
  h.e_machine = EM_X86_64;
  h.e_phoff = sizeof h;
  h.e_phentsize = sizeof(Elf64_Phdr);
  h.e_phnum = 1;
  h.e_shoff = table_at;
  h.e_shentsize = sizeof(Elf64_Shdr);
  h.e_shnum = 4;
  h.e_shstrndx = 3;
  std::memcpy(out.data(), &h, sizeof h);
  const Elf64_Phdr p{.p_type = PT_LOAD,
                     .p_flags = PF_R | PF_X,
                     .p_offset = 0,
                     .p_vaddr = 0x400000,
                     .p_filesz = 0x1000,
                     .p_memsz = 0x2000};
  std::memcpy(out.data() + sizeof h, &p, sizeof p);
  return out;
}

std::string name_in(const ElfFile& file, std::uint64_t address) {
  std::vector<WantedName> wanted{{address}};
  find_symbols(file, wanted);
  return wanted[0].name;
}

}  // namespace

TEST_CASE("a symbol has the addresses that its size covers") {
  const auto file = ElfFile::open(elf_bytes(elf_of({symbol(1, 0x401000, 0x10), symbol(6, 0x401020, 0x20)},
                                                   std::string_view{"\0main\0other\0", 12})));
  REQUIRE(file.ok());
  CHECK(name_in(*file, 0x401000) == "main");
  CHECK(name_in(*file, 0x40100f) == "main");
  CHECK(name_in(*file, 0x401010).empty());
  CHECK(name_in(*file, 0x400fff).empty());
  CHECK(name_in(*file, 0x40103f) == "other");
  CHECK(*file->address_of(0x10) == 0x400010);
  CHECK_FALSE(file->address_of(0x1000));
  CHECK(file->end_address() == 0x402000);
}

TEST_CASE("of several names the global one; without a size up to the next symbol") {
  const auto file =
      ElfFile::open(elf_bytes(elf_of({symbol(1, 0x401000, 0x10, STB_LOCAL), symbol(6, 0x401000, 0x10),
                                      symbol(12, 0x401040, 0, STB_LOCAL, STT_NOTYPE), symbol(1, 0x401080, 8),
                                      symbol(1, 0x401200, 8, STB_GLOBAL, STT_OBJECT)},
                                     std::string_view{"\0loca\0globe\0asm\0", 16})));
  REQUIRE(file.ok());
  CHECK(name_in(*file, 0x401004) == "globe");
  CHECK(name_in(*file, 0x401060) == "asm");
  CHECK(name_in(*file, 0x401084) == "loca");
  CHECK(name_in(*file, 0x401090).empty());  // behind a function with a size
  CHECK(name_in(*file, 0x401200).empty());  // data
}

TEST_CASE("damaged ELF files are refused or give nothing") {
  const Bytes good = elf_of({symbol(1, 0x401000, 0x10)}, std::string_view{"\0main\0", 6});
  for (std::size_t size = 0; size < good.size(); ++size) {
    const auto file =
        ElfFile::open(elf_bytes(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size))));
    if (file) name_in(*file, 0x401004);
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] = std::byte{0xff};
    if (const auto file = ElfFile::open(elf_bytes(bad))) name_in(*file, 0x401004);
  }
}

TEST_CASE("build ids stand among notes of others") {
  Bytes notes;
  for (const std::uint32_t v : {4U, 3U, 1U}) put(notes, v);
  put_text(notes, std::string_view{"GNU\0abc\0", 8});
  for (const std::uint32_t v : {4U, 4U, std::uint32_t{NT_GNU_BUILD_ID}}) put(notes, v);
  put_text(notes, std::string_view{"GNU\0\x01\xab\x00\xff", 8});
  CHECK(build_id_of_notes(notes) == "01ab00ff");
  CHECK(build_id_of_notes(std::span(notes).first(notes.size() - 1)).empty());
}

TEST_CASE("the last line of a perf map counts; lines of another form do not") {
  std::vector<WantedName> wanted{{0x1000}, {0x100f}, {0x1010}, {0x2000}};
  PerfMapSearch search(wanted);
  constexpr std::string_view kText =
      "1000 10 old\n0x1000 0x10 LazyCompile:*fib /tmp/h.js:1:13\nnonsense\n2000 ffffffffffffffff all\n2000 8\n2000 8 ";
  for (const char c : kText) search.feed({&c, 1});
  search.feed("end");
  search.finish();
  CHECK(wanted[0].name == "LazyCompile:*fib /tmp/h.js:1:13");
  CHECK(wanted[1].name == wanted[0].name);
  CHECK(wanted[2].name.empty());
  CHECK(wanted[3].name == "end");
}

TEST_CASE("names as people wrote them") {
  CHECK(demangled("main") == "main");
  CHECK(demangled("_ZNSt6vectorIiSaIiEE9push_backEOi") ==
        "std::vector<int, std::allocator<int> >::push_back(int&&)");
  CHECK(demangled("_ZN4core3fmt5write17h0123456789abcdefE") == "core::fmt::write");
  CHECK(demangled("_ZN34_$LT$h..Sq$u20$as$u20$h..Shape$GT$4area17h0123456789abcdefE") ==
        "<h::Sq as h::Shape>::area");
  CHECK(demangled("_RNvCs1234_7mycrate3foo") == "mycrate::foo");
  CHECK(demangled("_Zbroken") == "_Zbroken");
  CHECK(demangled("_Rbroken") == "_Rbroken");
  CHECK(demangled("_Z" + std::string(100'000, '1')).size() == 100'002);
}

TEST_CASE("Go's table gives names and how far the stack pointer moved") {
  // Go 1.20 layout: header, then names, steps, functab with one function of 0x100 bytes at text + 0x10.
  Bytes t;
  put(t, std::uint32_t{0xfffffff1});
  put(t, std::uint16_t{0});
  put(t, std::uint8_t{1});
  put(t, std::uint8_t{8});
  for (const std::uint64_t v :
       {std::uint64_t{1}, std::uint64_t{0}, std::uint64_t{0x401000}, std::uint64_t{72}, std::uint64_t{0},
        std::uint64_t{0}, std::uint64_t{88}, std::uint64_t{104}}) {
    put(t, v);
  }
  put_text(t, std::string_view{"main.fib\0\0\0\0\0\0\0\0", 16});  // at 72
  // at 88: no steps at 0; then +0 (from -1: zigzag 2) for 16 bytes, +32 (zigzag 64) for the rest
  put_text(t, std::string_view{"\0\x02\x10\x40\xf0\x01\0\0\0\0\0\0\0\0\0\0", 16});
  for (const std::uint32_t v : {0x10U, 16U, 0x110U, 0U}) put(t, v);  // at 104: entry, offset of _func; end
  for (const std::uint32_t v : {0x10U, 0U, 0U, 0U, 1U})
    put(t, v);  // _func: entry, name, args, deferreturn, pcsp
  const GoTable table(t, 0);
  REQUIRE(table.functions() == 1);
  CHECK(table.find(0x401010)->name == "main.fib");
  CHECK(table.find(0x40110f)->start == 0x401010);
  CHECK_FALSE(table.find(0x40100f));
  CHECK_FALSE(table.find(0x401110));
  CHECK(*table.stack_moved(0x401010) == 0);
  CHECK(*table.stack_moved(0x401020) == 32);
  for (std::size_t size = 0; size < t.size(); ++size) {
    const GoTable cut(Bytes(t.begin(), t.begin() + static_cast<std::ptrdiff_t>(size)), 0);
    cut.find(0x401020);
    cut.stack_moved(0x401020);
  }
}

namespace {

Bytes dump_record(std::uint32_t kind, const Bytes& body) {
  Bytes out;
  put(out, kind);
  put(out, static_cast<std::uint32_t>(16 + body.size()));
  put(out, std::uint64_t{1});
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

Bytes dump_load(std::uint64_t start, std::uint64_t size, std::uint64_t index, std::string_view name) {
  Bytes body(8);
  for (const std::uint64_t n : {start, start, size, index}) put(body, n);
  put_text(body, name);
  body.resize(body.size() + 1 + size);  // NUL and the code
  return dump_record(0, body);
}

Bytes dump_move(std::uint64_t from, std::uint64_t to, std::uint64_t size, std::uint64_t index) {
  Bytes body(8);
  for (const std::uint64_t n : {to, from, to, size, index}) put(body, n);
  return dump_record(1, body);
}

Bytes dump_of(std::initializer_list<Bytes> records, std::uint32_t magic = 0x4A695444) {
  Bytes out;
  for (const std::uint32_t n : {magic, 1U, 48U, 62U, 0U, 7U}) put(out, n);
  out.resize(48);  // a longer header than today's
  for (const Bytes& r : records) out.insert(out.end(), r.begin(), r.end());
  return out;
}

std::vector<WantedName> named_by_dump(const Bytes& dump, std::size_t piece = SIZE_MAX) {
  std::vector<WantedName> wanted{{0x1000}, {0x1010}, {0x2000}, {0x9000}};
  JitDumpSearch search(wanted);
  for (std::size_t i = 0; i < dump.size(); i += std::min(piece, dump.size()))
    search.feed(std::span(dump).subspan(i, std::min(piece, dump.size() - i)));
  return wanted;
}

}  // namespace

TEST_CASE("a JIT dump names code in whatever pieces it comes; the last function at an address counts") {
  const Bytes dump = dump_of({dump_load(0x1000, 0x10, 0, "old"), dump_record(2, Bytes(16)),
                              dump_load(0x1000, 0x11, 1, "f"), dump_load(0x5000, 0x40, 2, "g"),
                              dump_move(0x5000, 0x8ff0, 0x40, 2), dump_move(0, 0x2000, 8, 77)});
  for (const std::size_t piece : {SIZE_MAX, std::size_t{1}, std::size_t{7}}) {
    const auto wanted = named_by_dump(dump, piece);
    CHECK(wanted[0].name == "f");
    CHECK(wanted[1].name == "f");
    CHECK(wanted[1].start == 0x1000);
    CHECK(wanted[2].name.empty());  // what moved there has no name
    CHECK(wanted[3].name == "g");
    CHECK(wanted[3].start == 0x8ff0);
  }
}

TEST_CASE("a broken JIT dump names nothing from there on") {
  CHECK(named_by_dump(dump_of({dump_load(0x1000, 1, 0, "f")}, 0x4454694A))[0].name.empty());
  Bytes short_record;  // shorter than its own header
  for (const std::uint32_t n : {0U, 8U, 0U, 0U}) put(short_record, n);
  const auto wanted =
      named_by_dump(dump_of({dump_load(0x1000, 1, 0, "f"), short_record, dump_load(0x2000, 1, 1, "g")}));
  CHECK(wanted[0].name == "f");
  CHECK(wanted[2].name.empty());
  CHECK(named_by_dump(dump_of({dump_load(0x1000, 1, 0, std::string(5'000, 'x'))}))[0].name.empty());
  CHECK(is_jit_dump("/tmp/jit-12.dump"));
  CHECK_FALSE(is_jit_dump("/tmp/jit-12.dump (deleted)"));
  CHECK_FALSE(is_jit_dump("/jit-1.dump/other"));
}
