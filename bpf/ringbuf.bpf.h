/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The way of records to the user side. What finds no room is counted, never silently dropped; the user side reads the
 * count after each drain. Wake-ups are batched: one for each quarter of the buffer filled; below that the user side
 * drains on its timer (lib/probe/ring_buffer.h), since a wake-up a record costs more than the record (>1 us).
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
/* Events that the hooks saw and the filters kept; what --stats prints. */
__u64 seen_events;

const volatile __u64 ringbuf_wakeup_bytes = 1 << 18;

static __always_inline void count_loss(enum loss_reason reason)
{
	__sync_fetch_and_add(&lost_events[reason], 1);
}

/* An atomic addition, since a plain one loses updates between CPUs; it costs a few ns where CPUs do not contend. */
static __always_inline void count_seen(void)
{
	__sync_fetch_and_add(&seen_events, 1);
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
	__u64 waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);

	bpf_ringbuf_submit(record, waiting >= ringbuf_wakeup_bytes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

#endif
