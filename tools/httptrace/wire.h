/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What httptrace's BPF programs and user side share. Read by C and C++: fixed widths, explicit padding.
 *
 * A connection is told as a sequence of records of variable size: OPEN (whose it is and between which ends), then DATA
 * in both directions, then CLOSE. Bytes travel only where HTTP's framing needs them: a DATA record stands for `length`
 * bytes of its direction, of which the first `head` and the last `tail` follow it; those between are only counted.
 *
 * Plain sockets and TLS libraries tell their connections alike. What differs is `library`, and that a TLS library's
 * connection may not know its ends: then `family` is 0, until another OPEN of the same key names them. */
#ifndef PLUMB_HTTPTRACE_WIRE_H
#define PLUMB_HTTPTRACE_WIRE_H

#include <linux/types.h>

#include "bpf/task.h"

enum httptrace_record {
	HTTPTRACE_OPEN,  /* struct httptrace_open; again when its owner or its ends change */
	HTTPTRACE_DATA,  /* struct httptrace_data, then head + tail bytes */
	HTTPTRACE_CLOSE, /* struct httptrace_close: nothing more comes in one or both directions */
	HTTPTRACE_TLS,	 /* struct httptrace_open, once: a socket carries TLS, and application data begins */
	HTTPTRACE_RECORDS,
};

/* Seen from the process that owns the connection. */
enum httptrace_direction { HTTPTRACE_SENT, HTTPTRACE_RECEIVED };

/* Where the plain text was seen. */
enum httptrace_library {
	LIBRARY_NONE, /* at the socket: no TLS, or TLS in the kernel */
	LIBRARY_OPENSSL,
	LIBRARY_BORINGSSL,
	LIBRARY_GNUTLS,
	LIBRARY_GO,
	LIBRARIES,
};

enum httptrace_end {
	END_SENT,     /* this side closed or shut down: no more is sent */
	END_RECEIVED, /* the peer's end was read: no more is received */
	END_CLOSED,   /* both; `error` says whether it broke */
};

/* Names one connection for good: the address of the struct sock, SSL, session or tls.Conn, which is used again, with
 * the time at which it was first seen. */
struct httptrace_key {
	__u64 object;
	__u64 since_ns; /* CLOCK_BOOTTIME */
};

/* The largest payload of a DATA record; longer pieces come as several records. */
#define HTTPTRACE_PAYLOAD 4096
/* So much of one call on an HTTP/2 connection is captured: servers hand over frames of many streams at once. */
#define HTTP2_CALL (256 * 1024)
/* Records that one program function writes, which the verifier walks one by one. */
#define PIECES_AT_ONCE 8
/* The most of a message's headers that is captured, and --snaplen's default. */
#define HTTPTRACE_SNAPLEN 16384

/* How every record begins. */
struct httptrace_header {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	struct httptrace_key connection;
	__u32 tid;     /* of the thread that sent, received or closed; 0: none did (a packet from the network) */
	__u8 record;   /* enum httptrace_record */
	__u8 library;  /* enum httptrace_library */
	__u8 direction; /* DATA: enum httptrace_direction */
	__u8 flags;    /* enum httptrace_flags, or-ed */
};

enum httptrace_flags {
	HTTPTRACE_FIRST = 1 << 0,     /* DATA: nothing went in this direction before */
	HTTPTRACE_CONTINUES = 1 << 1, /* DATA: goes on with the piece of the record before, in one call */
	HTTPTRACE_MISSED = 1 << 2,    /* something of this connection was not recorded before this: ring buffer full */
	HTTPTRACE_UNREADABLE = 1 << 3, /* DATA: the bytes could not be read, only counted */
	HTTPTRACE_HTTP2 = 1 << 4,     /* the kernel side took this for HTTP/2 */
	HTTPTRACE_OLDER = 1 << 5,     /* TLS: the connection's beginning was not seen */
};

struct httptrace_open {
	struct httptrace_header header;
	struct task_identity task; /* who owns it; pid 0: unknown */
	__u32 netns;               /* inode number; 0: unknown */
	__u16 local_port;          /* host byte order */
	__u16 remote_port;
	__u8 local_addr[16]; /* network byte order; IPv4 in the first 4 bytes */
	__u8 remote_addr[16];
	__u16 family; /* AF_INET, AF_INET6 (v4-mapped is AF_INET already); 0: ends unknown */
	__u16 padding[3];
};

struct httptrace_data {
	struct httptrace_header header;
	__u32 length; /* bytes of the stream that this record stands for; at least head + tail */
	__u16 head;   /* bytes from its beginning that follow this struct */
	__u16 tail;   /* bytes from its end that follow those */
};

struct httptrace_close {
	struct httptrace_header header;
	__u32 error; /* errno of the socket, such as ECONNRESET; 0: none */
	__u8 end;    /* enum httptrace_end */
	__u8 padding[3];
};

/* What the user asked for; constant once loaded. */
struct httptrace_config {
	__u32 snaplen; /* of a message's headers */
	__u8 plain;    /* tell what is seen at sockets */
	__u8 ipv4;
	__u8 ipv6;
	__u8 client; /* roles wanted */
	__u8 server;
	__u8 socket_storage; /* the kernel has sk_storage for tracing programs; otherwise a hash map stands in */
	__u8 nested; /* socket_*_nested take what socket_* miss */
	__u8 padding[5];
};

#ifdef __cplusplus
static_assert(sizeof(httptrace_key) == 16);
static_assert(sizeof(httptrace_header) == 32);
static_assert(sizeof(httptrace_open) == 32 + 64 + 48);
static_assert(sizeof(httptrace_data) == 40);
static_assert(sizeof(httptrace_close) == 40);
static_assert(sizeof(httptrace_config) == 16);
#else
_Static_assert(sizeof(struct httptrace_key) == 16, "wire struct");
_Static_assert(sizeof(struct httptrace_header) == 32, "wire struct");
_Static_assert(sizeof(struct httptrace_open) == 32 + 64 + 48, "wire struct");
_Static_assert(sizeof(struct httptrace_data) == 40, "wire struct");
_Static_assert(sizeof(struct httptrace_close) == 40, "wire struct");
_Static_assert(sizeof(struct httptrace_config) == 16, "shared with the user side");
#endif

#endif
