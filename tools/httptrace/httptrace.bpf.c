/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* httptrace: what TCP sockets send and receive in plain text, as far as it is HTTP.
 *
 * One function, traffic(), is told each send and receive by one of two variants of hooks: the tracepoints behind
 * sock_sendmsg and sock_recvmsg (Linux 6.3), or fexit on inet's own functions. Neither gives the bytes; they lie in the
 * caller's memory, where the registers of its system call say. */
#include "bpf/address_filter.bpf.h"
#include "bpf/filter.bpf.h"
#include "bpf/socket.bpf.h"
#include "httptrace/capture.bpf.h"
#include "httptrace/search.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

enum {
	ECONNRESET = 104,
	ETIMEDOUT = 110,
};

/* Whether tracing programs may use socket storage: Linux 5.11, which also brought bpf_sock_from_file(). Constant once
 * relocated, so that the verifier does not see the call elsewhere. */
#define STORAGE_IN_KERNEL bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_sock_from_file)

/* State of each TCP connection that carried bytes. Key: its socket. traffic() inserts; the kernel deletes it with the
 * socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct connection);
} connections SEC(".maps");

/* The same where tracing programs have no socket storage (before Linux 5.11), or no socket that the verifier trusts.
 * Key: address of the struct sock. traffic() inserts, socket_destroyed deletes. Full: the connection is not seen, and
 * counted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct connection);
} connections_by_address SEC(".maps");

static const struct connection no_connection;

static __always_inline struct connection *connection_by_address(const void *sk, bool create)
{
	__u64 key = (__u64)sk;
	struct connection *c = bpf_map_lookup_elem(&connections_by_address, &key);

	if (c || !create)
		return c;
	if (bpf_map_update_elem(&connections_by_address, &key, &no_connection, BPF_NOEXIST))
		count_loss(LOSS_MAP_FULL);
	return bpf_map_lookup_elem(&connections_by_address, &key);
}

/* Of a socket that the verifier trusts. */
static __always_inline struct connection *connection_of(struct sock *sk, bool create)
{
	if (STORAGE_IN_KERNEL && config.socket_storage)
		return bpf_sk_storage_get(&connections, sk, 0, create ? BPF_SK_STORAGE_GET_F_CREATE : 0);
	return connection_by_address(sk, create);
}

/* Whether `length` bytes that just went in `direction` are the first. RFC 4898: the SYN counts as an acknowledged byte
 * of a client. Unknown for MPTCP, whose sockets have no such members. */
static __always_inline bool went_first(const struct sock *sk, __u32 direction, __u32 length)
{
	const struct tcp_sock___progress *tcp = (const void *)sk;

	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return false;
	if (direction == HTTPTRACE_SENT) {
		__u64 before = BPF_CORE_READ(tcp, bytes_acked) +
			       (__u32)(BPF_CORE_READ(tcp, write_seq) - BPF_CORE_READ(tcp, snd_una)) - length;

		return before <= 1;
	}
	return BPF_CORE_READ(tcp, bytes_received) -
		       (__u32)(BPF_CORE_READ(tcp, rcv_nxt) - BPF_CORE_READ(tcp, copied_seq)) - length <= 1;
}

/* The network is done with the socket. Its owner may not be: a reset or the peer's FIN closes it while a call is sending,
 * and what was received before can still be read. */
static __always_inline bool is_closed(const struct sock *sk)
{
	return sk->__sk_common.skc_state == TCP_CLOSE && sk->sk_protocol == IPPROTO_TCP;
}

/* Bytes that came before the socket closed and that its owner has not read. A FIN counts as one. */
static __always_inline bool has_unread(const struct sock *sk)
{
	const struct tcp_sock___progress *tcp = (const void *)sk;

	return (__u32)(BPF_CORE_READ(tcp, rcv_nxt) - BPF_CORE_READ(tcp, copied_seq)) > 1;
}

/* Tells that a closed socket's connection is over. Should a call that was under way bring more, it is told anew. */
static __always_inline void tell_closed(struct connection *c, const struct sock *sk)
{
	if (c->kind < KIND_HTTP1 || !c->told)
		return;
	tell_end(c, (__u64)sk, LIBRARY_NONE, END_CLOSED, c->error ? c->error : sk->sk_err, false);
	c->told = 0;
	c->ended = 1;
}

