/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What is captured of a connection's bytes, wherever they were seen.
 *
 * The first bytes decide whether a connection is HTTP; others cost a look at their state from then on. Of HTTP/1 the
 * heads are captured, to their empty line and up to --snaplen; of bodies the first and the last few bytes of each call,
 * which hold a chunk's size and the empty last chunk, and small calls whole, for those are what streams (events,
 * websocket messages) are made of. Where more than one message may sit in a call (pipelining) or the protocol has
 * changed (101), and of HTTP/2, each call's bytes are captured up to --snaplen. The rest is counted.
 *
 * Whoever sees bytes calls, in this order: connection_wanted(), then tells the owner if `told` is not set, then
 * tell_bytes(). `workspace` is per CPU and direction; the caller fills its `source`. What loops is in global functions,
 * which the verifier walks once each and not for every way that leads to them; up to Linux 5.11 these take numbers only,
 * so that all else goes through the workspace. */
#ifndef PLUMB_HTTPTRACE_CAPTURE_BPF_H
#define PLUMB_HTTPTRACE_CAPTURE_BPF_H

#include "httptrace/wire.h"
#include "bpf/ringbuf.bpf.h"
#include "httptrace/source.bpf.h"

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

struct connection {
	__u64 since_ns; /* its key's second half; 0: nothing told yet */
	__u32 pid;      /* process that used it last */
	__u32 head_left[2]; /* by direction: what may still be captured of a head that did not end; 0: none is open */
	__u8 matched[2];    /* bytes of its "\r\n\r\n" at the end of what was seen */
	__u8 started[2];    /* something went in this direction */
	__u8 kind;
	__u8 requester; /* direction of the requests */
	__u8 told;      /* an OPEN record is out */
	__u8 missed;    /* a record found no room */
	__u8 whole;     /* capture calls whole */
	__u8 waiting;   /* requests since the last response */
	__u8 tries;     /* calls that did not tell what it is */
	__u8 last;      /* direction of the last call + 1 */
	__u8 ended;
	__u8 padding;
};

/* Messages in one call that are told apart; a call with more is captured from there on. */
#define MAX_PIPELINED 16
/* A head is captured in pieces of this size. */
#define PIECE 1024
#define SMALL_REST 256
/* So much of one call on an HTTP/2 connection: frames of many streams may sit in it. */
#define HTTP2_CALL (256 * 1024)
#define BODY_HEAD 16
#define BODY_TAIL 8
#define MAX_TRIES 64

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
	__u8 data[4 * HTTPTRACE_PAYLOAD]; /* follows `record` on the wire; of which the first quarter and a bit is used */
};

/* Key: direction. Nothing to insert or delete. Two, since a receive may interrupt nothing but be interrupted itself where
 * the hooks' context allows it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct workspace);
} workspaces SEC(".maps");

static __always_inline struct workspace *workspace_of(__u32 direction)
{
	return bpf_map_lookup_elem(&workspaces, &direction);
}

/* Copies what segment `i` of an array of buffers has of workspace.copy. Returns 0 when there is more to copy. */
__noinline int copy_segment(__u32 direction, __u32 i)
{
	struct workspace *ws = workspace_of(direction);
	struct user_iovec v = {};
	__u64 skip, n;

	if (!ws)
		return COPY_FAILED;
	if (ws->source.compat) {
		struct compat_iovec c;

		if (bpf_probe_read_user(&c, sizeof(c), (void *)(ws->source.iov + i * sizeof(c))))
			return COPY_FAILED;
		v.base = c.base;
		v.length = c.length;
	} else if (bpf_probe_read_user(&v, sizeof(v), (void *)(ws->source.iov + i * sizeof(v)))) {
		return COPY_FAILED;
	}
	skip = ws->copy.skip;
	if (skip >= v.length) {
		ws->copy.skip = skip - v.length;
		return COPY_MORE;
	}
	ws->copy.skip = 0;
	n = v.length - skip;
	if (n > ws->copy.size)
		n = ws->copy.size;
	n &= PAYLOAD_MASK;
	if (bpf_probe_read_user(&ws->data[ws->copy.at & PAYLOAD_MASK], n, (void *)(v.base + skip)))
		return COPY_FAILED;
	ws->copy.at += n;
	ws->copy.size -= n;
	return ws->copy.size ? COPY_MORE : COPY_DONE;
}

