/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#include "filter.bpf.h"
#include "kernel.h"
#include "ringbuf.bpf.h"
#include "tcpconnect.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct conn {
	struct task_identity task;
	__u64 start_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct conn);
} conns SEC(".maps");

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_set_state, const struct sock *sk, int oldstate, int newstate)
{
	__u64 key = (__u64)sk;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (oldstate == TCP_CLOSE && newstate == TCP_SYN_SENT) {
		struct conn conn = {.start_ns = bpf_ktime_get_boot_ns()};

		identify_current(&conn.task);
		if (!task_selected(&conn.task) || !netns_selected(sk->__sk_common.skc_net.net->ns.inum))
			return 0;
		if (bpf_map_update_elem(&conns, &key, &conn, BPF_ANY))
			count_loss(LOSS_MAP_FULL);
		return 0;
	}
	if (oldstate == TCP_SYN_SENT) {
		struct conn *conn = bpf_map_lookup_elem(&conns, &key);
		struct tcpconnect_event *e;

		if (!conn)
			return 0;
		e = reserve_record(sizeof(*e));
		if (e) {
			__builtin_memset(e, 0, sizeof(*e));
			e->time_ns = bpf_ktime_get_boot_ns();
			e->latency_ns = e->time_ns - conn->start_ns;
			e->task = conn->task;
			e->netns = sk->__sk_common.skc_net.net->ns.inum;
			e->family = sk->__sk_common.skc_family;
			e->error = sk->sk_err;
			e->known = KNOWN_OWNER | KNOWN_LATENCY;
			e->role = ROLE_CLIENT;
			e->outcome = newstate == TCP_ESTABLISHED ? OUTCOME_ESTABLISHED : OUTCOME_ERROR;
			__builtin_memcpy(e->remote_addr, &sk->__sk_common.skc_daddr, 4);
			__builtin_memcpy(e->local_addr, &sk->__sk_common.skc_rcv_saddr, 4);
			e->remote_port = __builtin_bswap16(sk->__sk_common.skc_dport);
			e->local_port = sk->__sk_common.skc_num;
			submit_record(e);
			seen_events++;
		}
		bpf_map_delete_elem(&conns, &key);
	}
	return 0;
}