/* The kernel decrypts (kTLS): what the socket sends and receives is plain text. */
static __always_inline bool has_kernel_tls(const struct sock *sk)
{
	return BPF_CORE_READ((const struct inet_connection_sock___ulp *)sk, icsk_ulp_ops) != 0;
}

/* --port means the server's port: a client's remote one, a server's local one. `either`: who is the client is a guess, so
 * that a connection is not left out for it. */
static __always_inline bool ends_selected(const struct endpoints *ends, bool client, bool either)
{
	if (!config.ipv4 && ends->family == AF_INET)
		return false;
	if (!config.ipv6 && ends->family == AF_INET6)
		return false;
	if (addresses.ports) {
		int matches = port_matches(client ? ends->remote_port : ends->local_port);

		if (either)
			matches |= port_matches(client ? ends->local_port : ends->remote_port);
		if (!ports_pass(matches))
			return false;
	}
	return !addresses.hosts || hosts_pass(host_matches(ends->remote_addr, ends->family));
}

/* Tells whose the connection is and between which ends. False: a filter leaves it out, or there is no room. Once for most
 * connections, so that a call costs nothing that matters. */
static __noinline bool tell_owner(struct connection *c, const struct sock *sk, __u32 pid, __u64 now)
{
	bool tls = c->kind == KIND_TLS;
	struct httptrace_open *open;
	struct endpoints ends;
	bool client = c->requester == HTTPTRACE_SENT;
	struct task_identity task = {};

	c->pid = pid;
	if ((c->kind == KIND_HTTP1 || (tls && !c->older)) && !(client ? config.client : config.server))
		goto unwanted;
	identify_current(&task);
	if (!task_selected(&task) || !netns_selected(socket_netns(sk)))
		goto unwanted;
	read_endpoints(&ends, sk, false);
	if (!ends_selected(&ends, client, tls && c->older))
		goto unwanted;
	if (!c->since_ns)
		c->since_ns = now;
	open = reserve_record(sizeof(*open));
	if (!open) {
		c->missed = 1;
		return false;
	}
	fill_header(&open->header, c, (__u64)sk, tls ? HTTPTRACE_TLS : HTTPTRACE_OPEN, LIBRARY_NONE, now);
	if (c->older)
		open->header.flags = HTTPTRACE_OLDER;
	open->task = task;
	open->netns = socket_netns(sk);
	open->local_port = ends.local_port;
	open->remote_port = ends.remote_port;
	__builtin_memcpy(open->local_addr, ends.local_addr, sizeof(open->local_addr));
	__builtin_memcpy(open->remote_addr, ends.remote_addr, sizeof(open->remote_addr));
	open->family = ends.family;
	__builtin_memset(open->padding, 0, sizeof(open->padding));
	submit_record(open);
	c->told = 1;
	return true;
unwanted:
	c->kind = KIND_UNWANTED;
	return false;
}

/* A call on a socket whose bytes are ciphertext: that they begin is told, so that the user side knows of requests that no
 * probe has seen. */
static __always_inline void tls_traffic(struct connection *c, const struct sock *sk, __u32 direction, __u32 pid, __u32 length)
{
	find_source(direction);
	if (tls_carries_data(c, direction, length))
		tell_owner(c, sk, pid, bpf_ktime_get_boot_ns());
}