/* Copies `size` bytes, at most HTTPTRACE_PAYLOAD, from offset `from` of the call's bytes to data[at]. Returns not 0 when
 * they cannot be read. */
__noinline int copy_bytes(__u32 direction, __u32 from, __u32 at, __u32 size)
{
	struct workspace *ws = workspace_of(direction);
	int result = COPY_MORE;

	if (!ws || !size || size > HTTPTRACE_PAYLOAD)
		return COPY_FAILED;
	if (ws->source.base) {
		/* The masks change nothing; the verifier forgets the bounds of what it moves to the stack. */
		barrier_var(size);
		return bpf_probe_read_user(&ws->data[at & PAYLOAD_MASK], size & PAYLOAD_MASK,
					   (void *)(ws->source.base + from)) != 0;
	}
	if (!ws->source.iov)
		return COPY_FAILED;
	ws->copy.skip = from;
	ws->copy.at = at;
	ws->copy.size = size;
	for (__u32 i = 0; i < SOURCE_SEGMENTS && i < ws->source.segments && result == COPY_MORE; i++)
		result = copy_segment(direction, i);
	return result != COPY_DONE;
}

/* The end of the "\r\n\r\n" that has data[i] among its bytes, or 0. */
__noinline int head_ends_around(__u32 direction, __u32 i)
{
	struct workspace *ws = workspace_of(direction);

	if (!ws || i < 3)
		return 0;
	for (int k = 0; k < 4; k++) {
		__u32 at = (i - 3 + k) & PAYLOAD_MASK;
		const __u8 *d = &ws->data[at];

		if (d[0] == '\r' && d[1] == '\n' && d[2] == '\r' && d[3] == '\n')
			return at + 4;
	}
	return 0;
}

/* Where in data[from..size) a head ends: the offset behind its empty line, or 0. Any four bytes in a row have one at each
 * fourth place, and few bytes of a head are line ends. At most PIECE bytes. */
__noinline int find_head_end(__u32 direction, __u32 from, __u32 size)
{
	struct workspace *ws = workspace_of(direction);

	if (!ws)
		return 0;
	for (__u32 k = 0; k <= PIECE / 4; k++) {
		__u32 i = from + 3 + 4 * k, end;

		if (i >= size + 3)
			break;
		if (ws->data[i & PAYLOAD_MASK] > '\r')
			continue;
		end = head_ends_around(direction, i);
		if (end && end <= size && end >= from + 4)
			return end;
	}
	return 0;
}

/* The same where `matched` bytes of the "\r\n\r\n" came before data[0]. */
static __always_inline __u32 rest_of_head_end(const struct workspace *ws, __u32 size, __u32 matched)
{
	const __u8 *d = ws->data;

	if (matched == 3)
		return d[0] == '\n' ? 1 : 0;
	if (matched == 2)
		return size >= 2 && d[0] == '\r' && d[1] == '\n' ? 2 : 0;
	if (matched == 1)
		return size >= 3 && d[0] == '\n' && d[1] == '\r' && d[2] == '\n' ? 3 : 0;
	return 0;
}

/* How many bytes of "\r\n\r\n" are at the end of data[0..size). */
static __always_inline __u32 matched_at_end(const struct workspace *ws, __u32 size)
{
	const __u8 *last;

	if (size < 3)
		return 0;
	last = &ws->data[(size - 3) & PAYLOAD_MASK];
	if (last[2] == '\r')
		return last[1] == '\n' && last[0] == '\r' ? 3 : 1;
	return last[2] == '\n' && last[1] == '\r' ? 2 : 0;
}

