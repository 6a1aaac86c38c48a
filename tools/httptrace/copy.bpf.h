/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Copying bytes of the call that workspace.source describes to workspace.data. */
#ifndef PLUMB_HTTPTRACE_COPY_BPF_H
#define PLUMB_HTTPTRACE_COPY_BPF_H

#include "httptrace/connection.bpf.h"

/* Finds where the bytes of the current task's system call lie. */
__noinline int find_source(__u32 direction)
{
	struct workspace *ws = workspace_of(direction);

	if (ws)
		source_of_current_call(&ws->source, ws->registers);
	return 0;
}

#define SEGMENTS_AT_ONCE 16

static __always_inline bool read_first_buffers(struct source *source)
{
	__u64 count = source->segments;

	if (count > SOURCE_KNOWN)
		count = SOURCE_KNOWN;
	if (!count || bpf_probe_read_user(source->buffers, count * sizeof(source->buffers[0]), (void *)source->iov))
		return false;
	source->known = count;
	return true;
}

/* Copies what segment `i` of an array of buffers has of workspace.copy. Returns whether there is more to copy. */
__noinline int copy_segment(__u32 direction, __u32 i)
{
	struct workspace *ws = workspace_of(direction);
	struct user_iovec v = {};
	__u64 skip, n;

	if (!ws || i >= ws->source.segments)
		return COPY_FAILED;
	if (ws->source.compat) {
		struct compat_iovec c;

		if (bpf_probe_read_user(&c, sizeof(c), (void *)(ws->source.iov + i * sizeof(c))))
			return COPY_FAILED;
		v.base = c.base;
		v.length = c.length;
	} else if (i < SOURCE_KNOWN) {
		if (!ws->source.known && !read_first_buffers(&ws->source))
			return COPY_FAILED;
		v = ws->source.buffers[i % SOURCE_KNOWN];
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

/* The same of SEGMENTS_AT_ONCE segments from `first` on. */
__noinline int copy_segments(__u32 direction, __u32 first)
{
	int result = COPY_MORE;

	for (__u32 i = 0; i < SEGMENTS_AT_ONCE && result == COPY_MORE; i++)
		result = copy_segment(direction, first + i);
	return result;
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
	for (__u32 i = 0; i < SOURCE_SEGMENTS / SEGMENTS_AT_ONCE && result == COPY_MORE; i++)
		result = copy_segments(direction, i * SEGMENTS_AT_ONCE);
	return result != COPY_DONE;
}

#endif
