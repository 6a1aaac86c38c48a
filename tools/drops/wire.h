/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What the BPF programs of drops and its user side share. Read by C and C++: fixed widths, explicit padding. */
#ifndef PLUMB_DROPS_H
#define PLUMB_DROPS_H

#include <linux/types.h>

#include "bpf/task.h"

#define DROPS_HEADER_BYTES 128 /* of a packet, from its network header on */
#define DROPS_STACK_DEPTH 62 /* a hash key of 512 bytes is the most that Linux 5.10 takes (MAX_BPF_STACK) */
#define DROPS_DEV_NAME 16 /* IFNAMSIZ */
#define DROPS_CORE_REASONS 256 /* room for the reasons of the kernel's core; others are compared one by one */
#define DROPS_RESET_REASONS 64
#define DROPS_MAX_OTHER_REASONS 16
#define DROPS_MAX_DEVS 8
#define DROPS_MAX_PROTOCOLS 8
#define DROPS_RATES 64 /* places for the rates of network namespaces; their numbers follow one another */

enum drops_type { DROPS_DROP, DROPS_RETRANSMIT, DROPS_RESET, DROPS_COUNTER, DROPS_TYPES };

enum drops_direction { DIRECTION_UNKNOWN, DIRECTION_IN, DIRECTION_OUT, DIRECTION_FORWARD };

/* Which socket `inode` and the ends belong to. */
enum drops_owner_source {
	OWNER_UNKNOWN,
	OWNER_RX_SK,  /* the receiving socket that the tracepoint names (Linux 6.11) */
	OWNER_SKB_SK, /* the socket of the packet */
	OWNER_SOCKET, /* the socket that retransmits, sends or receives the reset */
	OWNER_TABLE,  /* the user side: the one socket with the packet's addresses, there since before the event */
};

enum drops_kind { KIND_UNKNOWN, KIND_RTO, KIND_FAST, KIND_TLP, KIND_SYN, KIND_SYN_ACK, KIND_SENT, KIND_RECEIVED };

enum drops_known {
	KNOWN_REASON = 1 << 0,   /* reason */
	KNOWN_ENDS = 1 << 1,     /* ends: of the socket, from its own point of view */
	KNOWN_SEQUENCE = 1 << 2, /* sequence */
	KNOWN_RTT = 1 << 3,      /* srtt_us, rttvar_us, backoff, retransmits */
	KNOWN_STATE = 1 << 4,    /* state */
	KNOWN_SOCKET_OWNER = 1 << 5,    /* owner */
	KNOWN_BARE = 1 << 7,     /* that it is a TCP segment without data and without SYN */
	KNOWN_STRANGER = 1 << 6, /* that the task filters do not let it pass: a drop that may explain a retransmit */
};

/* What becomes of a reason. */
enum drops_treatment {
	TREAT_SHOW,
	TREAT_BENIGN,
	TREAT_IGNORE,
	TREAT_LOOK, /* it depends on the packet: nature.bpf.h */
	TREAT_LOOK_ACK, /* and if it is an acknowledgement alone it is benign */
};

struct drops_event {
	__u64 time_ns;  /* CLOCK_BOOTTIME */
	__u64 location; /* drop: the kernel address that freed the packet */
	__u64 inode;    /* of the socket's file; 0: unknown */
	__u32 reason;   /* drop: enum skb_drop_reason or a subsystem's; reset: enum sk_rst_reason */
	__u32 netns;    /* inode number; 0: unknown */
	__u32 ifindex;  /* 0: unknown */
	__u32 length;   /* bytes of the packet from its current header on */
	__u32 sequence; /* of the first byte of the segment */
	__u32 srtt_us;
	__u32 rttvar_us;
	__u32 retransmits; /* of the connection so far; SYN-ACK: of the handshake */
	__u8 local_addr[16];  /* ends; network byte order, IPv4 in the first 4 bytes */
	__u8 remote_addr[16];
	__u16 local_port; /* host byte order */
	__u16 remote_port;
	__u16 ethertype; /* host byte order; 0: not a network packet, or not known */
	__u16 family;    /* of the ends: AF_INET, AF_INET6 */
	__u16 header_size; /* bytes of `header` that hold something */
	__u16 socket_protocol; /* IPPROTO_*; 0: no socket known */
	__u16 socket_family; /* AF_* of skb->sk, also of sockets without addresses (AF_UNIX, AF_NETLINK); 0: none */
	__u8 type;         /* enum drops_type */
	__u8 direction;    /* enum drops_direction */
	__u8 state;        /* enum tcp_state */
	__u8 kind;         /* enum drops_kind */
	__u8 owner_source; /* enum drops_owner_source */
	__u8 known;        /* enum drops_known, or-ed */
	__u8 backoff;      /* how often the timeout was doubled */
	__u8 padding[3];
	char dev[DROPS_DEV_NAME];
	struct task_identity owner; /* of the socket, at the time of the event */
	__u8 header[DROPS_HEADER_BYTES];
};