enum look { LOOKS_LIKE_NOTHING, LOOKS_LIKE_REQUEST, LOOKS_LIKE_RESPONSE, LOOKS_LIKE_PREFACE };

#define WORD(a, b, c, d) ((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)

/* What data[at..at+8) begins. */
static __always_inline enum look look_at(const __u8 *d)
{
	__u32 first = d[0] | d[1] << 8 | d[2] << 16 | (__u32)d[3] << 24;

	switch (first) {
	case WORD('H', 'T', 'T', 'P'):
		return d[4] == '/' && d[5] == '1' && d[6] == '.' ? LOOKS_LIKE_RESPONSE : LOOKS_LIKE_NOTHING;
	case WORD('P', 'R', 'I', ' '):
		return d[4] == '*' ? LOOKS_LIKE_PREFACE : LOOKS_LIKE_NOTHING;
	case WORD('G', 'E', 'T', ' '):
	case WORD('P', 'U', 'T', ' '):
		return LOOKS_LIKE_REQUEST;
	case WORD('P', 'O', 'S', 'T'):
	case WORD('H', 'E', 'A', 'D'):
	case WORD('L', 'O', 'C', 'K'):
	case WORD('C', 'O', 'P', 'Y'):
	case WORD('M', 'O', 'V', 'E'):
		return d[4] == ' ' ? LOOKS_LIKE_REQUEST : LOOKS_LIKE_NOTHING;
	case WORD('P', 'A', 'T', 'C'):
	case WORD('T', 'R', 'A', 'C'):
	case WORD('M', 'K', 'C', 'O'):
	case WORD('P', 'U', 'R', 'G'):
		return d[5] == ' ' ? LOOKS_LIKE_REQUEST : LOOKS_LIKE_NOTHING;
	case WORD('D', 'E', 'L', 'E'):
	case WORD('U', 'N', 'L', 'O'):
	case WORD('R', 'E', 'P', 'O'):
	case WORD('S', 'E', 'A', 'R'):
		return d[6] == ' ' ? LOOKS_LIKE_REQUEST : LOOKS_LIKE_NOTHING;
	case WORD('O', 'P', 'T', 'I'):
	case WORD('C', 'O', 'N', 'N'):
		return d[7] == ' ' ? LOOKS_LIKE_REQUEST : LOOKS_LIKE_NOTHING;
	case WORD('P', 'R', 'O', 'P'):
		return d[4] == 'F' || d[4] == 'P' ? LOOKS_LIKE_REQUEST : LOOKS_LIKE_NOTHING;
	}
	return LOOKS_LIKE_NOTHING;
}

/* An HTTP/2 frame's header, as far as nine bytes tell. On a connection from its beginning only SETTINGS comes first; in
 * the middle only what begins or ends a message is taken, for few other protocols have these bytes. */
static __always_inline bool looks_like_frame(const __u8 *d, bool first)
{
	if (d[0] || d[1] > 0x40 || d[5] & 0x80)
		return false;
	if (first)
		return d[3] == 4 && !d[4] && !d[5] && !d[6] && !d[7] && !d[8] && d[2] % 6 == 0;
	/* HEADERS of a client's stream, with END_HEADERS and none but known flags */
	return d[3] == 1 && (d[4] & 4) && !(d[4] & ~0x2d) && !d[5] && (d[8] & 1);
}

