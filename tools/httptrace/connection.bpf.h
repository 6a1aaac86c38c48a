/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What the plaintext programs keep: of each connection, and of the call that is being looked at. */
#ifndef PLUMB_HTTPTRACE_CONNECTION_BPF_H
#define PLUMB_HTTPTRACE_CONNECTION_BPF_H

#include "bpf/ringbuf.bpf.h"
#include "httptrace/source.bpf.h"
#include "httptrace/wire.h"

const volatile struct httptrace_config config = {
	.snaplen = HTTPTRACE_SNAPLEN,
	.plain = 1,
	.ipv4 = 1,
	.ipv6 = 1,
	.client = 1,
	.server = 1,
	.socket_storage = 1,
};

enum connection_kind {
	KIND_UNKNOWN,
	KIND_FOREIGN,  /* no HTTP: left alone */
	KIND_UNWANTED, /* left out by a filter, as long as the same process uses it */
	KIND_TLS,      /* ciphertext, unless the kernel decrypts */
	KIND_HTTP1,
	KIND_HTTP2,
};

/* So many bytes tell whether it is HTTP. */
#define DECISIVE 8

struct connection {
	__u64 since_ns;	    /* its key's second half; 0: nothing told yet */
	__u32 pid;	    /* process that used it last */
	__u32 head_left[2]; /* by direction: what may still be captured of a head that did not end; 0: none is open */
	__u8 matched[2];    /* bytes of its "\r\n\r\n" at the end of what was seen */
	__u8 started[2];    /* something went in this direction */
	__u8 kind;
	__u8 requester; /* direction of the requests */
	__u8 told;	/* an OPEN record is out */
	__u8 missed;	/* a record found no room */
	__u8 whole;	/* capture calls whole */
	__u8 waiting;	/* requests since the last response */
	__u8 tries;	/* calls that did not tell what it is; of TLS, those that were looked at */
	__u8 flights;	/* of TLS: calls that sent */
	__u8 older;	/* of TLS: its beginning was not seen */
	__u8 last;	/* direction of the last call + 1 */
	__u8 ended;
	__u8 error; /* errno with which the socket closed; all are below 256 */
	__u8 begun_size; /* bytes with which a direction began, fewer than tell what it is */
	__u8 begun[DECISIVE];
};

/* Messages in one call that are told apart; a call with more is captured from there on. */
#define MAX_PIPELINED 16
/* A head is captured in pieces of this size. */
#define PIECE	      1024
#define SMALL_REST    256
#define BODY_HEAD     16
#define BODY_TAIL     8
#define MAX_TRIES     64

#define PAYLOAD_MASK (2 * HTTPTRACE_PAYLOAD - 1)

/* One call that sends or receives. */
struct call {
	__u64 object;
	__u64 now;
	__u32 length;
	__u32 have; /* bytes from its beginning that are in data already */
	__u8 library;
	__u8 first;
	__u8 continues;
};

/* What copy_bytes() has still to do. */
struct copy {
	__u64 skip;
	__u32 at;
	__u32 size;
};

enum { COPY_MORE, COPY_DONE, COPY_FAILED };

struct workspace {
	struct connection connection; /* a copy while its bytes are told */
	struct call call;
	struct source source;
	__u8 registers[REGISTERS_MAX];
	struct copy copy;
	struct httptrace_data record;
	__u8 data[4 *
		  HTTPTRACE_PAYLOAD]; /* follows `record` on the wire; of which the first quarter and a bit is used */
};

/* Programs of one direction that may run on a CPU while another of them waits there for its turn: each has a workspace. */
enum { PROGRAM_FIRST = 0, PROGRAM_SECOND = 2, PROGRAM_THIRD = 4 };

/* Key: direction + program; what is called `direction` in functions that take it for their workspace is both. Nothing to
 * insert or delete. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 6);
	__type(key, __u32);
	__type(value, struct workspace);
} workspaces SEC(".maps");

static __always_inline struct workspace *workspace_of(__u32 direction)
{
	return bpf_map_lookup_elem(&workspaces, &direction);
}

#endif
