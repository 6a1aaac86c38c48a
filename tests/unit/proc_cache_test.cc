#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <new>
#include <string>

#include "proc/process.h"

using namespace plumb;

namespace {

// A machine in memory that counts what is asked of it.
class FakeProcFs final : public ProcFs {
 public:
  Result<std::string> read(const std::string& path) const override {
    ++reads;
    const auto it = files.find(path);
    return it == files.end() ? Result<std::string>(Error{"no " + path}) : Result<std::string>(it->second);
  }
  Result<std::string> read_link(const std::string&) const override { return Error{"no links"}; }
  Result<std::vector<std::string>> list(const std::string& directory) const override {
    const auto it = lists.find(directory);
    return it == lists.end() ? Result<std::vector<std::string>>(Error{"no list"}) : it->second;
  }
  Result<std::vector<std::string>> list_directories(const std::string& directory) const override {
    ++walked;
    return list(directory);
  }
  Result<std::uint64_t> inode(const std::string& path) const override {
    const auto it = inodes.find(path);
    return it == inodes.end() ? Result<std::uint64_t>(Error{"no inode"}) : Result<std::uint64_t>(it->second);
  }
  Result<std::string> cgroup_path(const std::string&, std::uint64_t id) const override {
    ++handles;
    const auto it = by_id.find(id);
    return it == by_id.end() ? Result<std::string>(Error{"EPERM"}) : Result<std::string>(it->second);
  }

  void process(std::uint32_t pid, std::uint64_t ticks, const std::string& cgroup) {
    const std::string at = "/proc/" + std::to_string(pid);
    files[at + "/cgroup"] = cgroup;
    files[at + "/stat"] = std::to_string(pid) + " (a) b) S 1 1 1 0 -1 4194560 1 0 1 0 5 3 0 0 20 0 1 0 " +
                          std::to_string(ticks) + " 1 2\n";
  }

  std::map<std::string, std::string> files{{"/proc/mounts", "none /cg cgroup2 rw 0 0\n"}};
  std::map<std::string, std::vector<std::string>> lists;
  std::map<std::string, std::uint64_t> inodes;
  std::map<std::uint64_t, std::string> by_id;
  mutable int reads = 0, walked = 0, handles = 0;
};

const std::string kId(64, 'a');
const std::string kOtherId(64, 'b');
constexpr std::uint64_t kTick = 10'000'000;  // 100 a second, on every architecture that plumb runs on

}  // namespace

TEST_CASE("the container of a process of the recorded docker host") {
  const auto fs = procfs_below(std::string(TEST_DATA) + "/docker");
  ProcessCache cache(*fs);
  CHECK(cache.find({4242, 123456 * kTick + 7}, 0).container == "web");
  CHECK(cache.find({77, 5000 * kTick}, 0).container.empty());
  // By cgroup id alone: the process is gone.
  const auto web = container_cgroups("web", *fs);
  REQUIRE(web);
  CHECK(cache.find({999, 1}, fs->inode(web->front()).value()).container == "web");
}

TEST_CASE("a container of cgroup v1 is found while its process lives") {
  const auto fs = procfs_below(std::string(TEST_DATA) + "/docker-v1");
  ProcessCache cache(*fs);
  const auto v2 = fs->inode("/sys/fs/cgroup/unified/system.slice/containerd.service").value();
  CHECK(cache.find({900, 70000 * kTick}, v2).container == "old");
  CHECK(cache.find({901, 70000 * kTick}, v2).container.empty());  // the same v2 cgroup, another process
}

TEST_CASE("Kubernetes names come with pod and namespace") {
  const auto fs = procfs_below(std::string(TEST_DATA) + "/kubernetes");
  ProcessCache cache(*fs);
  const auto cgroup = container_cgroups("nginx", *fs);
  REQUIRE(cgroup);
  const ProcessNames names = cache.find({1, 1}, fs->inode(cgroup->front()).value());
  CHECK(names.container == "nginx");
  CHECK(names.pod == "web-7d9c5b6f4d-x2x9z");
  CHECK(names.namespace_ == "shop");
}

TEST_CASE("a pid that another process has now is not believed") {
  FakeProcFs fs;
  fs.process(10, 500, "0::/docker/" + kId + "\n");
  ProcessCache cache(fs);
  CHECK(cache.find({10, 500 * kTick + 1}, 0).container == kId.substr(0, 12));
  CHECK(cache.find({10, 501 * kTick}, 0).container == kId.substr(0, 12));  // a tick of tolerance
  CHECK(cache.find({10, 503 * kTick}, 0).container.empty());
  CHECK(cache.find({10, 400 * kTick}, 0).container.empty());
  CHECK(cache.find({10, 0}, 0).container.empty());  // start unknown: never a guess
}

