#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <string_view>

#include "bpf/executable.h"
#include "probe/executable.h"
#include "proc/process.h"

using namespace plumb;

namespace {

constexpr std::uint32_t kOwn = 1, kOther = 2;

executable started(std::string_view path, std::uint64_t inode, std::uint32_t mount_ns = kOwn) {
  executable e{.inode = inode, .mount_ns = mount_ns};
  std::memcpy(e.path, path.data(), std::min(path.size(), sizeof e.path));
  return e;
}

std::uint64_t inode_of(const char* path) {
  struct stat info {};
  REQUIRE(::stat(path, &info) == 0);
  return info.st_ino;
}

}  // namespace

TEST_CASE("executable: the path is resolved, and the inode proves it") {
  const std::uint64_t inode = inode_of("/bin/sh");
  CHECK(resolved_executable(started("/bin/sh", inode), kOwn) ==
        std::filesystem::canonical("/bin/sh").string());
  CHECK(resolved_executable(started("/bin/../bin/sh", inode), kOwn) ==
        std::filesystem::canonical("/bin/sh").string());
  CHECK(resolved_executable(started("/bin/sh", inode + 1), kOwn)
            .empty());  // replaced since, or below another root
  CHECK(resolved_executable(started("/nowhere/at/all", inode), kOwn).empty());
}

TEST_CASE("executable: in another mount namespace it is as it was given") {
  CHECK(resolved_executable(started("/nowhere/at/all", 7, kOther), kOwn) == "/nowhere/at/all");
}

TEST_CASE("executable: what says nothing is not known") {
  for (const std::string_view path : {"", "sh", "./sh", "/dev/fd/3", "/dev/fd/3/sh"}) {
    CAPTURE(path);
    CHECK(resolved_executable(started(path, 7, kOther), kOwn).empty());
  }
}

TEST_CASE("executable: a path that fills its field has an end") {
  const std::string full(EXECUTABLE_MAX_PATH, '/');
  CHECK(resolved_executable(started(full, 7, kOther), kOwn) == full);
}

TEST_CASE("executable: a process that is gone is asked for once") {
  ProcessCache processes;
  int asked = 0;
  processes.ask_of_gone([&](const ProcessKey& key) {
    ++asked;
    return key.start_ns == 7 ? std::string("/bin/gone") : std::string{};
  });
  constexpr std::uint32_t kNobody = 0x7fffffff;
  for (int i = 0; i < 3; ++i) CHECK(processes.find({kNobody, 7}, 0).exe == "/bin/gone");
  CHECK(asked == 1);
  CHECK(processes.find({kNobody, 8}, 0).exe.empty());
}
