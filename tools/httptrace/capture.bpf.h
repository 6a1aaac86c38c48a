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
 * tell_bytes(). `workspace` is per CPU, direction and program; the caller fills its `source`. What loops is in global functions,
 * which the verifier walks once each and not for every way that leads to them; up to Linux 5.11 these take numbers only,
 * so that all else goes through the workspace. It walks each turn of a loop, so that a long one is two, one inside of the
 * other in a function of its own: sixteen and sixteen turns are walked, where 256 are run. */
#ifndef PLUMB_HTTPTRACE_CAPTURE_BPF_H
#define PLUMB_HTTPTRACE_CAPTURE_BPF_H

#include "httptrace/head.bpf.h"

static __always_inline long send_record(void *record, __u64 size)
{
	return bpf_ringbuf_output(&events, record, size, wake_up());
}

static __always_inline void fill_header(struct httptrace_header *h, const struct connection *c, __u64 object,
					__u8 record, __u8 library, __u64 now)
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
	record->header.direction = direction & 1;
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

__noinline int tell_whole_pieces(__u32 direction, __u32 from)
{
	for (int i = 0; i < PIECES_AT_ONCE; i++) {
		from = tell_whole_piece(direction, from);
		if (!from)
			break;
	}
	return from;
}

/* Captures whole: up to --snaplen of each call, of HTTP/2 up to HTTP2_CALL. */
static __always_inline void tell_whole(__u32 direction)
{
	__u32 from = 0;

	for (int i = 0; i <= HTTP2_CALL / HTTPTRACE_PAYLOAD / PIECES_AT_ONCE; i++) {
		from = tell_whole_pieces(direction, from);
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
	if (!n) { /* --snaplen; of what a client sends it may be a chunk that was taken for a head, whose end is wanted */
		if (dir == c->requester && left >= BODY_TAIL &&
		    !copy_bytes(direction, ws->call.length - BODY_TAIL, 0, BODY_TAIL))
			send_piece(direction, left, 0, BODY_TAIL, 0);
		else
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

/* Tells the first bytes of a message, those of earlier calls that did not tell what it is. */
__noinline int tell_begun(__u32 direction)
{
	struct workspace *ws = workspace_of(direction);
	__u32 dir = direction & 1, n;
	struct connection *c;

	if (!ws)
		return 0;
	c = &ws->connection;
	n = c->begun_size;
	c->begun_size = 0;
	ws->call.continues = 0;
	__builtin_memcpy(ws->data, c->begun, sizeof(c->begun));
	if (c->kind == KIND_HTTP1) {
		c->head_left[dir] = config.snaplen;
		c->matched[dir] = 0;
		c->waiting = dir == c->requester;
	}
	send_piece(direction, n, n, 0, 0);
	return 0;
}

/* Whether a call's only bytes, data[0..n) with n < DECISIVE, may begin a message of their direction, which goes on in the
 * next call. Bodies of a few bytes ("OK") must not: nothing would be captured of the message behind them as of one that
 * begins. */
static __always_inline bool may_begin(const struct workspace *ws, const struct connection *c, __u32 dir, __u32 n)
{
	const __u64 response = 0x2e312f50545448ULL; /* "HTTP/1." */

	if (dir == c->requester)
		return ws->data[0] >= 'A' && ws->data[0] <= 'Z';
	return !((*(const __u64 *)ws->data ^ response) & ((1ULL << (8 * n)) - 1));
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
		/* Of a response twelve are looked at. */
		if (!c->head_left[dir] && have >= (dir == c->requester ? DECISIVE : 12) &&
		    message_begins(direction, 0)) {
			c->head_left[dir] = config.snaplen;
			c->matched[dir] = 0;
		}
		/* Fewer bytes may begin one, which goes on in the next call. */
		if (!c->head_left[dir] && length < DECISIVE && may_begin(ws, c, dir, length)) {
			c->head_left[dir] = config.snaplen;
			c->matched[dir] = 0;
			c->waiting = dir == c->requester; /* as tell_begun() */
		}
	}
	if (c->kind == KIND_HTTP2 || c->whole)
		tell_whole(direction);
	else if (c->head_left[dir])
		tell_head(direction);
	else
		tell_body(ws, direction);
	return 0;
}

/* Tells that one or both directions ended. */
static __always_inline void tell_end(struct connection *c, __u64 object, __u8 library, __u8 end, __u32 error,
				     bool process)
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
