/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* dnsx: the packets that carry DNS, where they leave a socket's network namespace and where they come in, and the reads
 * of the sockets that wait for them. What belongs together is found out by the user side (lib/dns); the kernel side only
 * chooses packets by port, which is what it costs those that are none: a load or two for a packet of a connected socket,
 * one copy of its headers for any other. */
#include "bpf/kernel.h"
#include "bpf/kernel_skb.h"
#include "dnsx/wire.h"
#include "bpf/filter.bpf.h"
#include "bpf/ringbuf.bpf.h"
#include "dnsx/payload.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

enum {
	MSG_PEEK = 2,
	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	DNS_HEADER = 12,
	UDP_HEADER = 8,
	ICMP_HEADER = 8, /* the same for ICMPv6 (RFC 792, RFC 4443) */
	ICMP_UNREACHABLE = 3,
	ICMP_TOO_LARGE = 4,
	ICMPV6_UNREACHABLE = 1,
	DOT_PORT = 853,
	HTTPS_PORT = 443,
	STACK_SIZE = 16384, /* of a task, x86-64 */
	SOFTIRQ_RUNS = 0x100, /* include/linux/preempt.h: SOFTIRQ_OFFSET */
};

/* UDP sockets without a fixed peer that sent a query, so that a read of one is told. Key: address of the struct sock.
 * packet_sent inserts; nobody deletes, for it is an LRU; full: the one unused for longest is forgotten, and its next
 * read is not told. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u8);
} askers SEC(".maps");

/* With a single port, as mostly, the verifier removes all but the first comparison. */
static __always_inline bool is_port(__u16 port)
{
	if (port == config.ports[0])
		return true;
	if (config.port_count > 1) {
#pragma unroll
		for (int i = 1; i < DNSX_MAX_PORTS; i++) {
			if (i < config.port_count && port == config.ports[i])
				return true;
		}
	}
	return false;
}

/* Queries go to the port, answers come from it. */
static __always_inline bool ports_wanted(__u16 local, __u16 remote)
{
	return (config.client && is_port(remote)) || (config.server && is_port(local));
}

enum wanted {
	NOT_WANTED,
	BY_PORT,
	BY_ERROR, /* ICMP's, which may be about a query */
};

/* What came behind an IP header without options: an error that says that a packet did not reach its end? */
static __always_inline enum wanted error_wanted(const unsigned char *ip)
{
	if (!config.client)
		return NOT_WANTED;
	if (ip[0] == 0x45 && ip[9] == IPPROTO_ICMP)
		return ip[20] == ICMP_UNREACHABLE && ip[21] != ICMP_TOO_LARGE ? BY_ERROR : NOT_WANTED;
	if (ip[0] >> 4 == 6 && ip[6] == IPPROTO_ICMPV6)
		return ip[20] == ICMPV6_UNREACHABLE ? BY_ERROR : NOT_WANTED;
	return NOT_WANTED;
}

/* Whether a packet is to be looked at, by its ports: all that most packets pay for. */
static __always_inline enum wanted packet_wanted(const unsigned char *network, bool sent)
{
	unsigned char ip[24]; /* IPv4's header without options, and the ports behind it */
	__u16 source, destination;
	__u32 header;

	if (bpf_probe_read_kernel(ip, sizeof(ip), network))
		return NOT_WANTED;
	if (ip[0] != 0x45) {
		header = ip[0] >> 4 == 6 ? 40 : (ip[0] & 15) * 4;
		if (bpf_probe_read_kernel(ip + 20, 4, network + header))
			return NOT_WANTED;
	}
	source = ip[20] << 8 | ip[21];
	destination = ip[22] << 8 | ip[23];
	if (sent)
		return ports_wanted(source, destination) ? BY_PORT : NOT_WANTED;
	return ports_wanted(destination, source) ? BY_PORT : error_wanted(ip);
}

/* Addresses and protocol. *total: the packet's length as its header has it; 0: not said. The length of the network header;
 * 0: no whole packet, or none of IP. */
