#include "run/origin.h"

#include <cstring>

#include "bpf/task.h"

namespace plumb {

void set_process(Origin& origin, const task_identity& task) {
  origin.pid = task.pid;
  origin.tid = task.tid;
  origin.uid = task.uid;
  origin.comm = {task.comm, ::strnlen(task.comm, sizeof task.comm)};
}

void set_container(Origin& origin, const task_identity& task, ProcessCache& processes) {
  origin.names = processes.find({task.pid, task.start_ns}, task.cgroup_id);
}

}  // namespace plumb
