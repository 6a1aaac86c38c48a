/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Who owns a socket, known in the kernel before anything happens to the socket's packets.
 *
 * What happens to a packet mostly happens in a softirq on top of somebody else, so `current` is nobody there, and a look
 * into the tables of /proc afterwards names whoever has the port or the pid by then. So the owner is written into the
 * socket's own storage whenever a process does something to it, in that process's context: made, bound, connected,
 * told to listen, accepted, and, where a tool asks for it, sent from or received from. The storage lives as long as the
 * socket: it survives the process, and no other socket at the same address ever sees it. Sockets older than the trace
 * get theirs from an iterator over all open files, once at start and again for what could not be seen (accepted where
 * the kernel refuses fentry, passed on by a process that is gone).
 *
 * The task filters are asked at the same moment and the answer is kept, so that a program at a packet knows without a
 * look-up whether the event is wanted, also of a process that is gone by then.
 *
 * A tool includes this once, adds socket_owner_hooks() to its hooks (lib/run/socket_owner.h), and asks owner_entry()
 * where it has a socket. */
#ifndef PLUMB_SOCKET_OWNER_BPF_H
#define PLUMB_SOCKET_OWNER_BPF_H

#include "bpf/filter.bpf.h"
#include "bpf/socket.bpf.h"
#include "bpf/socket_owner.h"

/* Whether tracing programs may use socket storage: Linux 5.11, which also brought bpf_sock_from_file(). Constant once
 * relocated. Else owners are kept by address, if there is a hook where sockets are freed. */
#define OWNERS_IN_STORAGE bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_sock_from_file)
const volatile __u8 owners_by_address = 0;

/* Inserted by the programs here, deleted by the kernel with the socket. Never full: each lies beside its socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct socket_owner);
} socket_owners SEC(".maps");

/* Linux before 5.11. Key: address of the struct sock. Inserted by the programs here; owner_gone deletes when the socket
 * is freed. Full: the owner is not known, and null. The user side makes it one entry where it is not used. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct socket_owner);
} socket_owners_by_address SEC(".maps");

/* A process, also when its pid is another one's by now. */
struct owner_process {
	__u64 start_ns;
	__u64 pid;
};

/* Processes that ended lately. Value: nothing. owner_exits inserts; an LRU, so that the oldest is forgotten: then a socket
 * that outlives its owner in another's hands is told as the dead one's. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct owner_process);
	__type(value, __u8);
} exited_owners SEC(".maps");

/* What the running search looks for. The user side inserts before the search and deletes after it. Full: the user side
 * waits with the rest. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct socket_wanted);
	__type(value, __u8);
} sockets_wanted SEC(".maps");

static const struct socket_owner no_socket_owner;

/* The entry of a socket, `sk` as the argument of a tracing program or what hangs on it; NULL: there is none. */
static __always_inline struct socket_owner *owner_entry(struct sock *sk)
{
	__u64 key = (__u64)sk;

	if (OWNERS_IN_STORAGE)
		return bpf_sk_storage_get(&socket_owners, sk, 0, 0);
	if (!owners_by_address)
		return 0;
	return bpf_map_lookup_elem(&socket_owners_by_address, &key);
}

static __always_inline struct socket_owner *owner_entry_or_new(struct sock *sk)
{
	struct socket_owner *entry;
	__u64 key = (__u64)sk;

	if (OWNERS_IN_STORAGE)
		return bpf_sk_storage_get(&socket_owners, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!owners_by_address)
		return 0;
	entry = bpf_map_lookup_elem(&socket_owners_by_address, &key);
	if (entry)
		return entry;
	bpf_map_update_elem(&socket_owners_by_address, &key, &no_socket_owner, BPF_NOEXIST);
	return bpf_map_lookup_elem(&socket_owners_by_address, &key);
}

/* Writers are processes with the socket in their hands, two at once at worst; what both write is true of one. */
static __always_inline void write_owner(struct socket_owner *entry, const struct task_identity *id, bool selected)
{
	__sync_fetch_and_add(&entry->version, 1);
	barrier();
	entry->task = *id;
	entry->selected = selected;
	barrier();
	__sync_fetch_and_add(&entry->version, 1);
}

/* The current task is the owner from now on. `anew`: the socket came to a place of its own right now. `in_cgroup`
 * (constant): a program of a cgroup, which lacks the helpers that tell the current task's and that type it. */
