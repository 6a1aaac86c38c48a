/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* A latency histogram of constant size, filled in the kernel or on the user side: 8 linear buckets for each power of
 * two, so a quantile read back at a bucket's middle is within 6.25 % of the truth. Unit: microseconds; from 2^32 us
 * (71 minutes) on all falls into the last bucket. Read by C (BPF) and C++. */
#ifndef PLUMB_HISTOGRAM_H
#define PLUMB_HISTOGRAM_H

#include <linux/types.h>

#define HISTOGRAM_SUB_BITS 3
#define HISTOGRAM_SUB (1 << HISTOGRAM_SUB_BITS)
/* 8 exact buckets for 0..7, then 8 for each power of two from 2^3 to 2^31. */
#define HISTOGRAM_BUCKETS (HISTOGRAM_SUB + (32 - HISTOGRAM_SUB_BITS) * HISTOGRAM_SUB)

/* The position of the highest bit that is set; `v` is not 0. No loop, so that old verifiers take it. */
static inline __attribute__((always_inline)) __u32 histogram_log2(__u32 v)
{
	__u32 r = 0;

	if (v >= 1U << 16) { v >>= 16; r += 16; }
	if (v >= 1U << 8) { v >>= 8; r += 8; }
	if (v >= 1U << 4) { v >>= 4; r += 4; }
	if (v >= 1U << 2) { v >>= 2; r += 2; }
	return r + (v >> 1);
}

static inline __attribute__((always_inline)) __u32 histogram_bucket(__u64 us)
{
	__u32 v = us > 0xffffffffULL ? 0xffffffffU : (__u32)us;
	__u32 power;

	if (v < HISTOGRAM_SUB)
		return v;
	power = histogram_log2(v);
	return (power - HISTOGRAM_SUB_BITS) * HISTOGRAM_SUB + (v >> (power - HISTOGRAM_SUB_BITS));
}

#endif
