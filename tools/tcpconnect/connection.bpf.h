/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* tcpconnect: what is kept of a connection, which connections are wanted, and how they are told: as records, as
 * summaries, or both. */
#ifndef PLUMB_TCPCONNECT_RECORD_BPF_H
#define PLUMB_TCPCONNECT_RECORD_BPF_H

#include "bpf/address_filter.bpf.h"
#include "bpf/filter.bpf.h"
#include "bpf/kernel.h"
#include "bpf/ringbuf.bpf.h"
#include "bpf/socket.bpf.h"
#include "tcpconnect/wire.h"

const volatile struct tcpconnect_config config = {
	.client = 1,
	.lines = 1,
	.ipv4 = 1,
	.ipv6 = 1,
};

struct conn {
	struct task_identity task;
	struct endpoints ends;
	__u64 start_ns;       /* client: SYN sent */
	__u64 established_ns; /* 0: not yet, or before the trace */
	__u64 ended_ns;       /* this side closed both directions; 0: not yet */
	__u64 latency_ns;
	__u32 netns;
	__u16 syn_retries;
	__u8 role;      /* enum tcpconnect_role */
	__u8 known;     /* enum tcpconnect_known */
	__u8 closed_by; /* who sent the first FIN */
	__u8 bound;     /* the application had chosen the local port before it connected */
	__u8 accepted;  /* the `accept` record is out, or about to be */
	__u8 padding[5];
};

/* --summary. Key: process and destination. The programs insert when an attempt is decided or a connection closes; the
 * user side reads, and deletes nothing. Full: what belongs to a new key is not counted, but the loss is. Not per CPU: a
 * value is 1 KiB, and atomic additions to it cost less than that times the number of CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tcpconnect_summary_key);
	__type(value, struct tcpconnect_summary);
} summaries SEC(".maps");

static const struct tcpconnect_summary no_summary;

/* Makes the current task the owner; only where that is true. A kernel thread (NFS, an MPTCP join) is no process, so the
 * owner stays unknown. False: the task filters reject it. */
static __always_inline bool take_owner(struct conn *conn)
{
	if (!current_is_process())
		return !owner_required();
	identify_current(&conn->task);
	if (!task_selected(&conn->task))
		return false;
	conn->known |= KNOWN_OWNER;
	return true;
}

/* --port means the remote port of a client, the local port of a server; where the role is unknown either may match.
 * --host means the remote address. */
static __always_inline bool ends_selected(const struct endpoints *ends, __u8 role)
{
	if (!config.ipv4 && ends->family == AF_INET)
		return false;
	if (!config.ipv6 && ends->family == AF_INET6)
		return false;
	if (addresses.ports && !ports_pass((role != ROLE_SERVER ? port_matches(ends->remote_port) : 0) |
					   (role != ROLE_CLIENT ? port_matches(ends->local_port) : 0)))
		return false;
	return !addresses.hosts || hosts_pass(host_matches(ends->remote_addr, ends->family));
}

/* --failed and --min-latency, once the attempt is decided. */
static __always_inline bool outcome_selected(const struct conn *conn, enum tcpconnect_outcome outcome)
{
	if (config.failed_only && outcome == OUTCOME_ESTABLISHED)
		return false;
	if (!config.min_latency_ns)
		return true;
	return (conn->known & KNOWN_LATENCY) && conn->latency_ns >= config.min_latency_ns;
}

static __always_inline struct tcpconnect_summary *summary_of(const struct conn *conn)
{
	struct tcpconnect_summary_key key = {};
	struct tcpconnect_summary *summary;
	bool service = has_service_port(conn->role, conn->ends.local_port, conn->ends.remote_port);

	key.role = conn->role;
	key.port = service ? conn->ends.local_port : conn->ends.remote_port;
	if (!service) { /* a server's clients would be a row each */
		key.family = conn->ends.family;
		__builtin_memcpy(key.remote_addr, conn->ends.remote_addr, sizeof(key.remote_addr));
	}
	if (conn->known & KNOWN_OWNER) {
		key.pid = conn->task.pid;
		__builtin_memcpy(key.comm, conn->task.comm, sizeof(key.comm));
	}
	summary = bpf_map_lookup_elem(&summaries, &key);
	if (summary)
		return summary;
	bpf_map_update_elem(&summaries, &key, &no_summary, BPF_NOEXIST); /* another CPU may have been first */
	summary = bpf_map_lookup_elem(&summaries, &key);
	if (!summary)
		count_loss(LOSS_MAP_FULL);
	return summary;
}

