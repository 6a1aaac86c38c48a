/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* drops: packets that the kernel throws away, sends again, or answers with a reset.
 *
 * All hooks run wherever the network stack does: in the sending process, in softirq on top of any process, in a kernel
 * thread. `current` is nobody in particular and never looked at: bpf/socket_owner.bpf.h knows the owners. */
#include "drops/drop_record.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Whether a tracepoint tells this here; constant once relocated, so that the verifier never sees what is off. */
#define TELLS(tracepoint, argument) bpf_core_field_exists(struct trace_event_raw_##tracepoint, argument)

/* Where the reason alone does not tell: the kind of packet says that it is no loss, and it is counted as none. */
static __always_inline bool look_is_benign(struct drops_seen *seen, const struct sk_buff *skb,
					   enum drops_treatment treatment)
{
	__u32 nature = seen->flow.protocol == IPPROTO_UDP ? nature_of_udp(&seen->flow, skb) : read_nature(skb);

	if (nature_is_benign(nature, seen->direction, seen->reason == config.queue_reason) ||
	    (treatment == TREAT_LOOK_ACK && nature_is_ack(nature))) {
		count_benign(seen->reason);
		count_for_counters(seen->reason, seen->place.netns);
		return true;
	}
	if (nature & NATURE_BARE)
		seen->known |= KNOWN_BARE;
	return false;
}

/* Hook: skb:kfree_skb, every packet that is freed without having been consumed. Arguments: packet, address of the
 * caller; since 5.17 the reason, since 6.11 the receiving socket. */
SEC("tp_btf/kfree_skb")
int on_kfree_skb(__u64 *ctx)
{
	struct sk_buff *skb = (struct sk_buff *)ctx[0];
	struct drops_seen seen = {.type = DROPS_DROP, .location = ctx[1], .skb = skb};
	enum drops_treatment treatment = TREAT_SHOW;
	bool arrives = false;
	struct sock *skb_sk = skb->sk; /* before the ways part, as in read_device() */
	const struct sock *rx_sk = 0;
	struct drops_event *e;

	clear_ports(&seen.flow);
	read_device(&seen.place, skb);

	if (TELLS(kfree_skb, reason)) {
		seen.reason = (__u32)ctx[2];
		seen.known = KNOWN_REASON;
		treatment = reason_treatment(seen.reason);
		arrives = reason_arrives(seen.reason);
		if (treatment == TREAT_IGNORE)
			return 0;
		if (treatment == TREAT_BENIGN && !filter.netns) {
			count_benign(seen.reason);
			return 0;
		}
	}
	if (TELLS(kfree_skb, rx_sk))
		rx_sk = (const struct sock *)ctx[3];
	if (rx_sk) { /* both without their type: see read_device() */
		bpf_probe_read_kernel(&seen.sk, sizeof(seen.sk), &ctx[3]);
		seen.owner_source = OWNER_RX_SK;
	} else if (skb_sk) {
		seen.sk = BPF_CORE_READ(skb, sk);
		seen.owner_source = OWNER_SKB_SK;
	}
	read_device_before(&seen.place, skb, seen.sk);
	if (!netns_selected(seen.place.netns))
		return 0;
	if (treatment == TREAT_BENIGN) {
		count_benign(seen.reason);
		return 0;
	}
	seen.direction = rx_sk || arrives ? DIRECTION_IN : read_direction(skb, &seen.place);
	if (flow_needed())
		read_flow(&seen.flow, skb);
	if ((treatment == TREAT_LOOK || treatment == TREAT_LOOK_ACK) && look_is_benign(&seen, skb, treatment))
		return 0;
	/* Before Linux 6.9 a fragment that waits has its offset where skb->sk is. */
	if (rx_sk)
		seen.owner = owner_entry((struct sock *)rx_sk);
	else if (is_kernel_pointer(skb_sk))
		seen.owner = owner_entry(skb_sk);
	e = tell(ctx, &seen);
	if (e)
		submit_record(e);
	return 0;
}

/* Namespace and flow of an event that belongs to a socket. */
static __always_inline void take_socket(struct drops_seen *seen, const struct sock *sk, bool out, bool with_flow)
{
	seen->sk = sk;
	seen->owner = owner_entry((struct sock *)sk);
	seen->owner_source = OWNER_SOCKET;
	seen->direction = out ? DIRECTION_OUT : DIRECTION_IN;
	seen->place.netns = socket_netns(sk);
	if (with_flow && flow_needed()) {
		struct endpoints ends;

		read_socket_ends(&ends, sk);
		flow_of_ends(&seen->flow, &ends, IPPROTO_TCP, out);
	}
}

static __always_inline enum drops_kind retransmit_kind(const struct sock *sk)
{
	const struct inet_connection_sock *icsk = (const struct inet_connection_sock *)sk;

	if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_SYN_SENT)
		return KIND_SYN;
	/* A probe that is waited for stays pending while an acknowledgement begins a recovery, so what the connection is in
	 * comes first; a new probe is never scheduled in either (tcp_schedule_loss_probe). */
	switch (BPF_CORE_READ_BITFIELD_PROBED(icsk, icsk_ca_state)) {
	case TCP_CA_Loss:
		return KIND_RTO;
	case TCP_CA_Recovery:
		return KIND_FAST;
	}
	/* tcp_write_timer_handler clears it before a timeout's work, tcp_send_loss_probe only after its own. */
	return BPF_CORE_READ(icsk, icsk_pending) == ICSK_TIME_LOSS_PROBE ? KIND_TLP : KIND_UNKNOWN;
}

