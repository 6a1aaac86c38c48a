// BPF iterators: programs that the kernel runs once for each object of a kind, when their file is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.h"

struct bpf_link;

namespace plumb {

// Runs an attached iterator program over everything once. What it prints (bpf_seq_write) is dropped.
Result<void> run_iterator(bpf_link* link);

// The same by the link's descriptor; what it prints, at most `most` bytes of it. The rest is dropped.
Result<std::vector<std::byte>> read_iterator(int link_fd, std::size_t most);

}  // namespace plumb
