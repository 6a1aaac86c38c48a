#include "run/origin.h"

#include "base/text.h"
#include "bpf/task.h"

namespace plumb {

void set_process(Origin& origin, const task_identity& task) {
  origin.pid = task.pid;
  origin.tid = task.tid;
  origin.uid = task.uid;
  origin.comm = padded_text(task.comm);
  origin.parent_pid = task.parent_pid;
  origin.parent_comm = padded_text(task.parent_comm);
}

void set_container(Origin& origin, const task_identity& task, ProcessCache& processes) {
  origin.names = processes.find({task.pid, task.start_ns}, task.cgroup_id);
}

}  // namespace plumb
