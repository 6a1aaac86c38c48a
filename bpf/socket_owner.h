/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Who owns a socket: what socket_owner.bpf.h tells and its user side (lib/run/socket_owner.h) asks. Read by C (BPF)
 * and C++. */
#ifndef PLUMB_SOCKET_OWNER_H
#define PLUMB_SOCKET_OWNER_H

#include <linux/types.h>

#include "bpf/task.h"

/* What is kept of each socket. */
struct socket_owner {
	struct task_identity task;
	/* CLOCK_BOOTTIME: since when the socket has been at its place, as far as this trace knows: made, bound, told to
	 * listen or to connect, or found by the first search. */
	__u64 since_ns;
	__u32 version; /* odd while the rest is being written; a reader that sees it change has read two halves */
	__u8 selected; /* the process passed the task filters when it became the owner */
	__u8 padding[3];
};

/* What a search is for: sockets by the inode number of their file, or at a port of a namespace. */
struct socket_wanted {
	__u64 inode; /* 0: by place */
	__u32 netns;
	__u16 port;    /* local, host byte order */
	__u8 protocol; /* IPPROTO_* */
	__u8 padding;
};

/* One answer of a search, as it comes from the iterator. */
struct socket_found {
	__u64 inode;
	__u64 since_ns; /* as in socket_owner */
	struct task_identity task; /* a process that has a descriptor of it */
	__u32 netns;
	__u32 selected; /* it passes the task filters */
	__u32 remote_addr[4]; /* network byte order, IPv4 in the first word, v4-mapped turned into it */
	__u32 local_addr[4];
	__u16 remote_port; /* host byte order; 0: not connected */
	__u16 local_port;
	__u16 family;
	__u8 protocol;
	__u8 state; /* enum tcp_state */
	__u32 is_owner; /* this process is the one that socket_owner names */
	__u32 padding;
};

#ifdef __cplusplus
static_assert(sizeof(socket_owner) == 80);
static_assert(sizeof(socket_wanted) == 16);
static_assert(sizeof(socket_found) == 136);
#else
_Static_assert(sizeof(struct socket_owner) == 80, "in a map");
_Static_assert(sizeof(struct socket_wanted) == 16, "shared with the user side");
_Static_assert(sizeof(struct socket_found) == 136, "wire struct");
#endif

#endif