static __always_inline void summarize_attempt(const struct conn *conn, enum tcpconnect_outcome outcome)
{
	struct tcpconnect_summary *summary = summary_of(conn);
	__u64 place = outcome;

	if (!summary || place >= OUTCOMES)
		return;
	/* Up to Linux 6.12 the verifier forgets what was compared once the number was kept on the stack. */
	barrier_var(place);
	_Static_assert((OUTCOMES & (OUTCOMES - 1)) == 0, "a mask does");
	__sync_fetch_and_add(&summary->outcomes[place & (OUTCOMES - 1)], 1);
	if (outcome == OUTCOME_ESTABLISHED && (conn->known & KNOWN_LATENCY)) {
		__u64 bucket = histogram_bucket(conn->latency_ns / 1000);

		/* Up to Linux 6.1 the verifier must see the very register that is the index compared. */
		barrier_var(bucket);
		if (bucket < HISTOGRAM_BUCKETS)
			__sync_fetch_and_add(&summary->latency_us[bucket], 1);
		/* Two CPUs that raise it at once may keep the smaller; compare-and-swap needs Linux 5.12. */
		if (conn->latency_ns > summary->max_latency_ns)
			summary->max_latency_ns = conn->latency_ns;
	}
}

static __always_inline void fill_record(struct tcpconnect_event *e, const struct conn *conn,
					enum tcpconnect_type type, __u64 now)
{
	e->time_ns = now;
	e->latency_ns = conn->latency_ns;
	e->duration_ns = 0;
	e->tx_bytes = 0;
	e->rx_bytes = 0;
	e->task = conn->task;
	e->netns = conn->netns;
	e->retransmits = 0;
	e->srtt_us = 0;
	e->error = 0;
	__builtin_memcpy(e->remote_addr, conn->ends.remote_addr, sizeof(e->remote_addr));
	__builtin_memcpy(e->local_addr, conn->ends.local_addr, sizeof(e->local_addr));
	e->remote_port = conn->ends.remote_port;
	e->local_port = conn->ends.local_port;
	e->syn_retries = conn->syn_retries;
	e->family = conn->ends.family;
	e->type = type;
	e->role = conn->role;
	e->outcome = OUTCOME_ESTABLISHED;
	e->closed_by = CLOSED_UNKNOWN;
	e->known = conn->known;
	e->padding = 0;
}

/* Tells a decided attempt: `connect` of a client, `accept` of a server. */
static __always_inline void tell_attempt(const struct conn *conn, enum tcpconnect_outcome outcome, __u32 error,
					 __u64 now)
{
	struct tcpconnect_event *e;

	count_seen();
	if (config.summary)
		summarize_attempt(conn, outcome);
	if (!config.lines)
		return;
	e = reserve_record(sizeof(*e));
	if (!e)
		return;
	fill_record(e, conn, conn->role == ROLE_SERVER ? TCPCONNECT_ACCEPT : TCPCONNECT_CONNECT, now);
	e->outcome = outcome;
	e->error = error;
	submit_record(e);
}

/* Numbers of a connection that ended; see struct tcpconnect_event. */
struct closing {
	__u64 tx_bytes;
	__u64 rx_bytes;
	__u32 retransmits;
	__u32 srtt_us;
	__u8 closed_by;
};

static __always_inline void tell_close(const struct conn *conn, const struct closing *closing, __u64 now)
{
	struct tcpconnect_event *e;

	count_seen();
	if (config.summary) {
		struct tcpconnect_summary *summary = summary_of(conn);

		if (summary) {
			__sync_fetch_and_add(&summary->closed, 1);
			__sync_fetch_and_add(&summary->tx_bytes, closing->tx_bytes);
			__sync_fetch_and_add(&summary->rx_bytes, closing->rx_bytes);
			__sync_fetch_and_add(&summary->retransmits, closing->retransmits);
		}
	}
	if (!config.lines)
		return;
	e = reserve_record(sizeof(*e));
	if (!e)
		return;
	/* The socket may live on for a while: the peer's delayed ACK, its FIN. */
	if (conn->ended_ns)
		now = conn->ended_ns;
	fill_record(e, conn, TCPCONNECT_CLOSE, now);
	if (conn->established_ns) {
		e->duration_ns = now - conn->established_ns;
		e->known |= KNOWN_DURATION;
	}
	e->tx_bytes = closing->tx_bytes;
	e->rx_bytes = closing->rx_bytes;
	e->retransmits = closing->retransmits;
	e->srtt_us = closing->srtt_us;
	e->closed_by = closing->closed_by;
	submit_record(e);
}

#endif
