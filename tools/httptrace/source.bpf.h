/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The bytes of one call that sends or receives: where they lie in the caller's memory, as the registers of its system
 * call say, and copying them from there. */
#ifndef PLUMB_HTTPTRACE_SOURCE_BPF_H
#define PLUMB_HTTPTRACE_SOURCE_BPF_H

#include "bpf/kernel.h"
#include "bpf/kernel_io.h"
#include "bpf/syscall.bpf.h"

/* Of an array of buffers so many are looked at. */
#define SOURCE_SEGMENTS 256
/* The first few are read at once: a read of the caller's memory costs some 60 ns whatever its size. */
#define SOURCE_KNOWN 4

/* One buffer (`base`), or an array of them (`iov`); with neither the bytes cannot be read. */
struct source {
	__u64 base;
	__u64 iov;
	__u32 segments;
	__u8 compat; /* 32-bit program: struct compat_iovec */
	__u8 known;  /* so many of the first buffers are in `buffers` */
	__u8 padding[2];
	struct user_iovec buffers[SOURCE_KNOWN];
};

#if defined(__TARGET_ARCH_x86)

enum {
	SYSCALL_READ = 0,
	SYSCALL_WRITE = 1,
	SYSCALL_READV = 19,
	SYSCALL_WRITEV = 20,
	SYSCALL_RECVFROM = 45,
	SYSCALL_RECVMSG = 47,
	SYSCALL_RECVMMSG = 299,
	SYSCALL_SENDMMSG = 307,
	/* 32-bit programs */
	COMPAT_READ = 3,
	COMPAT_WRITE = 4,
	COMPAT_SOCKETCALL = 102,
	COMPAT_READV = 145,
	COMPAT_WRITEV = 146,
	COMPAT_SENDTO = 369,
	COMPAT_SENDMSG = 370,
	COMPAT_RECVFROM = 371,
	COMPAT_RECVMSG = 372,
	/* socketcall(2), include/uapi/linux/net.h */
	SOCKETCALL_SEND = 9,
	SOCKETCALL_RECV = 10,
	SOCKETCALL_SENDTO = 11,
	SOCKETCALL_RECVFROM = 12,
	SOCKETCALL_SENDMSG = 16,
	SOCKETCALL_RECVMSG = 17,
};

#elif defined(__TARGET_ARCH_arm64)

enum {
	SYSCALL_READ = 63,
	SYSCALL_WRITE = 64,
	SYSCALL_READV = 65,
	SYSCALL_WRITEV = 66,
	SYSCALL_RECVFROM = 207,
	SYSCALL_RECVMSG = 212,
	SYSCALL_RECVMMSG = 243,
	SYSCALL_SENDMMSG = 269,
};

#endif

static __always_inline void source_of_message(struct source *source, const void *message)
{
	struct user_msghdr header;

	if (bpf_probe_read_user(&header, sizeof(header), message))
		return;
	source->iov = header.iov;
	source->segments = header.iov_length;
}

/* recvmmsg and sendmmsg: the kernel writes a message's length once it is done, so this is the first without. A caller
 * that uses an array again without clearing it is misread when more than one message goes; counted by size all the
 * same. */
static __always_inline void source_of_messages(struct source *source, const struct user_mmsghdr *messages, __u32 count)
{
	__u32 length;

	for (int i = 0; i < 8 && i < count; i++) {
		if (bpf_probe_read_user(&length, sizeof(length), &messages[i].length))
			return;
		if (!length || i + 1 == count) {
			source_of_message(source, &messages[i].header);
			return;
		}
	}
}

#if defined(__TARGET_ARCH_x86)

static __always_inline void source_of_compat_message(struct source *source, __u64 message)
{
	struct compat_msghdr header;

	if (bpf_probe_read_user(&header, sizeof(header), (const void *)message))
		return;
	source->iov = header.iov;
	source->segments = header.iov_length;
}

static __always_inline void source_of_socketcall(struct source *source, __u64 call, __u64 arguments)
{
	__u32 args[3];

	if (bpf_probe_read_user(args, sizeof(args), (const void *)arguments))
		return;
	switch (call) {
	case SOCKETCALL_SEND:
	case SOCKETCALL_RECV:
	case SOCKETCALL_SENDTO:
	case SOCKETCALL_RECVFROM:
		source->base = args[1];
		return;
	case SOCKETCALL_SENDMSG:
	case SOCKETCALL_RECVMSG:
		source_of_compat_message(source, args[1]);
		return;
	}
}

