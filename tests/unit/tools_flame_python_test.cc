#include <doctest/doctest.h>
#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flame/python_frames.h"
#include "flame/python_program.h"
#include "flame/python_stack.h"

using namespace plumb;

namespace {

using Words = std::vector<std::uint64_t>;
constexpr std::size_t kNative = PythonMerge::kNative;

// Native frames, innermost first, as letters: 'L' the loop, 'b' its begin, 'i' other code of the interpreter, '.' what is
// not Python's. Each has 0x100 bytes of stack, from 0x1000 on; of those in `unknown` that is not known.
PythonMerge merged(const Words& words, std::string_view native, bool rooted = true,
                   std::initializer_list<std::size_t> unknown = {}) {
  std::vector<std::uint64_t> pointers;
  for (std::size_t i = 0; i < native.size(); ++i) pointers.push_back(0x1000 + 0x100 * i);
  const auto place = [&](std::size_t i) {
    return native[i] == 'L'   ? PythonPlace::loop
           : native[i] == 'b' ? PythonPlace::loop_begins
           : native[i] == 'i' ? PythonPlace::interpreter
                              : PythonPlace::none;
  };
  for (const std::size_t i : unknown) pointers[i] = 0;
  PythonMerge out;
  merge_python(python_entries(words), pointers, rooted, place, out);
  return out;
}

flame_python_text text(std::uint8_t kind, std::uint32_t length, std::initializer_list<std::uint8_t> bytes) {
  flame_python_text t{};
  t.kind = kind;
  t.length = length;
  t.bytes = static_cast<__u16>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), t.text);
  return t;
}

}  // namespace

TEST_CASE("functions belong to the entry whose address stands behind them") {
  const Words words{3, 5, 0x1010, 0x1110, 7, 0x1210, 9};
  const auto entries = python_entries(words);
  REQUIRE(entries.size() == 4);
  CHECK(entries[0].address == 0x1010);
  CHECK(entries[0].functions.size() == 2);
  CHECK(entries[1].functions.empty());
  CHECK(entries[2].functions.front() == 7);
  CHECK(entries[3].address == 0);  // cut
  CHECK(entries[3].functions.front() == 9);
  CHECK(python_entries({}).empty());
}

TEST_CASE("an entry takes the place of the native frame that its address lies in") {
  PythonMerge m = merged({3, 0x1110, 5, 0x1340}, ".Li.L.");
  CHECK(m.at == std::vector<std::size_t>{kNative, 0, kNative, kNative, kNative, kNative});
  CHECK(m.unplaced == 1);  // 0x1340 is in no frame of the interpreter
  m = merged({3, 0x1110, 5, 0x1440}, ".Li.L.");
  CHECK(m.at == std::vector<std::size_t>{kNative, 0, kNative, kNative, 1, kNative});
  CHECK(m.unplaced == 0);
  // The compiler put a rare part of the loop elsewhere: the address says more than the name.
  CHECK(merged({3, 0x1010}, "i..").at[0] == 0);
  // Two cannot be in one frame.
  CHECK(merged({3, 0x1010, 5, 0x1020}, "L..").unplaced == 1);
  // Below the stack pointer there is nothing.
  CHECK(merged({3, 0x900}, "L..").unplaced == 1);
  CHECK(merged({3, 0x1010}, "").at.empty());
}

TEST_CASE("where the loop begins, the interpreter's list is not to be trusted yet") {
  PythonMerge m = merged({3, 0x1010, 5, 0x1110}, "bL.");
  CHECK(m.at == std::vector<std::size_t>{kNative, 1, kNative});
  CHECK(m.unplaced == 0);
  CHECK(m.beginning == 1);
  CHECK(merged({3, 0x1110}, ".b.").at[1] == 0);  // a caller's address is behind it
}

TEST_CASE("a native stack that breaks off has the entries beyond its end before it") {
  PythonMerge m = merged({3, 0x1010, 5, 0x9000, 7, 0x9100}, "Li", false);
  CHECK(m.at == std::vector<std::size_t>{0, kNative});
  CHECK(m.outer == std::vector<std::size_t>{1, 2});
  CHECK(m.unplaced == 0);
  m = merged({3, 0x1010, 5, 0x9000}, "Li", true);
  CHECK(m.outer.empty());
  CHECK(m.unplaced == 1);
}

