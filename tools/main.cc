#include "base/say.h"
#include "cli/command_table.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

namespace {

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
  std::signal(SIGPIPE, SIG_IGN);  // a reader that is gone shows as EPIPE, of standard error too
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may grow no more shows as EFBIG
  plumb::standard_error();
  const std::vector<std::string> arguments(argv, argv + argc);
  return plumb::plumb_main(plumb::commands(), arguments);
}
