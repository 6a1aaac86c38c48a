/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What of a connection's plaintext is recorded: nothing until it looks like HTTP, then each call's bytes up to
 * config.snaplen, of HTTP/2 up to HTTP2_CALL, since a gap may hide the header of a frame; of what goes on in one direction for long in HTTP/1 (a large body) only each call's end. */
#ifndef PLUMB_HTTPTRACE_TLS_RECORD_H
#define PLUMB_HTTPTRACE_TLS_RECORD_H

#include "httptrace/tls_call.bpf.h"

#define BULK_BYTES (1 << 18) /* in one direction, before only the ends of calls are captured */
#define BULK_TAIL  1024

#define WORD(a, b, c, d) ((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)

/* Methods of RFC 9110, 5789 and 4918, and a response's first line, by four letters. */
static __always_inline bool starts_http1(__u32 word)
{
	switch (word) {
	case WORD('G', 'E', 'T', ' '):
	case WORD('P', 'O', 'S', 'T'):
	case WORD('P', 'U', 'T', ' '):
	case WORD('H', 'E', 'A', 'D'):
	case WORD('D', 'E', 'L', 'E'):
	case WORD('O', 'P', 'T', 'I'):
	case WORD('P', 'A', 'T', 'C'):
	case WORD('C', 'O', 'N', 'N'):
	case WORD('T', 'R', 'A', 'C'):
	case WORD('P', 'R', 'O', 'P'):
	case WORD('R', 'E', 'P', 'O'):
	case WORD('M', 'K', 'C', 'O'):
	case WORD('M', 'O', 'V', 'E'):
	case WORD('C', 'O', 'P', 'Y'):
	case WORD('H', 'T', 'T', 'P'):
		return true;
	}
	return false;
}

/* A frame header of HTTP/2 (RFC 9113, section 4.1), for connections that are older than the trace: a known type whose
 * length and stream are as that type demands. */
static __always_inline bool starts_http2_frame(const __u8 *b, __u32 n)
{
	__u32 length = (__u32)b[0] << 16 | (__u32)b[1] << 8 | b[2];
	__u32 stream = (__u32)b[5] << 24 | (__u32)b[6] << 16 | (__u32)b[7] << 8 | b[8];

	if (n < 9 || length > 16384 || stream >> 31)
		return false;
	switch (b[3]) {
	case 0: /* DATA */
		return stream && !(b[4] & ~0x09);
	case 1: /* HEADERS */
		return stream && length && !(b[4] & ~0x2d);
	case 3: /* RST_STREAM */
		return stream && length == 4 && !b[4];
	case 4: /* SETTINGS */
		return !stream && length % 6 == 0 && !(b[4] & ~1) && (!b[4] || !length);
	case 6: /* PING */
		return !stream && length == 8 && !(b[4] & ~1);
	case 8: /* WINDOW_UPDATE */
		return length == 4 && !b[4];
	}
	return false;
}

/* Global functions, which the verifier walks once and not for each way that leads to them; up to Linux 5.11 these take
 * numbers only. This one: what `n` bytes at `buffer` begin with, on a connection of a protocol that is `known` so far.
 * PROTOCOL_UNKNOWN: neither a message of HTTP/1 nor anything of HTTP/2. */
__noinline int protocol_in(__u64 buffer, __u64 n, __u32 known)
{
	__u8 b[12] = {};
	__u32 word;

	bpf_probe_read_user(b, n >= 12 ? 12 : 4, (const void *)buffer);
	word = WORD(b[0], b[1], b[2], b[3]);
	if (n >= 4 && known != PROTOCOL_HTTP2 && starts_http1(word))
		return PROTOCOL_HTTP1;
	if (known == PROTOCOL_UNKNOWN && ((n >= 4 && word == WORD('P', 'R', 'I', ' ')) || starts_http2_frame(b, n)))
		return PROTOCOL_HTTP2;
	return PROTOCOL_UNKNOWN;
}

