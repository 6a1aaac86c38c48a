#include "flame/python_program.h"

#include <elf.h>
#include <fmt/format.h>

#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "base/path.h"
#include "symbol/bytes_reader.h"

namespace plumb {
namespace {

constexpr std::uint32_t kFinal = 0xf0;  // the release level: no alpha, beta or candidate
constexpr std::size_t kOffsetWords = 71;
constexpr std::uint64_t kCookie = 0x7970677562656478;  // "xdebugpy", what _Py_DebugOffsets begin with

// Include/internal/pycore_runtime.h, pycore_interp.h, pycore_frame.h and Include/cpython/pystate.h, code.h,
// unicodeobject.h of the version.
constexpr flame_python_layout k311{.runtime_interpreters = 40,
                                   .runtime_holder = 576,
                                   .interpreter_next = 0,
                                   .interpreter_threads = 16,
                                   .thread_next = 8,
                                   .thread_number = 160,
                                   .thread_top = 56,
                                   .entry_frame = 8,
                                   .entry_previous = 16,
                                   .frame_code = 4,
                                   .frame_previous = 6,
                                   .frame_mark = 68,  // is_entry
                                   .code_line = 16,
                                   .text_bytes = 48,
                                   .text_ascii = 48,
                                   .text_other = 72,
                                   .has_entries = 1,
                                   .mark = 1,
                                   .mark_is_entry = 0,
                                   .pad = {}};
constexpr flame_python_layout k312{.runtime_interpreters = 40,
                                   .runtime_holder = 0,
                                   .interpreter_next = 0,
                                   .interpreter_threads = 72,
                                   .thread_next = 8,
                                   .thread_number = 144,
                                   .thread_top = 56,
                                   .entry_frame = 0,
                                   .entry_previous = 8,
                                   .frame_code = 0,
                                   .frame_previous = 1,
                                   .frame_mark = 70,  // owner
                                   .code_line = 15,
                                   .text_bytes = 32,
                                   .text_ascii = 40,
                                   .text_other = 56,
                                   .has_entries = 1,
                                   .mark = 3,  // FRAME_OWNED_BY_CSTACK
                                   .mark_is_entry = 1,
                                   .pad = {}};

// The words of 3.13's _Py_DebugOffsets that say what the kernel program takes for granted.
constexpr std::pair<std::size_t, std::uint64_t> kAsExpected[] = {
    {0, kCookie},  // the layout is told at all
    {2, 0},        // free_threaded
    {35, 112},     // code object: filename
    {37, 128},     // qualname
    {38, 136},     // linetable
    {45, 8},       // object: type
    {68, 32},      // string: state
    {69, 16},      // length
    {70, 40}};     // size of an ASCII one, without its characters

std::optional<flame_python_layout> layout_by_offsets(std::uint32_t version,
                                                     std::span<const std::byte> runtime) {
  if (runtime.size() < kOffsetWords * 8) return std::nullopt;
  const auto word = [&](std::size_t i) { return load<std::uint64_t>(runtime, i * 8); };
  for (const auto& [index, value] : kAsExpected) {
    if (word(index) != value) return std::nullopt;
  }
  if (word(1) >> 16 != version >> 16) return std::nullopt;
  bool small = true;
  const auto offset = [&](std::size_t i) {
    small = small && word(i) <= UINT16_MAX;
    return static_cast<__u16>(word(i));
  };
  flame_python_layout layout = k312;
  layout.has_entries = 0;
  layout.runtime_interpreters = offset(5);
  layout.interpreter_next = offset(8);
  layout.interpreter_threads = offset(9);
  layout.thread_next = offset(21);
  layout.thread_top = offset(23);
  layout.thread_number = offset(25);
  layout.frame_previous = static_cast<__u16>(offset(29) / 8);
  layout.frame_code = static_cast<__u16>(offset(30) / 8);
  layout.frame_mark = offset(33);
  layout.code_line = static_cast<__u16>((offset(39) - 8) / 4);
  const bool fits = layout.frame_previous < 9 && layout.frame_code < 9 && layout.frame_mark < 72 &&
                    word(39) >= 8 && layout.code_line < 32;
  return small && fits ? std::optional(layout) : std::nullopt;
}

// Compares in place: the names of a hostile file are one long text, of which each symbol may name another part.
bool is_name(std::span<const std::byte> names, std::size_t at, std::string_view text) {
  return at < names.size() && names.size() - at > text.size() &&
         std::memcmp(names.data() + at, text.data(), text.size()) == 0 &&
         names[at + text.size()] == std::byte{0};
}

bool is_without_lock(std::uint32_t version, std::span<const std::byte> runtime) {
  return version >> 16 >= 0x030d && runtime.size() >= 24 && load<std::uint64_t>(runtime, 0) == kCookie &&
         load<std::uint64_t>(runtime, 16) != 0;
}

std::vector<std::byte> read_at(const ElfFile& file, std::uint64_t address, std::size_t size) {
  for (const ElfSegment& s : file.segments()) {
    if (s.type != PT_LOAD || address < s.address || address - s.address > s.file_size ||
        s.file_size - (address - s.address) < size)
      continue;
    std::vector<std::byte> bytes(size);
    if (file.bytes().read(s.offset + (address - s.address), bytes)) return bytes;
  }
  return {};
}

}  // namespace

bool is_python_path(std::string_view path) {
  const std::string_view name = file_name(path);
  return name.starts_with("python3") || name.starts_with("libpython3");
}

std::optional<flame_python_layout> python_layout(std::uint32_t version, std::span<const std::byte> runtime) {
  if ((version & 0xf0) != kFinal) return std::nullopt;
  switch (version >> 16) {
    case 0x030b:
      return k311;
    case 0x030c:
      return k312;
    case 0x030d:
      return layout_by_offsets(version, runtime);
    default:
      return std::nullopt;
  }
}

std::optional<PythonProgram> find_python(const ElfFile& file) {
  const ElfSection* table = file.section(".dynsym");
  if (table == nullptr || table->link >= file.sections().size()) return std::nullopt;
  const std::vector<std::byte> entries = file.contents(*table);
  const std::vector<std::byte> names = file.contents(file.sections()[table->link]);
  PythonProgram found;
  std::uint64_t version = 0;
  const std::array<std::pair<std::string_view, std::uint64_t*>, 4> wanted{
      {{"_PyRuntime", &found.runtime},
       {"PyCode_Type", &found.code_type},
       {"_PyEval_EvalFrameDefault", &found.loop_start},
       {"Py_Version", &version}}};
  for (std::size_t i = 0; i < entries.size() / sizeof(Elf64_Sym); ++i) {
    const auto symbol = load<Elf64_Sym>(entries, i * sizeof(Elf64_Sym));
    if (symbol.st_shndx == SHN_UNDEF) continue;
    for (const auto& [text, value] : wanted) {
      if (!is_name(names, symbol.st_name, text)) continue;
      *value = symbol.st_value;
      if (value == &found.loop_start) found.loop_end = symbol.st_value + symbol.st_size;
    }
  }
  if (found.runtime == 0 || found.code_type == 0 || found.loop_start == 0) return std::nullopt;
  if (version == 0) return found;
  const std::vector<std::byte> value = read_at(file, version, 8);
  if (value.empty()) return std::nullopt;
  found.version = load<std::uint32_t>(value, 0);
  const std::vector<std::byte> runtime = read_at(file, found.runtime, kOffsetWords * 8);
  found.without_lock = is_without_lock(found.version, runtime);
  found.layout = python_layout(found.version, runtime);
  return found;
}

std::string python_version_text(const PythonProgram& python) {
  const std::uint32_t version = python.version;
  if (version == 0) return "older than 3.11";
  return fmt::format("{}.{}.{}{}{}", version >> 24, version >> 16 & 0xff, version >> 8 & 0xff,
                     (version & 0xf0) != kFinal ? " (a pre-release)" : "",
                     python.without_lock ? " (without the global lock)" : "");
}

}  // namespace plumb
