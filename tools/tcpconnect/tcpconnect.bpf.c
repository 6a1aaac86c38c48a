/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* tcpconnect: TCP connections from their first SYN to their end.
 *
 * Nearly all is told by one tracepoint, inet_sock_set_state. CLOSE -> SYN_SENT happens inside the system call that
 * connects, so the current task is the owner there, and only there: it is kept in `conns` until the attempt is decided,
 * mostly in a softirq that interrupted somebody else. What that tracepoint does not see is added by others: connects
 * that fail before any SYN (syscall_ended or connect_*), who accepted (syscall_ended or socket_grafted, traffic_*), and
 * sockets older than the trace (older_sockets).
 *
 * MPTCP: the MPTCP socket itself changes state too, and is left out; its TCP subflows tell the story. */
#include "bpf/kernel.h"
#include "bpf/kernel_skb.h"
#include "tcpconnect/wire.h"
#include "tcpconnect/connection.bpf.h"
#include "bpf/socket.bpf.h"
#include "bpf/syscall.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

enum {
	EINTR = 4,
	EBADF = 9,
	EAGAIN = 11,
	EFAULT = 14,
	EEXIST = 17,
	EACCES = 13,
	EPIPE = 32,
	ENOTSOCK = 88,
	ENOPROTOOPT = 92,
	EDESTADDRREQ = 89,
	EOPNOTSUPP = 95,
	EAFNOSUPPORT = 97,
	EISCONN = 106,
	EALREADY = 114,
	EINPROGRESS = 115,
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

/* Connections that are not over. Key: address of the struct sock. state_changed and older_sockets insert; state_changed
 * deletes, at the latest when the socket enters CLOSE, which each does before its memory is used again. Without --life an
 * entry goes as soon as the attempt is told. Full: the connection is not seen, and counted as lost. The user side may set
 * another size. Allocated as needed: this size takes 13 MB otherwise, and is no faster. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct conn);
} conns SEC(".maps");

/* False: it is not kept, or was there already. */
static __always_inline bool keep_conn(const struct sock *sk, const struct conn *conn, __u64 flags)
{
	__u64 key = (__u64)sk;
	long error = bpf_map_update_elem(&conns, &key, conn, flags);

	if (error && error != -EEXIST)
		count_loss(LOSS_MAP_FULL);
	return !error;
}

/* --life only: servers' connections whose accept is still to be told. Key: as in conns; who inserts a server's there inserts
 * here, too; who tells or drops it deletes. As large as conns, or one entry where it is not used. Full: the accept is not
 * told, and counted as lost. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, __u8);
} untold SEC(".maps");

/* A server's connection, whose accept is to be told once. */
static __always_inline void keep_child(const struct sock *sk, const struct conn *conn, __u64 flags)
{
	__u64 key = (__u64)sk;
	__u8 value = 0;

	if (keep_conn(sk, conn, flags) && config.life && bpf_map_update_elem(&untold, &key, &value, BPF_ANY))
		count_loss(LOSS_MAP_FULL);
}

static __always_inline void forget_conn(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	bpf_map_delete_elem(&conns, &key);
	if (config.life && config.server)
		bpf_map_delete_elem(&untold, &key);
}

/* The process that accepts and the packet that ends the connection may come at the same moment, on two CPUs or one on top of
 * the other. Whoever deletes the entry tells the accept, from a copy made before: once deleted it may be another's. Atomic
 * exchange would need Linux 5.12. */
static __always_inline bool claim_accept(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	return config.life ? !bpf_map_delete_elem(&untold, &key) : !bpf_map_delete_elem(&conns, &key);
}

/* A client's first SYN is about to be sent, by connect() or by a sendto() with Fast Open; `current` is the process that
 * connects. */
static __always_inline void connect_started(const struct sock *sk)
{
	struct conn conn = {};

	if (!config.client)
		return;
	conn.netns = socket_netns(sk);
	if (!netns_selected(conn.netns))
		return;
	read_endpoints(&conn.ends, sk, true);
	if (!ends_selected(&conn.ends, ROLE_CLIENT) || !take_owner(&conn))
		return;
	conn.role = ROLE_CLIENT;
	conn.bound = conn.ends.local_port != 0;
	conn.start_ns = bpf_ktime_get_boot_ns();
	keep_conn(sk, &conn, BPF_ANY);
}

/* What errors of connect() mean: the outcome, and whether the call was wrong or is not over, rather than that the destination
 * cannot be reached. A table and not a switch, whose cases the verifier would follow each to the end of the program. An
 * outcome stands there as its distance from OUTCOME_ERROR, which is thus what any other error means. EINVAL is no misuse: it
 * is what a blackhole route answers. */
#define MISUSE 0x80
#define MEANS(outcome) (OUTCOME_ERROR - (outcome))
#define ERRNOS 128

static const __u8 error_meanings[ERRNOS] = {
	[EINTR] = MISUSE,
	[EBADF] = MISUSE,
	[EAGAIN] = MISUSE,
	[EFAULT] = MISUSE,
	[EPIPE] = MISUSE | MEANS(OUTCOME_RESET),
	[ENOTSOCK] = MISUSE,
	[EDESTADDRREQ] = MISUSE,
	[EOPNOTSUPP] = MISUSE,
	[EAFNOSUPPORT] = MISUSE,
	[EISCONN] = MISUSE,
	[EALREADY] = MISUSE,
	[EINPROGRESS] = MISUSE,
	[ECONNREFUSED] = MEANS(OUTCOME_REFUSED),
	[ETIMEDOUT] = MEANS(OUTCOME_TIMEOUT),
	[EHOSTUNREACH] = MEANS(OUTCOME_UNREACHABLE),
	[EHOSTDOWN] = MEANS(OUTCOME_UNREACHABLE),
	[ENETUNREACH] = MEANS(OUTCOME_UNREACHABLE),
	[ENETDOWN] = MEANS(OUTCOME_UNREACHABLE),
	[ECONNRESET] = MEANS(OUTCOME_RESET),
};

static __always_inline __u8 meaning_of(__u32 error)
{
	__u32 index = error;

	if (error >= ERRNOS)
		return 0;
	/* Linux 5.10 does not know the bound of this copy of the number. */
	barrier_var(index);
	return error_meanings[index & (ERRNOS - 1)];
}

static __always_inline enum tcpconnect_outcome outcome_of(__u32 error)
{
	return OUTCOME_ERROR - (meaning_of(error) & ~MISUSE);
}

/* Attempts that state_changed told as failed and that the application has still to hear of, so that the return of its
 * connect() is not told as a second failure. Key: inode number of the socket, which no other socket gets before 2^32
 * more were made; a socket's address is used again at once. Value: whether it failed inside connect().
 * state_changed inserts; the return of the next connect() deletes, for it tells of this attempt: the one that waits, or
 * the one by which a non-blocking program asks (it returns the error of the attempt before, or ECONNABORTED when
 * SO_ERROR was read already, and tries nothing new). Programs that never call connect() again leave theirs behind, so
 * it is an LRU; full: the oldest is forgotten, harmless unless its connect() is still to return. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u8);
} failed_attempts SEC(".maps");

static __always_inline void remember_failure(const struct sock *sk, bool inside_connect)
{
	__u64 inode = socket_inode(sk);
	__u8 value = inside_connect;

	if (inode)
		bpf_map_update_elem(&failed_attempts, &inode, &value, BPF_ANY);
}

/* Why a client's attempt failed without an error on the socket. Either the application gave up (close, shutdown,
 * connect to AF_UNSPEC, exit), or connect() itself found no free port: then no port is set, or, if the application had
 * chosen one, nothing was sent from it. */
static __always_inline bool found_no_port(const struct sock *sk, const struct conn *conn)
{
	if (sk->sk_shutdown)
		return false;
	return !conn->ends.local_port || (conn->bound && !BPF_CORE_READ((struct tcp_sock *)sk, segs_out));
}

/* The error of an ICMP message that came while connect() still ran, as it does from a firewall on the same host. TCP cannot
 * end the attempt then; it puts the message into the error queue, so that poll() reports it and SO_ERROR tells it (net/ipv4/
 * tcp_ipv4.c, tcp_v4_err). The program then closes the socket. 0: none came. */
static __always_inline int early_icmp_error(const struct sock *sk)
{
	struct sk_buff *last = BPF_CORE_READ(sk, sk_error_queue.prev); /* see socket_netns() */
	struct sock_extended_err *e;
	__u8 origin;

	if (!sk->sk_error_queue.qlen)
		return 0;
	e = &((struct sock_exterr_skb *)&last->cb)->ee;
	origin = BPF_CORE_READ(e, ee_origin);
	return origin == SO_EE_ORIGIN_ICMP || origin == SO_EE_ORIGIN_ICMP6 ? BPF_CORE_READ(e, ee_errno) : 0;
}

/* As outcome_of(), for errors that the network gave: these two are ICMP's, administratively prohibited (ICMPv6) and
 * protocol unreachable. */
static __always_inline enum tcpconnect_outcome outcome_of_answer(int error)
{
	return error == EACCES || error == ENOPROTOOPT ? OUTCOME_UNREACHABLE : outcome_of(error);
}

/* With TCP_FASTOPEN_CONNECT connect() may return before anything was sent; the SYN goes out with the first data, whenever the
 * program has some. What was measured is the SYN's own round trip, if it was answered and not sent again. */
static __always_inline void take_latency(const struct sock *sk, const struct tcp_sock *tcp, struct conn *conn, __u64 now)
{
	const struct tcp_sock *untyped = (const struct tcp_sock *)sk;
	__u32 srtt_us;

	if (!conn->start_ns)
		return;
	conn->latency_ns = now - conn->start_ns;
	if (TCP_IS_TYPED ? BPF_CORE_READ_BITFIELD(tcp, fastopen_connect)
			 : BPF_CORE_READ_BITFIELD_PROBED(untyped, fastopen_connect)) {
		srtt_us = TCP_READ(tcp, sk, srtt_us) >> 3;
		if (!srtt_us || conn->syn_retries)
			return;
		conn->latency_ns = srtt_us * 1000ULL;
	}
	conn->known |= KNOWN_LATENCY;
}

/* A client's socket left SYN_SENT or SYN_RECV. */
static __always_inline void client_decided(const struct sock *sk, struct conn *conn, int newstate, __u64 now)
{
	enum tcpconnect_outcome outcome = OUTCOME_ESTABLISHED;
	const struct tcp_sock *tcp;
	int error = 0;

	if (!tcp_of(sk, &tcp))
		return;
	read_ends(&conn->ends, sk, TCP_READ_AS(struct inet_sock, tcp, sk, inet_sport), true);
	conn->syn_retries = TCP_READ(tcp, sk, total_retrans);
	conn->known |= KNOWN_SYN_RETRIES;
	take_latency(sk, tcp, conn, now);
	if (newstate == TCP_ESTABLISHED) {
		conn->established_ns = now;
	} else {
		error = sk->sk_err;
		if (!error)
			error = early_icmp_error(sk);
		if (error) {
			outcome = outcome_of_answer(error);
		} else if (found_no_port(sk, conn)) {
			outcome = OUTCOME_NO_PORTS;
			error = EADDRNOTAVAIL;
		} else {
			outcome = OUTCOME_CANCELLED;
		}
		remember_failure(sk, outcome == OUTCOME_NO_PORTS);
	}
	if (outcome_selected(conn, outcome)) {
		tell_attempt(conn, outcome, error, now);
		if (config.life && outcome == OUTCOME_ESTABLISHED)
			return;
	}
	forget_conn(sk);
}

/* A listener's child appears. Its addresses are not set yet (inet_csk_clone_lock). */
static __always_inline void child_created(const struct sock *sk)
{
	struct conn conn = {};

	conn.netns = socket_netns(sk);
	if (!netns_selected(conn.netns))
		return;
	conn.role = ROLE_SERVER;
	keep_child(sk, &conn, BPF_ANY);
}

/* A listener's child has its handshake behind it. The round trip of the SYN-ACK was just measured, unless it had to be
 * sent again. False: not wanted. */
static __always_inline bool child_established(const struct sock *sk, struct conn *conn, __u64 now)
{
	const struct tcp_sock *tcp;
	__u32 srtt_us;

	if (!tcp_of(sk, &tcp))
		return false;
	srtt_us = TCP_READ(tcp, sk, srtt_us) >> 3;
	conn->established_ns = now;
	conn->syn_retries = TCP_READ(tcp, sk, total_retrans);
	conn->known |= KNOWN_SYN_RETRIES;
	if (srtt_us) {
		conn->latency_ns = srtt_us * 1000ULL;
		conn->known |= KNOWN_LATENCY;
	}
	if (conn->accepted) /* with Fast Open even before its handshake ended */
		return true;
	read_ends(&conn->ends, sk, TCP_READ_AS(struct inet_sock, tcp, sk, inet_sport), true);
	return ends_selected(&conn->ends, ROLE_SERVER) && outcome_selected(conn, OUTCOME_ESTABLISHED);
}

/* Bits of skc_flags, whose numbers differ between kernels. */
static __always_inline bool has_flag(const struct sock *sk, __u64 bit)
{
	return sk->__sk_common.skc_flags & (1UL << bit);
}

/* Who ended a connection that now enters CLOSE from `oldstate`. */
static __always_inline __u8 who_closed(const struct sock *sk, const struct conn *conn, int oldstate)
{
	switch (sk->sk_err) {
	case 0:
		break;
	case ECONNRESET:
		/* This side had closed both directions. It breaks off where the peer goes on sending (tcp_reset() is what the
		 * kernel calls then, too), or its FIN was answered by a reset: either way it ended the connection. */
		if (conn->ended_ns && conn->closed_by == CLOSED_LOCAL)
			return CLOSED_LOCAL;
		return CLOSED_RESET_REMOTE;
	case EPIPE: /* a reset after the peer's FIN */
		return CLOSED_RESET_REMOTE;
	case ECONNABORTED: /* tcp_abort: ss -K */
		return CLOSED_RESET_LOCAL;
	default: /* ETIMEDOUT, or what ICMP had said meanwhile of why nothing comes through (tcp_write_err) */
		return CLOSED_TIMEOUT;
	}
	switch (oldstate) {
	case TCP_LAST_ACK:
	case TCP_CLOSING:
		return conn->closed_by;
	case TCP_FIN_WAIT2:
		/* Into TIME_WAIT, on the peer's FIN or as an orphan that waits for it. */
		if (has_flag(sk, bpf_core_enum_value(enum sock_flags, SOCK_DONE)) ||
		    has_flag(sk, bpf_core_enum_value(enum sock_flags, SOCK_DEAD)))
			return conn->closed_by;
	}
	/* Without an error and without both FINs: closed with unread data, SO_LINGER 0, connect to AF_UNSPEC, never
	 * accepted, or out of memory for orphans. */
	return CLOSED_RESET_LOCAL;
}

static __always_inline void connection_closed(const struct sock *sk, struct conn *conn, int oldstate, __u64 now)
{
	struct closing closing = {};
	const struct tcp_sock *tcp;
	__u64 sent, again, received;

	if (conn->role == ROLE_SERVER && !conn->accepted) {
		struct conn copy = *conn;

		if (claim_accept(sk)) { /* no process has taken it, nor takes it right now */
			if (owner_required() || !copy.established_ns)
				return;
			tell_attempt(&copy, OUTCOME_ESTABLISHED, 0, now);
		}
	}
	if (!config.life || !tcp_of(sk, &tcp))
		return;
	sent = TCP_READ(tcp, sk, bytes_sent);
	again = TCP_READ(tcp, sk, bytes_retrans);
	received = TCP_READ(tcp, sk, bytes_received);
	/* A retransmission is counted before it is sent, and may then find no memory. */
	closing.tx_bytes = sent > again ? sent - again : 0;
	/* tcp_fin() sets SOCK_DONE; the FIN takes a sequence number and was counted as a byte. */
	if (received && has_flag(sk, bpf_core_enum_value(enum sock_flags, SOCK_DONE)))
		received--;
	closing.rx_bytes = received;
	closing.retransmits = TCP_READ(tcp, sk, total_retrans);
	closing.srtt_us = TCP_READ(tcp, sk, srtt_us) >> 3;
	closing.closed_by = who_closed(sk, conn, oldstate);
	tell_close(conn, &closing, now);
}

static __always_inline void on_state(const struct sock *sk, int oldstate, int newstate)
{
	bool handshake = oldstate == TCP_SYN_SENT || oldstate == TCP_SYN_RECV;
	__u64 key = (__u64)sk;
	struct conn *conn;
	__u64 now;

	if (oldstate == TCP_LISTEN) {
		if (config.server && newstate == TCP_SYN_RECV)
			child_created(sk);
		return;
	}
	if (!handshake && !config.life && !(config.server && newstate == TCP_CLOSE))
		return;
	conn = bpf_map_lookup_elem(&conns, &key);
	if (!conn)
		return;
	if (oldstate == TCP_SYN_SENT && newstate == TCP_SYN_RECV)
		return; /* both sides connect at once */
	/* This side closes: the connection has served, though what follows (the peer's delayed ACK, its FIN) may take
	 * its time. A half-close, shutdown(SHUT_WR), ends nothing. */
	if ((newstate == TCP_FIN_WAIT1 || newstate == TCP_LAST_ACK) && sk->sk_shutdown == SHUTDOWN_MASK)
		conn->ended_ns = bpf_ktime_get_boot_ns();
	if (newstate == TCP_LAST_ACK)
		return;
	if (newstate == TCP_FIN_WAIT1 && (conn->role != ROLE_CLIENT || !handshake)) {
		conn->closed_by = CLOSED_LOCAL;
		return;
	}
	if (newstate == TCP_CLOSE_WAIT) {
		conn->closed_by = CLOSED_REMOTE;
		return;
	}
	now = bpf_ktime_get_boot_ns();
	if (handshake && conn->role == ROLE_CLIENT) {
		client_decided(sk, conn, newstate, now);
	} else if (newstate == TCP_ESTABLISHED) {
		if (!child_established(sk, conn, now))
			forget_conn(sk);
	} else if (newstate == TCP_CLOSE) {
		connection_closed(sk, conn, oldstate, now);
		forget_conn(sk);
	}
}

/* A program that is interrupted by its own hook is skipped for the inner event (Linux 6.1, commit 05b24ff9b2cf), here:
 * a process closes a socket, and a packet for another one comes in meanwhile. state_changed_nested, a second program at
 * the same hook, is not running then and takes that event. On kernels that nest programs state_changed takes it. */
struct nesting {
	__u32 running; /* state_changed is between its start and its end on this CPU */
	__u32 taken;   /* and was run for an inner event, too */
};

/* Key: 0. Nothing to insert or delete. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nesting);
} nesting SEC(".maps");

/* Events that state_changed_nested took. What the kernel counts as recursion misses of state_changed beyond this is
 * lost: those that came within the few ns before `running` is set or after it is cleared. */
__u64 nested_events;

/* Hook: a socket changes its state. Context: to SYN_SENT the process that connects, which is `current`; else anything,
 * mostly softirq, and `current` is whoever was interrupted and means nothing. One program for both, since being called
 * costs more than most calls do here (115 ns where indirect calls and returns are mitigated). */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state_changed, const struct sock *sk, int oldstate, int newstate)
{
	__u32 zero = 0;
	struct nesting *n = bpf_map_lookup_elem(&nesting, &zero);
	__u32 outer;

	if (!n)
		return 0;
	outer = n->running;
	n->running = 1;
	barrier();
	if (outer)
		n->taken = 1;
	if (sk->sk_protocol == IPPROTO_TCP) {
		if (oldstate != TCP_CLOSE)
			on_state(sk, oldstate, newstate);
		else if (newstate == TCP_SYN_SENT)
			connect_started(sk);
	}
	barrier();
	n->running = outer;
	return 0;
}

