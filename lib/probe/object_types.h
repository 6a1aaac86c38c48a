// What libbpf has to know of the running kernel's types to load one object, from KernelBtf and in 1 ms. By
// itself it reads and indexes all of them, and looks through all for each type that the object names: 15 ms
// of a tool's start.
//
// Two of libbpf's public doors are used: a BTF of one's own for CO-RE (btf_custom_path), and handlers of
// program sections, which may fill in what a program attaches to; object_types.cc says why. Types of modules are not
// looked at: plumb reads none. With PLUMB_KERNEL_TYPES=libbpf in the environment libbpf reads all by itself.
#pragma once

#include <bpf/libbpf.h>

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "probe/kernel_btf.h"

namespace plumb {

// Calls of kernel functions (bpf/kfunc.bpf.h) get their ids, in a program that is not loaded yet; objects that are loaded
// through ObjectTypes have it done. False: it calls one that this kernel does not have, and will be refused.
bool put_in_kernel_functions(bpf_program* program, const KernelBtf& kernel);

class ObjectTypes {
 public:
  // Before an object is opened: registers the handlers, once a process, and makes an empty file in memory.
  static Result<ObjectTypes> create();

  // For bpf_object__open: valid as long as this is.
  bpf_object_open_opts open_options() const;

  // Before the object is loaded: writes the types that it names. `kernel` has to stay until the object is
  // loaded.
  Result<void> fill(bpf_object* object, const KernelBtf& kernel);

 private:
  UniqueFd file_;
  std::string path_;
};

}  // namespace plumb
