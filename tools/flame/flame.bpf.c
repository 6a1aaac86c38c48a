// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* flame: stacks at a steady rate, at an event, or for as long as a thread waits. One record a sample, never a stack id:
 * those collide, and lose exactly the hot stacks. */
#include "flame/capture.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Where a sample is put together that is sent at once, one for each CPU, since it does not fit on the stack. Key: CPU. Always full; the user
 * side sets the number of entries. A second event on the same CPU (an interrupt within a uprobe) finds `busy` set and
 * is counted as lost. */
struct slot {
	__u64 busy;
	struct flame_sample sample;
	__u8 stack[FLAME_STACK_MOST + FLAME_PAGE + FLAME_PYTHON_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

static __always_inline int sample_now(void *ctx, __u64 value)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct slot *slot = bpf_map_lookup_elem(&slots, &cpu);

	if (!slot)
		return 0;
	if (slot->busy) {
		count_loss(LOSS_MAP_FULL);
		return 0;
	}
	slot->busy = 1;
	if (take_sample(ctx, &slot->sample, slot->stack, FLAME_STACK_MOST)) {
		slot->sample.value = value;
		send_sample(&slot->sample, FLAME_STACK_MOST);
	}
	slot->busy = 0;
	return 0;
}

/* Hook: a CPU's counter of cycles, time or page faults ran over. Context: an interrupt, a non-maskable one where the
 * hardware counts; `current` is what was interrupted. */
SEC("perf_event")
int on_counter(void *ctx)
{
	return sample_now(ctx, 1);
}

/* Hook: a tracepoint that --event names. Context: whatever passes there; `current` is the thread that does. */
SEC("tracepoint")
int on_tracepoint(void *ctx)
{
	return sample_now(ctx, 1);
}

/* Hook: a function of a program that --event names. Context: the thread that calls it. */
SEC("uprobe")
int on_function(void *ctx)
{
	return sample_now(ctx, 1);
}

/* Threads that wait, by thread id: the stack with which they went to sleep, taken then since nobody can read it once
 * they are gone. on_switch inserts at a thread's first wait, uses the entry again at each further one and deletes it when the thread is dead;
 * full: the wait is counted as lost. Preallocated, since memory cannot be asked for within the scheduler. time_ns 0:
 * the thread runs. */
struct blocked {
	struct flame_sample sample;
	__u8 stack[FLAME_BLOCKED_STACK_MOST + FLAME_PAGE + FLAME_PYTHON_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct blocked);
} blocked SEC(".maps");

/* What a new entry of `blocked` is made of; nobody writes to it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct blocked);
} nothing SEC(".maps");

/* Before Linux 5.14 the state had another name and size. */
struct task_struct___before_5_14 {
	volatile long state;
} RELOCATED;

struct task_struct___since_5_14 {
	unsigned int __state;
} RELOCATED;

#define TASK_DEAD 0x80 /* since Linux 4.14 */

/* 0: runnable, also where the kernel does not tell. */
static __always_inline __u64 state_of(struct task_struct *task)
{
	struct task_struct___since_5_14 *now = (void *)task;

	if (bpf_core_field_exists(now->__state))
		return BPF_CORE_READ(now, __state);
	if (bpf_core_field_exists(((struct task_struct___before_5_14 *)task)->state))
		return BPF_CORE_READ((struct task_struct___before_5_14 *)task, state);
	return 0;
}

static __always_inline struct blocked *entry_of(__u32 tid)
{
	struct blocked *entry = bpf_map_lookup_elem(&blocked, &tid);
	__u32 zero = 0;
	void *empty;

	if (entry)
		return entry;
	empty = bpf_map_lookup_elem(&nothing, &zero);
	if (!empty)
		return 0;
	if (bpf_map_update_elem(&blocked, &tid, empty, BPF_NOEXIST))
		count_loss(LOSS_MAP_FULL);
	return bpf_map_lookup_elem(&blocked, &tid);
}

static __always_inline void starts_to_wait(void *ctx, struct task_struct *prev)
{
	__u32 tid = prev->pid;
	struct task_identity id = {};
	struct blocked *entry;

	if (!tid)
		return;
	identify_current(&id);
	if (!task_selected(&id))
		return;
	entry = entry_of(tid);
	if (!entry)
		return;
	if (!take_sample(ctx, &entry->sample, entry->stack, FLAME_BLOCKED_STACK_MOST))
		entry->sample.time_ns = 0;
}

static __always_inline void runs_again(struct task_struct *next)
{
	__u32 tid = next->pid;
	struct blocked *entry = bpf_map_lookup_elem(&blocked, &tid);
	__u64 waited;

	if (!entry || !entry->sample.time_ns)
		return;
	waited = bpf_ktime_get_ns() - entry->sample.time_ns;
	if (waited >= config.min_block_ns) {
		entry->sample.value = waited;
		send_sample(&entry->sample, FLAME_BLOCKED_STACK_MOST);
	}
	entry->sample.time_ns = 0;
}

/* Hook: a CPU goes from one thread to another. Context: the scheduler, with the CPU's queue locked; `current` is still
 * the thread that leaves, and its memory is the one in place. */
SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u64 state = state_of(prev);
	__u32 tid = prev->pid;

	if (state & TASK_DEAD)
		bpf_map_delete_elem(&blocked, &tid);
	else if (config.involuntary || (!preempt && state))
		starts_to_wait(ctx, prev);
	runs_again(next);
	return 0;
}

/* Hook: a thread that waited may run. Context: who woke it. --event runq counts from here: what it waited for before
 * is over, what it waits for now is a CPU. */
SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *task)
{
	__u32 tid = task->pid;
	struct blocked *entry = bpf_map_lookup_elem(&blocked, &tid);

	if (entry && entry->sample.time_ns)
		entry->sample.time_ns = bpf_ktime_get_ns();
	return 0;
}

/* Tells who wakes a thread that waits since `since`: whoever it is, the filters are about who waits. The kernel's part is
 * taken even with --user, since it tells whether an interrupt wakes, with which the thread below has nothing to do. */
static __always_inline void tell_waker(void *ctx, __u32 woken, __u64 since)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct slot *slot = bpf_map_lookup_elem(&slots, &cpu);

	if (!slot)
		return;
	if (slot->busy) {
		count_loss(LOSS_MAP_FULL);
		return;
	}
	slot->busy = 1;
	identify_current(&slot->sample.task);
	fill_sample(ctx, &slot->sample, slot->stack, FLAME_BLOCKED_STACK_MOST, true);
	slot->sample.value = since;
	slot->sample.woken = woken;
	slot->sample.flags |= FLAME_IS_WAKER;
	send_sample(&slot->sample, FLAME_BLOCKED_STACK_MOST);
	slot->busy = 0;
}

/* Hook: a thread is about to be woken. Context: who wakes it, on its own CPU (sched_wakeup may come later, on another),
 * or an interrupt on top of whoever runs there. Waits that are too short so far have a second half to come, the wait
 * for a CPU: those of half the least time are told too. */
SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task)
{
	__u32 tid = task->pid;
	struct blocked *entry = bpf_map_lookup_elem(&blocked, &tid);
	__u64 since;

	if (!entry)
		return 0;
	since = entry->sample.time_ns;
	if (!since || bpf_ktime_get_ns() - since < config.min_block_ns / 2)
		return 0;
	tell_waker(ctx, tid, since);
	return 0;
}

/* Requests that a block device works at, by the request's address: the stack that issued it. on_issue inserts, on_complete
 * deletes; full: the request is counted as lost. A request that never completes stays, one that is issued again is
 * written over. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct blocked);
} in_flight SEC(".maps");

/* Since Linux 5.11, and 5.10.137, the request is the only argument; before, its queue came first. Read as memory: the
 * verifier refuses a second argument where there is none, whatever the constant says. */
static __always_inline struct request *issued_request(__u64 *ctx)
{
	__u64 second = 0;

	if (config.block_queue) {
		bpf_probe_read_kernel(&second, sizeof(second), ctx + 1);
		barrier_var(second); /* or one instruction reads either of the two, which the verifier refuses */
		return (struct request *)second;
	}
	return (struct request *)ctx[0];
}

static __always_inline void keep_until_complete(void *ctx, struct request *rq)
{
	__u64 key = (__u64)(unsigned long)rq;
	struct task_identity id = {};
	struct blocked *entry;
	__u32 zero = 0;

	identify_current(&id);
	if (!task_selected(&id))
		return;
	entry = bpf_map_lookup_elem(&nothing, &zero);
	if (!entry)
		return;
	if (bpf_map_update_elem(&in_flight, &key, entry, BPF_ANY)) {
		count_loss(LOSS_MAP_FULL);
		return;
	}
	entry = bpf_map_lookup_elem(&in_flight, &key);
	if (entry && !take_sample(ctx, &entry->sample, entry->stack, FLAME_BLOCKED_STACK_MOST))
		bpf_map_delete_elem(&in_flight, &key);
}

/* Hook: a request goes to a block device's driver. Context: the thread that asked for it, or a kernel thread on behalf of
 * those whose pages it writes back. */
SEC("tp_btf/block_rq_issue")
int on_issue(__u64 *ctx)
{
	struct request *rq = issued_request(ctx);

	if (config.block_bytes)
		return sample_now(ctx, BPF_CORE_READ(rq, __data_len));
	keep_until_complete(ctx, rq);
	return 0;
}

/* Hook: a device is done with a request, or with a first part of it. Context: an interrupt, mostly. */
SEC("tp_btf/block_rq_complete")
int BPF_PROG(on_complete, struct request *rq)
{
	__u64 key = (__u64)(unsigned long)rq;
	struct blocked *entry = bpf_map_lookup_elem(&in_flight, &key);

	if (!entry)
		return 0;
	entry->sample.value = bpf_ktime_get_ns() - entry->sample.time_ns;
	send_sample(&entry->sample, FLAME_BLOCKED_STACK_MOST);
	bpf_map_delete_elem(&in_flight, &key);
	return 0;
}

/* The user side writes addresses, runs the program and reads names; nobody else does either. */
struct flame_names names = {};

/* The verifier wants a format in a map of its own kind, one that stays read-only: apart from the constants that the user side
 * sets, which verify_programs takes for unknown. */
static const char name_format[] SEC(".rodata.formats") = "%ps";

/* Hook: none. The user side runs it (BPF_PROG_TEST_RUN, Linux 5.10) for the names of kernel addresses. Returns 1; 0: before
 * Linux 5.13 no helper formats into memory. */
SEC("raw_tp")
int name_addresses(void *ctx)
{
	if (!bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_snprintf))
		return 0;
	for (__u32 i = 0; i < FLAME_NAMES_AT_ONCE; i++) {
		__u64 address = names.address[i];

		if (i >= names.count)
			break;
		names.name[i][0] = 0; /* of an earlier run */
		bpf_snprintf(names.name[i], FLAME_NAME_LEN, name_format, &address, sizeof(address));
	}
	return 1;
}
