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
  if (!shared) return UniqueFd(::open(path.c_str(), flags, 0644));
  const bool link = ::lstat(path.c_str(), &entry) == 0 && S_ISLNK(entry.st_mode);
  const bool trusted = link && (entry.st_uid == ::geteuid() || entry.st_uid == directory.st_uid);
  UniqueFd fd(::open(path.c_str(), flags | (trusted ? 0 : O_NOFOLLOW), 0644));
  if (!fd && link && !trusted) errno = ELOOP;  // some kernels say EACCES
  return fd;
}

}  // namespace plumb