static __always_inline void source_of_compat_call(struct source *source, struct pt_regs *regs)
{
	struct pt_regs___compat *r = (void *)regs;
	__u64 second = (__u32)BPF_CORE_READ(r, cx);

	source->compat = 1;
	switch ((__u32)BPF_CORE_READ(regs, orig_ax)) {
	case COMPAT_READ:
	case COMPAT_WRITE:
	case COMPAT_SENDTO:
	case COMPAT_RECVFROM:
		source->base = second;
		return;
	case COMPAT_READV:
	case COMPAT_WRITEV:
		source->iov = second;
		source->segments = BPF_CORE_READ(r, dx);
		return;
	case COMPAT_SENDMSG:
	case COMPAT_RECVMSG:
		source_of_compat_message(source, second);
		return;
	case COMPAT_SOCKETCALL:
		source_of_socketcall(source, (__u32)BPF_CORE_READ(r, bx), second);
		return;
	}
}

#else

static __always_inline void source_of_compat_call(struct source *source, struct pt_regs *regs)
{
	source->compat = 1; /* arm64's 32-bit programs: sizes only */
}

#endif

/* syscall_is_compat() by plain loads, where the verifier knows the task. */
static __always_inline bool task_is_compat(const struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return task->thread_info.status & TS_COMPAT;
#else
	return task->thread_info.flags & (1UL << TIF_32BIT);
#endif
}

/* The system call that `regs` belong to. What is not among these (sendfile, splice, io_uring) has no user buffer. */
static __always_inline void source_of_call(struct source *source, struct pt_regs *regs, bool compat)
{
	source->base = 0;
	source->iov = 0;
	source->segments = 0;
	source->compat = 0;
	source->known = 0;
	if (compat) {
		source_of_compat_call(source, regs);
		return;
	}
	switch (SYSCALL_NUMBER(regs)) {
	case SYSCALL_READ:
	case SYSCALL_WRITE:
	case SYSCALL_SENDTO:
	case SYSCALL_RECVFROM:
		source->base = SYSCALL_ARG2(regs);
		return;
	case SYSCALL_READV:
	case SYSCALL_WRITEV:
		source->iov = SYSCALL_ARG2(regs);
		source->segments = SYSCALL_ARG3(regs);
		return;
	case SYSCALL_SENDMSG:
	case SYSCALL_RECVMSG:
		source_of_message(source, (const void *)SYSCALL_ARG2(regs));
		return;
	case SYSCALL_RECVMMSG:
	case SYSCALL_SENDMMSG:
		source_of_messages(source, (const void *)SYSCALL_ARG2(regs), SYSCALL_ARG3(regs));
		return;
	}
}

/* struct pt_regs takes 168 bytes on x86-64, 336 on arm64 (kernels differ in a few). */
#define REGISTERS_MAX 512
#define KERNEL_STACK_SIZE 16384

/* The same for the current task's system call. Before Linux 5.15 there is no helper: the registers lie at the end of the
 * task's kernel stack (task_pt_regs of both architectures), whose size is 16 KiB without KASAN; `copy` has REGISTERS_MAX
 * bytes for them. */
static __always_inline void source_of_current_call(struct source *source, __u8 *copy)
{
	__u32 size = bpf_core_type_size(struct pt_regs);
	struct task_struct___stack *task;
	const char *stack;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs) &&
	    bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)) {
		struct task_struct *current = (struct task_struct *)bpf_get_current_task_btf();

		source_of_call(source, (struct pt_regs *)bpf_task_pt_regs(current), task_is_compat(current));
		return;
	}
	__builtin_memset(source, 0, sizeof(*source));
	task = (void *)bpf_get_current_task();
	stack = BPF_CORE_READ(task, stack);
	if (size > REGISTERS_MAX || !stack || bpf_probe_read_kernel(copy, size, stack + KERNEL_STACK_SIZE - size))
		return;
	source_of_call(source, (struct pt_regs *)copy, syscall_is_compat());
}

#endif
