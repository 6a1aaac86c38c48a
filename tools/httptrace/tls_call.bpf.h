/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The state of the TLS programs: connections and calls that have not returned. */
#ifndef PLUMB_HTTPTRACE_TLS_CALL_H
#define PLUMB_HTTPTRACE_TLS_CALL_H

#include "bpf/filter.bpf.h"
#include "bpf/kernel.h"
#include "httptrace/search.bpf.h"
#include "httptrace/tls_wire.h"
#include "httptrace/wire.h"

const volatile struct tls_config config = {.snaplen = HTTPTRACE_SNAPLEN};

/* An SSL, a gnutls session or a tls.Conn, in the process that has it. */
struct object_key {
	__u64 object;
	__u32 pid;
	__u32 padding;
};

enum protocol {
	PROTOCOL_UNKNOWN, /* nothing that looks like HTTP so far: nothing is recorded */
	PROTOCOL_HTTP1,
	PROTOCOL_HTTP2,
};

struct connection {
	__u64 since_ns;
	__u64 sock;	     /* struct sock * when it was found; 0: not yet. Never read through after that */
	__u64 one_direction; /* bytes since the direction last turned */
	struct endpoints ends;
	__u32 netns;
	__u8 protocol;
	__u8 ignored; /* the filters leave it out */
	__u8 opened;  /* an OPEN was recorded */
	__u8 named;   /* and it had both ends */
	__u8 missed;  /* a record found no room since */
	__u8 seen;    /* directions that had data: bit 0 sent, bit 1 received */
	__u8 last;    /* direction of the last data */
	__u8 library;
};

/* Key: the object. Inserted at its first call, deleted when it is freed; processes that end without doing so leave
 * theirs, so that the least recently used go when it is full. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct object_key);
	__type(value, struct connection);
} connections SEC(".maps");

/* When a process first called a TLS library with probes on it. Key: its id. connection_of() inserts, again where what is
 * there is of a process before it; least recently used go. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, __u64);
} first_calls SEC(".maps");

/* A call: by thread and stack pointer, which is at a return instruction what it was at the entry; so calls may nest
 * (TLS within TLS). Goroutines change threads and stacks: theirs are by the goroutine's own address. */
struct call_key {
	__u64 owner; /* pid and tid; of Go, the address of the runtime.g */
	__u64 place; /* stack pointer; of Go, pid and direction */
};

struct call {
	__u64 object;
	__u64 buffer;
	union {
		__u64 size_at; /* where an _ex function puts the number of bytes */
		__u64 size;    /* of what Go writes */
	};
	__u64 time_ns;
	__u32 how;	/* of a C library: enum call_how, or-ed */
	__u32 recorded; /* its bytes were recorded as it began */
};

/* What a C function does, so that one program serves at the return instructions of all. */
enum call_how {
	CALL_SENDS = 1 << 0,
	CALL_SIZE_ELSEWHERE =
		1 << 1,	    /* returns whether it did it, and the number of bytes at size_at; else the number */
	CALL_WIDE = 1 << 2, /* returns ssize_t; else int */
	CALL_LIBRARY = 8,   /* shift: enum httptrace_library */
};

/* Inserted at entry, deleted at return. A return that is never reached (longjmp, exit within) leaves its entry to be
 * overwritten or to become the least recently used. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct call_key);
	__type(value, struct call);
} calls SEC(".maps");

/* The connection of an object; made known, and judged by the filters, when it is new. NULL: the map is full. */
static __noinline struct connection *connection_of(__u64 object, __u8 library)
{
	struct object_key key = {.object = object, .pid = bpf_get_current_pid_tgid() >> 32};
	struct connection *found = bpf_map_lookup_elem(&connections, &key);
	struct connection fresh = {};
	struct task_identity id = {};
	__u64 *since;

	if (found)
		return found;
	identify_current(&id);
	fresh.since_ns = bpf_ktime_get_boot_ns();
	fresh.library = library;
	fresh.ignored = !task_selected(&id);
	since = bpf_map_lookup_elem(&first_calls, &key.pid);
	if (!since || *since < id.start_ns)
		bpf_map_update_elem(&first_calls, &key.pid, &fresh.since_ns, BPF_ANY);
	if (bpf_map_update_elem(&connections, &key, &fresh, BPF_ANY))
		return 0;
	return bpf_map_lookup_elem(&connections, &key);
}

/* What the search of `who` found is the connection's. */
static __always_inline void end_search(__u64 who, struct connection *connection)
{
	struct running *running = bpf_map_lookup_elem(&searching, &who);

	if (!running)
		return;
	if (running->sock && !connection->sock) {
		connection->sock = running->sock;
		connection->ends = running->ends;
		connection->netns = running->netns;
	}
	stop_search(who);
}

#endif
