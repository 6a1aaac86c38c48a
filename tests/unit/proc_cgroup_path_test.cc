#include "proc/cgroup_path.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

using namespace plumb;

namespace {

const std::string kId(64, 'a');
const std::string kUid = "2d3d2b8e-1f5b-4b7a-9a51-0c2a2f6a7b01";
const std::string kUidWithUnderscores = "2d3d2b8e_1f5b_4b7a_9a51_0c2a2f6a7b01";

void check(const std::string& path, std::string_view runtime, const std::string& id,
           const std::string& pod_uid = "") {
  CAPTURE(path);
  const auto found = container_of_cgroup(path);
  REQUIRE(found);
  CHECK(found->runtime == runtime);
  CHECK(found->id == id);
  CHECK(found->pod_uid == pod_uid);
}

}  // namespace

TEST_CASE("each runtime's cgroup names its container") {
  check("/docker/" + kId, "docker", kId);
  check("/system.slice/docker-" + kId + ".scope", "docker", kId);
  check("/system.slice/docker-" + kId + ".scope/system.slice/sshd.service", "docker", kId);
  check("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + kUidWithUnderscores +
            ".slice/cri-containerd-" + kId + ".scope",
        "containerd", kId, kUid);
  check("/kubepods/besteffort/pod" + kUid + "/" + kId, "containerd", kId, kUid);
  check("/kubepods/pod0123456789abcdef0123456789abcdef/" + kId, "containerd", kId,
        "0123456789abcdef0123456789abcdef");
  check("/kubepods.slice/kubepods-pod" + kUidWithUnderscores + ".slice/crio-" + kId + ".scope", "cri-o", kId,
        kUid);
  check("/system.slice/containerd.service/kubepods-besteffort-pod" + kUidWithUnderscores +
            ".slice:cri-containerd:" + kId,
        "containerd", kId, kUid);
  check("/kubepods.slice/kubepods-pod" + kUidWithUnderscores + ".slice/docker-" + kId + ".scope", "docker",
        kId, kUid);
  check("/machine.slice/libpod-" + kId + ".scope/container", "podman", kId);
  check("/user.slice/x.service/libpod-payload-" + kId, "podman", kId);
  check("/libpod_parent/libpod-" + kId, "podman", kId);
  check("/default/" + kId, "oci", kId);
  check("/machine.slice/systemd-nspawn@web.service/payload", "systemd-nspawn", "web");
  check("/machine.slice/systemd-nspawn@my\\x2dweb\\x20x.service", "systemd-nspawn", "my-web x");
  check("/machine.slice/machine-arch.scope", "systemd-nspawn", "arch");
  check("/lxc.payload.alpine/init.scope", "lxc", "alpine");
  check("/lxc.payload/alpine", "lxc", "alpine");
  check("/lxc/101/ns", "lxc", "101");
  check("/../../system.slice/docker-" + kId + ".scope", "docker", kId);  // seen from another cgroup namespace
}

TEST_CASE("what is beside a container is not in it") {
  for (const std::string& path :
       {std::string(""), std::string("/"), std::string("/init.scope"),
        std::string("/system.slice/docker.service"), "/machine.slice/libpod-conmon-" + kId + ".scope",
        "/x/crio-conmon-" + kId + ".scope", std::string("/lxc.monitor.alpine"), std::string("/lxc"),
        std::string("/machine.slice/machine-qemu\\x2d1\\x2dvm.scope"), "/docker/" + kId.substr(1),
        "/docker/" + kId + "a", "/docker/" + std::string(64, 'A'),
        std::string("/machine.slice/systemd-nspawn@.service"), std::string("/lxc.payload."),
        "/docker-" + kId + "-x.scope"}) {
    CAPTURE(path);
    CHECK_FALSE(container_of_cgroup(path));
  }
}

TEST_CASE("the innermost container counts, and its own directory is known") {
  const std::string inner(64, 'b');
  const std::string path = "/system.slice/docker-" + kId + ".scope/docker/" + inner;
  const auto found = container_of_cgroup(path + "/init.scope");
  REQUIRE(found);
  CHECK(found->id == inner);
  CHECK(found->length == path.size());
}

TEST_CASE("a pod is found only where a uid stands whole") {
  CHECK(container_of_cgroup("/kubepods/podcast/" + kId)->pod_uid.empty());
  CHECK(container_of_cgroup("/tripod" + kUid + "/" + kId)->pod_uid.empty());
  CHECK(container_of_cgroup("pod" + kUid + "/" + kId)->pod_uid.empty());
}

TEST_CASE("/proc/PID/cgroup: the v2 line first, then any v1 line") {
  CHECK(container_of_proc_cgroup("12:pids:/docker/" + kId +
                                 "\n1:name=systemd:/x:y\n0::/system.slice/x.service\n")
            ->id == kId);
  CHECK(container_of_proc_cgroup("3:cpu,cpuacct:/lxc/old\n0::/docker/" + kId + "\n")->runtime == "docker");
  CHECK_FALSE(container_of_proc_cgroup("0::/init.scope\n"));
  CHECK_FALSE(container_of_proc_cgroup("nonsense\n:\n::\n\n0:"));
  CHECK(v2_path_of_proc_cgroup("5:pids:/a\n0::/b:c\n") == "/b:c");
  CHECK(v2_path_of_proc_cgroup("5:pids:/a\n").empty());
}

TEST_CASE("any bytes are taken") {
  std::mt19937 random(1);
  const std::string pieces[] = {"/",       "pod",      "-",
                                ":",       ".scope",   "docker",
                                "docker-", "lxc",      "lxc.payload.",
                                kId,       "machine-", "\\x",
                                "\\x2",    "\\xzz",    std::string(1, '\0'),
                                "\xff",    kUid,       "kubepods",
                                "\n",      "0::"};
  for (int i = 0; i < 20000; ++i) {
    std::string path;
    for (auto n = random() % 12; n > 0; --n) path += pieces[random() % std::size(pieces)];
    const auto found = container_of_cgroup(path);
    if (found) {
      REQUIRE_FALSE(found->id.empty());
      REQUIRE(found->id.size() <= 255);
      REQUIRE(found->length <= path.size());
    }
    static_cast<void>(container_of_proc_cgroup(path));
  }
}
