/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Holding a process until it has its probes, for programs whose user side has an attacher (lib/probe/attacher.h). */
#ifndef PLUMB_HELD_BPF_H
#define PLUMB_HELD_BPF_H

#include "bpf/kernel.h"

enum { SIGSTOP = 19 }; /* include/uapi/asm-generic/signal.h */

/* Process ids that were stopped here. Inserted before they stop, deleted by the user side as it lets them go; when it
 * ends before, the attacher lets go of the rest. Full: the process is not stopped. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u8);
} held SEC(".maps");

static __always_inline bool hold_current(__u32 pid)
{
	__u8 present = 1;

	if (bpf_map_update_elem(&held, &pid, &present, BPF_ANY))
		return false;
	if (!bpf_send_signal(SIGSTOP))
		return true;
	bpf_map_delete_elem(&held, &pid);
	return false;
}

#endif
