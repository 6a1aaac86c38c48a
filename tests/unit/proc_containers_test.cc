// Recorded trees of each runtime, read as the real ones are.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "proc/mounts.h"
#include "proc/process.h"

using namespace plumb;

namespace {

std::unique_ptr<ProcFs> tree(const std::string& name) {
  return procfs_below(std::string(TEST_DATA) + "/" + name);
}

// "runtime namespace/pod/name" of each, in order.
std::vector<std::string> listed(const ProcFs& fs) {
  std::vector<std::string> out;
  for (const Container& c : list_containers(fs)) {
    out.push_back(c.runtime + " " + (c.pod.empty() ? "" : c.namespace_ + "/" + c.pod + "/") + c.name +
                  (c.v2 ? "" : " v1"));
  }
  return out;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("docker's containers have their names") {
  const auto fs = tree("docker");
  CHECK(listed(*fs) == Names{"docker web", "docker worker"});
  const auto cgroups = container_cgroups("web", *fs);
  REQUIRE(cgroups);
  REQUIRE(cgroups->size() == 1);
  CHECK(cgroups->front().starts_with("/sys/fs/cgroup/system.slice/docker-d0c4e7aa"));
  CHECK(cgroups->front().ends_with(".scope"));
}

TEST_CASE("a prefix of the id names a container, when it names one only") {
  const auto fs = tree("docker");
  CHECK(container_cgroups("d0c4e7aa", *fs).ok());
  const auto both = container_cgroups("d0c4", *fs);
  REQUIRE_FALSE(both);
  CHECK(both.error().what == "container 'd0c4' is ambiguous");
  CHECK(both.error().why.find("web (d0c4e7aa") != std::string::npos);
  CHECK(both.error().why.find("worker (d0c4e7bb") != std::string::npos);
  CHECK_FALSE(container_cgroups("d0", *fs).ok());  // too short to be meant as an id
  CHECK_FALSE(container_cgroups("", *fs).ok());
}

TEST_CASE("an unknown container: near names, or that there is none") {
  const auto near = container_cgroups("wroker", *tree("docker"));
  REQUIRE_FALSE(near);
  CHECK(near.error().why == "there is worker");
  const auto far = container_cgroups("elephant", *tree("docker"));
  REQUIRE_FALSE(far);
  CHECK(far.error().why == "none of the 2 containers found has that name or id");
}

TEST_CASE("containers of cgroup v1 are listed, and cannot be filtered by") {
  const auto fs = tree("docker-v1");
  CHECK(cgroup2_mount(*fs).value() == "/sys/fs/cgroup/unified");
  CHECK(cgroup_mounts(*fs)->v1 == "/sys/fs/cgroup/systemd");
  CHECK(listed(*fs) == Names{"docker old v1"});
  const auto cgroups = container_cgroups("old", *fs);
  REQUIRE_FALSE(cgroups);
  CHECK(cgroups.error().why.find("version 1") != std::string::npos);
}

TEST_CASE("Kubernetes: containers, pods and namespaces from the kubelet's links") {
  const auto fs = tree("kubernetes");
  Names found = listed(*fs);
  std::ranges::sort(found);
  REQUIRE(found.size() == 5);
  CHECK(found[0] == "containerd jobs/batch-1/worker");
  CHECK(found[1] == "containerd jobs/batch-2/worker");
  CHECK(found[2].starts_with(
      "containerd shop/web-7d9c5b6f4d-x2x9z/c0d2"));  // the sandbox: its pod by uid alone
  CHECK(found[3] == "containerd shop/web-7d9c5b6f4d-x2x9z/nginx");
  CHECK(found[4] == "cri-o kube-system/etcd-node1/etcd");
  CHECK_FALSE(container_cgroups("worker", *fs).ok());
  CHECK(container_cgroups("batch-1/worker", *fs).ok());
  CHECK(container_cgroups("jobs/batch-2/worker", *fs).ok());
}

TEST_CASE("inside a container the names come from the host's files, below /proc/1/root") {
  namespace fs = std::filesystem;
  std::string directory = (fs::temp_directory_path() / "plumb-test-XXXXXX").string();
  REQUIRE(::mkdtemp(directory.data()) != nullptr);
  for (const char* name : {"docker", "podman", "kubernetes"}) {
    const fs::path host = fs::path(TEST_DATA) / name;
    const fs::path inside = fs::path(directory) / name;
    fs::create_directories(inside / "proc/1/root");
    fs::copy(host / "proc", inside / "proc", fs::copy_options::recursive);
    fs::copy(host / "sys", inside / "sys", fs::copy_options::recursive);
    fs::copy(host / "var", inside / "proc/1/root/var",
             fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    CHECK(listed(*procfs_below(inside.string())) == listed(*tree(name)));
  }
  fs::remove_all(directory);
}

TEST_CASE("podman's containers, --rm ones too, without their monitors") {
  CHECK(listed(*tree("podman")) == Names{"podman db", "podman once"});
}

TEST_CASE("systemd-nspawn and LXC name the container itself; virtual machines are none") {
  CHECK(listed(*tree("machines")) ==
        Names{"lxc 101", "lxc alpine", "systemd-nspawn arch", "systemd-nspawn debian-test"});
  CHECK(container_cgroups("debian-test", *tree("machines")).ok());
}

TEST_CASE("state files that make no sense leave containers without a name") {
  const auto fs = tree("hostile");
  CHECK(cgroup2_mount(*fs).value() == "/sys/fs/cg roup");
  const auto all = list_containers(*fs);
  REQUIRE(all.size() == 3);
  for (const Container& c : all) CHECK(c.name == c.id.substr(0, 12));
}

TEST_CASE("no cgroup v2, no containers: an error that says so") {
  const auto nothing = tree("no-such-tree");
  CHECK(list_containers(*nothing).empty());
  CHECK_FALSE(container_cgroups("web", *nothing).ok());
}

TEST_CASE("a network namespace by process id, name or path") {
  const auto fs = tree("netns");
  const auto same = [&](const char* given, const char* path) {
    const auto n = netns_inode(given, *fs);
    return n && *n == static_cast<std::uint32_t>(fs->inode(path).value());
  };
  CHECK(same("321", "/proc/321/ns/net"));
  CHECK(same("blue", "/run/netns/blue"));
  CHECK(same("/run/netns/blue", "/run/netns/blue"));
  CHECK_FALSE(netns_inode("322", *fs).ok());
  CHECK_FALSE(netns_inode("", *fs).ok());
  // The real ones: our own, and a file that is no namespace.
  CHECK(netns_inode("/proc/self/ns/net").value() == system_procfs().inode("/proc/self/ns/net").value());
  const auto file = netns_inode("/proc/self/status");
  REQUIRE_FALSE(file);
  CHECK(netns_inode("/proc/self/ns/mnt").error().why == "/proc/self/ns/mnt is no network namespace");
}

TEST_CASE("reading is bounded and takes regular files only") {
  const ProcFs& fs = system_procfs();
  CHECK(fs.read("/proc/self/status")->starts_with("Name:"));
  CHECK_FALSE(fs.read("/proc/self").ok());
  CHECK_FALSE(fs.read("/dev/zero").ok());
  CHECK_FALSE(fs.read("/proc/self/no such file").ok());
  CHECK(fs.read_link("/proc/self/ns/net")->starts_with("net:["));
  const auto directories = tree("docker")->list_directories("/");
  REQUIRE(directories);
  CHECK(directories->size() == 3);  // proc, sys, var
}
