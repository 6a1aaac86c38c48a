/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Which socket a TLS connection uses: the one that its thread or goroutine uses while a call of the library is under way.
 *
 * The TLS programs say who searches; the socket programs, which see each send and receive anyway, tell what was found.
 * They are two BPF objects that share the maps below: the user side gives the second object those of the first. */
#ifndef PLUMB_HTTPTRACE_SEARCH_BPF_H
#define PLUMB_HTTPTRACE_SEARCH_BPF_H

#include "bpf/kernel.h"
#include "bpf/socket.bpf.h"
#include "bpf/syscall.bpf.h"

struct running {
	__u64 object;
	__u64 sock; /* struct sock *, 0: not seen yet. Never read through */
	struct endpoints ends;
	__u32 netns;
	__u32 padding;
};

/* Threads (pid and tid) and goroutines (runtime.g ^ pid << 48) inside a call of a connection whose socket is not known
 * yet. Inserted at entry, deleted at return; a call that never returns leaves its entry to become the least recently
 * used. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct running);
} searching SEC(".maps");

/* Element 0: how many calls search. While none does, a send or receive costs a look at this. Nothing to insert. A call
 * that never returns stays counted, and then each send and receive costs a look into `searching`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} searchers SEC(".maps");

static __always_inline __u64 *searchers_count(void)
{
	__u32 first = 0;

	return bpf_map_lookup_elem(&searchers, &first);
}

static __always_inline __u64 goroutine_key(__u64 g, __u32 pid) { return g ^ ((__u64)pid << 48); }

static __always_inline void start_search(__u64 who, __u64 object)
{
	struct running running = {.object = object};
	__u64 *count = searchers_count();

	if (!count)
		return;
	if (!bpf_map_update_elem(&searching, &who, &running, BPF_NOEXIST))
		__sync_fetch_and_add(count, 1);
	else /* begun before and never returned */
		bpf_map_update_elem(&searching, &who, &running, BPF_ANY);
}

static __always_inline void stop_search(__u64 who)
{
	__u64 *count = searchers_count();

	if (!bpf_map_delete_elem(&searching, &who) && count)
		__sync_fetch_and_add(count, -1);
}

/* Traffic at a socket: is it that of a call that searches? `current` is the thread that sends or receives. `sk` is one
 * whose members may be read. */
static __always_inline void socket_used(struct sock *sk)
{
	__u64 who = bpf_get_current_pid_tgid(), *count = searchers_count();
	struct running *running;

	if (!count || !*count)
		return;
	running = bpf_map_lookup_elem(&searching, &who);
#if defined(__TARGET_ARCH_x86)
	/* Go's system calls leave r14, which holds the goroutine, alone (internal/runtime/syscall). The helper came with
	 * Linux 5.15; before, Go's connections have no addresses. */
	if (!running && bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs) &&
	    bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)) {
		struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());

		who = goroutine_key(BPF_CORE_READ(regs, r14), who >> 32);
		running = bpf_map_lookup_elem(&searching, &who);
	}
#endif
	if (!running || running->sock)
		return;
	read_endpoints(&running->ends, sk, true);
	running->netns = socket_netns(sk);
	running->sock = (__u64)sk;
}

#endif