static __always_inline __u32 take_network_header(struct dnsx_packet *p, const unsigned char *ip, __u32 *total)
{
	__builtin_memset(p->src, 0, sizeof(p->src));
	__builtin_memset(p->dst, 0, sizeof(p->dst));
	if (ip[0] >> 4 == 4) {
		p->protocol = ip[9];
		if (((ip[6] & 0x1f) | ip[7]) != 0) /* a later fragment */
			return 0;
		*total = ip[2] << 8 | ip[3];
		p->family = AF_INET;
		__builtin_memcpy(p->src, ip + 12, 4);
		__builtin_memcpy(p->dst, ip + 16, 4);
		return (ip[0] & 15) * 4;
	}
	if (ip[0] >> 4 != 6)
		return 0;
	p->protocol = ip[6];
	*total = ip[4] << 8 | ip[5];
	if (*total)
		*total += 40;
	p->family = AF_INET6;
	__builtin_memcpy(p->src, ip + 8, 16);
	__builtin_memcpy(p->dst, ip + 24, 16);
	return 40;
}

/* Fills addresses, ports, protocol, TCP's fields of the record in the room, and where its payload is. `at`: offset of the
 * network header, which is at r->network, from skb->data; `length`: of the packet from there on. False: no DNS. A global
 * function, which the verifier walks once and not for each way that leads to it. */
__noinline int read_headers(__u32 at, __u32 length)
{
	__u32 zero = 0;
	struct record *r = bpf_map_lookup_elem(&room, &zero);
	unsigned char *ip, *transport;
	struct dnsx_packet *p;
	__u32 header, total = 0;
	void *network;

	if (!r)
		return false;
	network = (void *)r->network;
	p = &r->packet;
	ip = r->ip;
	transport = r->transport;
	if (bpf_probe_read_kernel(ip, sizeof(r->ip), network))
		return false;
	header = take_network_header(p, ip, &total);
	if (!header)
		return false;
	if (bpf_probe_read_kernel(transport, sizeof(r->transport), network + header))
		return false;
	p->src_port = transport[0] << 8 | transport[1];
	p->dst_port = transport[2] << 8 | transport[3];
	p->sequence = 0;
	p->tcp_flags = 0;
	/* A short frame is padded; a large segment has no total (0), or one that does not count all. */
	if (total && total < length)
		length = total;
	if (p->protocol == IPPROTO_UDP) {
		header += UDP_HEADER;
		p->length = (transport[4] << 8 | transport[5]) - UDP_HEADER;
		if (p->length < DNS_HEADER || p->length > 65535)
			return false;
	} else if (p->protocol == IPPROTO_TCP) {
		header += (transport[12] >> 4) * 4;
		p->sequence = (__u32)transport[4] << 24 | transport[5] << 16 | transport[6] << 8 | transport[7];
		p->tcp_flags = transport[13];
	} else {
		return false;
	}
	r->payload_at = at + header;
	r->left = length > header ? length - header : 0;
	if (p->protocol == IPPROTO_TCP) {
		p->length = r->left;
		return r->left || (p->tcp_flags & TCP_SYN);
	}
	if (r->left > p->length)
		r->left = p->length;
	return true;
}

/* The same for an ICMP error, of the query that it quotes: a UDP header at least. `whole`: of the query what there is. */
__noinline int read_error(__u32 at, __u32 length)
{
	__u32 zero = 0, outer = 40 + ICMP_HEADER;
	struct record *r = bpf_map_lookup_elem(&room, &zero);
	__u8 version = 0;

	if (!r || bpf_probe_read_kernel(&version, 1, (void *)r->network))
		return false;
	if (version >> 4 == 4)
		outer = (version & 15) * 4 + ICMP_HEADER;
	if (length < outer)
		return false;
	r->network += outer;
	/* A TCP connection that cannot be made is told by its own. */
	if (!read_headers(at + outer, length - outer) || r->packet.protocol != IPPROTO_UDP)
		return false;
	return ports_wanted(r->packet.src_port, r->packet.dst_port);
}

