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

/* Only numbers are loaded plainly, see socket_netns(). `typed` (constant): the verifier knows `task`. */
#define TASK_READ(task, member) (typed ? (task)->member : BPF_CORE_READ(task, member))

/* All bits of the bytes before the first that is 0; the lowest bit that is set in `nul` belongs to that one. */
static __always_inline __u64 before_nul(__u64 word)
{
	__u64 nul = (word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL;

	return ((nul & -nul) >> 7) - 1;
}

/* The name of a task that the verifier knows. What stands behind the NUL may be left of a longer name (before Linux 6.13), and
 * is cleared; without a branch, which the verifier would have to walk twice. */
static __always_inline void load_comm(char *to, const struct task_struct *task)
{
	const __u64 *from = (const __u64 *)&task->comm;
	__u64 *words = (__u64 *)to;
	__u64 low = from[0], high = from[1];
	__u64 in_low = before_nul(low), in_high = before_nul(high);
	__u64 ends = ~in_low; /* 0: the name goes on in the second word */

	words[0] = low & in_low;
	words[1] = high & in_high & (((ends | -ends) >> 63) - 1);
}

/* The leader's name is taken, as ps(1) shows it; a thread's own name is not. */
static __always_inline void identify_leader(struct task_identity *id, struct task_struct *task, const bool typed)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);
	struct task_struct *leader;

	id->pid = TASK_READ(task, tgid);
	id->tid = TASK_READ(task, pid);
	id->uid = BPF_CORE_READ(task, cred, euid.val);
	if (typed && id->pid == id->tid) { /* most tasks lead their thread group */
		id->start_ns = task->start_boottime;
		load_comm(id->comm, task);
	} else {
		leader = BPF_CORE_READ(task, group_leader);
		id->start_ns = BPF_CORE_READ(leader, start_boottime);
		BPF_CORE_READ_STR_INTO(&id->comm, leader, comm);
	}
	parent = BPF_CORE_READ(parent, group_leader);
	id->parent_pid = BPF_CORE_READ(parent, tgid);
	BPF_CORE_READ_STR_INTO(&id->parent_comm, parent, comm);
}

/* Whether the kernel types the current task (Linux 5.11): then a plain load does, in place of a helper's 25 ns. */
#define CURRENT_IS_TYPED bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)

/* A kernel thread is nobody's process. */
static __always_inline bool is_process(const struct task_struct *task, const bool typed)
{
	return !(TASK_READ(task, flags) & PF_KTHREAD);
}

static __always_inline bool current_is_process(void)
{
	return CURRENT_IS_TYPED ? is_process(bpf_get_current_task_btf(), true)
				: is_process((struct task_struct *)bpf_get_current_task(), false);
}

/* Fills `id`, zeroed before, from the current task. */
static __always_inline void identify_current(struct task_identity *id)
{
	if (CURRENT_IS_TYPED)
		identify_leader(id, bpf_get_current_task_btf(), true);
	else
		identify_leader(id, (struct task_struct *)bpf_get_current_task(), false);
	id->cgroup_id = bpf_get_current_cgroup_id();
}

/* The same for any task, as iterators need it. */
static __always_inline void identify_task(struct task_identity *id, struct task_struct *task)
{
	identify_leader(id, task, false);
	id->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
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
