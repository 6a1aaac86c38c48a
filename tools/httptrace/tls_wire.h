/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What the TLS programs tell besides the records of wire.h, and what they are told. Read by C and C++. */
#ifndef PLUMB_HTTPTRACE_TLS_WIRE_H
#define PLUMB_HTTPTRACE_TLS_WIRE_H

#include <linux/types.h>

/* Beside enum httptrace_record, in the same ring. */
enum tls_record { TLS_PROCESS = 128 };

enum tls_process_event {
	TLS_EXEC,      /* a program was started; its libraries are not mapped yet */
	TLS_LIBRARIES, /* its dynamic linker has mapped more: at the start, and for each dlopen */
};

/* A process whose files may need probes. */
struct tls_process {
	__u64 time_ns;
	__u64 start_ns; /* of the process, CLOCK_BOOTTIME */
	__u64 unused;
	__u32 pid;
	__u8 record; /* TLS_PROCESS, where httptrace_header has its own */
	__u8 event;  /* enum tls_process_event */
	__u8 held;   /* stopped by SIGSTOP until it is resumed */
	__u8 padding;
};

/* Constant once loaded. */
struct tls_config {
	__u32 snaplen; /* captured of one call, at most; a multiple of 4096 up to 16384 */
	__u8 hold;     /* stop each new process of filter_pids until its probes are on */
	__u8 padding[3];
};

#ifdef __cplusplus
static_assert(sizeof(tls_process) == 32 && sizeof(tls_config) == 8);
#else
_Static_assert(sizeof(struct tls_process) == 32 && sizeof(struct tls_config) == 8, "wire structs");
#endif

#endif
