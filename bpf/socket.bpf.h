/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Sockets: the two ends of one, and the way from a file descriptor to it. */
#ifndef PLUMB_SOCKET_BPF_H
#define PLUMB_SOCKET_BPF_H

#include "bpf/kernel.h"

/* Ports in host byte order, addresses in network byte order. */
struct endpoints {
	__u32 remote_addr[4]; /* IPv4 in the first word, v4-mapped IPv6 turned into it, the rest 0 */
	__u32 local_addr[4];
	__u16 remote_port;
	__u16 local_port;
	__u16 family;
	__u16 padding;
};

static __always_inline bool is_v4_mapped(const __u32 *addr)
{
	return !addr[0] && !addr[1] && addr[2] == bpf_htonl(0xffff);
}

static __always_inline void unmap_v4(struct endpoints *ends)
{
	if (ends->family != AF_INET6 || !is_v4_mapped(ends->remote_addr))
		return;
	ends->family = AF_INET;
	ends->remote_addr[0] = ends->remote_addr[3];
	/* The local end may still be unbound (::). */
	ends->local_addr[0] = ends->local_addr[3];
	ends->remote_addr[2] = ends->remote_addr[3] = 0;
	ends->local_addr[1] = ends->local_addr[2] = ends->local_addr[3] = 0;
}

/* `typed` (constant): the verifier knows `sk` as a struct sock, as the argument of a tracepoint, so that a plain load
 * does, at a tenth of a helper's cost. */
#define SOCK_READ(sk, member) (typed ? (sk)->member : BPF_CORE_READ(sk, member))

/* Whether the kernel types TCP sockets (Linux 5.9). */
#define TCP_IS_TYPED bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_skc_to_tcp_sock)

/* `sk`, typed as for SOCK_READ, as the TCP socket that it is, for TCP_READ. False: it is none. */
static __always_inline bool tcp_of(const struct sock *sk, const struct tcp_sock **tcp)
{
	*tcp = TCP_IS_TYPED ? bpf_skc_to_tcp_sock((void *)sk) : 0;
	return !TCP_IS_TYPED || *tcp;
}

/* A member of a TCP socket; `tcp` is what tcp_of() gave for `sk`. */
#define TCP_READ_AS(type, tcp, sk, member) \
	(TCP_IS_TYPED ? ((const type *)(tcp))->member : BPF_CORE_READ((const type *)(sk), member))
#define TCP_READ(tcp, sk, member) TCP_READ_AS(struct tcp_sock, tcp, sk, member)

/* The ends of an inet socket whose local port is known. */
static __always_inline void read_ends(struct endpoints *ends, const struct sock *sk, __be16 local_port, const bool typed)
{
	__builtin_memset(ends, 0, sizeof(*ends));
	ends->family = SOCK_READ(sk, __sk_common.skc_family);
	ends->remote_port = bpf_ntohs(SOCK_READ(sk, __sk_common.skc_dport));
	ends->local_port = bpf_ntohs(local_port);
	if (ends->family == AF_INET) {
		ends->remote_addr[0] = SOCK_READ(sk, __sk_common.skc_daddr);
		ends->local_addr[0] = SOCK_READ(sk, __sk_common.skc_rcv_saddr);
	} else {
		for (int i = 0; i < 4; i++) {
			ends->remote_addr[i] = SOCK_READ(sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[i]);
			ends->local_addr[i] = SOCK_READ(sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[i]);
		}
		unmap_v4(ends);
	}
}

/* The same. inet_sport and not skc_num: the latter is 0 once the port was given back. */
static __always_inline void read_endpoints(struct endpoints *ends, const struct sock *sk, const bool typed)
{
	read_ends(ends, sk, BPF_CORE_READ((const struct inet_sock *)sk, inet_sport), typed);
}

/* By a helper also where the verifier knows `sk`: for each plain load of a pointer through a tracepoint's argument, Linux 6.3
 * and later look whether that member may be trusted as well (kernel/bpf/verifier.c, btf_nested_type_is_trusted), up to four
 * times through the names of all the kernel's types. That takes 1 ms of a tool's start; the helper takes some ns of an
 * event. Plain loads of numbers have no such price. */
static __always_inline __u32 socket_netns(const struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

/* The inode number of the file behind a socket; 0: none (not accepted yet, or closed). */
static __always_inline __u64 socket_inode(const struct sock *sk)
{
	struct socket *socket = BPF_CORE_READ(sk, sk_socket);

	if (!socket)
		return 0;
	return BPF_CORE_READ(container_of(socket, struct socket_alloc, socket), vfs_inode.i_ino);
}

/* The TCP socket of an open file; for MPTCP its first subflow. NULL: it is none. */
static __always_inline struct sock *tcp_socket_of_file(struct file *file)
{
	struct socket *socket;
	struct sock *sk;

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	if (!socket)
		return 0;
	sk = BPF_CORE_READ(socket, sk);
	if (!sk || BPF_CORE_READ(sk, sk_type) != SOCK_STREAM)
		return 0;
	if (BPF_CORE_READ(sk, sk_protocol) == IPPROTO_MPTCP && bpf_core_type_exists(struct mptcp_sock))
		sk = BPF_CORE_READ((struct mptcp_sock *)sk, first);
	if (!sk || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	/* AF_UNIX and AF_VSOCK have stream sockets as well; their protocol is not TCP's 6, but nothing forbids it. */
	switch (BPF_CORE_READ(sk, __sk_common.skc_family)) {
	case AF_INET:
	case AF_INET6:
		return sk;
	}
	return 0;
}

/* The TCP socket behind a descriptor of the current task. */
static __always_inline struct sock *tcp_socket_of_fd(__u32 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file *file = 0;
	struct file **files;

	if (!table || fd >= BPF_CORE_READ(table, max_fds))
		return 0;
	files = BPF_CORE_READ(table, fd);
	if (bpf_probe_read_kernel(&file, sizeof(file), files + fd))
		return 0;
	return tcp_socket_of_file(file);
}

#endif
