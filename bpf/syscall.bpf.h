/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Number and arguments of a system call, read from the registers at its end (tp_btf/sys_exit). */
#ifndef PLUMB_SYSCALL_BPF_H
#define PLUMB_SYSCALL_BPF_H

#include "bpf/kernel.h"

#if defined(__TARGET_ARCH_x86)

enum {
	SYSCALL_CONNECT = 42,
	SYSCALL_ACCEPT = 43,
	SYSCALL_SENDTO = 44,
	SYSCALL_SENDMSG = 46,
	SYSCALL_ACCEPT4 = 288,
};
#define SYSCALL_NUMBER(regs) ((long)(regs)->orig_ax)
#define SYSCALL_ARG1(regs) ((regs)->di)
#define SYSCALL_ARG2(regs) ((regs)->si)
#define SYSCALL_ARG3(regs) ((regs)->dx)
#define SYSCALL_ARG4(regs) ((regs)->r10)
#define SYSCALL_ARG5(regs) ((regs)->r8)
#define SYSCALL_ARG6(regs) ((regs)->r9)

/* Whether the call that ends came in by a 32-bit entry, whose numbers mean other calls. (An x32 call has bit 30 in its
 * number and so matches none of the above.) The flag is cleared after the tracepoint, on the way to user mode. */
static __always_inline bool syscall_is_compat(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, thread_info.status) & TS_COMPAT;
}

#elif defined(__TARGET_ARCH_arm64)

enum {
	SYSCALL_ACCEPT = 202,
	SYSCALL_CONNECT = 203,
	SYSCALL_SENDTO = 206,
	SYSCALL_SENDMSG = 211,
	SYSCALL_ACCEPT4 = 242,
};
/* The result has overwritten x0. */
#define SYSCALL_NUMBER(regs) ((long)(regs)->syscallno)
#define SYSCALL_ARG1(regs) ((regs)->orig_x0)
#define SYSCALL_ARG2(regs) ((regs)->regs[1])
#define SYSCALL_ARG3(regs) ((regs)->regs[2])
#define SYSCALL_ARG4(regs) ((regs)->regs[3])
#define SYSCALL_ARG5(regs) ((regs)->regs[4])
#define SYSCALL_ARG6(regs) ((regs)->regs[5])

static __always_inline bool syscall_is_compat(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, thread_info.flags) & (1UL << TIF_32BIT);
}

#endif

#endif
