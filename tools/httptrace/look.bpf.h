/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Whether bytes are HTTP, by the first few of a call. */
#ifndef PLUMB_HTTPTRACE_LOOK_BPF_H
#define PLUMB_HTTPTRACE_LOOK_BPF_H

#include "httptrace/copy.bpf.h"

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

/* The header of a TLS record of application data (RFC 8446, section 5.1, and 5246). */
static __always_inline bool looks_like_tls_data(const __u8 *d)
{
	return d[0] == 0x17 && d[1] == 3 && d[2] <= 4 && d[3] <= 0x48;
}

/* Decides by data[0..size) what an unknown connection is: a kind, and whether this direction is the requester's. */
#define BY_REQUESTER (1U << 8)

__noinline int kind_of_bytes(__u32 direction, __u32 size, __u32 first)
{
	struct workspace *ws = workspace_of(direction);

	if (!ws)
		return KIND_UNKNOWN;
	switch (size >= 8 ? look_at(ws->data) : LOOKS_LIKE_NOTHING) {
	case LOOKS_LIKE_REQUEST:
		return KIND_HTTP1 | BY_REQUESTER;
	case LOOKS_LIKE_RESPONSE:
		return KIND_HTTP1;
	case LOOKS_LIKE_PREFACE:
		return KIND_HTTP2 | BY_REQUESTER;
	case LOOKS_LIKE_NOTHING:
		break;
	}
	/* The requester is right when it is the first frame; the user side finds out otherwise. */
	if (size >= 9 && looks_like_frame(ws->data, first))
		return KIND_HTTP2;
	if (size >= 3 && ws->data[0] == 0x16 && ws->data[1] == 3)
		return KIND_TLS | (first ? BY_REQUESTER : 0);
	if (size >= 5 && !first && looks_like_tls_data(ws->data))
		return KIND_TLS;
	/* What begins with something else is no HTTP; less than eight bytes may be the beginning of a method. */
	return first && size >= 8 ? KIND_FOREIGN : KIND_UNKNOWN;
}

/* What an unknown connection is by the first bytes of a call, behind those of earlier ones that did not tell. */
static __always_inline __u32 look_at_call(struct workspace *ws, struct connection *c, __u32 direction, __u32 length,
					  bool first)
{
	__u32 size = length < 16 ? length : 16, had = c->begun_size, found;

	if (had) {
		__builtin_memcpy(ws->data, c->begun, sizeof(c->begun));
		first = true;
	}
	if (copy_bytes(direction, 0, had, size))
		return KIND_UNKNOWN;
	size += had;
	found = kind_of_bytes(direction, size, first);
	if (found == KIND_UNKNOWN)
		c->begun_size = 0;
	if (found == KIND_UNKNOWN && first && size < DECISIVE) {
		__builtin_memcpy(c->begun, ws->data, sizeof(c->begun));
		c->begun_size = size;
	}
	return found;
}

/* What a client has sent before it gets anything but what belongs to the handshake: its hello, then what ends the
 * handshake, with which a request may travel. */
#define TLS_FLIGHTS 2

/* Whether the application data of a TLS connection begins with this call. TLS 1.3 gives the same look to the end of its
 * handshake: a server's is not taken for data by its client, a client's is by its server, a moment too early. */
__noinline int tls_data_begins(__u32 direction, __u32 length)
{
	struct workspace *ws = workspace_of(direction);

	if (!ws || length < 5 || copy_bytes(direction, 0, 0, 5))
		return false;
	return looks_like_tls_data(ws->data);
}

static __always_inline bool tls_carries_data(struct connection *c, __u32 direction, __u32 length)
{
	bool client = c->requester == HTTPTRACE_SENT, sent = (direction & 1) == HTTPTRACE_SENT;

	if (c->tries >= MAX_TRIES)
		return false;
	c->tries++;
	if (sent && c->flights < TLS_FLIGHTS)
		c->flights++;
	return (sent || !client || c->flights >= TLS_FLIGHTS) && tls_data_begins(direction, length);
}

/* Whether the connection's bytes are told. An unknown one is looked at when its direction turns, which is where messages
 * begin, and until the first bytes of a direction are enough. `first`: nothing went in this direction before. */
static __always_inline bool connection_wanted(struct workspace *ws, struct connection *c, __u32 direction, __u32 length,
					      bool first)
{
	__u32 dir = direction & 1, found;
	bool turned = c->last != dir + 1;

	if (c->kind >= KIND_HTTP1)
		return true;
	c->last = dir + 1;
	if (turned)
		c->begun_size = 0;
	if (c->kind != KIND_UNKNOWN || !(first || turned || c->begun_size))
		return false;
	found = look_at_call(ws, c, direction, length, first);
	if (found == KIND_UNKNOWN && ++c->tries > MAX_TRIES)
		found = KIND_FOREIGN;
	c->kind = found & ~BY_REQUESTER;
	c->requester = found & BY_REQUESTER ? dir : !dir;
	if (c->kind == KIND_TLS) {
		c->tries = 0;
		c->older = !(found & BY_REQUESTER);
		c->flights = c->older ? TLS_FLIGHTS : dir == HTTPTRACE_SENT;
	}
	return c->kind >= KIND_HTTP1;
}

#endif