/* Hook: as state_changed, which must be attached before. Context: softirq. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state_changed_nested, const struct sock *sk, int oldstate, int newstate)
{
	__u32 zero = 0;
	struct nesting *n = bpf_map_lookup_elem(&nesting, &zero);

	if (!n || !n->running)
		return 0;
	if (n->taken) {
		n->taken = 0;
		return 0;
	}
	__sync_fetch_and_add(&nested_events, 1);
	if (oldstate != TCP_CLOSE && sk->sk_protocol == IPPROTO_TCP)
		on_state(sk, oldstate, newstate);
	return 0;
}

#include "tcpconnect/connect_error.bpf.h"
#include "tcpconnect/accepted.bpf.h"

/* Hook: the end of every system call. Context: the caller, which is `current`. One program for connect() and accept(),
 * since each costs every system call of the host (115 ns here). Calls of 32-bit programs are left out, for their
 * numbers and arguments differ: what such a program cannot connect at once is not seen by this variant, and its
 * accepted sockets are named by their first traffic (Linux 6.3). */
SEC("tp_btf/sys_exit")
int BPF_PROG(syscall_ended, struct pt_regs *regs, long ret)
{
	switch (SYSCALL_NUMBER(regs)) {
	case SYSCALL_CONNECT:
	case SYSCALL_SENDTO:
	case SYSCALL_SENDMSG:
		if (config.connect_by_syscall)
			connect_call_ended(regs, ret);
		break;
	case SYSCALL_ACCEPT:
	case SYSCALL_ACCEPT4:
		if (config.accept_by_syscall)
			accept_call_ended(ret);
		break;
	}
	return 0;
}
