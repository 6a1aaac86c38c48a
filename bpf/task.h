/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The process that an event belongs to, on the wire. Read by C (BPF) and C++. */
#ifndef PLUMB_TASK_H
#define PLUMB_TASK_H

#include <linux/types.h>

#define TASK_COMM_LEN 16

struct task_identity {
	__u64 start_ns;  /* start of the process, CLOCK_BOOTTIME; with pid it survives pid reuse. 0: process unknown */
	__u64 cgroup_id; /* cgroup v2; 0: unknown */
	__u32 pid;       /* thread group id in the initial pid namespace */
	__u32 tid;
	__u32 uid;       /* effective user at the time, initial user namespace */
	__u32 parent_pid; /* thread group id of the parent; 0: unknown, or none */
	char comm[TASK_COMM_LEN]; /* of the thread group's leader; not always NUL-terminated UTF-8 */
	char parent_comm[TASK_COMM_LEN]; /* of the parent's leader */
};

#ifdef __cplusplus
static_assert(sizeof(task_identity) == 64);
#else
_Static_assert(sizeof(struct task_identity) == 64, "wire struct");
#endif

#endif
