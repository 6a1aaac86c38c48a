/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* tcpconnect: who owns the sockets that no connect() of this trace made. For those that a listener's handshake made, the
 * process that accepts: told by socket_grafted, or by syscall_ended where the kernel refuses fexit, or, where neither saw
 * it (io_uring), by the first traffic (traffic_sent, traffic_received). For those older than the trace, whoever holds a
 * descriptor: older_sockets. Part of tcpconnect.bpf.c. */
#ifndef PLUMB_TCPCONNECT_ACCEPTED_BPF_H
#define PLUMB_TCPCONNECT_ACCEPTED_BPF_H

/* For the close, which may be told on another CPU right now and must not see half a name. */
static __always_inline void keep_accepted(struct conn *conn, const struct conn *accepted)
{
	conn->accepted = 1;
	conn->ends = accepted->ends;
	conn->task = accepted->task;
	barrier();
	conn->known |= accepted->known & KNOWN_OWNER;
}

/* The current task took `sk` from a listener's queue or uses it. Tells it, if it was not told before. */
static __always_inline void child_taken(const struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct conn *conn = bpf_map_lookup_elem(&conns, &key);
	struct conn copy;

	if (!conn || conn->role != ROLE_SERVER || conn->accepted)
		return;
	copy = *conn;
	if (!copy.ends.family) /* Fast Open: accepted before the handshake ended */
		read_endpoints(&copy.ends, sk, false);
	if (!ends_selected(&copy.ends, ROLE_SERVER) || !outcome_selected(&copy, OUTCOME_ESTABLISHED) ||
	    !take_owner(&copy)) {
		forget_conn(sk);
		return;
	}
	if (!claim_accept(sk))
		return;
	if (config.life) {
		conn = bpf_map_lookup_elem(&conns, &key); /* the same entry, unless it is gone */
		if (conn)
			keep_accepted(conn, &copy);
	}
	tell_attempt(&copy, OUTCOME_ESTABLISHED, 0, bpf_ktime_get_boot_ns());
}

/* The current task accepted `sk`. Its handshake may have ended before the trace: then it waited in the listener's queue. */
static __always_inline void child_accepted(const struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct conn conn = {};

	/* One that the peer has reset meanwhile was told when that happened; the error stands before state_changed runs, the
	 * state only after it. */
	if (!bpf_map_lookup_elem(&conns, &key) && BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP &&
	    BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_CLOSE && !BPF_CORE_READ(sk, sk_err)) {
		conn.role = ROLE_SERVER;
		conn.netns = socket_netns(sk);
		if (!netns_selected(conn.netns))
			return;
		read_endpoints(&conn.ends, sk, false);
		/* One that the filters rejected at the end of its handshake is rejected again. */
		if (ends_selected(&conn.ends, ROLE_SERVER))
			keep_child(sk, &conn, BPF_NOEXIST);
	}
	child_taken(sk);
}

/* accept() or accept4() ended. */
static __always_inline void accept_call_ended(long ret)
{
	struct sock *sk;

	if (ret < 0 || syscall_is_compat())
		return;
	sk = tcp_socket_of_fd(ret);
	if (sk)
		child_accepted(sk);
}

/* `sk`, TCP or MPTCP, is in the hands of the current task; `accepted` (constant): of its accept() right now. */
static __always_inline int used_by_current(const struct sock *sk, const bool accepted)
{
	__u16 protocol = sk->sk_protocol;

	if (protocol == IPPROTO_MPTCP && bpf_core_type_exists(struct mptcp_sock))
		sk = BPF_CORE_READ((const struct mptcp_sock *)sk, first);
	else if (protocol != IPPROTO_TCP)
		return 0;
	if (accepted)
		child_accepted(sk);
	else
		child_taken(sk);
	return 0;
}

/* Hook: accept() gives a connection its socket, of any protocol. Context: the process that accepts, which is `current`; a
 * kernel thread for the kernel's own servers. Not fexit/inet_csk_accept: a process that waits in accept() when plumb
 * starts entered that function before the probe was there, and the first connection of each such process, of each
 * worker of a server, would have no owner. This one is called once the waiting is over. */
SEC("fentry/security_sock_graft")
int BPF_PROG(socket_grafted, struct sock *sk, struct socket *parent)
{
	return used_by_current(sk, true);
}

/* Hook: a send on any socket ended (Linux 6.3). Context: the sender, which is `current`. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(traffic_sent, struct sock *sk, int ret, int flags)
{
	return used_by_current(sk, false);
}

/* Hook: a receive on any socket ended (Linux 6.3). Context: the receiver, which is `current`. */
SEC("tp_btf/sock_recv_length")
int BPF_PROG(traffic_received, struct sock *sk, int ret, int flags)
{
	return used_by_current(sk, false);
}

/* Hook: run by the user side once after the rest is attached, for each descriptor of each task; --life only, since
 * nothing else of an older connection is still to be told. Context: plumb is `current`; the owner is ctx->task, and of
 * several that share a socket the first. */
SEC("iter/task_file")
int older_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct conn conn = {};
	struct sock *sk;
	__u8 state;

	if (!config.life || config.failed_only || config.min_latency_ns || !task || !file)
		return 0;
	sk = tcp_socket_of_file(file);
	if (!sk)
		return 0;
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (state == TCP_CLOSE || state == TCP_LISTEN || state == TCP_SYN_SENT || state == TCP_SYN_RECV)
		return 0;
	conn.netns = socket_netns(sk);
	if (!netns_selected(conn.netns))
		return 0;
	read_endpoints(&conn.ends, sk, false);
	conn.role = ROLE_UNKNOWN;
	if (!ends_selected(&conn.ends, ROLE_UNKNOWN))
		return 0;
	identify_task(&conn.task, task);
	if (!other_task_selected(&conn.task, task))
		return 0;
	conn.known = KNOWN_OWNER;
	if (state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2)
		conn.closed_by = CLOSED_LOCAL;
	else if (state == TCP_CLOSE_WAIT)
		conn.closed_by = CLOSED_REMOTE;
	keep_conn(sk, &conn, BPF_NOEXIST);
	/* It may have closed in between, and state_changed found nothing to delete. */
	if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_CLOSE)
		forget_conn(sk);
	return 0;
}

#endif
