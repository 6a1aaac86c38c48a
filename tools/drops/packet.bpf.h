/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* drops: what the kernel side must know of a packet: its device and namespace, which way it went, and, only where a
 * filter or a grouping asks, its addresses. All else about headers is read on the user side from a copy of them. */
#ifndef PLUMB_DROPS_PACKET_BPF_H
#define PLUMB_DROPS_PACKET_BPF_H

#include "drops/wire.h"
#include "bpf/kernel.h"
#include "bpf/kernel_skb.h"
#include "bpf/socket.bpf.h"

/* The first two words of an address space that the kernel itself lives in: everything else is no pointer. */
static __always_inline bool is_kernel_pointer(const void *p)
{
	return (__s64)p < 0 && (__s64)p > -(1L << 57);
}

/* The device of a namespace with this index: a walk along one bucket of the kernel's own table. */
static __always_inline struct net_device *device_by_index(struct net *net, int ifindex)
{
	struct net___devices *devices = (struct net___devices *)net;
	struct hlist_head *heads = BPF_CORE_READ(devices, dev_index_head);
	struct hlist_node *node;

	if (!heads)
		return 0;
	heads += ifindex & (NETDEV_HASHENTRIES - 1);
	node = BPF_CORE_READ(heads, first);
	for (int i = 0; i < 8 && node; i++) {
		struct net_device *dev = (void *)node - bpf_core_field_offset(struct net_device, index_hlist);

		if (BPF_CORE_READ(dev, ifindex) == ifindex)
			return dev;
		node = BPF_CORE_READ(node, next);
	}
	return 0;
}

struct place {
	__u32 netns;   /* 0: not known */
	__u32 ifindex; /* 0: not known */
	const struct net_device *dev; /* NULL: not known, or it is skb->dev */
};

/* Read only where it is told: most drops of a storm are counted under a key that has it already. */
static __always_inline void read_device_name(char name[DROPS_DEV_NAME], const struct place *place,
					     const struct sk_buff *skb)
{
	const struct net_device *dev = skb ? BPF_CORE_READ(skb, dev) : 0;

	if (!is_kernel_pointer(dev))
		dev = place->dev;
	if (dev)
		bpf_probe_read_kernel(name, DROPS_DEV_NAME, &dev->name);
}

/* The device of the packet's route; NULL: it has none (any more). */
static __always_inline struct net_device *route_device(const struct sk_buff *skb)
{
	struct dst_entry *dst = (struct dst_entry *)(skb->_skb_refdst & ~1UL);
	struct net_device *dev;

	if (!is_kernel_pointer(dst))
		return 0;
	dev = BPF_CORE_READ(dst, dev);
	return is_kernel_pointer(dev) ? dev : 0;
}

/* The namespace of a packet whose device was taken away, as TCP does early: that of the socket, or of the route (before
 * Linux 6.11 no socket is named). */
static __always_inline struct net *net_without_device(const struct sk_buff *skb, const struct sock *sk)
{
	struct net_device *via;

	if (sk)
		return BPF_CORE_READ(sk, __sk_common.skc_net.net);
	if (skb->skb_iif <= 0)
		return 0;
	via = route_device(skb);
	return via ? BPF_CORE_READ(via, nd_net.net) : 0;
}

/* skb->dev where it is one. `skb` is the argument of a tracepoint, which the verifier knows by its type, so that plain loads do,
 * an order of magnitude cheaper than a helper's. To be called before the ways through a program part: for each way on which it
 * meets such a load of a pointer, the verifier looks through the names of all the kernel's types, see socket_netns(). */
static __always_inline void read_device(struct place *place, const struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;

	if (!is_kernel_pointer(dev))
		return;
	place->netns = dev->nd_net.net->ns.inum;
	place->ifindex = dev->ifindex;
	/* `dev` itself is not kept: on this way the verifier knows its type and on the others not, and it could
	 * not take two ways for the same from here to the end of the program. It walked 138,000 instructions, and
	 * 34,000 without and without the type of drops_seen::sk. */
}

