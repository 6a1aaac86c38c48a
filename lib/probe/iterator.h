// BPF iterators: programs that the kernel runs once for each object of a kind, when their file is read.
#pragma once

#include "base/result.h"

struct bpf_link;

namespace plumb {

// Runs an attached iterator program over everything once. What it prints (bpf_seq_write) is dropped.
Result<void> run_iterator(bpf_link* link);

}  // namespace plumb