static __always_inline void submit(struct record *r, __u32 captured)
{
	if (captured > DNSX_MAX_PAYLOAD)
		captured = DNSX_MAX_PAYLOAD;
	r->packet.captured = captured;
	count_seen();
	if (bpf_ringbuf_output(&events, r, sizeof(r->packet) + captured, wake_up()))
		count_loss(LOSS_RINGBUF_FULL);
}

/* The payload, in as many records as it takes. */
static __always_inline void tell(struct record *r, struct sk_buff *skb, const enum payload_by by)
{
	struct bpf_dynptr view;

	r->packet.time_ns = bpf_ktime_get_boot_ns();
	if (!r->left) {
		submit(r, 0);
		return;
	}
	r->skb = (__u64)skb;
	if (by == BY_DYNPTR && view_packet(skb, &view))
		return;
	for (int i = 0; i < DNSX_MAX_RECORDS && r->left; i++) {
		/* Out of memory, and no more what the way here tells of it: so the verifier walks the rest once. */
		barrier();
		__u32 size = r->left > DNSX_MAX_PAYLOAD ? DNSX_MAX_PAYLOAD : r->left;
		__u32 captured = by == BY_DYNPTR ? read_view(&view, r->payload_at, r->payload, size)
						 : read_payload(r->payload_at, size);

		submit(r, captured);
		if (r->packet.protocol == IPPROTO_UDP)
			return;
		r->packet.sequence += size;
		if (r->packet.tcp_flags & TCP_SYN) {
			r->packet.sequence++;
			r->packet.tcp_flags &= ~TCP_SYN;
		}
		r->payload_at += size;
		r->left -= size;
	}
}

/* Whether `current` does what this program interrupts, and is not only the one that a softirq came upon: a packet may
 * wait for its neighbour's address, or for TCP's window, and then be sent in anybody's time. `scratch`: of a map or a record. */
static __always_inline bool in_task(volatile __u64 *scratch, void *context)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return false;
#if defined(__TARGET_ARCH_x86)
	/* A softirq has a stack of its own; a program's context lies on the stack in use. Through memory, since the
	 * verifier lets nobody reckon with the context itself. */
	*scratch = (__u64)context;
	return *scratch - (__u64)BPF_CORE_READ(task, stack) < STACK_SIZE;
#else
	return !(BPF_CORE_READ(task, thread_info.preempt_count) & SOFTIRQ_RUNS);
#endif
}

/* Fills in who sends. */
static __always_inline void take_sender(struct record *r, void *context)
{
	r->packet.has_task = 0;
	if (!in_task(&r->context, context))
		return;
	identify_current(&r->packet.task);
	r->packet.mount_ns =
		BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), nsproxy, mnt_ns, ns.inum);
	r->packet.has_task = 1;
}

/* Whether the filters take it, or the user side wants to know of what they do not. */
static __always_inline bool take_selection(struct record *r)
{
	r->packet.selected = netns_selected(r->packet.netns) && (!r->packet.has_task || task_selected(&r->packet.task));
	return r->packet.selected || config.everybody;
}

static __always_inline void remember_asker(const struct sock *sk)
{
	__u64 key = (__u64)sk;
	__u8 present = 1;

	if (!bpf_map_lookup_elem(&askers, &key))
		bpf_map_update_elem(&askers, &key, &present, BPF_ANY);
}

/* Pointers are read by a helper where a packet is DNS: for each that a program loads by itself the verifier looks
 * through the names of all of the kernel's types, a millisecond of the start (btf_nested_type_is_trusted()). */
