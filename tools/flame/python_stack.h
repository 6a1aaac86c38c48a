// Which native frames a sample's Python functions belong to. An entry of the interpreter's loop is one native frame
// and has something of its own on the C stack, whose address the sample tells; so the frame that has this address is the
// one, and nothing need be counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "flame/wire.h"

namespace plumb {

struct PythonEntry {
  std::uint64_t address = 0;                 // on the C stack; 0: the list was cut before
  std::span<const std::uint64_t> functions;  // their numbers, innermost first
};

// Innermost first, as the words are.
std::vector<PythonEntry> python_entries(std::span<const std::uint64_t> words);

// What a native frame is to Python.
enum class PythonPlace : std::uint8_t {
  none,         // not Python's own code
  interpreter,  // some of it
  loop,         // _PyEval_EvalFrameDefault
  loop_begins,  // its first instructions, where the interpreter does not yet know the new frame
};

struct PythonMerge {
  static constexpr std::size_t kNative = SIZE_MAX;
  std::vector<std::size_t> at;     // for each native frame the entry that takes its place, or kNative
  std::vector<std::size_t> outer;  // entries beyond the end of a native stack that does not reach its root
  std::size_t unplaced = 0;        // entries that lie in no frame of the interpreter
  std::size_t beginning = 0;       // entries left out, since the interpreter does not know them yet
};

// Fills `out`. `stack_pointers`: of the native frames, innermost first; each frame has the memory up to the next one's; 0:
// unknown.
// `rooted`: the last native frame is the thread's first function.
void merge_python(std::span<const PythonEntry> entries, std::span<const std::uint64_t> stack_pointers,
                  bool rooted, const std::function<PythonPlace(std::size_t)>& place_of, PythonMerge& out);

// In UTF-8. What was left out is an ellipsis, at the end or, with `end`, at the begin. Empty: it could not be read.
std::string python_text(const flame_python_text& text, bool end);

}  // namespace plumb
