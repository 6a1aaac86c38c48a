/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* `-- COMMAND`: the set of traced processes follows fork and exit in the kernel, so that no descendant's first
 * instruction is missed. Included by filter.bpf.h; the programs are loaded only when the user side asks for them. */
#ifndef PLUMB_FOLLOW_BPF_H
#define PLUMB_FOLLOW_BPF_H

/* Hook: a process or thread was created. Context: the parent, in copy_process; `current` is the parent. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(follow_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_pid = parent->tgid;
	__u32 child_pid = child->tgid;
	__u8 present = 1;

	if (child_pid == parent_pid || !bpf_map_lookup_elem(&filter_pids, &parent_pid))
		return 0;
	if (bpf_map_update_elem(&filter_pids, &child_pid, &present, BPF_ANY))
		count_loss(LOSS_MAP_FULL);
	return 0;
}

/* Hook: a task exits. Context: the task itself. The process is gone with its last thread: signal->live was counted
 * down before (kernel/exit.c, do_exit). Its pid may be used again by a process that is not ours. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(follow_exit, struct task_struct *task)
{
	__u32 pid = task->tgid;

	if (BPF_CORE_READ(task, signal, live.counter) == 0)
		bpf_map_delete_elem(&filter_pids, &pid);
	return 0;
}

#endif
