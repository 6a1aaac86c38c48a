/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Kernel functions that BPF may call (kfuncs). libbpf finds them in all of the kernel's types, whose reading plumb spares
 * itself; so a call is compiled as one of a helper with a number that no helper has, and the user side puts in the
 * function's id before the program is loaded (lib/probe/object_types.cc, which has the same numbers). */
#ifndef PLUMB_KFUNC_BPF_H
#define PLUMB_KFUNC_BPF_H

#include "bpf/kernel.h"

struct sk_buff;

/* int bpf_dynptr_from_skb(struct __sk_buff *, u64 flags, struct bpf_dynptr *) */
static long (*const kfunc_dynptr_from_skb)(struct sk_buff *skb, __u64 flags, struct bpf_dynptr *view) =
	(void *)0x706c0001;

#endif
