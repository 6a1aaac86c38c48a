/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* drops: which events are wanted, and how they are told: as records, as aggregates when there are too many of them for
 * lines or only totals are asked for. Every event that a hook sees is one of: not wanted, benign (counted by reason),
 * a record, in an aggregate, or a loss. */
#ifndef PLUMB_DROPS_RECORD_BPF_H
#define PLUMB_DROPS_RECORD_BPF_H

#include "bpf/address_filter.bpf.h"
#include "drops/wire.h"
#include "drops/nature.bpf.h"
#include "drops/packet.bpf.h"
#include "bpf/filter.bpf.h"
#include "bpf/ringbuf.bpf.h"
#include "bpf/socket_owner.bpf.h"

const volatile struct drops_config config = {
	.lines = 1,
};

/* Drops that were counted and not told, by reason. Read by the user side through the memory-mapped .bss. */
__u64 benign_drops[DROPS_CORE_REASONS];

/* Packets that were counted as benign here and that the kernel's own counters count too. The programs insert and add, the
 * user side reads. Full: such a counter is told though it means nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct drops_benign_key);
	__type(value, __u64);
} benign_counted SEC(".maps");

/* Aggregates. The programs insert and add, the user side reads and deletes nothing, so that no count is lost between
 * reading and deleting. Full: what belongs to a new key is counted as lost. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct drops_key);
	__type(value, struct drops_total);
} totals SEC(".maps");

/* Aggregated stacks with their exact addresses as the key: bpf_get_stackid's table loses what collides. As `totals`;
 * the user side makes it large where stacks are asked for. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct drops_stack_key);
	__type(value, __u64);
} stack_totals SEC(".maps");

/* Room for keys that the stack of a program cannot hold. Each CPU's own. A drop in a hard interrupt on top of a run of
 * the same program (rare: the stack frees packets later, in softirq) is skipped and counted by newer kernels; on older
 * ones it may mix two stacks, never a count. */
