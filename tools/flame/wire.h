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

#define FLAME_PYTHON_WORDS 256 /* functions and entries of the interpreter's loop; a power of two */
#define FLAME_PYTHON_BYTES (8 * FLAME_PYTHON_WORDS)
#define FLAME_PYTHON_PROCESSES 1024 /* a power of two */
#define FLAME_PYTHON_PROBES 8       /* places at which one may stand */
#define FLAME_PYTHON_TOLD 16384     /* functions whose names were told; a power of two */
#define FLAME_PYTHON_TEXT 128       /* bytes of a name, from its begin; of a path, from its end */
#define FLAME_PYTHON_TEXT_MOST 65536
#define FLAME_PYTHON_FUNCTION 1 /* the lowest bit of a word: it is a function's number, not an address */

enum flame_flags {
  FLAME_HAS_USER = 1,       /* registers and stack are the thread's */
  FLAME_STACK_CUT = 2,      /* the stack goes on behind what was copied */
  FLAME_IS_WAKER = 4,       /* no sample but who ended a wait: `woken` and `value` say whose and which */
  FLAME_STILL_WAITS = 8,    /* at the end of the capture */
  FLAME_PYTHON_LOOKED = 16, /* the interpreter's lists were walked, if this thread is in one */
  FLAME_PYTHON_CUT = 32,    /* there are more functions, or they could not be read */
  FLAME_PYTHON_THREADS = 64, /* the process has too many threads to find this one among them */
  FLAME_PYTHON_BUSY = 128,  /* not looked: another sample's walk was under way on this CPU */
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
  __u32 python_bytes; /* behind the stack: words: functions, innermost first, and behind those of each entry of the
                         interpreter's loop its address */
  __u64 kernel[FLAME_KERNEL_DEPTH]; /* innermost first */
};

/* Where things lie in a CPython's memory, in bytes unless it says otherwise (python_program.h). */
struct flame_python_layout {
  __u16 runtime_interpreters, runtime_holder; /* _PyRuntimeState; no holder: 0 */
  __u16 interpreter_next, interpreter_threads;
  __u16 thread_next, thread_number, thread_top; /* top: the innermost frame, or _PyCFrame */
  __u16 entry_frame, entry_previous;            /* _PyCFrame */
  __u16 frame_code, frame_previous;             /* in words */
  __u16 frame_mark;                             /* a byte that has the value `mark` in an entry's frame, */
  __u16 code_line;                              /* in 4 bytes, from offset 8 on */
  __u16 text_bytes;                             /* from offset 16 on, of the shortest string */
  __u16 text_ascii, text_other;                 /* the first character */
  __u8 has_entries;                             /* _PyCFrame */
  __u8 mark, mark_is_entry; /* which is no function then, or is the last function of the entry */
  __u8 pad[5];
};

/* A process that runs Python. */
struct flame_python_process {
  __u32 pid; /* 0: nobody; written last */
  __u32 pad;
  __u64 runtime;   /* _PyRuntime */
  __u64 code_type; /* PyCode_Type: what each code object begins with */
  struct flame_python_layout layout;
};

/* Where a process may stand in the table, and FLAME_PYTHON_PROBES - 1 places on. */
static inline __attribute__((always_inline)) __u32 flame_python_place(__u32 pid) {
  return (pid * 0x9e3779b1U) >> 22 & (FLAME_PYTHON_PROCESSES - 1);
}

/* Part of a Python string: its characters have `kind` bytes each. */
struct flame_python_text {
  __u32 length; /* characters of all of it */
  __u16 bytes;  /* in `text` */
  __u8 kind;    /* 1: Latin-1, 2: UCS-2, 4: UCS-4 */
  __u8 pad;
  __u8 text[FLAME_PYTHON_TEXT];
};

/* The names of a function: a record of its own, told from samples by its size. */
struct flame_python_name {
  __u64 number;
  __u32 pid;
  __u32 line; /* the first */
  struct flame_python_text function, file;
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
  __u8 python;        /* Python functions are wanted */
  __u8 pad[5];
};

#ifdef __cplusplus
static_assert(sizeof(flame_sample) == 16 + 8 * FLAME_REGISTERS + 64 + 16 + 24 + 8 * 127);
static_assert(sizeof(flame_config) == 24);
static_assert(sizeof(flame_python_process) == 64 &&
              sizeof(flame_python_name) == 16 + 2 * (8 + FLAME_PYTHON_TEXT));
#else
_Static_assert(sizeof(struct flame_sample) == 16 + 8 * FLAME_REGISTERS + 64 + 16 + 24 + 8 * 127,
               "wire struct");
_Static_assert(sizeof(struct flame_config) == 24, "shared with the user side");
_Static_assert(sizeof(struct flame_python_name) == 16 + 2 * (8 + FLAME_PYTHON_TEXT), "wire struct");
#endif

#endif
