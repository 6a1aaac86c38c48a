// What people call a container: names out of the runtimes' own state files, without asking any daemon.
#pragma once

#include <string>

#include "proc/cgroup_path.h"
#include "proc/process.h"

namespace plumb {

struct OwnedNames {
  std::string container;  // never empty: the name, otherwise the first 12 digits of the id
  std::string pod;
  std::string namespace_;
  // False where a file that would tell more was not there (yet): the kubelet makes its links after the start.
  bool complete = false;

  ProcessNames view() const { return {container, pod, namespace_}; }
};

// docker: /var/lib/docker/containers/<id>/config.v2.json. podman:
// overlay-containers/{,volatile-}containers.json below /var/lib/containers/storage (root's containers; those
// of other users stay nameless). Kubernetes, whatever runtime: the links
// /var/log/containers/<pod>_<namespace>_<container>-<id>.log, then /var/log/pods/<namespace>_<pod>_<uid>. All
// of these may be missing, unreadable or nonsense; then less is known. What is missing here is looked for
// below /proc/1/root, the host's files for a container that shares the host's process ids.
OwnedNames container_names(const ProcFs& procfs, const CgroupContainer& container);

}  // namespace plumb