/* Where there was none, the device that the packet was received on. `sk` may be NULL. */
static __always_inline void read_device_before(struct place *place, const struct sk_buff *skb, const struct sock *sk)
{
	struct net_device *dev;
	struct net *net;

	if (place->ifindex)
		return;
	net = net_without_device(skb, sk);
	if (!net)
		return;
	place->netns = BPF_CORE_READ(net, ns.inum);
	dev = skb->skb_iif > 0 ? device_by_index(net, skb->skb_iif) : 0;
	if (dev) {
		place->ifindex = BPF_CORE_READ(dev, ifindex);
		place->dev = dev;
	}
}

/* Whether its frame was for more than one. */
static __always_inline bool is_for_a_group(const struct sk_buff *skb)
{
	__u8 type = BPF_CORE_READ_BITFIELD(skb, pkt_type);

	return type == PACKET_BROADCAST || type == PACKET_MULTICAST || type == PACKET_LOOPBACK;
}

/* Out: made on this host, so never received on a device (skb_iif is set in __netif_receive_skb_core and cleared when a
 * packet changes namespaces). Forward: received, and on another device than that by now, or with a route that leaves
 * through a device other than loopback, where routes to local addresses point. In: any other received packet. */
static __always_inline enum drops_direction read_direction(const struct sk_buff *skb, const struct place *place)
{
	struct net_device *dev;
	int iif;

	if (!skb->protocol)
		return DIRECTION_UNKNOWN;
	iif = skb->skb_iif;
	if (iif <= 0)
		return DIRECTION_OUT;
	if (place->ifindex && place->ifindex != iif)
		return DIRECTION_FORWARD;
	if (is_for_a_group(skb))
		return DIRECTION_IN; /* its route of multicast leads out again */
	dev = route_device(skb);
	return dev && !(BPF_CORE_READ(dev, flags) & IFF_LOOPBACK) ? DIRECTION_FORWARD : DIRECTION_IN;
}

/* Addresses and ports of a packet's outermost IP header. */
struct flow {
	__u32 src[4];
	__u32 dst[4];
	__u16 src_port;
	__u16 dst_port;
	__u16 family;   /* 0: no IP header was found */
	__u8 protocol;  /* IPPROTO_*, DROPS_PROTOCOL_ARP */
	__u8 has_ports; /* TCP, UDP, SCTP and not a later fragment */
};

static __always_inline bool has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

static __always_inline void take_ports(struct flow *flow, const __be16 ports[2])
{
	flow->src_port = bpf_ntohs(ports[0]);
	flow->dst_port = bpf_ntohs(ports[1]);
	flow->has_ports = 1;
}

/* `end`: of the packet's linear part. What lies behind it is another packet's. */
static __always_inline void read_ports(struct flow *flow, const unsigned char *at, const unsigned char *end)
{
	__be16 ports[2];

	if (!has_ports(flow->protocol) || at + sizeof(ports) > end || bpf_probe_read_kernel(ports, sizeof(ports), at))
		return;
	take_ports(flow, ports);
}

static __always_inline void read_flow_v4(struct flow *flow, const unsigned char *ip, const unsigned char *end)
{
	struct {
		__u8 header[20];
		__be16 ports[2]; /* of a header without options, which nearly all are: one read for both */
	} first;
	__u8 *header = first.header;
	bool with_ports = ip + sizeof(first) <= end;

	if (ip + sizeof(first.header) > end ||
	    bpf_probe_read_kernel(&first, with_ports ? sizeof(first) : sizeof(first.header), ip) || header[0] >> 4 != 4)
		return;
	flow->family = AF_INET;
	flow->protocol = header[9];
	__builtin_memcpy(flow->src, header + 12, 4);
	__builtin_memcpy(flow->dst, header + 16, 4);
	if ((header[6] & 0x1f) | header[7]) /* fragment offset */
		return;
	if (header[0] == 0x45 && with_ports && has_ports(flow->protocol))
		take_ports(flow, first.ports);
	else
		read_ports(flow, ip + (header[0] & 15) * 4, end);
}