/* A call on `sk` ended. `ret`: how many bytes went, or what read() returned. */
static __always_inline int traffic(struct connection *c, const struct sock *sk, __u32 direction, long ret)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32, length = ret, dir = direction & 1;
	struct workspace *ws = workspace_of(direction);
	bool first = false;
	__u64 now;

	if (!ws)
		return 0;
	if (ret <= 0) {
		/* The peer's end was read: what lasts until then is complete. */
		if (!ret && dir == HTTPTRACE_RECEIVED && c->kind >= KIND_HTTP1 && c->told && !c->ended)
			tell_end(c, (__u64)sk, LIBRARY_NONE, END_RECEIVED, 0, true);
		if (is_closed(sk))
			tell_closed(c, sk);
		return 0;
	}
	if (c->kind == KIND_UNWANTED && c->pid != pid) {
		c->kind = KIND_UNKNOWN;
		c->tries = 0;
	}
	if (c->kind == KIND_TLS && has_kernel_tls(sk)) {
		c->kind = KIND_UNKNOWN;
		c->told = c->older = c->tries = 0;
	}
	if (c->kind == KIND_TLS && !c->told)
		tls_traffic(c, sk, direction, pid, length);
	if (c->kind == KIND_FOREIGN || c->kind == KIND_UNWANTED || c->kind == KIND_TLS)
		return 0;
	find_source(direction);
	if (!c->started[dir])
		first = went_first(sk, dir, length);
	c->started[dir] = 1;
	if (!connection_wanted(ws, c, direction, length, first))
		return 0;
	now = bpf_ktime_get_boot_ns();
	if ((!c->told || c->pid != pid) && !tell_owner(c, sk, pid, now))
		return 0;
	ws->connection = *c;
	ws->call.object = (__u64)sk;
	ws->call.now = now;
	ws->call.length = length;
	ws->call.library = LIBRARY_NONE;
	ws->call.first = first || c->begun_size;
	if (c->begun_size)
		tell_begun(direction);
	tell_bytes(direction);
	*c = ws->connection;
	/* No change of state will come any more. */
	if (is_closed(sk) && !has_unread(sk))
		tell_closed(c, sk);
	return 0;
}

static __always_inline bool is_tcp(const struct sock *sk)
{
	__u16 protocol = sk->sk_protocol, family = sk->__sk_common.skc_family;

	return (family == AF_INET || family == AF_INET6) && (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP);
}

static __always_inline int tcp_traffic(struct sock *sk, __u32 direction, int ret)
{
	struct connection *c;

	socket_used(sk);
	/* Nothing to read yet, or it broke, which socket_state() tells, unless the kernel skipped its run. */
	if (ret < 0) {
		if (ret != -ECONNRESET && ret != -ETIMEDOUT)
			return 0;
		c = connection_of(sk, false);
		if (c && !c->error)
			c->error = -ret;
		return 0;
	}
	c = connection_of(sk, ret > 0);
	if (!c || c->kind == KIND_FOREIGN)
		return 0;
	return traffic(c, sk, direction, ret);
}

/* Where tracepoints may be preempted (Linux 7), a task that takes the CPU from a program and sends or receives itself is not
 * seen by it: the kernel skips a program that would interrupt itself. That is common, since a send wakes whoever receives,
 * who answers while the sender's program waits for its turn. A second program at the same hook, socket_*_nested, is not
 * running then, and takes the call.
 *
 * The bits of the directions whose first program has run for the call that a task is in. Key: pid and tid. The first program
 * inserts; least recently used go. No room: the second program takes the call. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u32);
} seen_calls SEC(".maps");

/* Calls that the second programs took. What the kernel skipped of the first ones beyond this is lost. */
__u64 nested_calls;

/* The first program has the call of this task. */
static __always_inline bool see_call(__u32 direction)
{
	__u32 bit = 1U << direction, *seen;
	__u64 task;

	if (!config.nested)
		return true;
	task = bpf_get_current_pid_tgid();
	seen = bpf_map_lookup_elem(&seen_calls, &task);
	if (!seen)
		return !bpf_map_update_elem(&seen_calls, &task, &bit, BPF_ANY);
	*seen |= bit;
	return true;
}

/* Whether the first program did not get the call of this task. */
static __always_inline bool call_unseen(__u32 direction)
{
	__u64 task = bpf_get_current_pid_tgid();
	__u32 bit = 1U << direction, *seen;

	seen = bpf_map_lookup_elem(&seen_calls, &task);
	if (seen && *seen & bit) {
		*seen &= ~bit;
		return false;
	}
	__sync_fetch_and_add(&nested_calls, 1);
	return true;
}

/* A copy for all but the two programs that run on most kernels. */
static __noinline int tcp_traffic_apart(struct sock *sk, __u32 direction, int ret)
{
	return tcp_traffic(sk, direction, ret);
}

/* Hook: a send on any socket ended. Context: the sender, which is `current`. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(socket_sent, struct sock *sk, int ret, int flags)
{
	return see_call(HTTPTRACE_SENT) && is_tcp(sk) ? tcp_traffic(sk, HTTPTRACE_SENT, ret) : 0;
}

/* Hook: a receive on any socket ended. Context: the receiver, which is `current`. */
SEC("tp_btf/sock_recv_length")
int BPF_PROG(socket_received, struct sock *sk, int ret, int flags)
{
	if (!see_call(HTTPTRACE_RECEIVED) || flags & MSG_PEEK || !is_tcp(sk))
		return 0;
	return tcp_traffic(sk, HTTPTRACE_RECEIVED, ret);
}