static __always_inline void fill_header(struct httptrace_header *h, struct connection *c, __u64 object, __u64 time_ns)
{
	h->time_ns = time_ns;
	h->connection.object = object;
	h->connection.since_ns = c->since_ns;
	h->tid = (__u32)bpf_get_current_pid_tgid();
	h->library = c->library;
	h->direction = 0;
	h->flags = (c->missed ? HTTPTRACE_MISSED : 0) | (c->protocol == PROTOCOL_HTTP2 ? HTTPTRACE_HTTP2 : 0);
}

static __noinline int record_open(struct connection *c, __u64 object, __u64 time_ns)
{
	struct httptrace_open *r = reserve_record(sizeof(*r));

	if (!r) {
		c->missed = 1;
		return 0;
	}
	__builtin_memset(r, 0, sizeof(*r));
	fill_header(&r->header, c, object, time_ns);
	r->header.record = HTTPTRACE_OPEN;
	identify_current(&r->task);
	if (c->sock) {
		r->netns = c->netns;
		r->family = c->ends.family;
		r->local_port = c->ends.local_port;
		r->remote_port = c->ends.remote_port;
		__builtin_memcpy(r->local_addr, c->ends.local_addr, 16);
		__builtin_memcpy(r->remote_addr, c->ends.remote_addr, 16);
	}
	c->opened = 1;
	c->named = c->sock != 0;
	c->missed = 0;
	submit_record(r);
	return 0;
}

struct piece {
	__u64 object;
	__u64 time_ns;
	__u64 from;   /* address of what is captured */
	__u32 length; /* of the stream, that the record stands for */
	__u8 at_end;  /* what is captured is the piece's end, not its beginning */
	__u8 direction;
	__u8 flags;
};

static __always_inline void fill_data(struct httptrace_data *d, struct connection *c, const struct piece *p, __u32 n)
{
	if (n && bpf_probe_read_user(d + 1, n, (const void *)p->from)) {
		n = 0;
		d->header.flags = HTTPTRACE_UNREADABLE;
	} else {
		d->header.flags = 0;
	}
	{
		__u8 unreadable = d->header.flags;

		fill_header(&d->header, c, p->object, p->time_ns);
		d->header.flags |= unreadable | p->flags;
	}
	d->header.record = HTTPTRACE_DATA;
	d->header.direction = p->direction;
	d->length = p->length;
	d->head = p->at_end ? 0 : n;
	d->tail = p->at_end ? n : 0;
}

/* Room in the ring is reserved in three sizes, so that the verifier knows them. */
#define RECORD_UP_TO(most)                                                                                             \
	do {                                                                                                           \
		struct httptrace_data *d = reserve_record(sizeof(*d) + (most));                                        \
		if (!d)                                                                                                \
			goto full;                                                                                     \
		if (n > (most))                                                                                        \
			n = (most);                                                                                    \
		fill_data(d, c, p, n);                                                                                 \
		submit_record(d);                                                                                      \
	} while (0)

/* A record of `size` bytes of the stream in one of two directions (bit 0), of which those at `from` are captured: the
 * piece's beginning, or its end (bit 1); from bit 8 on enum httptrace_flags. */
#define PIECE_AT_END (1U << 1)
#define PIECE_FLAGS  8

__noinline int record_piece(__u64 object, __u64 time_ns, __u64 from, __u64 sizes, __u32 bits)
{
	struct object_key key = {.object = object, .pid = bpf_get_current_pid_tgid() >> 32};
	struct connection *c = bpf_map_lookup_elem(&connections, &key);
	struct piece piece = {.object = object, .time_ns = time_ns, .from = from, .length = (__u32)sizes}, *p = &piece;
	__u32 n = sizes >> 32;

	if (!c)
		return 0;
	piece.direction = bits & 1;
	piece.at_end = !!(bits & PIECE_AT_END);
	piece.flags = bits >> PIECE_FLAGS;
	asm volatile("" : "+r"(n));
	if (n <= 256)
		RECORD_UP_TO(256);
	else if (n <= 1024)
		RECORD_UP_TO(1024);
	else
		RECORD_UP_TO(HTTPTRACE_PAYLOAD);
	c->missed = 0;
	return 0;
full:
	c->missed = 1;
	return 0;
}