static __always_inline void current_owns(struct socket_owner *entry, bool anew, const bool in_cgroup)
{
	struct task_identity id = {};
	bool selected;

	if (!entry)
		return;
	if (in_cgroup) {
		struct task_struct *task = (struct task_struct *)bpf_get_current_task();

		if (!is_process(task, false))
			return;
		identify_task(&id, task);
		selected = other_task_selected(&id, task);
	} else {
		if (!current_is_process())
			return;
		identify_current(&id);
		selected = task_selected(&id);
	}
	write_owner(entry, &id, selected);
	if (anew || !entry->since_ns)
		entry->since_ns = bpf_ktime_get_boot_ns();
}

static __always_inline bool is_inet_family(__u32 family)
{
	return family == AF_INET || family == AF_INET6;
}

/* Hook: a TCP socket starts to connect or to listen. Context there: the process that does so, which is `current`. All
 * other changes, most of them in softirq, are left alone. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(owner_uses, struct sock *sk, int oldstate, int newstate)
{
	if (oldstate == TCP_CLOSE && (newstate == TCP_SYN_SENT || newstate == TCP_LISTEN))
		current_owns(owner_entry_or_new(sk), true, false);
	return 0;
}

/* Hook: a socket was made. Context: the process that makes it. */
SEC("fentry/security_socket_post_create")
int BPF_PROG(owner_creates, struct socket *socket, int family, int type, int protocol, int kern)
{
	struct sock *sk = socket->sk;

	if (sk && !kern && is_inet_family(family))
		current_owns(owner_entry_or_new(sk), true, false);
	return 0;
}

/* Hook: a socket is about to be bound. Context: the process that binds it. */
SEC("fentry/security_socket_bind")
int BPF_PROG(owner_binds, struct socket *socket, void *address, int length)
{
	struct sock *sk = socket->sk;

	if (sk && is_inet_family(sk->__sk_common.skc_family))
		current_owns(owner_entry_or_new(sk), true, false);
	return 0;
}

/* Programs of the root cgroup, for kernels that refuse fentry. All they do is look; 1 lets the call go on. The context is
 * the socket itself. */
static __always_inline int owner_in_cgroup(struct bpf_sock *sk)
{
	if (OWNERS_IN_STORAGE)
		current_owns(bpf_sk_storage_get(&socket_owners, sk, 0, BPF_SK_STORAGE_GET_F_CREATE), true, true);
	return 1;
}

/* Hook: a socket of AF_INET or AF_INET6 was made. Context: the process that makes it. */
SEC("cgroup/sock_create")
int owner_creates_in_cgroup(struct bpf_sock *sk)
{
	return owner_in_cgroup(sk);
}

/* Hook: a socket was bound to an IPv4 address. Context: the process that binds it. */
SEC("cgroup/post_bind4")
int owner_binds_v4(struct bpf_sock *sk)
{
	return owner_in_cgroup(sk);
}

/* Hook: the same, IPv6. */
SEC("cgroup/post_bind6")
int owner_binds_v6(struct bpf_sock *sk)
{
	return owner_in_cgroup(sk);
}

/* Hook: accept() gives a connection its socket. Context: the process that accepts. (Why not inet_csk_accept: a process
 * that waits in it when the trace starts has entered it already.) */
SEC("fentry/security_sock_graft")
int BPF_PROG(owner_accepts, struct sock *sk, struct socket *parent)
{
	if (sk && is_inet_family(sk->__sk_common.skc_family))
		current_owns(owner_entry_or_new(sk), true, false);
	return 0;
}

/* The current task sends or receives: the owner, unless it is that already. */
static __always_inline int owner_moves(struct sock *sk)
{
	struct socket_owner *entry;
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	if (!is_inet_family(sk->__sk_common.skc_family))
		return 0;
	entry = owner_entry_or_new(sk);
	if (entry && entry->task.pid != pid)
		current_owns(entry, false, false);
	return 0;
}

/* Hook: a send on any socket ended (Linux 6.3). Context: the sender. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(owner_sends, struct sock *sk, int ret, int flags)
{
	return owner_moves(sk);
}

/* Hook: a receive on any socket ended (Linux 6.3). Context: the receiver. */
SEC("tp_btf/sock_recv_length")
int BPF_PROG(owner_receives, struct sock *sk, int ret, int flags)
{
	return owner_moves(sk);
}

/* Hook: a task exits. Context: the task itself. The last thread of a process ends it; see follow_exit. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(owner_exits, struct task_struct *task)
{
	struct owner_process ended = {.pid = task->tgid};
	__u8 nothing = 0;

	ended.start_ns = BPF_CORE_READ(task, group_leader, start_boottime); /* see socket_netns() */
	if (BPF_CORE_READ(task, signal, live.counter) == 0)
		bpf_map_update_elem(&exited_owners, &ended, &nothing, BPF_ANY);
	return 0;
}

