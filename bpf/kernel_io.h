/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Kernel types of sending and receiving, beside those of kernel.h. */
#ifndef PLUMB_KERNEL_IO_H
#define PLUMB_KERNEL_IO_H

#include "bpf/kernel.h"

#define MSG_PEEK 2

/* How far a TCP connection is: kernel.h's tcp_sock has other members. */
struct tcp_sock___progress {
	__u32 write_seq;
	__u32 snd_una;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u64 bytes_acked;
	__u64 bytes_received;
} RELOCATED;

struct inet_connection_sock___ulp {
	const void *icsk_ulp_ops;
} RELOCATED;

#if defined(__TARGET_ARCH_x86)
/* Where the arguments of a 32-bit program's system call are. */
struct pt_regs___compat {
	unsigned long bx, cx, dx, si, di, bp;
} RELOCATED;
#endif

struct task_struct___stack {
	void *stack;
} RELOCATED;

/* A thread's numbers, one for each PID namespace that it is seen in; the innermost one has the index `level`. */
struct upid {
	int nr;
} RELOCATED;

struct pid {
	unsigned int level;
	struct upid numbers[1];
} RELOCATED;

struct task_struct___numbers {
	struct pid *thread_pid;
} RELOCATED;

/* A request to a block device. */
struct request {
	unsigned int __data_len;
} RELOCATED;

/* User space's own structures: ABI. */
struct user_iovec {
	__u64 base;
	__u64 length;
};

struct user_msghdr {
	__u64 name;
	__u32 name_length;
	__u32 padding;
	__u64 iov;
	__u64 iov_length;
	__u64 control;
	__u64 control_length;
	__u32 flags;
	__u32 padding2;
};

struct user_mmsghdr {
	struct user_msghdr header;
	__u32 length;
	__u32 padding;
};

struct compat_iovec {
	__u32 base;
	__u32 length;
};

struct compat_msghdr {
	__u32 name;
	__u32 name_length;
	__u32 iov;
	__u32 iov_length;
};

#endif
