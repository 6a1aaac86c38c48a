#include "proc/mounts.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace plumb;

namespace {

// Knows files by their inode numbers only.
class Inodes final : public ProcFs {
 public:
  explicit Inodes(std::map<std::string, std::uint64_t> inodes) : inodes_(std::move(inodes)) {}
  Result<std::string> read(const std::string& path) const override { return Error{path}; }
  Result<std::string> read_link(const std::string& path) const override { return Error{path}; }
  Result<std::vector<std::string>> list(const std::string& path) const override { return Error{path}; }
  Result<std::vector<std::string>> list_directories(const std::string& path) const override {
    return Error{path};
  }
  Result<std::uint64_t> inode(const std::string& path) const override {
    const auto it = inodes_.find(path);
    if (it == inodes_.end()) return Error{path};
    return it->second;
  }

 private:
  std::map<std::string, std::uint64_t> inodes_;
};

std::string needed(const ProcFs& procfs) {
  const auto mounted = need_system_mounts(procfs);
  return mounted ? "" : mounted.error().what + ": " + mounted.error().why + " | " + mounted.error().hint;
}

}  // namespace

TEST_CASE("what is not mounted is named, with the command that mounts it") {
  CHECK(needed(Inodes({})) == "cannot read processes: /proc is not mounted | mount -t proc proc /proc");
  CHECK(needed(Inodes({{"/proc/self/ns", 1}})) ==
        "cannot read the kernel's types: /sys is not mounted | mount -t sysfs sysfs /sys");
  CHECK(needed(Inodes({{"/proc/self/ns", 1}, {"/sys/kernel", 1}})).empty());
}

TEST_CASE("a PID namespace other than the kernel's own is recognised") {
  CHECK(in_initial_pid_namespace(Inodes({{"/proc/self/ns/pid", 4026531836}})));
  CHECK_FALSE(in_initial_pid_namespace(Inodes({{"/proc/self/ns/pid", 4026532177}})));
  CHECK(in_initial_pid_namespace(Inodes({})));
}
