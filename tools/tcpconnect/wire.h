/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What tcpconnect's BPF program and user side share. Read by C and C++: fixed widths, explicit padding. */
#ifndef PLUMB_TCPCONNECT_H
#define PLUMB_TCPCONNECT_H

#include <linux/types.h>

#include "bpf/histogram.h"
#include "bpf/task.h"

enum tcpconnect_type { TCPCONNECT_CONNECT, TCPCONNECT_ACCEPT, TCPCONNECT_CLOSE, TCPCONNECT_TYPES };

enum tcpconnect_role { ROLE_UNKNOWN, ROLE_CLIENT, ROLE_SERVER };

/* In the order of CONTRACT: established, refused, timeout, unreachable, reset, no_ports, cancelled, error. */
enum tcpconnect_outcome {
	OUTCOME_ESTABLISHED,
	OUTCOME_REFUSED,
	OUTCOME_TIMEOUT,
	OUTCOME_UNREACHABLE,
	OUTCOME_RESET,
	OUTCOME_NO_PORTS,
	OUTCOME_CANCELLED,
	OUTCOME_ERROR,
	OUTCOMES,
};

enum tcpconnect_closed_by {
	CLOSED_UNKNOWN,
	CLOSED_LOCAL,
	CLOSED_REMOTE,
	CLOSED_RESET_LOCAL,
	CLOSED_RESET_REMOTE,
	CLOSED_TIMEOUT,
};

/* Which of the optional numbers below mean something. */
enum tcpconnect_known {
	KNOWN_OWNER = 1 << 0,    /* task */
	KNOWN_LATENCY = 1 << 1,  /* latency_ns */
	KNOWN_DURATION = 1 << 2, /* duration_ns */
	KNOWN_SYN_RETRIES = 1 << 3, /* syn_retries */
};

/* What the user asked for; constant once loaded, so that the verifier removes what is off. */
struct tcpconnect_config {
	__u64 min_latency_ns; /* 0: all; else what has no known latency is left out too */
	__u8 client;          /* roles wanted */
	__u8 server;
	__u8 life;            /* `close` as well; needed for the byte counts of the summary */
	__u8 lines;           /* records to the ring buffer */
	__u8 summary;         /* aggregate into `summaries` */
	__u8 failed_only;     /* only attempts that failed; never their opposite's close */
	__u8 ipv4;            /* families wanted; v4-mapped is IPv4 */
	__u8 ipv6;
	__u8 connect_by_syscall; /* the variants of connect-error and accept that use syscall_ended */
	__u8 accept_by_syscall;
	__u8 padding[6];
};

struct tcpconnect_event {
	__u64 time_ns;     /* CLOCK_BOOTTIME, when the attempt was decided or this side closed */
	__u64 latency_ns;  /* client: SYN sent until decided; server: round trip of the SYN-ACK */
	__u64 duration_ns; /* close: from established until this side closed, or the connection broke */
	__u64 tx_bytes;    /* close: payload sent, each byte once */
	__u64 rx_bytes;    /* close: payload received in order */
	struct task_identity task; /* who owns the socket; valid with KNOWN_OWNER */
	__u32 netns;       /* inode number */
	__u32 retransmits; /* close: segments sent again in the connection's life, SYNs included */
	__u32 srtt_us;     /* close: smoothed round trip; 0: never measured */
	__u32 error;       /* errno of a failed attempt; 0: none */
	__u8 remote_addr[16]; /* network byte order; IPv4 in the first 4 bytes */
	__u8 local_addr[16];
	__u16 remote_port; /* host byte order */
	__u16 local_port;  /* 0: none was bound */
	__u16 syn_retries;
	__u8 family;       /* AF_INET or AF_INET6, v4-mapped already turned into AF_INET */
	__u8 type;         /* enum tcpconnect_type */
	__u8 role;         /* enum tcpconnect_role */
	__u8 outcome;      /* enum tcpconnect_outcome */
	__u8 closed_by;    /* enum tcpconnect_closed_by */
	__u8 known;        /* enum tcpconnect_known, or-ed */
	__u32 padding;
};

/* --summary: one for each process and destination. */
struct tcpconnect_summary_key {
	__u32 pid;  /* 0: owner unknown */
	__u16 port; /* client: the remote port; server: the local port */
	__u8 role;
	__u8 family; /* 0 for a server */
	__u8 remote_addr[16]; /* 0 for a server */
	char comm[TASK_COMM_LEN];
};

/* Whether this side's port is the service's. Of a connection older than the trace nobody knows who connected: then the
 * lower port is taken for the service's, or each client would be a row, by the port that it got by chance. */
static inline int has_service_port(__u8 role, __u16 local_port, __u16 remote_port)
{
	return role == ROLE_SERVER || (role == ROLE_UNKNOWN && local_port < remote_port);
}

struct tcpconnect_summary {
	__u64 tx_bytes;
	__u64 rx_bytes;
	__u64 max_latency_ns;
	__u32 outcomes[OUTCOMES];
	__u32 closed;
	__u32 retransmits;
	__u32 latency_us[HISTOGRAM_BUCKETS]; /* of established attempts */
};

#ifdef __cplusplus
static_assert(sizeof(tcpconnect_config) == 24);
static_assert(sizeof(tcpconnect_event) == 168);
static_assert(sizeof(tcpconnect_summary_key) == 40);
static_assert(sizeof(tcpconnect_summary) == 24 + 40 + 4 * HISTOGRAM_BUCKETS);
#else
_Static_assert(sizeof(struct tcpconnect_config) == 24,
	       "shared with the user side");
_Static_assert(sizeof(struct tcpconnect_event) == 168, "wire struct");
_Static_assert(sizeof(struct tcpconnect_summary_key) == 40, "wire struct");
_Static_assert(sizeof(struct tcpconnect_summary) == 24 + 40 + 4 * HISTOGRAM_BUCKETS, "wire struct");
#endif

#endif
