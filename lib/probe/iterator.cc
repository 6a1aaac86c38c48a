#include "probe/iterator.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/fd.h"
#include "probe/skeleton.h"

namespace plumb {

Result<std::vector<std::byte>> read_iterator(int link_fd, std::size_t most) {
  const UniqueFd file(bpf_iter_create(link_fd));
  if (!file) return bpf_error("cannot run the iterator", errno);
  std::vector<std::byte> out;
  std::byte buffer[4096];
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n == 0) return out;
    // EAGAIN: the kernel looked at a million objects without output and asks to be called again.
    if (n < 0 && errno != EAGAIN && errno != EINTR) return bpf_error("cannot read the iterator", errno);
    if (n < 0) continue;
    const auto kept = std::min(static_cast<std::size_t>(n), most - out.size());
    out.insert(out.end(), buffer, buffer + kept);
  }
}

Result<void> run_iterator(bpf_link* link) {
  auto nothing = read_iterator(bpf_link__fd(link), 0);
  return nothing ? Result<void>{} : std::move(nothing).error();
}

}  // namespace plumb