static __always_inline int sent(void *context, struct sk_buff *skb, const enum payload_by by)
{
	const struct sock *sk = skb->sk;
	const unsigned char *network;
	struct record *r;
	struct net *net;
	__u32 zero = 0, at;
	__u16 remote;

	if (!sk) /* it is only forwarded */
		return 0;
	remote = bpf_ntohs(sk->__sk_common.skc_dport);
	if (remote && !ports_wanted(sk->__sk_common.skc_num, remote))
		return 0;
	network = skb->head + skb->network_header;
	if (packet_wanted(network, true) != BY_PORT)
		return 0;
	/* A request for a connection (SYN-ACK) is no full socket. */
	if (sk->__sk_common.skc_state == TCP_NEW_SYN_RECV)
		return 0;
	/* From another namespace through a pair of devices: it was seen there. */
	net = BPF_CORE_READ(skb, dev, nd_net.net);
	if (BPF_CORE_READ(sk, __sk_common.skc_net.net) != net)
		return 0;
	r = bpf_map_lookup_elem(&room, &zero);
	if (!r)
		return 0;
	r->network = (__u64)network;
	at = network - skb->data;
	if (!read_headers(at, skb->len - at))
		return 0;
	r->packet.netns = BPF_CORE_READ(net, ns.inum);
	take_sender(r, context);
	if (!take_selection(r))
		return 0;
	r->packet.kind = DNSX_SENT;
	r->packet.ifindex = BPF_CORE_READ(skb, dev, ifindex);
	r->packet.socket = (__u64)sk;
	if (!remote && r->packet.protocol == IPPROTO_UDP && is_port(r->packet.dst_port))
		remember_asker(sk);
	tell(r, skb, by);
	return 0;
}

static __always_inline int received(struct sk_buff *skb, const enum payload_by by)
{
	__u16 type = skb->protocol;
	struct net_device *dev;
	enum wanted wanted;
	struct record *r;
	__u32 zero = 0;
	__u32 at = 0;

	if (type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD))
		at = 4; /* a tag that the card left in place */
	else if (type != bpf_htons(ETH_P_IP) && type != bpf_htons(ETH_P_IPV6))
		return 0;
	wanted = packet_wanted(skb->data + at, false);
	if (wanted == NOT_WANTED)
		return 0;
	r = bpf_map_lookup_elem(&room, &zero);
	if (!r)
		return 0;
	r->network = (__u64)(skb->data + at);
	if (!(wanted == BY_PORT ? read_headers(at, skb->len - at) : read_error(at, skb->len - at)))
		return 0;
	dev = BPF_CORE_READ(skb, dev);
	r->packet.netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	r->packet.has_task = 0;
	if (!take_selection(r))
		return 0;
	r->packet.kind = wanted == BY_PORT ? DNSX_RECEIVED : DNSX_UNREACHABLE;
	r->packet.ifindex = BPF_CORE_READ(dev, ifindex);
	r->packet.socket = 0;
	tell(r, skb, by);
	return 0;
}

/* Hook: a socket changes its state. Context: to SYN_SENT the process that connects, which is `current`. Which address of the
 * HTTPS port is a resolver's, the user side knows. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(connect_started, const struct sock *sk, int oldstate, int newstate)
{
	struct task_identity task = {};
	struct dnsx_packet *p;
	__u16 port, family;
	__u32 netns;

	if (newstate != TCP_SYN_SENT || sk->sk_protocol != IPPROTO_TCP)
		return 0;
	port = bpf_ntohs(sk->__sk_common.skc_dport);
	if (port != DOT_PORT && port != HTTPS_PORT)
		return 0;
	identify_current(&task);
	netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (!netns_selected(netns) || !task_selected(&task))
		return 0;
	p = reserve_record(sizeof(*p));
	if (!p)
		return 0;
	__builtin_memset(p, 0, sizeof(*p));
	p->time_ns = bpf_ktime_get_boot_ns();
	p->socket = (__u64)sk;
	p->task = task;
	p->has_task = p->selected = 1;
	p->kind = DNSX_CONNECT;
	p->protocol = IPPROTO_TCP;
	p->netns = netns;
	family = sk->__sk_common.skc_family;
	p->family = family;
	p->dst_port = port;
	if (family == AF_INET) {
		__be32 from = sk->__sk_common.skc_rcv_saddr, to = sk->__sk_common.skc_daddr;

		__builtin_memcpy(p->src, &from, sizeof(from));
		__builtin_memcpy(p->dst, &to, sizeof(to));
	} else {
		BPF_CORE_READ_INTO(&p->src, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&p->dst, sk, __sk_common.skc_v6_daddr);
	}
	submit_record(p);
	return 0;
}

/* Hook: a packet is handed to a device's queue. Context: softirqs are off; mostly the sender, which is `current`, see
 * in_task(). */
