/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* tcpconnect: TCP connections from their first SYN to their end.
 *
 * All is told by one tracepoint, inet_sock_set_state. CLOSE -> SYN_SENT happens inside the system call that connects,
 * so the current task is the owner there, and only there: it is kept in `conns` until the attempt is decided, mostly in
 * a softirq that interrupted somebody else. What that tracepoint does not see is added by others: connects that fail
 * before any SYN (connect_*), who accepted (accept_*, traffic_*), and sockets older than the trace (older_sockets).
 *
 * MPTCP: the MPTCP socket itself changes state too, and is left out; its TCP subflows tell the story. */
#include "kernel.h"
#include "tcpconnect.h"
#include "tcpconnect_record.bpf.h"
#include "socket.bpf.h"
#include "syscall.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

enum {
	EPIPE = 32,
	EADDRNOTAVAIL = 99,
	ENETDOWN = 100,
	ENETUNREACH = 101,
	ECONNABORTED = 103,
	ECONNRESET = 104,
	ETIMEDOUT = 110,
	ECONNREFUSED = 111,
	EHOSTDOWN = 112,
	EHOSTUNREACH = 113,
};

/* Connections that are not over. Key: address of the struct sock. connect_started, state_changed (server side) and
 * older_sockets insert; state_changed deletes, at the latest when the socket enters CLOSE, which each does before its
 * memory is used again. Without --life an entry goes as soon as the attempt is told. Full: the connection is not seen,
 * and counted as lost. The user side sets the size. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct conn);
} conns SEC(".maps");

static __always_inline void keep_conn(const struct sock *sk, const struct conn *conn, __u64 flags)
{
	__u64 key = (__u64)sk;

	if (bpf_map_update_elem(&conns, &key, conn, flags) && flags != BPF_NOEXIST)
		count_loss(LOSS_MAP_FULL);
}

static __always_inline void forget_conn(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	bpf_map_delete_elem(&conns, &key);
}

/* Hook: a socket changes its state; here only to SYN_SENT. Context: connect(), or a sendto() with Fast Open; `current`
 * is the process that connects. Apart from state_changed, since the kernel skips a program that interrupts itself, and
 * this one can be interrupted by a softirq. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(connect_started, const struct sock *sk, int oldstate, int newstate)
{
	struct conn conn = {};

	if (newstate != TCP_SYN_SENT || oldstate != TCP_CLOSE || sk->sk_protocol != IPPROTO_TCP || !config.client)
		return 0;
	conn.netns = sk->__sk_common.skc_net.net->ns.inum;
	if (!netns_selected(conn.netns))
		return 0;
	read_endpoints(&conn.ends, sk);
	if (!ends_selected(&conn.ends, ROLE_CLIENT) || !take_owner(&conn))
		return 0;
	conn.role = ROLE_CLIENT;
	conn.bound = conn.ends.local_port != 0;
	conn.start_ns = bpf_ktime_get_boot_ns();
	keep_conn(sk, &conn, BPF_ANY);
	return 0;
}

static __always_inline enum tcpconnect_outcome outcome_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return OUTCOME_REFUSED;
	case ETIMEDOUT:
		return OUTCOME_TIMEOUT;
	case EHOSTUNREACH:
	case EHOSTDOWN:
	case ENETUNREACH:
	case ENETDOWN:
		return OUTCOME_UNREACHABLE;
	case ECONNRESET:
	case EPIPE:
		return OUTCOME_RESET;
	}
	return OUTCOME_ERROR;
}

/* A client's socket left SYN_SENT or SYN_RECV. */
static __always_inline void client_decided(const struct sock *sk, struct conn *conn, int newstate)
{
	__u64 now = bpf_ktime_get_boot_ns();
	enum tcpconnect_outcome outcome;
	int error = 0;

	read_endpoints(&conn->ends, sk);
	conn->latency_ns = now - conn->start_ns;
	conn->known |= KNOWN_LATENCY;
	conn->syn_retries = BPF_CORE_READ((struct tcp_sock *)sk, total_retrans);
	if (newstate == TCP_ESTABLISHED) {
		outcome = OUTCOME_ESTABLISHED;
		conn->established_ns = now;
	} else {
		error = sk->sk_err;
		if (error)
			outcome = outcome_of(error);
		else
			outcome = OUTCOME_CANCELLED;
	}
	if (!outcome_selected(conn, outcome)) {
		forget_conn(sk);
		return;
	}
	tell_attempt(conn, outcome, error, now);
	if (!config.life || outcome != OUTCOME_ESTABLISHED)
		forget_conn(sk);
}

/* Hook: a socket changes its state, other than to SYN_SENT. Context: anything, mostly softirq; `current` is whoever was
 * interrupted and means nothing. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state_changed, const struct sock *sk, int oldstate, int newstate)
{
	__u64 key = (__u64)sk;
	struct conn *conn;

	if (oldstate == TCP_CLOSE || sk->sk_protocol != IPPROTO_TCP)
		return 0;
	conn = bpf_map_lookup_elem(&conns, &key);
	if (!conn)
		return 0;
	if (newstate == TCP_SYN_RECV)
		return 0;
	if (oldstate == TCP_SYN_SENT || oldstate == TCP_SYN_RECV)
		client_decided(sk, conn, newstate);
	return 0;
}