TEST_CASE("the first answer stays when the process ends") {
  FakeProcFs fs;
  fs.process(10, 500, "0::/docker/" + kId + "\n");
  ProcessCache cache(fs);
  CHECK_FALSE(cache.find({10, 500 * kTick}, 0).container.empty());
  fs.files.erase("/proc/10/cgroup");
  fs.files.erase("/proc/10/stat");
  const int reads = fs.reads;
  CHECK(cache.find({10, 500 * kTick}, 0).container == kId.substr(0, 12));
  CHECK(fs.reads == reads);  // nothing was asked again
}

TEST_CASE("a process that moves to another cgroup is looked up anew") {
  FakeProcFs fs;
  fs.by_id = {{7, "/init.scope"}, {8, "/docker/" + kId}, {9, "/docker/" + kOtherId}};
  ProcessCache cache(fs);
  CHECK(cache.find({10, 1}, 7).container.empty());
  CHECK(cache.find({10, 1}, 8).container == kId.substr(0, 12));
  CHECK(cache.find({10, 1}, 9).container == kOtherId.substr(0, 12));
  CHECK(cache.find({10, 1}, 0).container == kOtherId.substr(0, 12));  // what was known last
  CHECK(cache.size() == 1);
  // Another process of a cgroup seen before costs no question at all.
  const int handles = fs.handles;
  const int reads = fs.reads;
  CHECK(cache.find({11, 1}, 8).container == kId.substr(0, 12));
  CHECK(cache.find({12, 1}, 7).container.empty());
  CHECK(fs.handles == handles);
  CHECK(cache.find({0, 0}, 8).container == kId.substr(0, 12));  // the process is unknown, its cgroup is not
  CHECK(cache.size() == 3);
  CHECK(fs.reads - reads <= 4);  // names, once for each new process while there is none
}

TEST_CASE("a live process in another cgroup than the event's does not lend its container") {
  FakeProcFs fs;
  fs.process(10, 500, "0::/docker/" + kId + "\n");
  fs.inodes["/cg/docker/" + kId] = 8;
  ProcessCache cache(fs);
  CHECK(cache.find({10, 500 * kTick}, 7).container.empty());
  CHECK(cache.find({10, 500 * kTick}, 8).container == kId.substr(0, 12));
}

TEST_CASE("names that come later are taken, and asking ends") {
  FakeProcFs fs;
  fs.by_id[8] = "/kubepods/pod/" + kId;
  ProcessCache cache(fs);
  CHECK(cache.find({1, 1}, 8).container == kId.substr(0, 12));
  fs.lists["/var/log/containers"] = {"web_shop_nginx-" + kId + ".log"};
  CHECK(cache.find({1, 1}, 8).container == kId.substr(0, 12));  // no question in the steady state
  CHECK(cache.find({2, 1}, 8).container == "nginx");            // a new process asks again
  CHECK(cache.find({1, 1}, 8).container == "nginx");
}

TEST_CASE("without the right to ask by id, a walk finds the cgroup of an ended process, rationed") {
  FakeProcFs fs;
  fs.lists["/cg"] = {"docker", "init.scope"};
  fs.lists["/cg/docker"] = {kId};
  for (int i = 0; i < 100; ++i) fs.lists["/cg/init.scope"].push_back("c" + std::to_string(i));
  fs.inodes["/cg/docker/" + kId] = 8;
  ProcessCache cache(fs);
  CHECK(cache.find({1, 1}, 8).container == kId.substr(0, 12));
  const int walked = fs.walked;
  CHECK(walked > 100);
  CHECK(cache.find({2, 1}, 5).container.empty());  // unknown, and the last walk is not paid for yet
  CHECK(fs.walked == walked);
  for (std::uint32_t pid = 3; pid < 10; ++pid) static_cast<void>(cache.find({pid, 1}, 1000 + pid));
  CHECK(fs.walked == 2 * walked);
}

