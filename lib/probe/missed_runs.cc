#include "probe/missed_runs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

namespace plumb {

std::uint64_t missed_runs(const bpf_program* program) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof info;
  const int fd = bpf_program__fd(program);
  if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return 0;
  return info.recursion_misses;
}

std::uint64_t missed_runs(const bpf_object* object) {
  std::uint64_t sum = 0;
  bpf_program* program = nullptr;
  while (object != nullptr && (program = bpf_object__next_program(object, program)) != nullptr) {
    sum += missed_runs(program);
  }
  return sum;
}

}  // namespace plumb
