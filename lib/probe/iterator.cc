#include "probe/iterator.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "probe/skeleton.h"

namespace plumb {

Result<void> run_iterator(bpf_link* link) {
  const UniqueFd file(bpf_iter_create(bpf_link__fd(link)));
  if (!file) return bpf_error("cannot run the iterator", errno);
  char dropped[256];
  for (;;) {
    const ssize_t n = ::read(file.get(), dropped, sizeof dropped);
    if (n == 0) return {};
    // EAGAIN: the kernel looked at a million objects without output and asks to be called again.
    if (n < 0 && errno != EAGAIN && errno != EINTR) return bpf_error("cannot read the iterator", errno);
  }
}

}  // namespace plumb