struct scratch {
	struct drops_stack_key stack;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

/* Events went into `totals` because lines came too fast; the user side takes it back before it reads them. No count, which
 * the CPUs of a storm would take from one another. */
__u32 folded;

/* The rate of lines: how many were told in the current tick. Each network namespace has its own, so that a storm in one
 * does not take the lines of another; those that share a place share the rate. Two CPUs that start a tick at once may tell
 * a few more. */
struct {
	__u64 jiffies; /* when the clock was read last: reading it costs as much as all else here */
	__u64 tick;
	__u64 told;
	__u64 padding[5]; /* two namespaces share no cache line */
} rates[DROPS_RATES] __attribute__((aligned(64)));

/* What the hooks found of an event. */
struct drops_seen {
	const struct sk_buff *skb; /* NULL: none */
	const struct sock *sk;     /* NULL: none */
	const struct socket_owner *owner; /* of `sk`; NULL: none */
	__u64 location;
	__u32 reason;
	__u8 type;
	__u8 kind;
	__u8 direction;
	__u8 owner_source;
	__u8 known;
	__u8 stranger; /* the task filters do not let it pass; told to the user side only as a cause */
	__u8 swapped; /* the packet's addresses are those of the packet that provoked the event: turn them round */
	struct place place;
	struct flow flow;
};

static __always_inline enum drops_treatment other_reason_treatment(__u32 reason)
{
	if (!config.other_reasons)
		return TREAT_SHOW;
	for (__u32 i = 0; i < DROPS_MAX_OTHER_REASONS && i < config.other_reasons; i++) {
		if (config.other_reason[i] == reason)
			return config.other_exclude ? TREAT_IGNORE : TREAT_SHOW;
	}
	return config.other_exclude ? TREAT_SHOW : TREAT_IGNORE;
}

static __always_inline enum drops_treatment reason_treatment(__u32 reason)
{
	__u32 index = reason;

	if (reason >= DROPS_CORE_REASONS)
		return other_reason_treatment(reason);
	/* The verifier does not carry the bound over from another copy of the number; the compiler must not see that. */
	barrier_var(index);
	return config.treatment[index & (DROPS_CORE_REASONS - 1)];
}

static __always_inline bool reason_arrives(__u32 reason)
{
	__u32 index = reason;

	if (reason >= DROPS_CORE_REASONS)
		return false;
	barrier_var(index); /* as above */
	return config.arrives[index & (DROPS_CORE_REASONS - 1)];
}

static __always_inline void count_benign(__u32 reason)
{
	__u32 index = reason;

	barrier_var(index);
	__sync_fetch_and_add(&benign_drops[index & (DROPS_CORE_REASONS - 1)], 1); /* others are never benign */
}

/* For no route leads on, or the device's queue takes nothing yet, or another one has overtaken it. */
static __always_inline void count_for_counters(__u32 reason, __u32 netns)
{
	struct drops_benign_key key = {.netns = netns, .reason = reason};
	__u64 *count, none = 0;

	if (reason != config.no_route_reason && reason != config.queue_reason && reason != config.old_timestamp_reason)
		return;
	count = bpf_map_lookup_elem(&benign_counted, &key);
	if (!count) {
		bpf_map_update_elem(&benign_counted, &key, &none, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&benign_counted, &key);
	}
	if (count)
		__sync_fetch_and_add(count, 1);
}

static __always_inline bool ports_selected(const struct flow *flow)
{
	return !addresses.ports ||
	       ports_pass(flow->has_ports ? port_matches(flow->src_port) | port_matches(flow->dst_port) : 0);
}

static __always_inline bool hosts_selected(const struct flow *flow)
{
	return !addresses.hosts ||
	       hosts_pass(host_matches(flow->src, flow->family) | host_matches(flow->dst, flow->family));
}

static __always_inline bool protocol_selected(const struct flow *flow)
{
	for (__u32 i = 0; i < DROPS_MAX_PROTOCOLS && i < config.protocols; i++) {
		if (config.protocol[i] == flow->protocol)
			return true;
	}
	return !config.protocols;
}

static __always_inline bool dev_selected(const struct drops_seen *seen)
{
	char name[DROPS_DEV_NAME] = {};

	if (!config.devs)
		return true;
	read_device_name(name, &seen->place, seen->skb);
	for (__u32 i = 0; i < DROPS_MAX_DEVS && i < config.devs; i++) {
		bool same = true;

		for (int j = 0; j < DROPS_DEV_NAME; j++) {
			if (config.dev[i][j] != name[j]) {
				same = false;
				break;
			}
			if (!name[j])
				break;
		}
		if (same)
			return true;
	}
	return false;
}

static __always_inline bool flow_needed(void)
{
	return addresses.ports || addresses.hosts || config.protocols || config.summary;
}

static __always_inline bool seen_selected(const struct drops_seen *seen)
{
	if (!dev_selected(seen))
		return false;
	return !flow_needed() || (ports_selected(&seen->flow) && hosts_selected(&seen->flow) &&
				  protocol_selected(&seen->flow));
}

static __always_inline void add_to_totals(const struct drops_seen *seen, bool by_flow)
{
	struct drops_key key = {.type = seen->type, .known = seen->known & (KNOWN_REASON | KNOWN_BARE)};
	struct drops_total *total;
	__u32 length = seen->skb ? seen->skb->len : 0;

	key.reason = seen->type == DROPS_RETRANSMIT ? seen->kind : seen->reason;
	key.direction = seen->direction;
	key.location = seen->location;
	key.netns = seen->place.netns;
	key.ifindex = seen->place.ifindex;
	if (by_flow) {
		key.family = seen->flow.family;
		key.protocol = seen->flow.protocol;
		keep_service_port(&key, seen->flow.src_port, seen->flow.dst_port);
		__builtin_memcpy(key.src, seen->flow.src, sizeof(key.src));
		__builtin_memcpy(key.dst, seen->flow.dst, sizeof(key.dst));
	}
	total = bpf_map_lookup_elem(&totals, &key);
	if (!total) {
		struct drops_total first = {};

		read_device_name(first.dev, &seen->place, seen->skb);
		bpf_map_update_elem(&totals, &key, &first, BPF_NOEXIST); /* another CPU may have been first */
		total = bpf_map_lookup_elem(&totals, &key);
	}
	if (!total) {
		count_loss(LOSS_MAP_FULL);
		return;
	}
	__sync_fetch_and_add(&total->count, 1);
	/* Where clang knows it to be 0, it makes an atomic OR of the addition, which is Linux 5.12's. */
	barrier_var(length);
	__sync_fetch_and_add(&total->bytes, length);
}

static __always_inline void add_to_stacks(void *ctx, const struct drops_seen *seen)
{
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratch, &zero);
	__u64 *count, first = 1;

	if (!s)
		return;
	__builtin_memset(&s->stack, 0, sizeof(s->stack));
	s->stack.reason = seen->reason;
	s->stack.known = seen->known & (KNOWN_REASON | KNOWN_BARE);
	bpf_get_stack(ctx, s->stack.stack, sizeof(s->stack.stack), 0);
	count = bpf_map_lookup_elem(&stack_totals, &s->stack);
	if (!count) {
		if (!bpf_map_update_elem(&stack_totals, &s->stack, &first, BPF_NOEXIST))
			return;
		count = bpf_map_lookup_elem(&stack_totals, &s->stack);
		if (!count) {
			count_loss(LOSS_MAP_FULL);
			return;
		}
	}
	__sync_fetch_and_add(count, 1);
}

/* Whether another line is within the rate of its namespace. */
static __always_inline bool line_allowed(__u32 netns)
{
	__u32 place = netns;
	__u64 jiffies;

	if (!config.lines_per_tick)
		return true;
	barrier_var(place);
	place &= DROPS_RATES - 1;
	jiffies = bpf_jiffies64();
	if (rates[place].jiffies != jiffies) {
		__u64 tick = bpf_ktime_get_boot_ns() / 100000000;

		rates[place].jiffies = jiffies;
		if (rates[place].tick != tick) {
			rates[place].tick = tick;
			rates[place].told = 0;
		}
	}
	if (rates[place].told >= config.lines_per_tick)
		return false;
	__sync_fetch_and_add(&rates[place].told, 1);
	return true;
}

