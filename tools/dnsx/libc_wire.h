/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What the programs at the C library's resolver tell the user side. Read by C and C++. */
#ifndef PLUMB_DNSX_LIBC_WIRE_H
#define PLUMB_DNSX_LIBC_WIRE_H

#include <linux/types.h>

#include "bpf/task.h"

#define LIBC_MAX_NAME 256
#define LIBC_MAX_ADDRESSES 16 /* of one call; a power of two */

enum libc_record {
	LIBC_BEGIN,
	LIBC_END,
	LIBC_AGAIN, /* its buffer was too small: it has to be called once more */
	LIBC_LEFT,  /* its thread ended */
};

enum libc_function {
	LIBC_GETADDRINFO,
	LIBC_GETHOSTBYNAME,
};

struct libc_address {
	__u32 family;
	__u32 words[4]; /* network byte order */
};

struct libc_call {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	struct task_identity task; /* but for the begin: pid and tid alone */
	__u32 netns;   /* of the caller; inode number */
	__s32 error;   /* end: what getaddrinfo returned, or h_errno; 0: none */
	__u16 family;  /* begin: the only one that is wanted; 0: any */
	__u8 record;   /* enum libc_record */
	__u8 function; /* enum libc_function */
	__u8 count;    /* end: of addresses */
	__u8 padding[3];
	union {
		char name[LIBC_MAX_NAME]; /* begin: ends with a NUL */
		struct libc_address addresses[LIBC_MAX_ADDRESSES];
	};
};

/* A process whose files may need probes; a record of its own, known by its size. */
struct libc_process {
	__u32 pid;
	__u8 held; /* stopped by SIGSTOP until it is resumed */
	__u8 padding[3];
};

/* Constant once loaded. */
struct libc_config {
	__u8 hold; /* stop each new process of filter_pids until its probes are on */
	__u8 padding[7];
};

#ifdef __cplusplus
static_assert(sizeof(libc_call) == 408 && sizeof(libc_process) == 8 && sizeof(libc_config) == 8);
#else
_Static_assert(sizeof(struct libc_call) == 408 && sizeof(struct libc_process) == 8 && sizeof(struct libc_config) == 8,
	       "wire structs");
#endif

#endif
