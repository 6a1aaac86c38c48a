#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>

#include "base/fd.h"
#include "proc/process.h"

namespace plumb {
namespace {

Error cannot(const char* what, const std::string& path, int error) {
  return Error{"cannot " + std::string(what) + " " + path, errno_text(error)};
}

struct CloseDir {
  void operator()(DIR* d) const { ::closedir(d); }
};

class DirectoryProcFs final : public ProcFs {
 public:
  explicit DirectoryProcFs(std::string root) : root_(std::move(root)) {}

  Result<std::string> read(const std::string& path) const override;
  Result<std::string> read_link(const std::string& path) const override;
  Result<std::vector<std::string>> list(const std::string& directory) const override {
    return entries(directory, false);
  }
  Result<std::vector<std::string>> list_directories(const std::string& directory) const override {
    return entries(directory, true);
  }
  Result<std::uint64_t> inode(const std::string& path) const override;
  Result<std::uint64_t> network_namespace(const std::string& path) const override;
  Result<std::string> read_memory(std::uint32_t pid, std::uint64_t address, std::size_t size) const override;
  Result<std::string> cgroup_path(const std::string& mount, std::uint64_t id) const override;

 private:
  Result<std::vector<std::string>> entries(const std::string& directory, bool directories_only) const;

  std::string root_;  // empty: the real one
};

Result<std::string> DirectoryProcFs::read(const std::string& path) const {
  // O_NONBLOCK: a FIFO put where a file should be must not hold us up.
  const UniqueFd fd(::open((root_ + path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) return cannot("read", path, errno);
  if (!S_ISREG(info.st_mode)) return Error{"cannot read " + path, "it is not a regular file"};
  std::string text;
  constexpr std::size_t kStep = 4096;  // most files below /proc fit; their size says 0
  std::size_t used = 0;
  while (used < kMaxRead) {
    text.resize(std::min(kMaxRead, std::max(used + kStep, used * 2)));
    const ssize_t n = ::read(fd.get(), text.data() + used, text.size() - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return cannot("read", path, errno);  // ESRCH: the process is gone
    if (n == 0) break;
    used += static_cast<std::size_t>(n);
  }
  text.resize(used);
  return text;
}

Result<std::string> DirectoryProcFs::read_memory(std::uint32_t pid, std::uint64_t address,
                                                 std::size_t size) const {
  const std::string path = "/proc/" + std::to_string(pid) + "/mem";
  const UniqueFd fd(::open((root_ + path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return cannot("read", path, errno);
  std::string bytes(std::min(size, kMaxRead), '\0');
  for (std::size_t used = 0; used < bytes.size();) {
    const ssize_t n =
        ::pread(fd.get(), bytes.data() + used, bytes.size() - used, static_cast<off_t>(address + used));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return cannot("read", path, n == 0 ? ESRCH : errno);
    used += static_cast<std::size_t>(n);
  }
  return bytes;
}

Result<std::string> DirectoryProcFs::read_link(const std::string& path) const {
  std::array<char, PATH_MAX> target;
  const ssize_t n = ::readlink((root_ + path).c_str(), target.data(), target.size());
  if (n < 0) return cannot("read the link", path, errno);
  return std::string(target.data(), static_cast<std::size_t>(n));
}

bool is_directory(int directory_fd, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
  struct stat info {};
  return ::fstatat(directory_fd, entry.d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

Result<std::vector<std::string>> DirectoryProcFs::entries(const std::string& directory,
                                                          bool directories_only) const {
  const std::unique_ptr<DIR, CloseDir> dir(::opendir((root_ + directory).c_str()));
  if (dir == nullptr) return cannot("list", directory, errno);
  std::vector<std::string> names;
  while (names.size() < kMaxList) {
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (!directories_only || is_directory(::dirfd(dir.get()), *entry)) names.emplace_back(name);
  }
  return names;
}

Result<std::uint64_t> DirectoryProcFs::inode(const std::string& path) const {
  struct stat info {};
  if (::stat((root_ + path).c_str(), &info) != 0) return cannot("look at", path, errno);
  return static_cast<std::uint64_t>(info.st_ino);
}

Result<std::uint64_t> DirectoryProcFs::network_namespace(const std::string& path) const {
  if (!root_.empty()) return inode(path);  // a recorded tree holds no namespaces
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) return cannot("look at", path, errno);
  if (::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET) return Error{path + " is no network namespace"};
  return static_cast<std::uint64_t>(info.st_ino);
}

// A cgroup id is the file handle of its directory (fs/kernfs/mount.c; the type FILEID_KERNFS came with
// Linux 5.5), so that the kernel finds the directory by itself.
Result<std::string> DirectoryProcFs::cgroup_path(const std::string& mount, std::uint64_t id) const {
  if (!root_.empty()) return ProcFs::cgroup_path(mount, id);
  constexpr int kFileidKernfs = 0xfe;
  alignas(file_handle) std::array<unsigned char, sizeof(file_handle) + sizeof id> bytes{};
  auto* handle = reinterpret_cast<file_handle*>(bytes.data());
  handle->handle_bytes = sizeof id;
  handle->handle_type = kFileidKernfs;
  std::memcpy(handle->f_handle, &id, sizeof id);
  const UniqueFd mount_fd(::open(mount.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd fd(::open_by_handle_at(mount_fd.get(), handle, O_PATH | O_CLOEXEC));
  if (!fd) return cannot("find the cgroup by its id below", mount, errno);
  auto path = read_link("/proc/self/fd/" + std::to_string(fd.get()));
  if (!path) return path;
  const std::string below = mount == "/" ? "" : mount;
  if (*path == below) return std::string("/");
  if (!path->starts_with(below + "/")) return Error{"cgroup outside " + mount, *path};
  return path->substr(below.size());
}

}  // namespace

Result<std::string> ProcFs::read_memory(std::uint32_t pid, std::uint64_t, std::size_t) const {
  return Error{"cannot read the memory of " + std::to_string(pid), "these files are a recording"};
}

Result<std::string> ProcFs::cgroup_path(const std::string& mount, std::uint64_t) const {
  return Error{"cannot find a cgroup by its id below " + mount, "these files are a recording"};
}

const ProcFs& system_procfs() {
  static const DirectoryProcFs real{std::string{}};
  return real;
}

std::unique_ptr<ProcFs> procfs_below(std::string root) {
  while (root.ends_with('/')) root.pop_back();
  return std::make_unique<DirectoryProcFs>(std::move(root));
}

}  // namespace plumb
