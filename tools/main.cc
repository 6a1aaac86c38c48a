#include "cli/main.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

namespace {

// libbpf reads and indexes the kernel's types, some 10 MB, at each start. From one heap that grows in large
// steps, on huge pages where the kernel gives them on request, that costs a tenth of the page faults: 3 to 5
// ms of 33.
void grow_heap_in_large_steps() {
  constexpr int kStep = 16 << 20;
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TOP_PAD, kStep);
  auto* first = static_cast<char*>(::sbrk(0));
  const std::string probe(1 << 17, '\0');  // makes the heap grow by a step
  constexpr std::uintptr_t kHuge = 2 << 20;
  const std::uintptr_t to_huge = (kHuge - reinterpret_cast<std::uintptr_t>(first) % kHuge) % kHuge;
  const auto grown = static_cast<std::uintptr_t>(static_cast<char*>(::sbrk(0)) - first);
  if (grown > to_huge + kHuge) ::madvise(first + to_huge, (grown - to_huge) / kHuge * kHuge, MADV_HUGEPAGE);
}

// A descriptor of 0 to 2 that the caller closed would be given to the next file or BPF map, and data written
// into that. Kept by one that cannot be written, it gives a clear error instead.
void keep_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) ::open("/", O_RDONLY | O_DIRECTORY);
  }
}

}  // namespace

int main(int argc, char** argv) {
  keep_standard_descriptors();
  grow_heap_in_large_steps();
  const std::vector<std::string> arguments(argv, argv + argc);
  return plumb::plumb_main(arguments);
}
