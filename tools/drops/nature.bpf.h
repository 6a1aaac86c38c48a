/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* drops: what kind of packet it is, where a reason alone does not tell a loss from a packet that nobody here wanted.
 *
 * Under the reasons NOT_SPECIFIED, NO_SOCKET and the like the kernel frees losses, but also every announcement on the wire
 * that this host has no use for (mDNS, SSDP, DHCP, NetBIOS, neighbour discovery), each answer to a ping of a raw socket
 * (once the raw socket has its copy, nobody is left), each pure ACK that has done its work. */
#ifndef PLUMB_DROPS_NATURE_BPF_H
#define PLUMB_DROPS_NATURE_BPF_H

#include "drops/packet.bpf.h"

enum {
	ICMP_ECHOREPLY = 0,
	ICMPV6_ECHO_REPLY = 129,
	MLD_QUERY = 130,
	MLD_DONE = 132,
	NDISC_ROUTER_SOLICITATION = 133,
	NDISC_ROUTER_ADVERTISEMENT = 134,
	MLD2_REPORT = 143,
	TCP_FLAG_FIN = 1, /* in the 14th byte of the header */
	TCP_FLAG_SYN = 2,
};

enum drops_nature {
	NATURE_GROUP = 1 << 0,        /* to a multicast or broadcast address */
	NATURE_ECHO_REPLY = 1 << 1,   /* an answer to a ping */
	NATURE_ANNOUNCEMENT = 1 << 2, /* IGMP, MLD, router discovery, what an address without a name yet asks: said again anyway */
	NATURE_BARE = 1 << 3,         /* a TCP segment without data and without SYN */
	NATURE_FIN = 1 << 4,          /* and with FIN */
};

/* A TCP header at `at`, `payload` bytes of the packet from there on. */
static __always_inline __u32 nature_of_tcp(const unsigned char *at, const unsigned char *end, __s32 payload)
{
	__u8 tcp[14];

	if (at + sizeof(tcp) > end || bpf_probe_read_kernel(tcp, sizeof(tcp), at))
		return 0;
	if (payload != (tcp[12] >> 4) * 4 || tcp[13] & TCP_FLAG_SYN)
		return 0;
	return tcp[13] & TCP_FLAG_FIN ? NATURE_BARE | NATURE_FIN : NATURE_BARE;
}

/* This and nature_of_v6 are global functions of plain numbers, which the verifier walks once each, and not for each way that
 * leads to them and each kind of packet that comes of it: that was two thirds of all that it walked. */
__noinline __u32 nature_of_v4(__u64 start_address, __u64 end_address)
{
	const unsigned char *ip = (const unsigned char *)start_address, *end = (const unsigned char *)end_address;
	__u8 header[20], type = 255;
	__u32 nature = 0, size;

	if (ip + sizeof(header) > end || bpf_probe_read_kernel(header, sizeof(header), ip) || header[0] >> 4 != 4)
		return 0;
	if (header[16] >> 4 == 0xe || (header[16] & header[17] & header[18] & header[19]) == 0xff)
		nature |= NATURE_GROUP;
	if ((header[6] & 0x1f) | header[7]) /* a later fragment */
		return nature;
	size = (header[0] & 15) * 4;
	switch (header[9]) {
	case IPPROTO_IGMP:
		return nature | NATURE_ANNOUNCEMENT;
	case IPPROTO_ICMP:
		if (ip + size < end && !bpf_probe_read_kernel(&type, sizeof(type), ip + size) && type == ICMP_ECHOREPLY)
			nature |= NATURE_ECHO_REPLY;
		return nature;
	case IPPROTO_TCP:
		return nature | nature_of_tcp(ip + size, end, (header[2] << 8 | header[3]) - (__s32)size);
	}
	return nature;
}

static __always_inline bool is_announcement_v6(__u8 type)
{
	return (type >= MLD_QUERY && type <= NDISC_ROUTER_ADVERTISEMENT) || type == MLD2_REPORT;
}

/* Of what stands behind extension headers only MLD is looked at: it is behind a hop-by-hop header always (RFC 3810,
 * section 5). */
__noinline __u32 nature_of_v6(__u64 start_address, __u64 end_address)
{
	const unsigned char *ip = (const unsigned char *)start_address, *end = (const unsigned char *)end_address;
	__u8 header[40], type = 255;
	__u32 nature = 0, unspecified = 0, size = sizeof(header);
	__u8 next;

	if (ip + sizeof(header) > end || bpf_probe_read_kernel(header, sizeof(header), ip) || header[0] >> 4 != 6)
		return 0;
	if (header[24] == 0xff)
		nature |= NATURE_GROUP;
	for (int i = 8; i < 24; i++)
		unspecified |= header[i];
	next = header[6];
	if (next == 0) { /* hop-by-hop options */
		__u8 option[2];

		if (ip + size + sizeof(option) > end || bpf_probe_read_kernel(option, sizeof(option), ip + size))
			return nature;
		next = option[0];
		size += (option[1] + 1) * 8;
	}
	if (next == IPPROTO_TCP && size == sizeof(header))
		return nature | nature_of_tcp(ip + size, end, header[4] << 8 | header[5]);
	if (next != IPPROTO_ICMPV6)
		return nature;
	if (ip + size < end && !bpf_probe_read_kernel(&type, sizeof(type), ip + size)) {
		if (type == ICMPV6_ECHO_REPLY)
			nature |= NATURE_ECHO_REPLY;
		if (is_announcement_v6(type))
			nature |= NATURE_ANNOUNCEMENT;
	}
	if (!unspecified) /* duplicate address detection */
		nature |= NATURE_ANNOUNCEMENT;
	return nature;
}

/* It acknowledges, and does nothing else. */
static __always_inline bool nature_is_ack(__u32 nature)
{
	return (nature & (NATURE_BARE | NATURE_FIN)) == NATURE_BARE;
}

static __always_inline __u32 read_nature(const struct sk_buff *skb)
{
	__u32 nature = is_for_a_group(skb) ? NATURE_GROUP : 0;
	const unsigned char *start;
	__u64 head;

	if (network_header(skb, &start) < 20)
		return nature;
	head = (__u64)BPF_CORE_READ(skb, head); /* a plain load's is a pointer to newer verifiers (Linux 6.17), and no number */
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return nature | nature_of_v4(head + skb->network_header, head + skb->tail);
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return nature | nature_of_v6(head + skb->network_header, head + skb->tail);
	return nature;
}

/* The same of a datagram whose addresses were read already: all that can be said of it. */
static __always_inline __u32 nature_of_udp(const struct flow *flow, const struct sk_buff *skb)
{
	const __u8 *dst = (const __u8 *)flow->dst;
	bool group = flow->family == AF_INET6 ? dst[0] == 0xff : dst[0] >> 4 == 0xe || flow->dst[0] == 0xffffffff;

	return group || is_for_a_group(skb) ? NATURE_GROUP : 0;
}

/* Whether a packet of this kind is no loss, whatever the place in the kernel. `queue`: a queueing discipline freed it. */
static __always_inline bool nature_is_benign(__u32 nature, enum drops_direction direction, bool queue)
{
	if (nature & (NATURE_ECHO_REPLY | NATURE_ANNOUNCEMENT))
		return !queue || nature & NATURE_ANNOUNCEMENT;
	return nature & NATURE_GROUP && direction != DIRECTION_OUT && !queue;
}

#endif
