#include "bpf/skeleton.h"

#include <cstdarg>
#include <cstdio>
#include <mutex>

namespace plumb {
namespace {

constexpr std::size_t kLogBound = 64 * 1024;

std::string& log_text() {
  static std::string text;
  return text;
}
bool log_verbose = false;

int on_libbpf_message(libbpf_print_level level, const char* format, va_list args) {
  if (level == LIBBPF_DEBUG && !log_verbose) return 0;
  char line[1024];
  const int n = std::vsnprintf(line, sizeof line, format, args);
  std::string& text = log_text();
  text += line;
  if (text.size() > kLogBound) text.erase(0, text.size() - kLogBound);
  return n;
}

}  // namespace

void LibbpfLog::capture(bool verbose) {
  log_verbose = verbose;
  libbpf_set_print(on_libbpf_message);
}

std::string LibbpfLog::take() {
  return std::exchange(log_text(), {});
}

Error bpf_error(const std::string& what, int error) {
  Error e{what, errno_text(error), {}, LibbpfLog::take()};
  if (error == EPERM || error == EACCES) {
    e.hint = "run it as root, or give it the capabilities: setcap cap_bpf,cap_perfmon+ep plumb";
  } else {
    e.hint = "`plumb doctor` shows what this kernel offers; -v shows the whole log";
  }
  return e;
}

}  // namespace plumb
