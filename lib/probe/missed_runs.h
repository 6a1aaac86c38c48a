// Runs of a BPF program that the kernel skipped: since Linux 5.12 a program that would interrupt itself on
// one CPU does not run (kernel/trace/bpf_trace.c, prog->active), and only a counter of the program tells.
#pragma once

#include <cstdint>

struct bpf_object;
struct bpf_program;

namespace plumb {

// Of one program; 0 when it is not loaded and on kernels that do not count it.
std::uint64_t missed_runs(const bpf_program* program);
// Sum over the object's loaded programs; 0 on kernels that do not count it.
std::uint64_t missed_runs(const bpf_object* object);

}  // namespace plumb
