#include "run/ready_file.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

namespace plumb {
namespace {

Error cannot(const char* what, const std::string& path, std::string why, const char* hint = "") {
  return Error{std::string("cannot ") + what + " the ready file " + path, std::move(why), hint};
}

int make_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  return fd ? 0 : errno;
}

}  // namespace

Result<ReadyFile> ReadyFile::prepare(const std::string& path) {
  ReadyFile file;
  file.path_ = path;
  struct stat there {};
  if (path.empty() || ::lstat(path.c_str(), &there) != 0) return file;
  if (!S_ISREG(there.st_mode) && !S_ISLNK(there.st_mode))
    return cannot("create", path, "it is there and no regular file", "name a file that plumb may replace");
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return cannot("remove", path, errno_text(errno));
  return file;
}

ReadyFile::~ReadyFile() {
  go_.reset();
  if (maker_.joinable()) maker_.join();
}

Result<void> ReadyFile::arm() {
  if (path_.empty()) return {};
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return cannot("create", path_, errno_text(errno));
  go_.reset(ends[1]);
  error_ = std::make_shared<int>(0);
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  Result<void> result;
  try {
    maker_ = std::thread([path = path_, error = error_, end = ends[0]] {
      const UniqueFd wait(end);
      char go = 0;
      if (::read(wait.get(), &go, 1) == 1) *error = make_file(path);
    });
  } catch (const std::system_error& e) {
    ::close(ends[0]);
    result = cannot("create", path_, e.what());
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return result;
}

Result<void> ReadyFile::create() {
  if (path_.empty()) return {};
  if (::write(go_.get(), "", 1) != 1) return cannot("create", path_, errno_text(errno));
  maker_.join();
  return *error_ == 0 ? Result<void>{} : cannot("create", path_, errno_text(*error_));
}

}  // namespace plumb