/* Decides by data[0..8) what an unknown connection is. */
static __always_inline void classify(struct connection *c, const struct workspace *ws, __u32 direction, __u32 size,
				     bool first)
{
	switch (size >= 8 ? look_at(ws->data) : LOOKS_LIKE_NOTHING) {
	case LOOKS_LIKE_REQUEST:
		c->kind = KIND_HTTP1;
		c->requester = direction;
		return;
	case LOOKS_LIKE_RESPONSE:
		c->kind = KIND_HTTP1;
		c->requester = !direction;
		return;
	case LOOKS_LIKE_PREFACE:
		c->kind = KIND_HTTP2;
		c->requester = direction;
		return;
	case LOOKS_LIKE_NOTHING:
		break;
	}
	if (size >= 9 && looks_like_frame(ws->data, first)) {
		c->kind = KIND_HTTP2;
		c->requester = !direction; /* right when it is the first; the user side finds out otherwise */
		return;
	}
	if (size >= 3 && ws->data[0] == 0x16 && ws->data[1] == 3) {
		c->kind = KIND_TLS;
		return;
	}
	/* What begins with something else is no HTTP; less than eight bytes may be the beginning of a method. */
	if (first && size >= 8) {
		c->kind = KIND_FOREIGN;
		return;
	}
	if (c->tries < MAX_TRIES)
		c->tries++;
	else
		c->kind = KIND_FOREIGN;
}

/* Whether the connection's bytes are told. An unknown one is looked at when its direction turns, which is where messages
 * begin. `first`: nothing went in this direction before. */
static __always_inline bool connection_wanted(struct connection *c, struct workspace *ws, __u32 direction, __u32 length,
					      bool first)
{
	bool turned = c->last != direction + 1;

	if (c->kind >= KIND_HTTP1)
		return true;
	c->last = direction + 1;
	if (c->kind != KIND_UNKNOWN || !(first || turned))
		return false;
	if (copy_bytes(direction, 0, 0, length < 16 ? length : 16)) {
		if (c->tries < MAX_TRIES)
			c->tries++;
		else
			c->kind = KIND_FOREIGN;
		return false;
	}
	classify(c, ws, direction, length < 16 ? length : 16, first);
	return c->kind >= KIND_HTTP1;
}

