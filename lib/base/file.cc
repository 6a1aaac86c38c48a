#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace plumb {

UniqueFd open_unfooled(const std::string& path, int flags) {
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  struct stat directory {};
  struct stat entry {};
  const bool shared = ::stat(parent.c_str(), &directory) == 0 &&
                      (directory.st_mode & (S_ISVTX | S_IWOTH)) == (S_ISVTX | S_IWOTH);
  const bool trusted = !shared || (::lstat(path.c_str(), &entry) == 0 && S_ISLNK(entry.st_mode) &&
                                   (entry.st_uid == ::geteuid() || entry.st_uid == directory.st_uid));
  return UniqueFd(::open(path.c_str(), flags | (trusted ? 0 : O_NOFOLLOW), 0644));
}

}  // namespace plumb
