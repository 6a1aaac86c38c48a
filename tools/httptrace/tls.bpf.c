/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* httptrace's TLS side: what programs hand to their TLS library and get from it, as plaintext, by uprobes at the entry
 * and at every return instruction of its functions (lib/target finds them, the attacher places them).
 *
 * A call is known by its thread and stack pointer from entry to return; of Go by its goroutine, which may go on on
 * another thread and another stack. The socket behind an object is the one that is used, by the same thread or
 * goroutine, while a call of it is under way. Where the library only fills memory (BIO pairs of python's asyncio and
 * of node) there is none, and the connection has no addresses.
 *
 * All programs named *_entry and *_return run in the context of the traced process, which is `current`. */
#include "httptrace/tls_record.bpf.h"
#include "bpf/held.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#if defined(__TARGET_ARCH_x86)
#define ARG1(regs)	  ((regs)->di)
#define ARG2(regs)	  ((regs)->si)
#define ARG3(regs)	  ((regs)->dx)
#define ARG4(regs)	  ((regs)->cx)
#define RESULT(regs)	  ((regs)->ax)
#define STACK(regs)	  ((regs)->sp)
/* internal/abi: integers and pointers in RAX, RBX, RCX, ...; the goroutine in R14. */
#define GO_RECEIVER(regs) ((regs)->ax)
#define GO_POINTER(regs)  ((regs)->bx)
#define GO_LENGTH(regs)	  ((regs)->cx)
#define GO_RESULT(regs)	  ((regs)->ax)
#define GO_ROUTINE(regs)  ((regs)->r14)
#elif defined(__TARGET_ARCH_arm64)
#define ARG1(r)	       ((r)->regs[0])
#define ARG2(r)	       ((r)->regs[1])
#define ARG3(r)	       ((r)->regs[2])
#define ARG4(r)	       ((r)->regs[3])
#define RESULT(r)      ((r)->regs[0])
#define STACK(r)       ((r)->sp)
#define GO_RECEIVER(r) ((r)->regs[0])
#define GO_POINTER(r)  ((r)->regs[1])
#define GO_LENGTH(r)   ((r)->regs[2])
#define GO_RESULT(r)   ((r)->regs[0])
#define GO_ROUTINE(r)  ((r)->regs[28])
#endif

/* A call of a C library begins. */
static __noinline int enter(__u64 place, __u64 object, __u64 buffer, __u64 size_at, __u32 how)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct call_key key = {.owner = thread, .place = place};
	struct call call = {.object = object, .buffer = buffer, .size_at = size_at, .how = how};
	struct connection *c = connection_of(object, how >> CALL_LIBRARY);

	if (!c || c->ignored)
		return 0;
	call.time_ns = bpf_ktime_get_boot_ns();
	if (bpf_map_update_elem(&calls, &key, &call, BPF_ANY)) {
		count_loss(LOSS_MAP_FULL);
		return 0;
	}
	if (!c->sock)
		start_search(thread, object);
	return 0;
}

/* It returns. */
static __always_inline int leave(struct pt_regs *regs)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct call_key key = {.owner = thread, .place = STACK(regs)};
	struct call *kept = bpf_map_lookup_elem(&calls, &key);
	struct object_key object = {.pid = thread >> 32};
	struct connection *c;
	struct call call;
	bool sends;
	__s64 n;

	if (!kept)
		return 0;
	call = *kept;
	bpf_map_delete_elem(&calls, &key);
	n = call.how & CALL_WIDE ? (__s64)RESULT(regs) : (__s32)RESULT(regs);
	if (call.how & CALL_SIZE_ELSEWHERE) {
		bool done = n == 1;

		n = done ? 0 : -1;
		if (done)
			bpf_probe_read_user(&n, sizeof(n), (const void *)call.size_at);
	}
	object.object = call.object;
	sends = call.how & CALL_SENDS;
	c = bpf_map_lookup_elem(&connections, &object);
	if (!c)
		return 0;
	if (!c->sock)
		end_search(thread, c);
	/* What is sent begins with the call, what is received is there when it ends. */
	if (n > 0)
		record_plaintext(call.object, sends ? call.time_ns : bpf_ktime_get_boot_ns(), call.buffer, n,
				 sends ? HTTPTRACE_SENT : HTTPTRACE_RECEIVED);
	else if (!n && !sends)
		record_close(c, call.object, END_RECEIVED);
	return 0;
}

/* An object is freed, or closed for good. */
static __noinline int forget(__u64 object)
{
	struct object_key key = {.object = object, .pid = bpf_get_current_pid_tgid() >> 32};
	struct connection *c = bpf_map_lookup_elem(&connections, &key);

	if (!c)
		return 0;
	record_close(c, object, END_CLOSED);
	bpf_map_delete_elem(&connections, &key);
	return 0;
}

#define UPROBE(name) SEC("uprobe") int name(struct pt_regs *regs)

#define ENTER(size_at, how, library)                                                                                   \
	return enter(STACK(regs), ARG1(regs), ARG2(regs), size_at, (how) | (library) << CALL_LIBRARY)

/* OpenSSL, and BoringSSL and LibreSSL with the same functions. */
UPROBE(ssl_read_entry) { ENTER(0, 0, LIBRARY_OPENSSL); }
UPROBE(ssl_write_entry) { ENTER(0, CALL_SENDS, LIBRARY_OPENSSL); }
UPROBE(ssl_read_ex_entry) { ENTER(ARG4(regs), CALL_SIZE_ELSEWHERE, LIBRARY_OPENSSL); }
UPROBE(ssl_write_ex_entry) { ENTER(ARG4(regs), CALL_SIZE_ELSEWHERE | CALL_SENDS, LIBRARY_OPENSSL); }