/* Hook: a socket is freed (Linux before 5.11 only). Context: any. */
SEC("fentry/inet_sock_destruct")
int BPF_PROG(owner_gone, struct sock *sk)
{
	__u64 key = (__u64)sk;

	bpf_map_delete_elem(&socket_owners_by_address, &key);
	return 0;
}

/* What is known of a socket's owner. */
enum owner_knowledge {
	OWNER_NOT_KNOWN, /* a search may tell, as long as the socket has a file */
	OWNER_KNOWN,
	OWNER_REJECTED,  /* known, and the task filters do not let it pass */
};

static __always_inline bool owner_has_exited(const struct task_identity *id)
{
	struct owner_process process = {.start_ns = id->start_ns, .pid = id->pid};

	return bpf_map_lookup_elem(&exited_owners, &process) != 0;
}

/* `entry` is that of `sk`, or NULL. A socket that outlived its owner and still has a file is in somebody else's hands. */
static __always_inline enum owner_knowledge owner_knowledge_of(const struct socket_owner *entry, const struct sock *sk)
{
	if (!entry || !entry->task.pid)
		return OWNER_NOT_KNOWN;
	if (!entry->selected)
		return OWNER_REJECTED;
	if (owner_has_exited(&entry->task) && sk && BPF_CORE_READ(sk, sk_socket))
		return OWNER_NOT_KNOWN;
	return OWNER_KNOWN;
}

/* False: another process becomes the owner at this very moment. */
static __always_inline bool copy_owner(struct task_identity *to, const struct socket_owner *entry)
{
	__u32 version = *(const volatile __u32 *)&entry->version;

	barrier();
	*to = entry->task;
	barrier();
	return !(version & 1) && version == *(const volatile __u32 *)&entry->version;
}

static __always_inline bool socket_is_wanted(const struct socket_found *found)
{
	struct socket_wanted by_inode = {.inode = found->inode};
	struct socket_wanted by_place = {
		.netns = found->netns, .port = found->local_port, .protocol = found->protocol};

	return bpf_map_lookup_elem(&sockets_wanted, &by_inode) || bpf_map_lookup_elem(&sockets_wanted, &by_place);
}

static __always_inline bool is_inet_socket(const struct sock *sk)
{
	return sk && is_inet_family(BPF_CORE_READ(sk, __sk_common.skc_family));
}

/* The entry of the socket that an open file is, and the socket; NULL: it is none of AF_INET or AF_INET6. */
static __always_inline struct socket_owner *owner_entry_of_file(struct file *file, struct sock **sk)
{
	struct socket *socket;

	if (OWNERS_IN_STORAGE) {
		struct sock *typed;

		socket = bpf_sock_from_file(file);
		if (!socket)
			return 0;
		typed = socket->sk;
		*sk = typed;
		return typed && is_inet_socket(typed) ? owner_entry_or_new(typed) : 0;
	}
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	*sk = socket ? BPF_CORE_READ(socket, sk) : 0;
	return is_inet_socket(*sk) ? owner_entry_or_new(*sk) : 0;
}

/* Hook: run by the user side for each descriptor of each task: once after the rest is attached, then for each search.
 * Context: plumb is `current`; the owner is ctx->task. A socket that has no owner gets this one; of several that share it
 * the first. Answers what is in sockets_wanted. */
SEC("iter/task_file")
int owner_search(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket_found found = {};
	struct socket_owner *entry;
	struct endpoints ends;
	struct sock *sk = 0;

	if (!task || !file)
		return 0;
	entry = owner_entry_of_file(file, &sk);
	if (!entry)
		return 0;
	identify_task(&found.task, task);
	found.selected = other_task_selected(&found.task, task);
	if (!entry->task.pid || owner_has_exited(&entry->task)) {
		write_owner(entry, &found.task, found.selected);
		if (!entry->since_ns)
			entry->since_ns = bpf_ktime_get_boot_ns();
	}
	found.is_owner = entry->task.pid == found.task.pid;
	found.since_ns = entry->since_ns;
	found.inode = BPF_CORE_READ(file, f_inode, i_ino);
	found.netns = socket_netns(sk);
	found.protocol = BPF_CORE_READ(sk, sk_protocol);
	found.state = BPF_CORE_READ(sk, __sk_common.skc_state);
	read_endpoints(&ends, sk, false);
	found.local_port = ends.local_port;
	if (!socket_is_wanted(&found))
		return 0;
	found.remote_port = ends.remote_port;
	found.family = ends.family;
	__builtin_memcpy(found.remote_addr, ends.remote_addr, sizeof(found.remote_addr));
	__builtin_memcpy(found.local_addr, ends.local_addr, sizeof(found.local_addr));
	bpf_seq_write(ctx->meta->seq, &found, sizeof(found));
	return 0;
}

#endif