SEC("tp_btf/net_dev_queue")
int BPF_PROG(packet_sent, struct sk_buff *skb)
{
	return sent(ctx, skb, BY_DYNPTR);
}

SEC("tp_btf/net_dev_queue")
int BPF_PROG(packet_sent_pages, struct sk_buff *skb)
{
	return sent(ctx, skb, BY_PAGES);
}

/* Which packet, and that `current` sent it: the last of a queue that other senders put packets into as well. */
static __always_inline bool is_senders(const struct neighbour *n, const struct sk_buff *skb)
{
	if (BPF_CORE_READ(n, arp_queue.qlen) == 1)
		return true;
	/* Another's that came in between was allocated on another CPU. */
	return bpf_core_field_exists(skb->alloc_cpu) &&
	       BPF_CORE_READ(skb, alloc_cpu) == bpf_get_smp_processor_id();
}

struct waiting {
	struct dnsx_packet packet;
	unsigned char payload[DNSX_MAX_WAITING];
};

/* Fills in what the headers and `current` say. False: it is not wanted, or no query. */
static __always_inline bool take_waiting(struct waiting *w, const unsigned char *ip, const unsigned char *udp,
					 const struct neighbour *n, const struct sk_buff *skb, void *context)
{
	struct dnsx_packet *p = &w->packet;
	struct task_identity task = {}; /* a key is looked up with a part of it, which older kernels want on the stack */
	__u32 total = 0;

	__builtin_memset(p, 0, sizeof(*p));
	if (!take_network_header(p, ip, &total))
		return false;
	p->src_port = udp[0] << 8 | udp[1];
	p->dst_port = udp[2] << 8 | udp[3];
	p->length = (udp[4] << 8 | udp[5]) - UDP_HEADER;
	p->netns = BPF_CORE_READ(n, dev, nd_net.net, ns.inum);
	p->ifindex = BPF_CORE_READ(n, dev, ifindex);
	if (is_senders(n, skb) && in_task((volatile __u64 *)&p->time_ns, context)) {
		identify_current(&task);
		p->task = task;
		p->mount_ns = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), nsproxy, mnt_ns, ns.inum);
		p->has_task = 1;
	}
	p->selected = netns_selected(p->netns) && (!p->has_task || task_selected(&task));
	p->kind = DNSX_WAITS;
	p->socket = (__u64)BPF_CORE_READ(skb, sk);
	p->time_ns = bpf_ktime_get_boot_ns();
	return p->selected || config.everybody;
}

/* Hook: a packet was given to a neighbour whose address is not known; `queued`: it waits for it, and where there is no such
 * neighbour it never comes to net_dev_queue. Only UDP: of TCP it would be the SYN. Context: the sender, which is `current`,
 * or a softirq; softirqs are on, so that the room for records is not to be used. */
