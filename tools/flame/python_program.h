// Whether a file is a CPython whose functions can be read from its memory, and where things lie there. Layouts are those
// of one minor version each: 3.11 and 3.12 have them in a table here, 3.13 says them itself (_Py_DebugOffsets, at the
// begin of _PyRuntime). Of other versions, and of builds without the global lock, nothing is guessed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "flame/wire.h"
#include "symbol/elf.h"

namespace plumb {

struct PythonProgram {
  std::uint64_t runtime = 0, code_type = 0;    // addresses of the file
  std::uint64_t loop_start = 0, loop_end = 0;  // _PyEval_EvalFrameDefault
  std::uint32_t version = 0;                   // Py_Version: 0x030b02f0 is 3.11.2; 0: older than 3.11
  bool without_lock = false;                   // a build without the global lock
  std::optional<flame_python_layout> layout;   // nothing: not of this version
};

// By its name: "python3.11", "libpython3.11.so.1.0".
bool is_python_path(std::string_view path);
// By its dynamic symbols; nothing: it is none.
std::optional<PythonProgram> find_python(const ElfFile& file);
// The layout of a version; `runtime`: the first bytes of _PyRuntime as they stand in the file.
std::optional<flame_python_layout> python_layout(std::uint32_t version, std::span<const std::byte> runtime);
// "3.11.2", "3.13.0 (a pre-release)", "older than 3.11".
std::string python_version_text(const PythonProgram& python);

}  // namespace plumb
