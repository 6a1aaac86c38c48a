/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The filters that every tool shares, in the kernel. `filter` is constant once loaded, so that the verifier removes
 * what is off; the sets are maps, filled by the user side (lib/probe/filter.h) before anything is attached.
 *
 * Call task_selected() only where `current` is the process that the event belongs to. */
#ifndef PLUMB_FILTER_BPF_H
#define PLUMB_FILTER_BPF_H

#include "bpf/filter_config.h"
#include "bpf/kernel.h"
#include "bpf/ringbuf.bpf.h"
#include "bpf/task.h"

const volatile struct filter_config filter = {};

/* Process ids (thread groups) to trace. User side inserts before attach; never full, since it is sized to fit. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8);
} filter_pids SEC(".maps");

/* Command names to trace, padded with NUL. As filter_pids. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, TASK_COMM_LEN);
	__type(value, __u8);
} filter_comms SEC(".maps");

/* cgroup v2 subtrees to trace, by descriptor. User side inserts before attach. */
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, FILTER_MAX_CGROUPS);
	__type(key, __u32);
	__type(value, __u32);
} filter_cgroups SEC(".maps");

#include "bpf/executable.bpf.h"
#include "bpf/follow.bpf.h"

/* The leader's name is taken, as ps(1) shows it; a thread's own name is not. */
static __always_inline void identify_leader(struct task_identity *id, struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct task_struct *parent = BPF_CORE_READ(leader, real_parent, group_leader);

	id->start_ns = BPF_CORE_READ(leader, start_boottime);
	id->uid = BPF_CORE_READ(task, cred, euid.val);
	id->parent_pid = BPF_CORE_READ(parent, tgid);
	BPF_CORE_READ_STR_INTO(&id->comm, leader, comm);
	BPF_CORE_READ_STR_INTO(&id->parent_comm, parent, comm);
}

/* Fills `id`, zeroed before, from the current task. */
static __always_inline void identify_current(struct task_identity *id)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	identify_leader(id, (struct task_struct *)bpf_get_current_task());
	id->cgroup_id = bpf_get_current_cgroup_id();
	id->pid = pid_tgid >> 32;
	id->tid = (__u32)pid_tgid;
}

/* The same for any task, as iterators need it. */
static __always_inline void identify_task(struct task_identity *id, struct task_struct *task)
{
	identify_leader(id, task);
	id->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	id->pid = BPF_CORE_READ(task, tgid);
	id->tid = BPF_CORE_READ(task, pid);
}

/* Whether what `id` holds passes -p, --comm, -u. */
static __always_inline bool identity_selected(const struct task_identity *id)
{
	if (filter.self_pid && id->pid == filter.self_pid)
		return false;
	if (filter.by_pid && !bpf_map_lookup_elem(&filter_pids, &id->pid))
		return false;
	if (filter.by_uid && id->uid != filter.uid)
		return false;
	return !filter.by_comm || bpf_map_lookup_elem(&filter_comms, id->comm);
}

/* Whether the current task is in one of filter_cgroups. A global function, which the verifier walks once and not for
 * each way that leads to it. */
__noinline int current_in_cgroups(void)
{
	for (__u32 i = 0; i < FILTER_MAX_CGROUPS && i < filter.cgroups; i++) {
		if (bpf_current_task_under_cgroup(&filter_cgroups, i) == 1)
			return true;
	}
	return false;
}

/* Whether the current task passes -p, --comm, -u, --cgroup; `id` is its identity. */
static __always_inline bool task_selected(const struct task_identity *id)
{
	return identity_selected(id) && (!filter.cgroups || current_in_cgroups());
}

/* The same for any task: no helper tells its cgroups, so this walks up from its own. */
#define CGROUP_MAX_DEPTH 32

static __always_inline bool other_task_selected(const struct task_identity *id, struct task_struct *task)
{
	struct cgroup *cgroup;

	if (!identity_selected(id))
		return false;
	if (!filter.cgroups)
		return true;
	cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	for (int depth = 0; depth < CGROUP_MAX_DEPTH && cgroup; depth++) {
		__u64 cgroup_id = BPF_CORE_READ(cgroup, kn, id);
		struct cgroup_subsys_state *parent;

		for (__u32 i = 0; i < FILTER_MAX_CGROUPS && i < filter.cgroups; i++) {
			if (filter.cgroup_ids[i] == cgroup_id)
				return true;
		}
		parent = BPF_CORE_READ(cgroup, self.parent);
		cgroup = parent ? BPF_CORE_READ(parent, cgroup) : 0;
	}
	return false;
}

/* Whether a filter asks for a certain process. What has no known owner is left out then. */
static __always_inline bool owner_required(void)
{
	return filter.by_pid || filter.by_comm || filter.by_uid || filter.cgroups;
}

static __always_inline bool netns_selected(__u32 netns)
{
	return !filter.netns || filter.netns == netns;
}

#endif
