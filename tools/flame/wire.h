/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What flame's kernel side tells: a stack with all that is needed to walk it later. Read by C (BPF) and C++. */
#ifndef PLUMB_FLAME_WIRE_H
#define PLUMB_FLAME_WIRE_H

#include <linux/types.h>

#include "bpf/task.h"

#define FLAME_KERNEL_DEPTH 127         /* kernel.perf_event_max_stack as it comes */
#define FLAME_STACK_MOST 131072        /* --stack-size; a power of two */
#define FLAME_BLOCKED_STACK_MOST 16384 /* of a thread that waits: kept for as long as it lives */
#define FLAME_PAGE 4096

enum flame_flags {
  FLAME_HAS_USER = 1,    /* registers and stack are the thread's */
  FLAME_STACK_CUT = 2,   /* the stack goes on behind what was copied */
  FLAME_IS_WAKER = 4,    /* no sample but who ended a wait: `woken` and `value` say whose and which */
  FLAME_STILL_WAITS = 8, /* at the end of the capture */
};

/* By DWARF's numbers (lib/symbol/machine.h). x86-64: rax rdx rcx rbx rsi rdi rbp rsp r8..r15, then rip; arm64: x0..x30,
 * sp, then pc. */
#if defined(__TARGET_ARCH_arm64) || defined(__aarch64__)
#define FLAME_STACK_POINTER 31
#define FLAME_REGISTERS 33
#else
#define FLAME_STACK_POINTER 7
#define FLAME_REGISTERS 17
#endif

struct flame_sample {
  __u64 time_ns; /* CLOCK_MONOTONIC, as the events about mappings have it */
  __u64 value;   /* weight: samples, nanoseconds or bytes; of a waker, when the wait began (its time_ns) */
  __u64 registers[FLAME_REGISTERS];
  struct task_identity task;
  char thread_comm[TASK_COMM_LEN];
  __u32 cpu;
  __u32 flags;        /* enum flame_flags */
  __u32 kernel_bytes; /* of `kernel` */
  __u32 stack_bytes;  /* behind this struct, from the stack pointer on */
  __u32 woken;        /* of a waker: the thread that waited */
  __u32 pad;
  __u64 kernel[FLAME_KERNEL_DEPTH]; /* innermost first */
};

/* What name_addresses() is asked, and answers; shared memory. */
#define FLAME_NAMES_AT_ONCE 32
#define FLAME_NAME_LEN 512 /* KSYM_NAME_LEN */

struct flame_names {
  __u64 count; /* of `address` */
  __u64 address[FLAME_NAMES_AT_ONCE];
  char name[FLAME_NAMES_AT_ONCE][FLAME_NAME_LEN]; /* "nft_do_chain [nf_tables]"; of no symbol "0xffff..." */
};

struct flame_config {
  __u64 min_block_ns; /* shorter waits are not told */
  __u32 stack_most;   /* bytes of user stack to copy */
  __u8 user;          /* user stacks are wanted */
  __u8 kernel;        /* kernel stacks are wanted */
  __u8 idle;          /* the idle task too */
  __u8 involuntary;   /* also when a thread was preempted */
  __u8 block_bytes;   /* block I/O weighs its bytes, not its time */
  __u8 block_queue;   /* block_rq_issue has the queue before the request */
  __u8 pad[6];
};

#ifdef __cplusplus
static_assert(sizeof(flame_sample) == 16 + 8 * FLAME_REGISTERS + 64 + 16 + 24 + 8 * 127);
static_assert(sizeof(flame_config) == 24);
#else
_Static_assert(sizeof(struct flame_sample) == 16 + 8 * FLAME_REGISTERS + 64 + 16 + 24 + 8 * 127, "wire struct");
_Static_assert(sizeof(struct flame_config) == 24, "shared with the user side");
#endif

#endif
