// The files that samples lie in, each opened once, whatever the number of processes that run it: unwinding tables while
// the capture runs, names at its end.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "flame/files.h"
#include "flame/processes.h"
#include "flame/python_program.h"
#include "profile/profile.h"
#include "symbol/cfi.h"
#include "symbol/elf.h"
#include "symbol/go_table.h"

namespace plumb {

struct Module {
  std::string path;
  std::uint32_t pid = 0;  // one that runs it, for files beside it
  std::optional<ElfFile> elf;
  UnwindTable cfi;
  GoTable go;
  std::optional<PythonProgram> python;
  profile::MappingId mapping = profile::kNoMapping;
};

class Modules {
 public:
  Modules(TargetFiles& files, profile::Profile& profile) : files_(files), profile_(profile) {}

  // The module that is mapped there; opens it the first time. nullptr: no file.
  Module* of(const ProcessCode& process, CodeMapping& mapping);
  Module* at(std::int32_t index) { return &modules_[static_cast<std::size_t>(index)]; }
  // By the id under which its frames stand in the profile; nullptr: none of these.
  Module* with_mapping(profile::MappingId id);

 private:
  std::int32_t add(const ProcessCode& process, const CodeMapping& mapping);
  void load(Module& module, std::unique_ptr<ElfBytes> bytes);

  TargetFiles& files_;
  profile::Profile& profile_;
  std::vector<Module> modules_;
  using Key = std::tuple<std::uint32_t, std::uint32_t, std::uint64_t, std::string>;
  std::map<Key, std::int32_t> known_;
};

// plumb's own copy of the code that the kernel maps into each process; the same in all of them.
std::vector<std::byte> own_vdso();

}  // namespace plumb