SEC("tp_btf/neigh_event_send_done")
int BPF_PROG(packet_waits, struct neighbour *n, int queued)
{
	const unsigned char *network;
	unsigned char ip[40], udp[UDP_HEADER];
	struct sk_buff *skb;
	struct waiting *w;
	__u32 header, length;

	if (!config.client || !queued || !BPF_CORE_READ(n, arp_queue.qlen))
		return 0;
	skb = BPF_CORE_READ(n, arp_queue.prev);
	network = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);
	if (bpf_probe_read_kernel(ip, sizeof(ip), network))
		return 0;
	if ((ip[0] >> 4 == 6 ? ip[6] : ip[9]) != IPPROTO_UDP)
		return 0;
	header = ip[0] >> 4 == 6 ? 40 : (ip[0] & 15) * 4;
	if (bpf_probe_read_kernel(udp, sizeof(udp), network + header) || !is_port(udp[2] << 8 | udp[3]))
		return 0;
	/* Only forwarded, or with a payload in pages, as no query has it. */
	if (BPF_CORE_READ(skb, sk, __sk_common.skc_net.net) != BPF_CORE_READ(n, dev, nd_net.net) ||
	    BPF_CORE_READ(skb, data_len))
		return 0;
	length = (udp[4] << 8 | udp[5]) - UDP_HEADER;
	if (length < DNS_HEADER || length > DNSX_MAX_WAITING)
		return 0;
	w = reserve_record(sizeof(*w));
	if (!w)
		return 0;
	if (!take_waiting(w, ip, udp, n, skb, ctx)) {
		bpf_ringbuf_discard(w, 0);
		return 0;
	}
	w->packet.captured = bpf_probe_read_kernel(w->payload, length, network + header + UDP_HEADER) ? 0 : length;
	count_seen();
	submit_record(w);
	return 0;
}

/* Hook: a packet came in. Context: softirq, `current` means nothing. */
SEC("tp_btf/netif_receive_skb")
int BPF_PROG(packet_received, struct sk_buff *skb)
{
	return received(skb, BY_DYNPTR);
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(packet_received_pages, struct sk_buff *skb)
{
	return received(skb, BY_PAGES);
}

static __always_inline int was_read(const struct sock *sk, __u16 remote, __u8 protocol)
{
	struct task_identity task = {};
	struct dnsx_packet *p;
	__u64 key = (__u64)sk;
	bool selected;

	if (remote ? !is_port(remote) : protocol == IPPROTO_TCP || !bpf_map_lookup_elem(&askers, &key))
		return 0;
	identify_current(&task);
	selected = task_selected(&task);
	if (!selected && !config.everybody)
		return 0;
	p = reserve_record(sizeof(*p));
	if (!p)
		return 0;
	__builtin_memset(p, 0, sizeof(*p));
	p->time_ns = bpf_ktime_get_boot_ns();
	p->socket = key;
	p->task = task;
	p->has_task = 1;
	p->selected = selected;
	p->kind = DNSX_READ;
	p->protocol = protocol;
	submit_record(p);
	return 0;
}

/* Hook: a receive on any socket ended (Linux 6.3). Context: the receiver, which is `current`. */
SEC("tp_btf/sock_recv_length")
int BPF_PROG(socket_read, struct sock *sk, int ret, int flags)
{
	__u16 remote = bpf_ntohs(sk->__sk_common.skc_dport);
	__u16 protocol;

	if ((remote && !is_port(remote)) || ret <= 0 || (flags & MSG_PEEK))
		return 0;
	protocol = sk->sk_protocol;
	if (protocol != IPPROTO_UDP && protocol != IPPROTO_TCP)
		return 0;
	return was_read(sk, remote, protocol);
}

/* Hook: the end of a receive on a UDP socket; what it returned does not matter, since the user side takes the first one
 * after an answer came. Context: the receiver, which is `current`. */
SEC("fexit/udp_recvmsg")
int BPF_PROG(udp_v4_read, struct sock *sk)
{
	return was_read(sk, bpf_ntohs(sk->__sk_common.skc_dport), IPPROTO_UDP);
}

SEC("fexit/udpv6_recvmsg")
int BPF_PROG(udp_v6_read, struct sock *sk)
{
	return was_read(sk, bpf_ntohs(sk->__sk_common.skc_dport), IPPROTO_UDP);
}

SEC("fexit/tcp_recvmsg")
int BPF_PROG(tcp_read, struct sock *sk)
{
	return was_read(sk, bpf_ntohs(sk->__sk_common.skc_dport), IPPROTO_TCP);
}
