/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Where the heads of HTTP/1 messages end, in workspace.data. */
#ifndef PLUMB_HTTPTRACE_HEAD_BPF_H
#define PLUMB_HTTPTRACE_HEAD_BPF_H

#include "httptrace/look.bpf.h"

/* Bytes that are searched at once for the end of a head. */
#define BLOCK 64
#define EMPTY_LINE WORD('\r', '\n', '\r', '\n')

/* How far behind the fourth of seven bytes the "\r\n\r\n" among them ends; 0: there is none. */
static __always_inline int empty_line_in(__u64 bytes)
{
	if ((__u32)bytes == EMPTY_LINE)
		return 1;
	if ((__u32)(bytes >> 8) == EMPTY_LINE)
		return 2;
	if ((__u32)(bytes >> 16) == EMPTY_LINE)
		return 3;
	return (__u32)(bytes >> 24) == EMPTY_LINE ? 4 : 0;
}

/* What find_head_end() looks for, where it has one of data[at], data[at + 4], ... of BLOCK bytes among its bytes. */
__noinline int find_head_end_around(__u32 direction, __u32 at, __u32 size)
{
	struct workspace *ws = workspace_of(direction);

	if (!ws)
		return 0;
	for (__u32 k = 0; k < BLOCK / 4; k++) {
		__u32 i = at + 4 * k, end;

		if (i >= size + 3)
			break;
		if (ws->data[i & PAYLOAD_MASK] > '\r')
			continue;
		end = empty_line_in(*(const __u64 *)&ws->data[(i - 3) & PAYLOAD_MASK]);
		if (end)
			return i + end <= size ? i + end : 0;
	}
	return 0;
}

/* Where in data[from..size) a head ends: the offset behind its empty line, or 0. Any four bytes in a row have one at each
 * fourth place, and few bytes of a head are line ends. At most PIECE bytes. */
__noinline int find_head_end(__u32 direction, __u32 from, __u32 size)
{
	for (__u32 k = 0; k <= PIECE / BLOCK; k++) {
		__u32 at = from + 3 + BLOCK * k, end;

		if (at >= size + 3)
			break;
		end = find_head_end_around(direction, at, size);
		if (end)
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
		if ((direction & 1) != c->requester)
			return false;
		if (c->waiting)
			c->whole = 1;
		c->waiting = 1;
		return true;
	case LOOKS_LIKE_PREFACE:
		if ((direction & 1) != c->requester)
			return false;
		c->kind = KIND_HTTP2;
		return true;
	case LOOKS_LIKE_RESPONSE:
		if ((direction & 1) == c->requester)
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

#define ANOTHER_HEAD (1U << 16)

/* How many of data[0..size) belong to heads up to the end of the one that data[at] is in, or all; or-ed with ANOTHER_HEAD
 * when the next begins there. `matched`: bytes of its "\r\n\r\n" that came before data[0]. */
__noinline int head_from(__u32 direction, __u32 at, __u32 size, __u32 matched)
{
	struct workspace *ws = workspace_of(direction);
	__u32 dir = direction & 1, end;
	struct connection *c;

	if (!ws || size > HTTPTRACE_PAYLOAD)
		return 0;
	c = &ws->connection;
	end = rest_of_head_end(ws, size, matched);
	if (!end)
		end = find_head_end(direction, at, size);
	if (!end) { /* goes on beyond this */
		c->matched[dir] = matched_at_end(ws, size);
		return size;
	}
	c->head_left[dir] = 0;
	c->matched[dir] = 0;
	if (end + 12 > size || !message_begins(direction, end))
		return end;
	c->head_left[dir] = config.snaplen;
	return end | ANOTHER_HEAD;
}

/* How many of data[0..size) belong to heads, of messages that begin at 0 or before, one behind the other. Sets head_left:
 * not 0 while the last head goes on. */
__noinline int heads_in(__u32 direction, __u32 size)
{
	struct workspace *ws = workspace_of(direction);
	__u32 at = 0, matched;

	if (!ws)
		return 0;
	matched = ws->connection.matched[direction & 1];
	for (int i = 0; i < MAX_PIPELINED; i++) {
		__u32 end = head_from(direction, at, size, matched);

		if (!(end & ANOTHER_HEAD))
			return end;
		at = end & ~ANOTHER_HEAD;
		matched = 0;
	}
	return size;
}

#endif