/* Records as many bytes at `buffer` as PIECES_AT_ONCE records hold; returns how many. `sizes`: those that are left, and from
 * bit 32 on how many of them are captured at most: the record that reaches this stands for all that are left. */
__noinline int record_pieces(__u64 object, __u64 time_ns, __u64 buffer, __u64 sizes, __u32 bits)
{
	__u32 left = sizes, most = sizes >> 32, done = 0;

	for (int i = 0; i < PIECES_AT_ONCE && left; i++) {
		__u32 captured = left < HTTPTRACE_PAYLOAD ? left : HTTPTRACE_PAYLOAD;
		__u32 length = most <= HTTPTRACE_PAYLOAD ? left : captured;

		record_piece(object, time_ns, buffer + done, (__u64)captured << 32 | length, bits);
		left -= length;
		done += length;
		most -= HTTPTRACE_PAYLOAD;
		bits = (bits & 1) | HTTPTRACE_CONTINUES << PIECE_FLAGS;
	}
	return done;
}

static __always_inline void record_from_beginning(__u64 object, __u64 time_ns, __u64 buffer, __u32 left, __u32 bits,
						  __u32 most)
{
	for (int i = 0; i < HTTP2_CALL / HTTPTRACE_PAYLOAD / PIECES_AT_ONCE && left; i++) {
		__u32 done = record_pieces(object, time_ns, buffer, (__u64)most << 32 | left, bits);

		if (done >= left)
			break;
		left -= done;
		most -= done;
		buffer += done;
		bits = (bits & 1) | HTTPTRACE_CONTINUES << PIECE_FLAGS;
	}
}

/* Where a program that only fills memory hands it to a socket is not known: where the program itself is has to do. */
static __always_inline __u32 netns_of_current(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
}

/* `n` bytes of plaintext at `buffer` went over an object's connection. Called when the call that sent or received them
 * ends, or, where all of a call's bytes go for sure, as it begins. */
__noinline int record_plaintext(__u64 object, __u64 time_ns, __u64 buffer, __u64 n, __u32 direction)
{
	struct object_key key = {.object = object, .pid = bpf_get_current_pid_tgid() >> 32};
	struct connection *c = bpf_map_lookup_elem(&connections, &key);
	__u32 bits = direction & 1, found;
	__u8 bit = 1 << bits;

	if (!c || n > 0x7fffffff || !n)
		return 0;
	if (c->last != bits)
		c->one_direction = 0;
	c->last = bits;
	found = protocol_in(buffer, n, c->protocol);
	if (found != PROTOCOL_UNKNOWN)
		c->protocol = found;
	if (found == PROTOCOL_HTTP1)
		c->one_direction = 0;
	if (!c->protocol)
		return 0;
	if (filter.netns && !netns_selected(c->sock ? c->netns : netns_of_current()))
		return 0;
	count_seen();
	if (!c->opened || (!c->named && c->sock))
		record_open(c, object, time_ns);
	bits |= (c->seen & bit ? 0 : HTTPTRACE_FIRST) << PIECE_FLAGS;
	c->seen |= bit;
	if (c->protocol == PROTOCOL_HTTP1 && c->one_direction > BULK_BYTES) {
		__u64 captured = n < BULK_TAIL ? n : BULK_TAIL;

		record_piece(object, time_ns, buffer + n - captured, captured << 32 | n, bits | PIECE_AT_END);
	} else {
		record_from_beginning(object, time_ns, buffer, n, bits,
				      c->protocol == PROTOCOL_HTTP2 ? HTTP2_CALL : config.snaplen);
	}
	c->one_direction += n;
	return 0;
}

static __noinline int record_close(struct connection *c, __u64 object, __u8 end)
{
	struct httptrace_close *r;

	if (!c->opened)
		return 0;
	r = reserve_record(sizeof(*r));
	if (!r) {
		c->missed = 1;
		return 0;
	}
	__builtin_memset(r, 0, sizeof(*r));
	fill_header(&r->header, c, object, bpf_ktime_get_boot_ns());
	r->header.record = HTTPTRACE_CLOSE;
	r->end = end;
	submit_record(r);
	return 0;
}

#endif
