/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* tcpconnect: connects that fail before the socket changes its state, so that only the return of connect() tells: no
 * route, a forbidding rule, a route of type prohibit or blackhole. Two variants, of which the user side loads one:
 * connect_v4_exit with connect_v6_exit, which cost connects only and see io_uring too, or syscall_ended, for kernels that
 * refuse fexit. Part of tcpconnect.bpf.c. */
#ifndef PLUMB_TCPCONNECT_ERROR_BPF_H
#define PLUMB_TCPCONNECT_ERROR_BPF_H

/* The start of struct sockaddr_in and sockaddr_in6, which is all that is read of them. */
struct destination {
	__u16 family;
	__be16 port;
	__u32 v4_addr; /* IPv6: flow label */
	__u32 v6_addr[4];
};

enum {
	SOCKADDR_IN_SIZE = 16,
	SOCKADDR_IN6_MIN_SIZE = 24, /* SIN6_LEN_RFC2133 */
};

/* Whether `error` says that the call was wrong or is not over; from 512 on are ERESTARTSYS and its like, which the program
 * never sees. */
static __always_inline bool is_misuse(__u32 error)
{
	return error >= 512 || meaning_of(error) & MISUSE;
}

/* Tells an attempt of the current task on `sk` that failed at once. `to` is where, `length` its size. */
static __always_inline void tell_early_failure(const struct sock *sk, const struct destination *to, __u32 length,
					       int error)
{
	enum tcpconnect_outcome outcome = outcome_of(error);
	struct conn conn = {};

	conn.role = ROLE_CLIENT;
	conn.known = KNOWN_SYN_RETRIES; /* there was no SYN */
	conn.netns = socket_netns(sk);
	if (!netns_selected(conn.netns))
		return;
	read_endpoints(&conn.ends, sk, false);
	conn.ends.family = to->family;
	conn.ends.remote_port = bpf_ntohs(to->port);
	__builtin_memset(conn.ends.remote_addr, 0, sizeof(conn.ends.remote_addr));
	if (to->family == AF_INET && length >= SOCKADDR_IN_SIZE) {
		conn.ends.remote_addr[0] = to->v4_addr;
	} else if (to->family == AF_INET6 && length >= SOCKADDR_IN6_MIN_SIZE) {
		__builtin_memcpy(conn.ends.remote_addr, to->v6_addr, sizeof(conn.ends.remote_addr));
		unmap_v4(&conn.ends);
	} else {
		return;
	}
	if (!ends_selected(&conn.ends, ROLE_CLIENT) || !take_owner(&conn) || !outcome_selected(&conn, outcome))
		return;
	tell_attempt(&conn, outcome, error, bpf_ktime_get_boot_ns());
}

/* A system call to connect failed; `fd` and the user's address are its arguments. */
static __always_inline void connect_failed(__u32 fd, const void *user_to, __u32 length, long error)
{
	struct destination to = {};
	struct sock *sk;
	__u64 inode;

	if (is_misuse(error) || syscall_is_compat())
		return;
	sk = tcp_socket_of_fd(fd);
	if (!sk)
		return;
	inode = socket_inode(sk);
	if (!bpf_map_delete_elem(&failed_attempts, &inode))
		return; /* state_changed told it */
	if (error == ECONNABORTED)
		return; /* the same, and the entry was not kept; see failed_attempts */
	if (length < SOCKADDR_IN_SIZE)
		return;
	if (length >= SOCKADDR_IN6_MIN_SIZE ? bpf_probe_read_user(&to, SOCKADDR_IN6_MIN_SIZE, user_to)
					    : bpf_probe_read_user(&to, SOCKADDR_IN_SIZE, user_to))
		return;
	tell_early_failure(sk, &to, length, error);
}

/* connect() to AF_UNSPEC takes the socket back to the start: no connect() will tell of the attempt before. */
static __always_inline void connect_undone(__u32 fd, const void *user_to)
{
	struct sock *sk;
	__u16 family;
	__u64 inode;

	if (bpf_probe_read_user(&family, sizeof(family), user_to) || family || syscall_is_compat())
		return;
	sk = tcp_socket_of_fd(fd);
	if (!sk)
		return;
	inode = socket_inode(sk);
	bpf_map_delete_elem(&failed_attempts, &inode);
}

/* The head of the user's struct msghdr. */
struct message_head {
	void *name;
	__u32 name_length;
	__u32 padding;
};

/* One of the system calls that can connect ended. */
static __always_inline void connect_call_ended(struct pt_regs *regs, long ret)
{
	struct message_head message = {};

	switch (SYSCALL_NUMBER(regs)) {
	case SYSCALL_CONNECT:
		message.name = (void *)SYSCALL_ARG2(regs);
		message.name_length = SYSCALL_ARG3(regs);
		if (ret >= 0) {
			connect_undone(SYSCALL_ARG1(regs), message.name);
			return;
		}
		break;
	case SYSCALL_SENDTO:
		if (ret >= 0 || !(SYSCALL_ARG4(regs) & MSG_FASTOPEN))
			return;
		message.name = (void *)SYSCALL_ARG5(regs);
		message.name_length = SYSCALL_ARG6(regs);
		break;
	case SYSCALL_SENDMSG:
		if (ret >= 0 || !(SYSCALL_ARG3(regs) & MSG_FASTOPEN) ||
		    bpf_probe_read_user(&message, sizeof(message), (void *)SYSCALL_ARG2(regs)))
			return;
		break;
	default:
		return;
	}
	connect_failed(SYSCALL_ARG1(regs), message.name, message.name_length, -ret);
}

/* A connect function of TCP returned an error. These return before any waiting, so that the only failures that
 * state_changed tells too are those inside connect(). */
static __always_inline void connect_function_failed(const struct sock *sk, const struct destination *to, int length,
						    long error)
{
	__u64 inode = socket_inode(sk);
	__u8 *inside = bpf_map_lookup_elem(&failed_attempts, &inode);

	if (inside && *inside) {
		bpf_map_delete_elem(&failed_attempts, &inode);
		return;
	}
	if (!is_misuse(error))
		tell_early_failure(sk, to, length, error);
}

/* Hook: the return of IPv4's connect, and of IPv6's for v4-mapped addresses. Context: the process that connects, which
 * is `current`. The address was copied into the kernel before. */
SEC("fexit/tcp_v4_connect")
int BPF_PROG(connect_v4_exit, struct sock *sk, void *address, int length, int ret)
{
	struct destination to = {};

	if (ret < 0 && !bpf_probe_read_kernel(&to, SOCKADDR_IN_SIZE, address))
		connect_function_failed(sk, &to, length, -ret);
	return 0;
}

/* Hook: the return of IPv6's connect. As connect_v4_exit, which has told v4-mapped addresses, unless the socket takes
 * IPv6 only: then tcp_v4_connect was not reached. */
SEC("fexit/tcp_v6_connect")
int BPF_PROG(connect_v6_exit, struct sock *sk, void *address, int length, int ret)
{
	struct destination to = {};

	if (ret >= 0 || bpf_probe_read_kernel(&to, SOCKADDR_IN6_MIN_SIZE, address))
		return 0;
	if (is_v4_mapped(to.v6_addr) && !BPF_CORE_READ_BITFIELD_PROBED(&sk->__sk_common, skc_ipv6only))
		return 0;
	connect_function_failed(sk, &to, length, -ret);
	return 0;
}

#endif
