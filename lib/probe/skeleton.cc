#include "probe/skeleton.h"

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <string_view>
#include <utility>

#include "probe/features.h"
#include "probe/privileges.h"

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
  va_list again;
  va_copy(again, args);
  char line[1024];
  const int n = std::vsnprintf(line, sizeof line, format, args);
  std::string& text = log_text();
  if (n < static_cast<int>(sizeof line)) {
    // Objects have none (cmake/drop_lines.py), and libbpf says so of each program.
    if (std::string_view(line).find("missing .BTF.ext line info") == std::string_view::npos) text += line;
  } else {  // the verifier's log is one message
    const std::size_t before = text.size();
    text.resize(before + static_cast<std::size_t>(n) + 1);
    std::vsnprintf(text.data() + before, static_cast<std::size_t>(n) + 1, format, again);
    text.pop_back();
  }
  va_end(again);
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
  std::string details = LibbpfLog::take();
  Error e{what, errno_text(error)};
  // EACCES is also what the verifier answers to a program that it cannot prove safe.
  const bool verifier = error != EPERM && details.find("BEGIN PROG LOAD LOG") != std::string::npos;
  const Privileges privileges = own_privileges();
  if (!verifier && (error == EPERM || error == EACCES)) {
    e = refused(what, error, privileges);
  } else if (auto able = Features().essentials(); !able) {
    e.why = able.error().why;
    e.hint = able.error().hint;
  } else if (verifier) {
    e.why += "; this kernel's verifier does not accept a program";
    e.hint = "-v shows the verifier's log: please report it with the kernel's release (uname -r)";
  } else {
    e.hint = "`plumb doctor` shows what this kernel offers; -v shows the whole log";
  }
  e.details = std::move(details);
  return e;
}

}  // namespace plumb
