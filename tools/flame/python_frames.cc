#include "flame/python_frames.h"

#include <fmt/format.h>

#include <atomic>
#include <cstring>
#include <string_view>

#include "base/path.h"
#include "flame/python_program.h"
#include "proc/process_ids.h"

namespace plumb {
namespace {

constexpr std::size_t kMostNames = 262'144;
// The loop's first instructions, behind which the interpreter's list knows the new entry: 112 bytes in Debian's 3.11.2.
constexpr std::uint64_t kLoopBegin = 192;
// In the place of a function's frame: it has none.
constexpr profile::FrameId kHidden = UINT32_MAX;

// Since 3.13 a call of a class whose __init__ is Python runs in a frame of the interpreter's own (_Py_InitCleanup,
// Python/specialize.c), which tracebacks leave out too.
bool is_hidden(std::string_view function, std::string_view path) {
  return function == "__init__" && path == "__init__";
}

}  // namespace

flame_python_process* PythonTable::at(std::uint32_t pid) const {
  for (std::uint32_t i = 0; table_ != nullptr && i < FLAME_PYTHON_PROBES; ++i) {
    flame_python_process& p = table_[(flame_python_place(pid) + i) % FLAME_PYTHON_PROCESSES];
    if (p.pid == pid) return &p;
  }
  return nullptr;
}

const flame_python_process* PythonTable::find(std::uint32_t pid) const {
  return pid != 0 ? at(pid) : nullptr;
}

bool PythonTable::add(std::uint32_t pid, const flame_python_process& process) {
  if (table_ == nullptr || pid == 0) return false;
  remove(pid);
  for (std::uint32_t i = 0; i < FLAME_PYTHON_PROBES; ++i) {
    flame_python_process& p = table_[(flame_python_place(pid) + i) % FLAME_PYTHON_PROCESSES];
    if (p.pid != 0) continue;
    p.runtime = process.runtime;
    p.code_type = process.code_type;
    p.layout = process.layout;
    std::atomic_ref(p.pid).store(pid, std::memory_order_release);
    return true;
  }
  return false;
}

void PythonTable::remove(std::uint32_t pid) {
  if (flame_python_process* p = pid != 0 ? at(pid) : nullptr; p != nullptr)
    std::atomic_ref(p->pid).store(0, std::memory_order_release);
}

void PythonFrames::look_at(ProcessCode& process) {
  if (!table_.wanted() || process.searched_for_python == process.mappings.size()) return;
  process.searched_for_python = process.mappings.size();
  process.runs_python = false;
  process.unread_python.clear();
  for (CodeMapping& mapping : process.mappings) {
    if (!is_python_path(mapping.path)) continue;
    const Module* module = modules_.of(process, mapping);
    if (module == nullptr || !module->python) continue;
    const PythonProgram& python = *module->python;
    const auto in_file = module->elf->address_of(mapping.offset);
    if (!in_file) continue;
    if (!python.layout) {
      process.unread_python = python_version_text(python);
      continue;
    }
    const std::uint64_t bias = mapping.start - *in_file;
    process.runs_python = true;
    table_.add(process.pid, {.pid = process.pid,
                             .pad = 0,
                             .runtime = python.runtime + bias,
                             .code_type = python.code_type + bias,
                             .layout = *python.layout});
    return;
  }
}

void PythonFrames::look_at_all(TargetFiles& files, std::span<const std::uint32_t> pids) {
  if (!table_.wanted()) return;
  for (const std::uint32_t pid : pids) look_at(processes_.sampled(pid));
  if (!pids.empty()) return;
  for (const std::uint32_t pid : process_ids()) {
    if (is_python_path(files.program(pid))) look_at(processes_.sampled(pid));
  }
}

void PythonFrames::on_event(const MappingEvent& event) {
  if (!table_.wanted()) return;
  switch (event.kind) {
    case MappingEvent::Kind::fork:
      if (event.pid == event.parent) return;
      if (const flame_python_process* parent = table_.find(event.parent); parent != nullptr)
        table_.add(event.pid, *parent);
      else
        table_.remove(event.pid);  // of an earlier process with this number
      return;
    case MappingEvent::Kind::exec:
      table_.remove(event.pid);
      return;
    case MappingEvent::Kind::exit:
      if (event.pid == event.tid) table_.remove(event.pid);
      return;
    case MappingEvent::Kind::map:
      if (is_python_path(event.path)) look_at(processes_.sampled(event.pid));
      return;
  }
}

bool PythonFrames::keep_name(std::span<const std::byte> record) {
  flame_python_name name;
  if (record.size() != sizeof name) return false;
  std::memcpy(&name, record.data(), sizeof name);
  const std::string function = python_text(name.function, false);
  if (function.empty() || names_.size() >= kMostNames) return true;
  const std::string path = python_text(name.file, true);
  const std::string text = fmt::format("{} ({})", function, file_name(path));
  if (is_hidden(function, path)) {
    names_[{name.number, name.pid}] = kHidden;
    return true;
  }
  names_[{name.number, name.pid}] = profile_.frame({.function = path.empty() ? function : text,
                                                    .file = path,
                                                    .line = name.line,
                                                    .kind = profile::FrameKind::python});
  return true;
}

PythonPlace PythonFrames::place_of(ProcessCode& process, std::uint64_t address) {
  CodeMapping* mapping = process.find(address);
  const Module* module = mapping != nullptr ? modules_.of(process, *mapping) : nullptr;
  if (module == nullptr || !module->python) return PythonPlace::none;
  const auto in_file = module->elf->address_of(address - mapping->start + mapping->offset);
  const PythonProgram& python = *module->python;
  if (!in_file || *in_file < python.loop_start || *in_file >= python.loop_end)
    return PythonPlace::interpreter;
  return *in_file - python.loop_start < kLoopBegin ? PythonPlace::loop_begins : PythonPlace::loop;
}

// Without a place in the table: it may get one as soon as another process ends.
void PythonFrames::note_missing(ProcessCode& process) {
  if (!process.unread_python.empty()) unread_.try_emplace(process.unread_python, process.pid);
  if (!process.runs_python || process.ended) return;
  process.searched_for_python = 0;
  ++counting().samples;
  ++counting().no_room;
}

// `empty`: no functions came with it.
void PythonFrames::count(const flame_sample& sample, bool empty) {
  PythonCounts& c = counting();
  ++c.samples;
  if ((sample.flags & FLAME_PYTHON_CUT) != 0)
    ++c.cut;
  else if ((sample.flags & FLAME_PYTHON_THREADS) != 0)
    ++c.crowded;
  else if ((sample.flags & FLAME_PYTHON_BUSY) != 0)
    ++c.nested;
  else if ((sample.flags & FLAME_PYTHON_LOOKED) == 0)
    ++c.early;
  else if (empty)
    ++c.foreign;
}

void PythonFrames::place(ProcessCode& process, const flame_sample& sample, std::span<const std::byte> words,
                         const Unwound& native) {
  placed_ = false;
  waker_ = (sample.flags & FLAME_IS_WAKER) != 0;
  if (table_.find(process.pid) == nullptr) return note_missing(process);
  words_.resize(words.size() / sizeof(std::uint64_t));
  count(sample, words_.empty());
  if (words_.empty()) return;
  std::memcpy(words_.data(), words.data(), words_.size() * sizeof(std::uint64_t));
  entries_ = python_entries(words_);
  merge_python(
      entries_, native.stack_pointers, native.end == UnwindEnd::root,
      [&](std::size_t i) { return place_of(process, native.addresses[i]); }, merge_);
  placed_ = true;
  pid_ = process.pid;
  missed_name_ = false;
  if (merge_.unplaced != 0) ++counting().unplaced;
  if (merge_.beginning != 0) ++counting().beginning;
}

// Root first, that is, backwards.
void PythonFrames::append_entry(const PythonEntry& entry, std::vector<profile::FrameId>& out) {
  for (std::size_t i = entry.functions.size(); i-- > 0;) {
    const auto found = names_.find({entry.functions[i], pid_});
    if (found != names_.end()) {
      if (found->second != kHidden) out.push_back(found->second);
      continue;
    }
    out.push_back(profile_.frame({.function = "[Python]", .kind = profile::FrameKind::python}));
    if (!missed_name_) ++counting().unnamed;
    missed_name_ = true;
  }
}

void PythonFrames::append_outer(std::vector<profile::FrameId>& out) {
  if (!placed_) return;
  for (std::size_t i = merge_.outer.size(); i-- > 0;) append_entry(entries_[merge_.outer[i]], out);
}

bool PythonFrames::append_at(std::size_t native, std::vector<profile::FrameId>& out) {
  if (!placed_ || native >= merge_.at.size() || merge_.at[native] == PythonMerge::kNative) return false;
  append_entry(entries_[merge_.at[native]], out);
  return true;
}

}  // namespace plumb
