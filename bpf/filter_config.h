/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Constants of the shared in-kernel filters, set by lib/probe/filter.h. Read by C (BPF) and C++. */
#ifndef PLUMB_FILTER_CONFIG_H
#define PLUMB_FILTER_CONFIG_H

#include <linux/types.h>

#define FILTER_MAX_CGROUPS 16

struct filter_config {
	__u8 by_pid;       /* only processes in filter_pids */
	__u8 by_comm;      /* only names in filter_comms */
	__u8 by_uid;       /* only `uid` */
	__u8 cgroups;      /* number of entries in filter_cgroups; 0: no filter */
	__u32 uid;
	__u32 netns;       /* inode number of the only network namespace; 0: all */
	__u32 self_pid;    /* plumb itself, never traced; 0: traced too */
	__u64 cgroup_ids[FILTER_MAX_CGROUPS]; /* of filter_cgroups: inode numbers of their directories */
};

#ifdef __cplusplus
static_assert(sizeof(filter_config) == 16 + 8 * FILTER_MAX_CGROUPS);
#else
_Static_assert(sizeof(struct filter_config) == 16 + 8 * FILTER_MAX_CGROUPS, "shared with the user side");
#endif

#endif
