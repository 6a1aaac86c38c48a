/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The kernel types that plumb reads, and of each only the members that it reads. CO-RE relocates every access to where
 * the running kernel keeps the member, so order, size and all that is left out do not matter. What may be missing in
 * some kernel is guarded by bpf_core_field_exists where it is read.
 *
 * UAPI headers give the integer types and BPF constants; they are part of the C library's development files. */
#ifndef PLUMB_KERNEL_H
#define PLUMB_KERNEL_H

#include <linux/types.h>
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#define RELOCATED __attribute__((preserve_access_index))

typedef _Bool bool;
#define true 1
#define false 0

/* Values that no BTF carries (macros in the kernel). */
enum {
	AF_INET = 2,
	AF_INET6 = 10,
	IPPROTO_TCP = 6,
	IPPROTO_MPTCP = 262,
	S_IFMT = 0170000,
	S_IFSOCK = 0140000,
	PF_KTHREAD = 0x00200000,
	SHUTDOWN_MASK = 3, /* include/net/sock.h */
	SOCK_STREAM = 1,
	MSG_FASTOPEN = 0x20000000,
	TS_COMPAT = 0x0002, /* arch/x86: thread_info.status while a 32-bit system call runs */
	TIF_32BIT = 22,     /* arch/arm64: bit of thread_info.flags of a 32-bit task */
};

/* include/net/tcp_states.h: ABI, ss(8) and the tracepoints depend on the numbers. */
enum tcp_state {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
	TCP_NEW_SYN_RECV,
};

struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be32 u6_addr32[4];
	} in6_u;
} RELOCATED;

struct ns_common {
	unsigned int inum;
} RELOCATED;

struct net {
	struct ns_common ns;
} RELOCATED;

typedef struct {
	struct net *net;
} RELOCATED possible_net_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned char skc_ipv6only : 1;
	unsigned long skc_flags; /* enum sock_flags are its bits */
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
} RELOCATED;

/* include/net/sock.h: bits of sk_flags; the numbers are taken from the running kernel. */
enum sock_flags {
	SOCK_DEAD,
	SOCK_DONE,
};

struct sk_buff;

struct sk_buff_head {
	struct sk_buff *next;
	struct sk_buff *prev;
	__u32 qlen;
} RELOCATED;

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_error_queue;
	__u16 sk_protocol;
	__u16 sk_type;
	__u8 sk_shutdown;
	int sk_err;
	struct socket *sk_socket;
} RELOCATED;

struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
} RELOCATED;

struct tcp_sock {
	__u32 srtt_us;
	__u8 fastopen_connect : 1; /* TCP_FASTOPEN_CONNECT was asked for */
	__u32 total_retrans;
	__u32 segs_out;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u64 bytes_received;
} RELOCATED;

/* The other subflows of an MPTCP socket do not matter here: `first` is the one that connect() or accept() made. */
struct mptcp_sock {
	struct sock *first;
} RELOCATED;

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
} RELOCATED;

struct socket {
	struct sock *sk;
} RELOCATED;

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
} RELOCATED;

struct file {
	struct inode *f_inode;
	void *private_data;
} RELOCATED;

/* `interp`: what was loaded in the end, a script's interpreter. */
struct linux_binprm {
	struct file *file;
	const char *interp;
} RELOCATED;

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
} RELOCATED;

struct files_struct {
	struct fdtable *fdt;
} RELOCATED;

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
} RELOCATED;

struct thread_info {
	unsigned long flags;
	__u32 status; /* x86 */
	__u64 preempt_count; /* arm64: the low half */
} RELOCATED;

/* The registers of a system call, as pt_regs keeps them until it returns, and of a user program at a probe. */
struct pt_regs {
#if defined(__TARGET_ARCH_x86)
	unsigned long di, si, dx, r10, r8, r9, orig_ax;
	unsigned long ax, bx, cx, r14, sp;
#elif defined(__TARGET_ARCH_arm64)
	__u64 regs[31];
	__u64 sp;
	__u64 orig_x0;
	__s32 syscallno;
#endif
} RELOCATED;

typedef struct {
	__u32 val;
} kuid_t;

struct cred {
	kuid_t euid;
} RELOCATED;

struct kernfs_node {
	__u64 id;
} RELOCATED;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
} RELOCATED;

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
} RELOCATED;

struct css_set {
	struct cgroup *dfl_cgrp; /* in the cgroup v2 hierarchy */
} RELOCATED;

struct mm_struct {
	unsigned long start_stack;
} RELOCATED;

struct mnt_namespace {
	struct ns_common ns;
} RELOCATED;

struct nsproxy {
	struct mnt_namespace *mnt_ns;
	struct net *net_ns;
} RELOCATED;

struct task_struct {
	struct thread_info thread_info;
	void *stack;
	struct mm_struct *mm;
	struct signal_struct *signal;
	unsigned int flags;
	int pid;
	int tgid;
	__u64 start_boottime;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct files_struct *files;
	const struct cred *cred;
	struct css_set *cgroups;
	struct nsproxy *nsproxy;
	char comm[16];
} RELOCATED;

struct seq_file;

/* Not relocated, as the contexts that point to it: a program's context has a fixed layout. */
struct bpf_iter_meta {
	union {
		struct seq_file *seq;
	} __attribute__((aligned(8)));
};

/* Context of iter/task_file; not relocated, a program's context has a fixed layout. */
struct bpf_iter__task_file {
	union {
		struct bpf_iter_meta *meta;
	} __attribute__((aligned(8)));
	union {
		struct task_struct *task;
	} __attribute__((aligned(8)));
	__u32 fd __attribute__((aligned(8)));
	union {
		struct file *file;
	} __attribute__((aligned(8)));
};

#endif