/* With --stack. */
struct drops_stack_event {
	struct drops_event event;
	__u32 stack_bytes; /* of `stack`, leaf first */
	__u32 padding;
	__u64 stack[DROPS_STACK_DEPTH];
};

/* Aggregates: --summary, and what exceeds the rate of lines. Fields that are not grouped by are 0. */
struct drops_key {
	__u64 location;
	__u32 reason; /* as in drops_event; retransmit: enum drops_kind */
	__u32 netns;
	__u32 ifindex;
	__u16 dst_port; /* one of them at most: see keep_service_port */
	__u8 type;
	__u8 known;    /* KNOWN_REASON, KNOWN_BARE */
	__u8 protocol; /* IPPROTO_* */
	__u8 padding;
	__u16 family; /* of the addresses; 0: not grouped by flow, or not known */
	__u8 src[16];
	__u8 dst[16];
	__u16 direction;
	__u16 src_port;
};

/* A client gets its port by chance, so that a key with it would be another one for each connection: only the service's
 * port stays, the lower of the two (net.ipv4.ip_local_port_range starts at 32768). A reset by the service and the SYN that
 * it answers so both name the service. */
static inline void keep_service_port(struct drops_key *key, __u16 src_port, __u16 dst_port)
{
	if (src_port && src_port < dst_port)
		key->src_port = src_port;
	else
		key->dst_port = dst_port;
}

struct drops_total {
	__u64 count;
	__u64 bytes;
	char dev[DROPS_DEV_NAME];
};

struct drops_benign_key {
	__u32 netns;
	__u32 reason;
};

/* Aggregated stacks. */
struct drops_stack_key {
	__u32 reason;
	__u32 known; /* KNOWN_REASON, KNOWN_BARE */
	__u64 stack[DROPS_STACK_DEPTH]; /* leaf first, unused entries 0 */
};

struct drops_config {
	__u8 lines;   /* records for the ring buffer */
	__u8 summary; /* aggregates instead */
	__u8 stack;       /* records carry a stack */
	__u8 stack_totals; /* stacks are aggregated instead */
	__u8 other_exclude; /* other_reasons are those not wanted */
	__u8 causes;       /* drops of others too, as causes of retransmits */
	__u8 only_reasons; /* what has no reason is not wanted */
	__u8 padding[5];
	__u32 queue_reason;    /* QDISC_DROP; 0: none */
	__u32 no_route_reason; /* for counting them apart; 0: none */
	__u32 old_timestamp_reason; /* of TCP; 0: none */
	__u32 lines_per_tick; /* of 100 ms; 0: no limit */
	__u32 other_reasons; /* number of entries; 0: all reasons above DROPS_CORE_REASONS are wanted */
	__u32 devs;
	__u32 protocols;
	__u32 other_reason[DROPS_MAX_OTHER_REASONS];
	__u8 treatment[DROPS_CORE_REASONS];        /* enum drops_treatment by drop reason */
	__u8 reset_treatment[DROPS_RESET_REASONS]; /* the same by reset reason */
	__u8 arrives[DROPS_CORE_REASONS]; /* only what came in is dropped so: no route has to be looked at */
	__u8 protocol[DROPS_MAX_PROTOCOLS]; /* IPPROTO_*; 255: ARP */
	char dev[DROPS_MAX_DEVS][DROPS_DEV_NAME];
};

#define DROPS_PROTOCOL_ARP 255

#ifdef __cplusplus
static_assert(sizeof(drops_event) == 320);
static_assert(sizeof(drops_stack_event) == 320 + 8 + 8 * DROPS_STACK_DEPTH);
static_assert(sizeof(drops_key) == 64);
static_assert(sizeof(drops_total) == 32);
static_assert(sizeof(drops_stack_key) == 8 + 8 * DROPS_STACK_DEPTH);
#else
_Static_assert(sizeof(struct drops_event) == 320, "wire struct");
_Static_assert(sizeof(struct drops_stack_event) == 320 + 8 + 8 * DROPS_STACK_DEPTH, "wire struct");
_Static_assert(sizeof(struct drops_key) == 64, "wire struct");
_Static_assert(sizeof(struct drops_total) == 32, "wire struct");
_Static_assert(sizeof(struct drops_stack_key) == 8 + 8 * DROPS_STACK_DEPTH, "wire struct");
#endif

#endif