TEST_CASE("the cache is bounded: those not asked for lately leave") {
  FakeProcFs fs;
  fs.by_id[8] = "/docker/" + kId;
  ProcessCache cache(fs);
  for (std::uint32_t pid = 1; pid <= ProcessCache::kMaxEntries + 1; ++pid) {
    REQUIRE(cache.find({pid, 1}, 8).container == kId.substr(0, 12));
  }
  CHECK(cache.size() == ProcessCache::kMaxEntries);

  ProcessCache small(fs, 4);
  for (std::uint32_t pid = 1; pid <= 5; ++pid) static_cast<void>(small.find({pid, 1}, 8));
  CHECK(small.size() == 4);
  // 5 took the place of one; process 2 is in use between all that follow, so it stays: its answer needs no
  // cgroup id.
  for (std::uint32_t pid = 6; pid < 60; ++pid) {
    CHECK(small.find({2, 1}, pid == 6 ? 8 : 0).container == kId.substr(0, 12));
    static_cast<void>(small.find({pid, 1}, 8));
  }
  CHECK(small.find({6, 1}, 0).container.empty());  // long gone
}

TEST_CASE("files that are no stat or cgroup file") {
  FakeProcFs fs;
  fs.process(10, 500, "0::/docker/" + kId + "\n");
  for (const char* stat :
       {"", ")", "10 (x", "10 (x) S", "10 (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 x y",
        "10 (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 99999999999999999999999"}) {
    CAPTURE(stat);
    fs.files["/proc/10/stat"] = stat;
    ProcessCache cache(fs);
    CHECK(cache.find({10, 500 * kTick}, 0).container.empty());
  }
}

namespace {

// A cgroup that goes away with the object.
class TemporaryCgroup {
 public:
  explicit TemporaryCgroup(std::string path)
      : path_(std::move(path)), made_(::mkdir(path_.c_str(), 0755) == 0) {}
  ~TemporaryCgroup() {
    if (made_) ::rmdir(path_.c_str());
  }
  TemporaryCgroup(const TemporaryCgroup&) = delete;
  TemporaryCgroup& operator=(const TemporaryCgroup&) = delete;
  bool made() const { return made_; }
  const std::string& path() const { return path_; }
  bool add(pid_t pid) const {
    const int fd = ::open((path_ + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
    const std::string text = std::to_string(pid);
    const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::close(fd);
    return written;
  }

 private:
  std::string path_;
  bool made_;
};

std::uint64_t start_ns_of(pid_t pid) {
  const auto stat = system_procfs().read("/proc/" + std::to_string(pid) + "/stat");
  REQUIRE(stat);
  std::size_t at = stat->rfind(')');
  for (int field = 2; field < 22; ++field) at = stat->find(' ', at + 1);
  return std::strtoull(stat->c_str() + at, nullptr, 10) * kTick;
}

}  // namespace

TEST_CASE("live: a process in a cgroup that looks like docker's, alive and ended") {
  const auto mount = cgroup2_mount();
  const std::string id =
      "feedfacecafe" + std::to_string(1000000 + ::getpid() % 1000000) + std::string(45, '0');
  const TemporaryCgroup cgroup(mount ? *mount + "/docker-" + id + ".scope" : "/nonexistent/x");
  if (!cgroup.made()) {
    MESSAGE("SKIP: no cgroup v2 hierarchy is writable here");
    return;
  }
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  REQUIRE(child > 0);
  REQUIRE(cgroup.add(child));
  const ProcessKey key{static_cast<std::uint32_t>(child), start_ns_of(child)};
  const auto cgroup_id = system_procfs().inode(cgroup.path());
  REQUIRE(cgroup_id);

  ProcessCache cache;
  ProcessCache without_id;
  CHECK(cache.find(key, *cgroup_id).container == id.substr(0, 12));
  CHECK(without_id.find(key, 0).container == id.substr(0, 12));
  const auto listed = container_cgroups(id.substr(0, 20));
  REQUIRE(listed);
  CHECK(*listed == std::vector<std::string>{cgroup.path()});
  if (::geteuid() == 0) {
    CHECK(system_procfs().cgroup_path(*mount, *cgroup_id).value() == "/docker-" + id + ".scope");
  }

  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ProcessCache later;
  CHECK(later.find(key, *cgroup_id).container == id.substr(0, 12));  // the process is gone, its cgroup is not
  CHECK(cache.find(key, *cgroup_id).container == id.substr(0, 12));
  CHECK(without_id.find(key, 0).container == id.substr(0, 12));
  ProcessCache too_late;
  CHECK(too_late.find(key, 0).container.empty());
}
