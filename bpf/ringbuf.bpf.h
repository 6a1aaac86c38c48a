/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The way of records to the user side. What finds no room is counted, never silently dropped; the user side reads the
 * count after each drain. Wake-ups are batched: one for each quarter of the buffer filled; below that the user side
 * drains on its timer (lib/run/run.cc), since a wake-up a record costs more than the record (>1 us). Where nothing came
 * for a while it says so and sleeps for longer: then the next record wakes it.
 *
 * Include once in a tool's TOOL.bpf.c. */
#ifndef PLUMB_RINGBUF_BPF_H
#define PLUMB_RINGBUF_BPF_H

#include "bpf/kernel.h"

/* Records of the tool's wire struct. Kernel inserts, user side consumes; full: lost_events counts. The size is set by
 * the user side before load. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* Events that were seen but could not be recorded, by reason (enum loss_reason). Read by the user side through the
 * memory-mapped .bss; only ever grows. */
enum loss_reason {
	LOSS_RINGBUF_FULL, /* no room in `events` */
	LOSS_MAP_FULL,     /* no room in a map of state: what hangs on it is not seen */
	LOSS_REASONS,
};
__u64 lost_events[LOSS_REASONS];
/* Events that the hooks saw and the filters kept; what --stats prints. CPUs have cache lines of their own, up to this
 * number: two that add to one spend more on it than on all else that a storm's event costs. */
#define SEEN_PLACES 16
struct {
	__u64 count;
	__u64 padding[7];
} seen_events[SEEN_PLACES] __attribute__((aligned(64)));

const volatile __u64 ringbuf_wakeup_bytes = 1 << 18;
/* The user side sleeps for longer than its timer. */
__u32 ringbuf_asleep;

static __always_inline void count_loss(enum loss_reason reason)
{
	__sync_fetch_and_add(&lost_events[reason], 1);
}

/* An atomic addition, since two CPUs may share a place, and a program may interrupt another; it costs a few ns where CPUs do
 * not contend. */
static __always_inline void count_seen(void)
{
	__u32 place = bpf_get_smp_processor_id();

	barrier_var(place);
	__sync_fetch_and_add(&seen_events[place & (SEEN_PLACES - 1)].count, 1);
}

/* The flags of the record that is submitted next. One that is submitted while the user side falls asleep may wait until
 * it wakes by itself. */
static __always_inline __u64 wake_up(void)
{
	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= ringbuf_wakeup_bytes)
		return BPF_RB_FORCE_WAKEUP;
	if (!ringbuf_asleep)
		return BPF_RB_NO_WAKEUP;
	ringbuf_asleep = 0;
	return BPF_RB_FORCE_WAKEUP;
}

/* Room for a record of `size` bytes (constant), or NULL, then the loss is counted. */
static __always_inline void *reserve_record(__u64 size)
{
	void *record = bpf_ringbuf_reserve(&events, size, 0);

	if (!record)
		count_loss(LOSS_RINGBUF_FULL);
	return record;
}

static __always_inline void submit_record(void *record)
{
	bpf_ringbuf_submit(record, wake_up());
}

#endif
