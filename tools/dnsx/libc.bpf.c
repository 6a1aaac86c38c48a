/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* dnsx --libc: which names applications ask their C library for, by uprobes at the entry and at every return instruction
 * of getaddrinfo, gethostbyname_r and gethostbyname2_r; in glibc and musl their like without _r call these.
 *
 * One thread has one call: those that a call makes itself are left out. It is known by the thread, and its return by the
 * stack pointer, which is at a return instruction what it was at the entry. A call that a thread left by a jump (siglongjmp(3)
 * out of a signal's handler) has no return; see under_way().
 *
 * The uprobes run in the context of the traced process, which is `current`. */
#include "bpf/kernel.h"
#include "dnsx/libc_wire.h"
#include "bpf/filter.bpf.h"
#include "bpf/held.bpf.h"
#include "bpf/ringbuf.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

const volatile struct libc_config config = {};

#if defined(__TARGET_ARCH_x86)
#define ARG1(r)	  ((r)->di)
#define ARG2(r)	  ((r)->si)
#define ARG3(r)	  ((r)->dx)
#define ARG4(r)	  ((r)->cx)
#define ARG5(r)	  ((r)->r8)
#define ARG6(r)	  ((r)->r9)
#define RESULT(r) ((r)->ax)
#define STACK(r)  ((r)->sp)
#define CALLER(r) caller_on_stack((r)->sp)
#elif defined(__TARGET_ARCH_arm64)
#define ARG1(r)	  ((r)->regs[0])
#define ARG2(r)	  ((r)->regs[1])
#define ARG3(r)	  ((r)->regs[2])
#define ARG4(r)	  ((r)->regs[3])
#define ARG5(r)	  ((r)->regs[4])
#define ARG6(r)	  ((r)->regs[5])
#define RESULT(r) ((r)->regs[0])
#define STACK(r)  ((r)->sp)
#define CALLER(r) ((r)->regs[30])
#endif

enum {
	ERANGE = 34,
	AI_NUMERICHOST = 4,
	MAX_STEPS = 64,	      /* of an answer's list, in which an address comes once for each socket type */
	DEEPEST = 512 * 1024, /* a call made by another one has its frame no further below */
	ADDRESS_OF_IN = 4,    /* offset of the address in struct sockaddr_in */
	ADDRESS_OF_IN6 = 8,
};
#define LONGEST_NS 60000000000ULL /* that a call is believed to be under way because of its place on the stack alone */

/* netdb.h of glibc and musl alike, on 64-bit machines. */
struct user_addrinfo {
	__s32 flags;
	__s32 family;
	__s32 socktype;
	__s32 protocol;
	__u32 length;
	__u32 padding;
	__u64 address;
	__u64 canonical_name;
	__u64 next;
};

struct user_hostent {
	__u64 name;
	__u64 aliases;
	__s32 family;
	__s32 length;
	__u64 addresses;
};

/* Another view of nsproxy: kernel.h knows only its mount namespace. */
struct nsproxy___net {
	struct net *net_ns;
} RELOCATED;

struct call {
	__u64 began_ns;
	__u64 stack;
	__u64 caller;	 /* where it returns to */
	__u64 result_at; /* where the answer's address is put */
	__u64 error_at;	 /* where h_errno is put */
	__u8 function;
	__u8 entry; /* enum entry */
	__u8 padding[6];
};

enum entry {
	GETADDRINFO,
	GETHOSTBYNAME,
	GETHOSTBYNAME2,
};

/* Key: pid and tid. Inserted at entry, deleted at return or as the thread ends; a call that was left by a jump is
 * overwritten by the thread's next one. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct call);
} calls SEC(".maps");

/* Where a call returns to: x86 has it on the stack, arm64 in a register that the callee may have saved anywhere. */
#if defined(__TARGET_ARCH_x86)
static __always_inline __u64 caller_on_stack(__u64 stack)
{
	__u64 caller = 0;

	bpf_probe_read_user(&caller, sizeof(caller), (const void *)stack);
	return caller;
}
#endif

/* Whether the thread is still in that call, from which another one at `stack`, called from `caller`, seems to come. One that was
 * left by a jump stands on the stack as long as nothing is written over it. But the program calls it from a place of its own,
 * and a C library does not call itself from there. */
static __always_inline bool under_way(const struct call *c, __u64 stack, __u64 caller)
{
	if (stack >= c->stack || c->stack - stack >= DEEPEST || caller == c->caller)
		return false;
#if defined(__TARGET_ARCH_x86)
	if (caller_on_stack(c->stack) != c->caller)
		return false;
#endif
	return bpf_ktime_get_boot_ns() - c->began_ns < LONGEST_NS;
}

/* Whether one function is the end of the other, by a jump, as gethostbyname2_r is of gethostbyname_r in musl. */
static __always_inline bool goes_on(const struct call *c, const struct call *fresh)
{
	return c->stack == fresh->stack && c->caller == fresh->caller && c->entry != fresh->entry;
}

static __always_inline int enter(struct pt_regs *regs, __u64 name, enum entry entry, __u16 family, __u64 result_at,
				 __u64 error_at)
{
	struct call fresh = {.stack = STACK(regs),
			     .caller = CALLER(regs),
			     .result_at = result_at,
			     .error_at = error_at,
			     .function = entry == GETADDRINFO ? LIBC_GETADDRINFO : LIBC_GETHOSTBYNAME,
			     .entry = entry};
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 thread = bpf_get_current_pid_tgid();
	struct call *kept = bpf_map_lookup_elem(&calls, &thread);
	struct task_identity id = {};
	struct libc_call *r;
	struct nsproxy___net *namespaces;
	__u32 netns;

	if (kept && (goes_on(kept, &fresh) || under_way(kept, fresh.stack, fresh.caller)))
		return 0;
	identify_current(&id);
	namespaces = (void *)BPF_CORE_READ(task, nsproxy);
	netns = BPF_CORE_READ(namespaces, net_ns, ns.inum);
	if (!netns_selected(netns) || !task_selected(&id))
		return 0;
	r = reserve_record(sizeof(*r));
	if (!r)
		return 0;
	__builtin_memset(r, 0, sizeof(*r));
	r->time_ns = fresh.began_ns = bpf_ktime_get_boot_ns();
	if (bpf_probe_read_user_str(r->name, sizeof(r->name), (const void *)name) < 2 ||
	    bpf_map_update_elem(&calls, &thread, &fresh, BPF_ANY)) {
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return 0;
	}
	r->task = id;
	r->netns = netns;
	r->family = family;
	r->record = LIBC_BEGIN;
	r->function = fresh.function;
	submit_record(r);
	return 0;
}

static __always_inline bool same_address(const struct libc_address *a, const struct libc_address *b)
{
	return a->family == b->family && a->words[0] == b->words[0] && a->words[1] == b->words[1] &&
	       a->words[2] == b->words[2] && a->words[3] == b->words[3];
}

static __always_inline void add_address(struct libc_call *r, __u16 family, __u64 at)
{
	__u32 n = r->count & (LIBC_MAX_ADDRESSES - 1);
	struct libc_address a = {.family = family};
	__u32 last = (n - 1) & (LIBC_MAX_ADDRESSES - 1);

	if (family == AF_INET ? bpf_probe_read_user(a.words, 4, (const void *)at)
			      : bpf_probe_read_user(a.words, 16, (const void *)at))
		return;
	if (r->count && same_address(&r->addresses[last], &a))
		return;
	r->addresses[n] = a;
	r->count++;
}

static __always_inline void take_addrinfo(struct libc_call *r, __u64 result_at)
{
	__u64 at = 0;

	bpf_probe_read_user(&at, sizeof(at), (const void *)result_at);
	for (int i = 0; i < MAX_STEPS && at && r->count < LIBC_MAX_ADDRESSES; i++) {
		struct user_addrinfo info;

		if (bpf_probe_read_user(&info, sizeof(info), (const void *)at))
			return;
		if (info.family == AF_INET)
			add_address(r, AF_INET, info.address + ADDRESS_OF_IN);
		else if (info.family == AF_INET6)
			add_address(r, AF_INET6, info.address + ADDRESS_OF_IN6);
		at = info.next;
	}
}

static __always_inline void take_hostent(struct libc_call *r, __u64 at)
{
	struct user_hostent host;

	if (bpf_probe_read_user(&host, sizeof(host), (const void *)at) ||
	    (host.family != AF_INET && host.family != AF_INET6))
		return;
	for (int i = 0; i < LIBC_MAX_ADDRESSES && r->count < LIBC_MAX_ADDRESSES; i++) {
		__u64 address = 0;

		if (bpf_probe_read_user(&address, sizeof(address), (const void *)(host.addresses + 8 * i)) || !address)
			return;
		add_address(r, host.family, address);
	}
}

#define UPROBE(name) SEC("uprobe") int name(struct pt_regs *regs)

/* int getaddrinfo(node, service, hints, result). Without a node, or for one that is an address, nothing is looked up. */
UPROBE(getaddrinfo_entry)
{
	struct {
		__s32 flags;
		__s32 family;
	} hints = {};

	if (ARG3(regs) && bpf_probe_read_user(&hints, sizeof(hints), (const void *)ARG3(regs)))
		return 0;
	if (!ARG1(regs) || (hints.flags & AI_NUMERICHOST))
		return 0;
	return enter(regs, ARG1(regs), GETADDRINFO, hints.family, ARG4(regs), 0);
}

/* int gethostbyname_r(name, entry, buffer, size, result, h_errno) */
UPROBE(gethostbyname_entry)
{
	return enter(regs, ARG1(regs), GETHOSTBYNAME, AF_INET, ARG5(regs), ARG6(regs));
}

/* int gethostbyname2_r(name, family, entry, buffer, size, result, h_errno) */
UPROBE(gethostbyname2_entry)
{
	__u64 error_at = 0;

#if defined(__TARGET_ARCH_x86)
	bpf_probe_read_user(&error_at, sizeof(error_at), (const void *)(STACK(regs) + 8));
#elif defined(__TARGET_ARCH_arm64)
	error_at = regs->regs[6];
#endif
	return enter(regs, ARG1(regs), GETHOSTBYNAME2, ARG2(regs), ARG6(regs), error_at);
}

static __always_inline void take_end(struct libc_call *r, __u64 thread, __u8 record)
{
	__builtin_memset(r, 0, sizeof(*r));
	r->time_ns = bpf_ktime_get_boot_ns();
	r->task.pid = thread >> 32;
	r->task.tid = (__u32)thread;
	r->record = record;
}

UPROBE(call_return)
{
	__u64 thread = bpf_get_current_pid_tgid(), host = 0;
	struct call *kept = bpf_map_lookup_elem(&calls, &thread);
	__s32 result = RESULT(regs);
	struct libc_call *r;
	struct call call;

	if (!kept || kept->stack != STACK(regs))
		return 0;
	call = *kept;
	bpf_map_delete_elem(&calls, &thread);
	r = reserve_record(sizeof(*r));
	if (!r)
		return 0;
	take_end(r, thread, LIBC_END);
	r->function = call.function;
	r->error = result;
	if (call.function == LIBC_GETHOSTBYNAME && result == ERANGE) {
		r->record = LIBC_AGAIN;
		submit_record(r);
		return 0;
	}
	if (call.function == LIBC_GETADDRINFO) {
		if (!result)
			take_addrinfo(r, call.result_at);
	} else {
		r->error = 0;
		bpf_probe_read_user(&host, sizeof(host), (const void *)call.result_at);
		if (host)
			take_hostent(r, host);
		else if (bpf_probe_read_user(&r->error, sizeof(r->error), (const void *)call.error_at) || !r->error)
			r->error = -1; /* NETDB_INTERNAL */
	}
	count_seen();
	submit_record(r);
	return 0;
}

/* Hook: a thread ends. Context: the thread itself. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(thread_ended)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct libc_call *r;

	if (bpf_map_delete_elem(&calls, &thread))
		return 0;
	r = reserve_record(sizeof(*r));
	if (!r)
		return 0;
	take_end(r, thread, LIBC_LEFT);
	count_seen();
	submit_record(r);
	return 0;
}

/* Tells the user side of a process that may need probes, and holds it until it has them. */
static __always_inline int tell_process(void)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct libc_process *r;

	if (filter.self_pid && pid == filter.self_pid)
		return 0;
	if (filter.by_pid && !bpf_map_lookup_elem(&filter_pids, &pid))
		return 0;
	r = reserve_record(sizeof(*r));
	if (!r)
		return 0;
	__builtin_memset(r, 0, sizeof(*r));
	r->pid = pid;
	r->held = config.hold && hold_current(pid);
	bpf_ringbuf_submit(r, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* Hook: a program was executed. Context: the process itself, before its first instruction. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(program_started)
{
	return tell_process();
}

/* Hook: _dl_debug_state of the dynamic linker, the place where debuggers learn of libraries: they are mapped, and none of
 * their code has run. */
UPROBE(libraries_mapped)
{
	return tell_process();
}