TEST_CASE("a list that was cut goes on with the next frame of the loop") {
  CHECK(merged({3, 0x1010, 5, 7}, "LiLL.").at == std::vector<std::size_t>{0, kNative, 1, kNative, kNative});
  CHECK(merged({5, 7}, ".iL.").at[2] == 0);
  CHECK(merged({5, 7}, "...").unplaced == 1);
}

TEST_CASE("where stack pointers are unknown, the loop's frames are taken in their order") {
  // 0x1110 may lie in each of the frames 0 to 3, 0x1440 in none but 4.
  PythonMerge m = merged({3, 0x1110, 5, 0x1210, 7, 0x1440}, ".LiLL.", true, {1, 2, 3});
  CHECK(m.at == std::vector<std::size_t>{kNative, 0, kNative, 1, 2, kNative});
  CHECK(m.unplaced == 0);
  m = merged({3, 0x1110, 5, 0x1210, 7, 0x1440}, ".LiiL.", true, {1, 2, 3});
  CHECK(m.at == std::vector<std::size_t>{kNative, 0, kNative, kNative, 2, kNative});
  CHECK(m.unplaced == 1);
  // Up to the end: what no frame of the loop is left for is beyond it.
  m = merged({3, 0x1110, 5, 0x9000}, ".Li", false, {1, 2});
  CHECK(m.at == std::vector<std::size_t>{kNative, 0, kNative});
  CHECK(m.outer == std::vector<std::size_t>{1});
  // None is known.
  CHECK(merged({3, 0x900, 5, 0x910}, "LL.", true, {0, 1, 2}).at == std::vector<std::size_t>{0, 1, kNative});
}

