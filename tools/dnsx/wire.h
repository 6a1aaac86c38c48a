/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What dnsx's BPF program and user side share. Read by C and C++: fixed widths, explicit padding. */
#ifndef PLUMB_DNSX_WIRE_H
#define PLUMB_DNSX_WIRE_H

#include <linux/types.h>

#include "bpf/task.h"

#define DNSX_MAX_PORTS 8
/* Of a query that waits; a longer one is not told before it is sent. */
#define DNSX_MAX_WAITING 512
/* Of one record; a longer payload of TCP comes in several, of UDP it is cut. A power of two. */
#define DNSX_MAX_PAYLOAD 8192
#define DNSX_MAX_RECORDS 9 /* of one packet: 64 KiB and a little */

enum dnsx_kind {
	DNSX_SENT,     /* a packet leaves through a device, from a socket of the same network namespace */
	DNSX_RECEIVED, /* a packet comes in through a device */
	DNSX_READ,     /* an application has read from a socket; no payload */
	DNSX_UNREACHABLE, /* ICMP says that a query did not reach its server: addresses, ports, payload are the query's */
	DNSX_WAITS, /* a query waits for its neighbour's address (ARP, NDP); if that comes, it is SENT */
	DNSX_CONNECT,	  /* a TCP connection begins that may carry DNS encrypted; no payload, source port not chosen yet */
	DNSX_KINDS,
};

/* What the user asked for; constant once loaded, so that the verifier removes what is off. */
struct dnsx_config {
	__u16 ports[DNSX_MAX_PORTS]; /* host byte order */
	__u8 port_count;
	__u8 client; /* roles wanted */
	__u8 server;
	__u8 everybody; /* what the filters leave out is recorded as well, marked as not `selected` */
	__u8 padding[4];
	/* Addresses of the kernel's page_offset_base and vmemmap_base: where it maps all memory, and its array of struct
	 * page. Only for kernels whose BPF cannot read a packet's fragments; 0: the kernel has its fixed places. */
	__u64 page_offset_at;
	__u64 page_array_at;
};

struct dnsx_packet {
	__u64 time_ns;   /* CLOCK_BOOTTIME */
	__u64 socket;    /* sent, read: names the socket; 0: none */
	struct task_identity task; /* sent, read: valid with has_task */
	__u8 src[16];    /* network byte order; IPv4 in the first 4 bytes */
	__u8 dst[16];
	__u32 netns;     /* inode number */
	__u32 ifindex;
	__u32 sequence;  /* TCP: of the first byte of this record's payload, or of the SYN */
	__u32 length;    /* of the payload on the wire; UDP: may be more than `captured` */
	__u32 captured;  /* bytes of payload behind this struct */
	__u32 mount_ns;  /* sent: the process's mount namespace, inode number; valid with has_task */
	__u16 src_port;  /* host byte order */
	__u16 dst_port;
	__u8 family;     /* AF_INET or AF_INET6 */
	__u8 protocol;   /* IPPROTO_UDP or IPPROTO_TCP */
	__u8 tcp_flags;
	__u8 kind;       /* enum dnsx_kind */
	__u8 has_task;
	__u8 selected; /* the filters take its process and its network namespace */
	__u8 padding[6];
};

#ifdef __cplusplus
/* What dns::Owner::identity holds. */
struct dnsx_owner {
	task_identity task;
	__u32 mount_ns; /* 0: not known */
	__u32 selected;
};
static_assert(sizeof(dnsx_config) == 40);
static_assert(sizeof(dnsx_packet) == 152);
#else
_Static_assert(sizeof(struct dnsx_config) == 40, "shared with the user side");
_Static_assert(sizeof(struct dnsx_packet) == 152, "wire struct");
#endif

#endif