/* Hook: tcp:tcp_retransmit_skb, a segment of a connection is sent again. */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_retransmit, const struct sock *sk, const struct sk_buff *skb)
{
	const struct tcp_sock___rtt *tp = (const struct tcp_sock___rtt *)sk;
	const struct inet_connection_sock *icsk = (const struct inet_connection_sock *)sk;
	struct drops_seen seen = {.type = DROPS_RETRANSMIT};
	struct drops_event *e;

	take_socket(&seen, sk, true, true);
	if (!netns_selected(seen.place.netns))
		return 0;
	seen.kind = retransmit_kind(sk);
	e = tell(ctx, &seen);
	if (!e)
		return 0;
	/* struct tcp_skb_cb begins with the sequence number; end_seq follows. */
	e->sequence = BPF_CORE_READ((const struct tcp_skb_cb *)&skb->cb, seq);
	e->length = BPF_CORE_READ(skb, len);
	e->srtt_us = BPF_CORE_READ(tp, srtt_us) >> 3;
	e->rttvar_us = BPF_CORE_READ(tp, rttvar_us);
	e->retransmits = BPF_CORE_READ(tp, total_retrans);
	e->backoff = BPF_CORE_READ(icsk, icsk_backoff);
	e->known |= KNOWN_SEQUENCE | KNOWN_RTT;
	submit_record(e);
	return 0;
}

/* Hook: tcp:tcp_retransmit_synack, a server answers the same SYN again. The socket is the listener; the connection has
 * none yet, only the request. */
SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(on_retransmit_synack, const struct sock *sk, const struct request_sock *req)
{
	struct drops_seen seen = {.type = DROPS_RETRANSMIT, .kind = KIND_SYN_ACK};
	const struct sock *half = (const struct sock *)req; /* begins with the same sock_common */
	struct endpoints ends;
	struct drops_event *e;

	take_socket(&seen, sk, true, true);
	if (!netns_selected(seen.place.netns))
		return 0;
	read_socket_ends(&ends, half);
	if (flow_needed())
		flow_of_ends(&seen.flow, &ends, IPPROTO_TCP, true);
	e = tell(ctx, &seen);
	if (!e)
		return 0;
	__builtin_memcpy(e->local_addr, ends.local_addr, sizeof(e->local_addr));
	__builtin_memcpy(e->remote_addr, ends.remote_addr, sizeof(e->remote_addr));
	e->local_port = ends.local_port;
	e->remote_port = ends.remote_port;
	e->family = ends.family;
	e->state = TCP_SYN_RECV;
	e->retransmits = BPF_CORE_READ(req, num_retrans);
	e->known |= KNOWN_ENDS | KNOWN_STATE;
	submit_record(e);
	return 0;
}

static __always_inline bool reset_reason_selected(__u32 reason)
{
	__u32 index = reason < DROPS_RESET_REASONS ? reason : 0;

	barrier_var(index);
	return config.reset_treatment[index & (DROPS_RESET_REASONS - 1)] == TREAT_SHOW;
}

/* Whether the addresses of a socket say both ends of the connection. */
static __always_inline bool is_connected(const struct sock *sk)
{
	return sk && BPF_CORE_READ(sk, __sk_common.skc_dport) != 0;
}

/* Hook: tcp:tcp_send_reset. Arguments: the socket (NULL where nobody listens; a listener, or a short-form socket, at
 * times), the packet that is answered (NULL or without headers when an application aborts), since 6.10 the reason. */
SEC("tp_btf/tcp_send_reset")
int on_send_reset(__u64 *ctx)
{
	const struct sock *sk = (const struct sock *)ctx[0];
	const struct sk_buff *skb = (const struct sk_buff *)ctx[1];
	struct drops_seen seen = {.type = DROPS_RESET, .kind = KIND_SENT};
	struct drops_event *e;
	bool by_packet; /* a listener has no other end */

	by_packet = skb && !is_connected(sk);
	clear_ports(&seen.flow);
	if (skb)
		read_device(&seen.place, skb);
	if (TELLS(tcp_send_reset, reason)) {
		seen.reason = (__u32)ctx[2];
		seen.known = KNOWN_REASON;
		if (!reset_reason_selected(seen.reason))
			return 0;
	} else if (config.only_reasons) {
		return 0;
	}
	if (skb)
		read_device_before(&seen.place, skb, sk);
	if (sk) {
		struct place place = seen.place;

		take_socket(&seen, sk, true, !by_packet);
		if (place.netns)
			seen.place.netns = place.netns;
	}
	seen.direction = DIRECTION_OUT;
	if (!netns_selected(seen.place.netns))
		return 0;
	if (by_packet) {
		seen.skb = skb;
		seen.swapped = 1;
		if (flow_needed()) {
			read_flow(&seen.flow, skb);
			swap_flow(&seen.flow);
		}
	}
	e = tell(ctx, &seen);
	if (!e)
		return 0;
	if (seen.swapped)
		e->known &= ~KNOWN_ENDS; /* a listener's: the packet says more */
	submit_record(e);
	return 0;
}

/* Hook: tcp:tcp_receive_reset, a valid reset ends a connection. */
SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(on_receive_reset, const struct sock *sk)
{
	struct drops_seen seen = {.type = DROPS_RESET, .kind = KIND_RECEIVED};
	struct drops_event *e;

	take_socket(&seen, sk, false, true);
	if (!netns_selected(seen.place.netns))
		return 0;
	e = tell(ctx, &seen);
	if (e)
		submit_record(e);
	return 0;
}