/* Not one of the short forms, of which only what is common to all may be read. */
static __always_inline bool is_full_socket(const struct sock *sk)
{
	__u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);

	return state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV;
}

static __always_inline void fill_socket(struct drops_event *e, const struct sock *sk)
{
	struct endpoints ends;

	e->socket_protocol = BPF_CORE_READ(sk, sk_protocol);
	e->socket_family = BPF_CORE_READ(sk, __sk_common.skc_family);
	e->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (e->state == TCP_TIME_WAIT || e->state == TCP_NEW_SYN_RECV)
		e->socket_protocol = IPPROTO_TCP; /* a short form of a socket: only what is common to both may be read */
	else
		e->inode = socket_inode(sk);
	if (e->socket_family != AF_INET && e->socket_family != AF_INET6)
		return;
	if (e->socket_protocol == IPPROTO_TCP)
		e->known |= KNOWN_STATE;
	read_socket_ends(&ends, sk);
	__builtin_memcpy(e->local_addr, ends.local_addr, sizeof(e->local_addr));
	__builtin_memcpy(e->remote_addr, ends.remote_addr, sizeof(e->remote_addr));
	e->local_port = ends.local_port;
	e->remote_port = ends.remote_port;
	e->family = ends.family;
	e->known |= KNOWN_ENDS;
}

static __always_inline void fill_header(struct drops_event *e, const struct sk_buff *skb)
{
	const unsigned char *start;
	__u32 size = network_header(skb, &start);

	e->length = skb->len;
	e->ethertype = bpf_ntohs(skb->protocol);
	if (size > DROPS_HEADER_BYTES)
		size = DROPS_HEADER_BYTES;
	if (size && !bpf_probe_read_kernel(e->header, size, start))
		e->header_size = size;
}

static __always_inline void fill_record(struct drops_event *e, const struct drops_seen *seen, __u64 now)
{
	__builtin_memset(e, 0, sizeof(*e));
	e->time_ns = now;
	e->location = seen->location;
	e->reason = seen->reason;
	e->netns = seen->place.netns;
	e->ifindex = seen->place.ifindex;
	e->type = seen->type;
	e->kind = seen->kind;
	e->direction = seen->direction;
	e->known = seen->known;
	read_device_name(e->dev, &seen->place, seen->skb);
	if (seen->skb)
		fill_header(e, seen->skb);
	if (seen->sk) {
		e->owner_source = seen->owner_source;
		fill_socket(e, seen->sk);
	}
	if (seen->stranger)
		e->known |= KNOWN_STRANGER;
	else if (seen->owner && owner_knowledge_of(seen->owner, seen->sk) == OWNER_KNOWN &&
		 copy_owner(&e->owner, seen->owner))
		e->known |= KNOWN_SOCKET_OWNER;
}

/* Reserves and fills a record of the kind in use; NULL: none, and the loss is counted. */
static __always_inline struct drops_event *make_record(void *ctx, const struct drops_seen *seen, __u64 now)
{
	struct drops_event *e;

	if (config.stack) {
		struct drops_stack_event *s = reserve_record(sizeof(*s));
		long bytes;

		if (!s)
			return 0;
		fill_record(&s->event, seen, now);
		bytes = bpf_get_stack(ctx, s->stack, sizeof(s->stack), 0);
		s->stack_bytes = bytes > 0 ? bytes : 0;
		s->padding = 0;
		return &s->event;
	}
	e = reserve_record(sizeof(*e));
	if (e)
		fill_record(e, seen, now);
	return e;
}

/* Whether the task filters let the event pass, or the user side has to say: by a search for the owner of a socket that
 * has a file, or of the one that a received packet is for. */
static __always_inline bool owner_selected(const struct drops_seen *seen)
{
	switch (owner_knowledge_of(seen->owner, seen->sk)) {
	case OWNER_KNOWN:
		return true;
	case OWNER_REJECTED:
		return false;
	case OWNER_NOT_KNOWN:
		break;
	}
	if (!owner_required())
		return true;
	return seen->sk ? is_full_socket(seen->sk) && socket_inode(seen->sk) : seen->direction == DIRECTION_IN;
}

/* Everything from the decision on; `extra` writes what only some types have. */
static __always_inline struct drops_event *tell(void *ctx, struct drops_seen *seen)
{
	if (!seen_selected(seen))
		return 0;
	if (!owner_selected(seen)) {
		if (!config.causes || seen->type != DROPS_DROP)
			return 0;
		seen->stranger = 1;
	}
	count_seen();
	if (config.stack_totals) {
		add_to_stacks(ctx, seen);
		return 0;
	}
	if (config.summary) {
		add_to_totals(seen, true);
		return 0;
	}
	if (!line_allowed(seen->place.netns)) {
		if (!folded)
			folded = 1;
		add_to_totals(seen, false);
		return 0;
	}
	return make_record(ctx, seen, bpf_ktime_get_boot_ns());
}

#endif