static __always_inline long send_record(void *record, __u64 size)
{
	__u64 waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);

	return bpf_ringbuf_output(&events, record, size,
				  waiting >= ringbuf_wakeup_bytes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

static __always_inline void fill_header(struct httptrace_header *h, const struct connection *c, __u64 object, __u8 record,
					__u8 library, __u64 now)
{
	h->time_ns = now;
	h->connection.object = object;
	h->connection.since_ns = c->since_ns;
	h->tid = (__u32)bpf_get_current_pid_tgid();
	h->record = record;
	h->library = library;
	h->direction = 0;
	h->flags = 0;
}


/* Sends data[0..head+tail) for `length` bytes of the stream. */
__noinline int send_piece(__u32 direction, __u32 length, __u32 head, __u32 tail, __u32 flags)
{
	struct workspace *ws = workspace_of(direction);
	struct httptrace_data *record;
	struct connection *c;
	__u64 size = head + tail;

	if (!ws || head > HTTPTRACE_PAYLOAD || tail > BODY_TAIL)
		return 0;
	record = &ws->record;
	c = &ws->connection;
	fill_header(&record->header, c, ws->call.object, HTTPTRACE_DATA, ws->call.library, ws->call.now);
	record->header.direction = direction;
	record->header.flags = flags | (ws->call.first ? HTTPTRACE_FIRST : 0) |
			       (ws->call.continues ? HTTPTRACE_CONTINUES : 0) | (c->missed ? HTTPTRACE_MISSED : 0) |
			       (c->kind == KIND_HTTP2 ? HTTPTRACE_HTTP2 : 0);
	record->length = length;
	record->head = head;
	record->tail = tail;
	count_seen();
	barrier_var(size);
	if (size > HTTPTRACE_PAYLOAD + BODY_TAIL)
		return 0;
	if (send_record(record, sizeof(*record) + size)) {
		count_loss(LOSS_RINGBUF_FULL);
		c->missed = 1;
	} else {
		c->missed = 0;
	}
	ws->call.first = 0;
	ws->call.continues = 1;
	return 0;
}

/* Notes that a message begins with data[at..); returns whether one does. */
__noinline int message_begins(__u32 direction, __u32 at)
{
	struct workspace *ws = workspace_of(direction);
	struct connection *c;
	const __u8 *d;

	if (!ws)
		return false;
	c = &ws->connection;
	d = &ws->data[at & PAYLOAD_MASK];
	switch (look_at(d)) {
	case LOOKS_LIKE_REQUEST:
		if (direction != c->requester)
			return false;
		if (c->waiting)
			c->whole = 1;
		c->waiting = 1;
		return true;
	case LOOKS_LIKE_PREFACE:
		if (direction != c->requester)
			return false;
		c->kind = KIND_HTTP2;
		return true;
	case LOOKS_LIKE_RESPONSE:
		if (direction == c->requester)
			return false;
		c->waiting = 0;
		if (d[9] == '1' && d[10] == '0' && d[11] == '1')
			c->whole = 1;
		return true;
	case LOOKS_LIKE_NOTHING:
		break;
	}
	return false;
}

/* How many of data[0..size) belong to heads, of messages that begin at 0 or before, one behind the other. Sets head_left:
 * not 0 while the last head goes on. */
__noinline int heads_in(__u32 direction, __u32 size)
{
	struct workspace *ws = workspace_of(direction);
	__u32 dir = direction & 1, at = 0, matched;
	struct connection *c;

	if (!ws || size > HTTPTRACE_PAYLOAD)
		return 0;
	c = &ws->connection;
	matched = c->matched[dir];
	for (int i = 0; i < MAX_PIPELINED; i++) {
		__u32 end = i ? 0 : rest_of_head_end(ws, size, matched);

		if (!end)
			end = find_head_end(direction, at, size);
		if (!end) { /* goes on beyond this */
			c->matched[dir] = matched_at_end(ws, size);
			return size;
		}
		c->head_left[dir] = 0;
		c->matched[dir] = 0;
		at = end;
		if (at + 12 > size)
			return at;
		if (!message_begins(direction, at))
			return at;
		c->head_left[dir] = config.snaplen;
	}
	return size;
}

/* Sends the piece from offset `from` whole; returns where the next begins, or 0 when all has been told. */
__noinline int tell_whole_piece(__u32 direction, __u32 from)
{
	struct workspace *ws = workspace_of(direction);
	__u32 left, n;

	if (!ws || from >= ws->call.length)
		return 0;
	left = ws->call.length - from;
	if (from >= (ws->connection.kind == KIND_HTTP2 ? HTTP2_CALL : config.snaplen)) {
		send_piece(direction, left, 0, 0, 0);
		return 0;
	}
	n = left < HTTPTRACE_PAYLOAD ? left : HTTPTRACE_PAYLOAD;
	if (copy_bytes(direction, from, 0, n)) {
		send_piece(direction, left, 0, 0, HTTPTRACE_UNREADABLE);
		return 0;
	}
	send_piece(direction, n, n, 0, 0);
	return from + n;
}

/* Captures whole: up to --snaplen of each call, of HTTP/2 up to HTTP2_CALL. */
static __always_inline void tell_whole(struct workspace *ws, __u32 direction)
{
	__u32 from = 0;

	for (int i = 0; i <= HTTP2_CALL / HTTPTRACE_PAYLOAD; i++) {
		from = tell_whole_piece(direction, from);
		if (!from)
			break;
	}
}

/* A call inside of a body. */
static __always_inline void tell_body(struct workspace *ws, __u32 direction)
{
	__u32 length = ws->call.length, have = ws->call.have;

	if (length == have)
		send_piece(direction, length, length, 0, 0);
	else if (have < BODY_HEAD || copy_bytes(direction, length - BODY_TAIL, BODY_HEAD, BODY_TAIL))
		send_piece(direction, length, 0, 0, HTTPTRACE_UNREADABLE);
	else
		send_piece(direction, length, BODY_HEAD, BODY_TAIL, 0);
}

/* The head ended in data[0..n): sends it and what is wanted of the body's beginning, of `left` bytes of the call. */
static __always_inline void send_head_end(struct workspace *ws, __u32 direction, __u32 heads, __u32 n, __u32 left)
{
	__u32 rest = left - heads;

	/* Whole: as much as was copied; the user side sees a gap behind. */
	if (ws->connection.whole || ws->connection.kind == KIND_HTTP2 || (rest && rest <= SMALL_REST && left <= n))
		heads = n;
	rest = left - heads;
	if (rest >= BODY_TAIL && !copy_bytes(direction, ws->call.length - BODY_TAIL, heads, BODY_TAIL))
		send_piece(direction, left, heads, BODY_TAIL, 0);
	else
		send_piece(direction, left, heads, 0, 0);
}

/* Sends the piece from offset `from` of a call that begins with a head, or goes on with one. Returns where the next
 * begins, or 0 when all has been told. */
__noinline int tell_head_piece(__u32 direction, __u32 from)
{
	struct workspace *ws = workspace_of(direction);
	__u32 dir = direction & 1, left, n = PIECE, heads;
	struct connection *c;

	if (!ws || from >= ws->call.length)
		return 0;
	c = &ws->connection;
	left = ws->call.length - from;
	if (n > left)
		n = left;
	if (n > c->head_left[dir])
		n = c->head_left[dir];
	if (!n) { /* --snaplen */
		send_piece(direction, left, 0, 0, 0);
		return 0;
	}
	if (n > ws->call.have && copy_bytes(direction, from, 0, n)) {
		c->head_left[dir] = 0;
		send_piece(direction, left, 0, 0, HTTPTRACE_UNREADABLE);
		return 0;
	}
	ws->call.have = 0;
	heads = heads_in(direction, n);
	if (!c->head_left[dir]) {
		send_head_end(ws, direction, heads, n, left);
		return 0;
	}
	c->head_left[dir] -= n < c->head_left[dir] ? n : c->head_left[dir];
	send_piece(direction, n, n, 0, 0);
	return from + n;
}

static __always_inline void tell_head(__u32 direction)
{
	__u32 from = 0;

	for (int i = 0; i <= HTTPTRACE_SNAPLEN / PIECE; i++) {
		from = tell_head_piece(direction, from);
		if (!from)
			break;
	}
}

/* Tells the bytes of workspace.call, of workspace.connection, which lie at workspace.source. */
__noinline int tell_bytes(__u32 direction)
{
	struct workspace *ws = workspace_of(direction);
	__u32 dir = direction & 1, length;
	struct connection *c;

	if (!ws)
		return 0;
	c = &ws->connection;
	length = ws->call.length;
	ws->call.continues = 0;
	ws->call.have = 0;
	if (c->kind == KIND_HTTP1) {
		__u32 have = length <= PIECE ? length : BODY_HEAD;

		if (copy_bytes(direction, 0, 0, have)) {
			c->head_left[dir] = 0;
			send_piece(direction, length, 0, 0, HTTPTRACE_UNREADABLE);
			return 0;
		}
		ws->call.have = have;
		if (!c->head_left[dir] && have >= 12 && message_begins(direction, 0)) {
			c->head_left[dir] = config.snaplen;
			c->matched[dir] = 0;
		}
	}
	if (c->kind == KIND_HTTP2 || c->whole)
		tell_whole(ws, direction);
	else if (c->head_left[dir])
		tell_head(direction);
	else
		tell_body(ws, direction);
	return 0;
}

/* Tells that one or both directions ended. */
static __always_inline void tell_end(struct connection *c, __u64 object, __u8 library, __u8 end, __u32 error, bool process)
{
	struct httptrace_close *record;

	record = reserve_record(sizeof(*record));
	if (!record) {
		c->missed = 1;
		return;
	}
	fill_header(&record->header, c, object, HTTPTRACE_CLOSE, library, bpf_ktime_get_boot_ns());
	if (!process)
		record->header.tid = 0;
	if (c->missed)
		record->header.flags = HTTPTRACE_MISSED;
	record->error = error;
	record->end = end;
	__builtin_memset(record->padding, 0, sizeof(record->padding));
	submit_record(record);
}

#endif