/* Hooks: the same, and these must be attached behind those. Context: as there. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(socket_sent_nested, struct sock *sk, int ret, int flags)
{
	if (!call_unseen(HTTPTRACE_SENT) || !is_tcp(sk))
		return 0;
	return tcp_traffic_apart(sk, HTTPTRACE_SENT + PROGRAM_SECOND, ret);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(socket_received_nested, struct sock *sk, int ret, int flags)
{
	if (!call_unseen(HTTPTRACE_RECEIVED) || flags & MSG_PEEK || !is_tcp(sk))
		return 0;
	return tcp_traffic_apart(sk, HTTPTRACE_RECEIVED + PROGRAM_SECOND, ret);
}

static __always_inline int inet_traffic(struct socket *socket, __u32 direction, int ret)
{
	struct sock *sk = socket->sk;

	return sk && is_tcp(sk) ? tcp_traffic_apart(sk, direction, ret) : 0;
}

/* Hooks: inet's own functions return, for IPv4 and IPv6, TCP and UDP. Context: as above. */
SEC("fexit/inet_sendmsg")
int BPF_PROG(inet_sent, struct socket *socket, void *message, unsigned long size, int ret)
{
	return inet_traffic(socket, HTTPTRACE_SENT, ret);
}

SEC("fexit/inet6_sendmsg")
int BPF_PROG(inet6_sent, struct socket *socket, void *message, unsigned long size, int ret)
{
	return inet_traffic(socket, HTTPTRACE_SENT + PROGRAM_SECOND, ret);
}

SEC("fexit/inet_recvmsg")
int BPF_PROG(inet_received, struct socket *socket, void *message, unsigned long size, int flags, int ret)
{
	return flags & MSG_PEEK ? 0 : inet_traffic(socket, HTTPTRACE_RECEIVED, ret);
}

SEC("fexit/inet6_recvmsg")
int BPF_PROG(inet6_received, struct socket *socket, void *message, unsigned long size, int flags, int ret)
{
	return flags & MSG_PEEK ? 0 : inet_traffic(socket, HTTPTRACE_RECEIVED + PROGRAM_SECOND, ret);
}

/* Hook: sendfile() and splice() hand pages to a socket, before Linux 6.5; later they go the way of the others. */
SEC("fexit/inet_sendpage")
int BPF_PROG(inet_page_sent, struct socket *socket, void *page, int offset, unsigned long size, int flags, long ret)
{
	return inet_traffic(socket, HTTPTRACE_SENT + PROGRAM_THIRD, ret);
}

static __always_inline void tell_state(struct sock *sk, bool local)
{
	struct connection *c = connection_of(sk, false);

	if (!c)
		return;
	if (local) {
		if (c->kind >= KIND_HTTP1 && c->told && !c->ended) {
			tell_end(c, (__u64)sk, LIBRARY_NONE, END_SENT, 0, true);
			c->ended = 1;
		}
		return;
	}
	/* Whoever reads or sends next takes it from the socket. */
	c->error = sk->sk_err;
	if (!has_unread(sk))
		tell_closed(c, sk);
}

/* Hook: a socket changes its state. Context: the process that closes, or a softirq. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_state, struct sock *sk, int oldstate, int newstate)
{
	bool local = newstate == TCP_FIN_WAIT1 || newstate == TCP_LAST_ACK;

	if (!local && newstate != TCP_CLOSE)
		return 0;
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	tell_state(sk, local);
	return 0;
}

static __always_inline void forget_socket(struct sock *sk)
{
	struct connection *c = connection_of(sk, false);

	if (!c)
		return;
	tell_closed(c, sk);
	if (!config.socket_storage) {
		__u64 key = (__u64)sk;

		bpf_map_delete_elem(&connections_by_address, &key);
	}
}

/* Hook: nobody holds the socket any more, and it is closed. Context: as above. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(socket_destroyed, struct sock *sk)
{
	forget_socket(sk);
	return 0;
}