TEST_CASE("strings of all kinds come out in UTF-8, whatever their bytes are") {
  CHECK(python_text(text(1, 3, {'a', 0xe9, 'b'}), false) ==
        "a\xC3\xA9"
        "b");
  CHECK(python_text(text(2, 1, {0x0d, 0x54}), false) == "\xE5\x90\x8D");
  CHECK(python_text(text(4, 1, {0, 0, 2, 0}), false) == "\xF0\xA0\x80\x80");
  CHECK(python_text(text(2, 1, {0, 0xd8}), false) == "\xEF\xBF\xBD");
  CHECK(python_text(text(4, 1, {0xff, 0xff, 0xff, 0xff}), false) == "\xEF\xBF\xBD");
  CHECK(python_text(text(1, 9, {'a', 'b'}), false) == "ab\xE2\x80\xA6");
  CHECK(python_text(text(1, 9, {'a', 'b'}), true) ==
        "\xE2\x80\xA6"
        "ab");
  CHECK(python_text(text(3, 1, {'a', 'b', 'c'}), false).empty());
  CHECK(python_text(text(4, 1, {'a', 'b', 'c'}), false).empty());
  flame_python_text t = text(1, 4'000'000'000, {'a'});
  t.bytes = 65'535;
  CHECK(python_text(t, false).size() == 1 + (sizeof t.text - 1) + 3);
}

TEST_CASE("layouts are those of final releases of versions that are known") {
  CHECK(python_layout(0x030b02f0, {})->frame_code == 4);
  CHECK(python_layout(0x030c01f0, {})->frame_code == 0);
  CHECK(!python_layout(0x030b00c1, {}));  // a candidate
  CHECK(!python_layout(0x030a0df0, {}));
  CHECK(!python_layout(0x030e00f0, {}));
}

TEST_CASE("3.13 says its own layout, and is left alone when it says what is not expected") {
  std::array<std::uint64_t, 71> words{};
  const std::map<std::size_t, std::uint64_t> offsets{{0, 0x7970677562656478},
                                                     {1, 0x030d00f0},
                                                     {5, 632},
                                                     {8, 7264},
                                                     {9, 7344},
                                                     {21, 8},
                                                     {23, 72},
                                                     {25, 160},
                                                     {29, 8},
                                                     {30, 0},
                                                     {33, 70},
                                                     {35, 112},
                                                     {37, 128},
                                                     {38, 136},
                                                     {39, 68},
                                                     {45, 8},
                                                     {68, 32},
                                                     {69, 16},
                                                     {70, 40}};
  for (const auto& [index, value] : offsets) words[index] = value;
  const auto layout = [&] { return python_layout(0x030d00f0, std::as_bytes(std::span(words))); };
  REQUIRE(layout());
  CHECK(layout()->interpreter_threads == 7344);
  CHECK(layout()->thread_top == 72);
  CHECK(layout()->frame_previous == 1);
  CHECK(layout()->code_line == 15);
  CHECK(layout()->has_entries == 0);
  CHECK(!python_layout(0x030d00f0, std::as_bytes(std::span(words)).first(560)));
  for (const auto& [index, value] : {std::pair<std::size_t, std::uint64_t>{0, 1},
                                     {1, 0x030e00f0},
                                     {2, 1},
                                     {9, 65'536},
                                     {30, 72},
                                     {33, 72},
                                     {37, 120},
                                     {39, 0},
                                     {39, 136}}) {
    const std::uint64_t before = std::exchange(words[index], value);
    const std::size_t word = index;  // clang 14 captures no structured binding
    CHECK_MESSAGE(!layout(), word);
    words[index] = before;
  }
}

TEST_CASE("the kernel side's table holds as many processes as it has places, and forgets") {
  auto places = std::make_unique<flame_python_process[]>(FLAME_PYTHON_PROCESSES);
  PythonTable table(places.get());
  for (std::uint32_t pid = 1; pid <= 500; ++pid)
    table.add(pid, {.pid = pid, .pad = 0, .runtime = pid, .code_type = 0, .layout = {}});
  for (std::uint32_t pid = 1; pid <= 500; ++pid) {
    REQUIRE(table.find(pid) != nullptr);
    CHECK(table.find(pid)->runtime == pid);
    table.remove(pid);
    CHECK(table.find(pid) == nullptr);
  }
  CHECK(table.find(0) == nullptr);
  table.add(7, {.pid = 7, .pad = 0, .runtime = 1, .code_type = 0, .layout = {}});
  table.add(7, {.pid = 7, .pad = 0, .runtime = 2, .code_type = 0, .layout = {}});
  table.remove(7);
  CHECK(table.find(7) == nullptr);
  std::size_t added = 0, found = 0;
  for (std::uint32_t pid = 1; pid <= 5'000; ++pid)
    added += table.add(pid, {.pid = pid, .pad = 0, .runtime = pid, .code_type = 0, .layout = {}}) ? 1U : 0U;
  for (std::uint32_t pid = 1; pid <= 5'000; ++pid) found += table.find(pid) != nullptr ? 1U : 0U;
  CHECK(added > FLAME_PYTHON_PROCESSES / 2);
  CHECK(added <= FLAME_PYTHON_PROCESSES);
  CHECK(found == added);
  CHECK(PythonTable().find(7) == nullptr);
  CHECK(!PythonTable().add(7, {.pid = 7, .pad = 0, .runtime = 1, .code_type = 0, .layout = {}}));
}

TEST_CASE("an interpreter is known by its file's name") {
  CHECK(is_python_path("/usr/bin/python3.11"));
  CHECK(is_python_path("/x/libpython3.13.so.1.0"));
  CHECK(!is_python_path("/usr/lib/python3/dist-packages/x.so"));
  CHECK(!is_python_path(""));
  const auto version = [](std::uint32_t number, bool without_lock) {
    PythonProgram python;
    python.version = number;
    python.without_lock = without_lock;
    return python_version_text(python);
  };
  CHECK(version(0x030b02f0, false) == "3.11.2");
  CHECK(version(0x030d00c1, false) == "3.13.0 (a pre-release)");
  CHECK(version(0x030d01f0, true) == "3.13.1 (without the global lock)");
  CHECK(version(0, false) == "older than 3.11");
}

namespace {

using Bytes = std::vector<std::byte>;

template <class T>
void put(Bytes& out, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void put_text(Bytes& out, std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

constexpr std::uint64_t kVersionAt = 0x400000 + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
constexpr std::string_view kPythonNames{"\0_PyRuntime\0PyCode_Type\0_PyEval_EvalFrameDefault\0Py_Version\0",
                                        60};

Elf64_Sym symbol(std::size_t name, std::uint64_t address) {
  Elf64_Sym s{};
  s.st_name = static_cast<Elf64_Word>(name);
  s.st_shndx = 1;
  s.st_value = address;
  s.st_size = 0x100;
  return s;
}

// Those of a CPython, in the order of their names.
std::vector<Elf64_Sym> python_symbols() {
  std::vector<Elf64_Sym> symbols(1);
  std::uint64_t address = 0x500000;
  for (const std::string_view name : {"_PyRuntime", "PyCode_Type", "_PyEval_EvalFrameDefault"})
    symbols.push_back(symbol(kPythonNames.find(name), address += 0x1000));
  symbols.push_back(symbol(kPythonNames.find("Py_Version"), kVersionAt));
  return symbols;
}

// A file of one loaded segment (offset 0 at address 0x400000) with a version at kVersionAt and these dynamic symbols.
std::optional<PythonProgram> python_in(std::uint64_t version, const std::vector<Elf64_Sym>& symbols,
                                       std::string_view names) {
  constexpr std::string_view kSections{"\0.dynsym\0.dynstr\0.shstrtab\0", 27};
  Bytes out(sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr));
  put(out, version);
  const std::size_t symbols_at = out.size();
  for (const Elf64_Sym& s : symbols) put(out, s);
  const std::size_t names_at = out.size();
  put_text(out, names);
  const std::size_t sections_at = out.size();
  put_text(out, kSections);
  Elf64_Ehdr h{};
  std::memcpy(h.e_ident, ELFMAG, SELFMAG);
  h.e_ident[EI_CLASS] = ELFCLASS64;
  h.e_ident[EI_DATA] = ELFDATA2LSB;
  h.e_machine = EM_X86_64;
  h.e_phoff = sizeof h;
  h.e_phentsize = sizeof(Elf64_Phdr);
  h.e_phnum = 1;
  h.e_shoff = out.size();
  h.e_shentsize = sizeof(Elf64_Shdr);
  h.e_shnum = 4;
  h.e_shstrndx = 3;
  put(out, Elf64_Shdr{});
  put(out, Elf64_Shdr{.sh_name = 1,
                      .sh_type = SHT_DYNSYM,
                      .sh_offset = symbols_at,
                      .sh_size = symbols.size() * sizeof(Elf64_Sym),
                      .sh_link = 2});
  put(out, Elf64_Shdr{.sh_name = 9, .sh_type = SHT_STRTAB, .sh_offset = names_at, .sh_size = names.size()});
  put(out, Elf64_Shdr{
               .sh_name = 17, .sh_type = SHT_STRTAB, .sh_offset = sections_at, .sh_size = kSections.size()});
  const Elf64_Phdr p{
      .p_type = PT_LOAD, .p_offset = 0, .p_vaddr = 0x400000, .p_filesz = 0x1000, .p_memsz = 0x200000};
  std::memcpy(out.data(), &h, sizeof h);
  std::memcpy(out.data() + sizeof h, &p, sizeof p);
  const auto file = ElfFile::open(elf_bytes(std::move(out)));
  REQUIRE(file.ok());
  return find_python(*file);
}

}  // namespace

TEST_CASE("an interpreter is found by its dynamic symbols") {
  const auto python = python_in(0x030b02f0, python_symbols(), kPythonNames);
  REQUIRE(python);
  CHECK(python->version == 0x030b02f0);
  CHECK(python->runtime == 0x501000);
  CHECK(python->code_type == 0x502000);
  CHECK(python->loop_start == 0x503000);
  CHECK(python->loop_end == 0x503100);
  CHECK(python->layout);
  CHECK(!python_in(0x030b02c1, python_symbols(), kPythonNames)->layout);  // a candidate
}

TEST_CASE("names of dynamic symbols are compared whole, and only what is in the file") {
  std::vector<Elf64_Sym> symbols = python_symbols();
  // Without its end the last name is none; and without Py_Version it is an old one.
  CHECK(python_in(0x030b02f0, symbols, kPythonNames.substr(0, 59))->version == 0);
  CHECK(python_in(0x030b02f0, symbols, kPythonNames.substr(0, 55))->version == 0);
  std::string longer(kPythonNames);
  longer.back() = 'x';
  longer += '\0';
  CHECK(python_in(0x030b02f0, symbols, longer)->version == 0);
  symbols.push_back(symbol(60, 0));
  symbols.push_back(symbol(UINT32_MAX, 0));
  CHECK(python_in(0x030b02f0, symbols, kPythonNames)->version == 0x030b02f0);
  symbols[1].st_name += 1;
  CHECK(!python_in(0x030b02f0, symbols, kPythonNames));
  symbols[1].st_name -= 1;
  symbols[1].st_shndx = SHN_UNDEF;
  CHECK(!python_in(0x030b02f0, symbols, kPythonNames));
}

namespace {

constexpr std::uint32_t kPid = 7;

// A process that the kernel side knows, if it is `known`, and a sample of it whose native stack breaks off, so that all
// functions are beyond its end.
struct SampledPython {
  explicit SampledPython(bool known) {
    frames.use(places.get());
    process.pid = kPid;
    process.runs_python = true;
    if (known) places[flame_python_place(kPid)].pid = kPid;
    native.addresses = {0x400000};
    native.stack_pointers = {0x1000};
    native.end = UnwindEnd::no_rule;
  }

  void name(std::uint64_t number, std::string_view function, std::string_view file) {
    const auto set = [](flame_python_text& to, std::string_view from) {
      to.kind = 1;
      to.length = static_cast<__u32>(from.size());
      to.bytes = static_cast<__u16>(from.size());
      std::copy(from.begin(), from.end(), to.text);
    };
    flame_python_name record{};
    record.number = number;
    record.pid = kPid;
    set(record.function, function);
    set(record.file, file);
    CHECK(frames.keep_name(std::as_bytes(std::span(&record, 1))));
  }

  // Its functions, root first.
  std::vector<std::string> place(const Words& words, __u32 flags) {
    flame_sample sample{};
    sample.flags = flags;
    frames.place(process, sample, std::as_bytes(std::span(words)), native);
    std::vector<profile::FrameId> ids;
    frames.append_outer(ids);
    std::vector<std::string> names;
    for (const profile::FrameId id : ids) names.emplace_back(shown.frame_of(id).function);
    return names;
  }

  std::unique_ptr<flame_python_process[]> places =
      std::make_unique<flame_python_process[]>(FLAME_PYTHON_PROCESSES);
  profile::Profile shown;
  TargetFiles files;
  Processes processes{[](void*, std::uint32_t) { return std::string{}; }, nullptr};
  Modules modules{files, shown};
  PythonFrames frames{shown, modules, processes};
  ProcessCode process;
  Unwound native;
};

}  // namespace

TEST_CASE("the frame in which the interpreter makes an object is not shown, and not missed") {
  SampledPython p(true);
  p.name(3, "Thing.__init__", "/x/app.py");
  p.name(5, "__init__", "__init__");
  p.name(7, "__init__", "/x/app.py");
  using Names = std::vector<std::string>;
  CHECK(p.place({3, 5, 7, 0x9000}, FLAME_PYTHON_LOOKED) ==
        Names{"__init__ (app.py)", "Thing.__init__ (app.py)"});
  CHECK(p.frames.counts().unnamed == 0);
  CHECK(p.place({9, 11, 0x9000}, FLAME_PYTHON_LOOKED) == Names{"[Python]", "[Python]"});
  CHECK(p.frames.counts().unnamed == 1);
}

TEST_CASE("each sample without its functions is counted with its reason, and wakers are no samples") {
  SampledPython p(true);
  const Words words{3, 0x9000};
  p.place(words, FLAME_PYTHON_LOOKED);
  p.place(words, FLAME_PYTHON_LOOKED | FLAME_PYTHON_CUT);
  p.place({}, FLAME_PYTHON_LOOKED | FLAME_PYTHON_THREADS);
  p.place({}, FLAME_PYTHON_BUSY);
  p.place({}, FLAME_PYTHON_LOOKED);
  p.place({}, 0);
  p.place(words, FLAME_PYTHON_LOOKED | FLAME_IS_WAKER);
  const PythonCounts& c = p.frames.counts();
  CHECK(c.samples == 6);
  CHECK(c.cut == 1);
  CHECK(c.crowded == 1);
  CHECK(c.nested == 1);
  CHECK(c.foreign == 1);
  CHECK(c.early == 1);
  CHECK(c.no_room == 0);
  CHECK(c.unnamed == 2);
}

TEST_CASE(
    "a process without a place in the table is counted, and one of another version told when it is sampled") {
  SampledPython p(false);
  p.process.searched_for_python = 3;
  CHECK(p.place({}, 0).empty());
  CHECK(p.frames.counts().samples == 1);
  CHECK(p.frames.counts().no_room == 1);
  CHECK(p.process.searched_for_python == 0);  // to be looked at again
  p.process.runs_python = false;
  p.process.unread_python = "3.14.0";
  CHECK(p.frames.unread().empty());
  p.place({}, 0);
  CHECK(p.frames.counts().samples == 1);
  CHECK(p.frames.unread().at("3.14.0") == kPid);
}

TEST_CASE("a process has its parent's Python, or none of an earlier process with its number") {
  SampledPython p(true);
  MappingEvent fork;
  fork.kind = MappingEvent::Kind::fork;
  fork.pid = 8;
  fork.parent = kPid;
  p.frames.on_event(fork);
  const PythonTable table(p.places.get());
  CHECK(table.find(8) != nullptr);
  fork.parent = 9;
  p.frames.on_event(fork);
  CHECK(table.find(8) == nullptr);
}
