/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The paths of programs that start during the trace. The user side reads /proc/PID/exe when it first hears of a process;
 * one that has ended by then (most of `-- curl`: records wait up to 50 ms) left its path here. Included by filter.bpf.h. */
#ifndef PLUMB_EXECUTABLE_BPF_H
#define PLUMB_EXECUTABLE_BPF_H

#include "bpf/executable.h"
#include "bpf/kernel.h"

/* Key: pid. remember_executable inserts; nobody deletes. Full: the program that started first is forgotten, and its process's
 * path is known only while it lives. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct executable);
} executables SEC(".maps");

/* Hook: execve(2) succeeded. Context: the process, which is `current` and `task`. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(remember_executable, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct executable e = {};
	__u32 pid = task->tgid;
	long length;

	e.start_ns = task->start_boottime;
	e.inode = BPF_CORE_READ(bprm, file, f_inode, i_ino);
	e.mount_ns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	length = bpf_probe_read_kernel_str(e.path, sizeof(e.path), BPF_CORE_READ(bprm, interp));
	if (length < 0 || length >= sizeof(e.path))
		e.path[0] = 0;
	bpf_map_update_elem(&executables, &pid, &e, BPF_ANY);
	return 0;
}

#endif