/* RFC 8200, section 4: hop-by-hop 0, routing 43, fragment 44, destination options 60, authentication 51 (RFC 4302). */
static __always_inline void read_flow_v6(struct flow *flow, const unsigned char *ip, const unsigned char *end)
{
	__u8 header[40];
	__u32 offset = 40;
	__u8 next;

	if (ip + sizeof(header) > end || bpf_probe_read_kernel(header, sizeof(header), ip) || header[0] >> 4 != 6)
		return;
	flow->family = AF_INET6;
	__builtin_memcpy(flow->src, header + 8, 16);
	__builtin_memcpy(flow->dst, header + 24, 16);
	next = header[6];
	for (int i = 0; i < 4; i++) {
		__u8 option[4];

		if (next != 0 && next != 43 && next != 44 && next != 60 && next != 51)
			break;
		if (ip + offset + sizeof(option) > end || bpf_probe_read_kernel(option, sizeof(option), ip + offset))
			return;
		if (next == 44) {
			flow->protocol = option[0];
			if ((option[2] | (option[3] & 0xf8)) != 0)
				return;
			offset += 8;
		} else {
			offset += next == 51 ? (option[1] + 2) * 4 : (option[1] + 1) * 8;
		}
		next = option[0];
	}
	flow->protocol = next;
	read_ports(flow, ip + offset, end);
}

/* The bytes from the network header to the end of the linear part; 0 when there is no such header. */
static __always_inline __u32 network_header(const struct sk_buff *skb, const unsigned char **start)
{
	__u16 offset = skb->network_header;
	__u32 tail = skb->tail;

	*start = skb->head + offset;
	return offset && offset != 0xffff && offset < tail ? tail - offset : 0;
}

static __always_inline void read_flow(struct flow *flow, const struct sk_buff *skb)
{
	__u16 ethertype = bpf_ntohs(skb->protocol);
	const unsigned char *start, *end = skb->head + skb->tail;

	if (network_header(skb, &start) < 20)
		return;
	if (ethertype == ETH_P_8021Q || ethertype == ETH_P_8021AD) {
		__be16 tag[2];

		if (bpf_probe_read_kernel(tag, sizeof(tag), start))
			return;
		ethertype = bpf_ntohs(tag[1]);
		start += 4;
	}
	if (ethertype == ETH_P_IP)
		read_flow_v4(flow, start, end);
	else if (ethertype == ETH_P_IPV6)
		read_flow_v6(flow, start, end);
	else if (ethertype == ETH_P_ARP)
		flow->protocol = DROPS_PROTOCOL_ARP;
}

/* The ends of any TCP or UDP socket, short forms (TIME_WAIT, requests) included: these have no inet_sport, while others
 * have no skc_num any more once the port was given back. */
static __always_inline void read_socket_ends(struct endpoints *ends, const struct sock *sk)
{
	__u16 num = BPF_CORE_READ(sk, __sk_common.skc_num);

	read_endpoints(ends, sk, false);
	if (num)
		ends->local_port = num;
}

/* The ends of a socket as the flow of what it sends (out) or receives. */
static __always_inline void flow_of_ends(struct flow *flow, const struct endpoints *ends, __u8 protocol, bool out)
{
	__builtin_memcpy(out ? flow->src : flow->dst, ends->local_addr, 16);
	__builtin_memcpy(out ? flow->dst : flow->src, ends->remote_addr, 16);
	flow->src_port = out ? ends->local_port : ends->remote_port;
	flow->dst_port = out ? ends->remote_port : ends->local_port;
	flow->family = ends->family;
	flow->protocol = protocol;
	flow->has_ports = 1;
}

/* 0, but the verifier does not know. Nobody writes it. */
volatile __u16 no_port;

/* To be called first: what is 0 on one way and not known on another makes the verifier walk all that follows twice. */
static __always_inline void clear_ports(struct flow *flow)
{
	__u16 none = no_port;

	flow->src_port = none;
	flow->dst_port = none;
}

static __always_inline void swap_flow(struct flow *flow)
{
	__u32 addr[4];
	__u16 port = flow->src_port;

	__builtin_memcpy(addr, flow->src, sizeof(addr));
	__builtin_memcpy(flow->src, flow->dst, sizeof(addr));
	__builtin_memcpy(flow->dst, addr, sizeof(addr));
	flow->src_port = flow->dst_port;
	flow->dst_port = port;
}

#endif