UPROBE(gnutls_recv_entry) { ENTER(0, CALL_WIDE, LIBRARY_GNUTLS); }
UPROBE(gnutls_send_entry) { ENTER(0, CALL_WIDE | CALL_SENDS, LIBRARY_GNUTLS); }

UPROBE(call_return) { return leave(regs); }

/* SSL_free, gnutls_deinit. */
UPROBE(object_freed) { return forget(ARG1(regs)); }
UPROBE(go_closed) { return forget(GO_RECEIVER(regs)); }

/* Go. A goroutine that needs a larger stack runs a function's first instruction twice: the second time overwrites. */
UPROBE(go_read_entry)
{
	__u64 pid = bpf_get_current_pid_tgid() >> 32;
	struct call_key key = {.owner = GO_ROUTINE(regs), .place = pid};
	struct call call = {.object = GO_RECEIVER(regs), .buffer = GO_POINTER(regs)};
	struct connection *c = connection_of(call.object, LIBRARY_GO);

	if (!c || c->ignored)
		return 0;
	if (bpf_map_update_elem(&calls, &key, &call, BPF_ANY)) {
		count_loss(LOSS_MAP_FULL);
		return 0;
	}
	if (!c->sock)
		start_search(goroutine_key(key.owner, pid), call.object);
	return 0;
}

UPROBE(go_read_return)
{
	__u64 pid = bpf_get_current_pid_tgid() >> 32;
	struct call_key key = {.owner = GO_ROUTINE(regs), .place = pid};
	struct call *call = bpf_map_lookup_elem(&calls, &key);
	struct object_key object = {.pid = pid};
	__s64 n = GO_RESULT(regs);
	struct connection *c;
	__u64 buffer;

	if (!call)
		return 0;
	object.object = call->object;
	buffer = call->buffer;
	bpf_map_delete_elem(&calls, &key);
	c = bpf_map_lookup_elem(&connections, &object);
	if (!c)
		return 0;
	if (!c->sock)
		end_search(goroutine_key(key.owner, pid), c);
	if (n > 0)
		record_plaintext(object.object, bpf_ktime_get_boot_ns(), buffer, n, HTTPTRACE_RECEIVED);
	return 0;
}

/* Write sends all or fails, and another goroutine may get the answer before it returns: recorded as it begins. But on a
 * connection whose socket is not known it is recorded as it returns, since the call finds the socket.
 *
 * The call is kept until it returns in either case: the same one beginning again is a goroutine that got a larger stack. */
UPROBE(go_write_entry)
{
	__u64 pid = bpf_get_current_pid_tgid() >> 32;
	struct call call = {.object = GO_RECEIVER(regs), .buffer = GO_POINTER(regs), .size = GO_LENGTH(regs)};
	struct connection *c = connection_of(call.object, LIBRARY_GO);
	struct call_key key = {.owner = GO_ROUTINE(regs), .place = pid | 1ULL << 32};
	struct call *begun;

	if (!c || c->ignored)
		return 0;
	begun = bpf_map_lookup_elem(&calls, &key);
	if (begun && begun->object == call.object && begun->buffer == call.buffer && begun->size == call.size)
		return 0;
	call.time_ns = bpf_ktime_get_boot_ns();
	call.recorded = c->sock != 0;
	if (bpf_map_update_elem(&calls, &key, &call, BPF_ANY))
		count_loss(LOSS_MAP_FULL);
	if (call.recorded)
		record_plaintext(call.object, call.time_ns, call.buffer, call.size, HTTPTRACE_SENT);
	else
		start_search(goroutine_key(key.owner, pid), call.object);
	return 0;
}

UPROBE(go_write_return)
{
	__u64 pid = bpf_get_current_pid_tgid() >> 32;
	struct call_key key = {.owner = GO_ROUTINE(regs), .place = pid | 1ULL << 32};
	struct call *call = bpf_map_lookup_elem(&calls, &key);
	struct object_key object = {.pid = pid};
	struct connection *c;
	__u64 buffer, size, time_ns;

	if (!call)
		return 0;
	object.object = call->object;
	time_ns = call->time_ns;
	buffer = call->buffer;
	size = call->recorded ? 0 : call->size;
	bpf_map_delete_elem(&calls, &key);
	if (!size)
		return 0;
	c = bpf_map_lookup_elem(&connections, &object);
	if (!c)
		return 0;
	if (!c->sock)
		end_search(goroutine_key(key.owner, pid), c);
	if ((__s64)GO_RESULT(regs) > 0)
		record_plaintext(object.object, time_ns, buffer, size, HTTPTRACE_SENT);
	return 0;
}

/* Tells the user side of a process that may need probes, and holds it until it has them. */
static __always_inline void tell_process(__u8 event)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct tls_process *r;

	if (filter.self_pid && pid == filter.self_pid)
		return;
	if (filter.by_pid && !bpf_map_lookup_elem(&filter_pids, &pid))
		return;
	r = reserve_record(sizeof(*r));
	if (!r)
		return;
	__builtin_memset(r, 0, sizeof(*r));
	r->time_ns = bpf_ktime_get_boot_ns();
	r->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	r->pid = pid;
	r->record = TLS_PROCESS;
	r->event = event;
	r->held = config.hold && hold_current(pid);
	bpf_ringbuf_submit(r, BPF_RB_FORCE_WAKEUP);
}

/* Hook: a program was executed. Context: the process itself, before its first instruction. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(program_started)
{
	tell_process(TLS_EXEC);
	return 0;
}

/* Hook: _dl_debug_state of the dynamic linker, the place where debuggers learn of libraries: they are mapped, and none of
 * their code has run. Context: the process itself. */
UPROBE(libraries_mapped)
{
	tell_process(TLS_LIBRARIES);
	return 0;
}
