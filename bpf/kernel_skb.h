/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Packets, devices and routes: the kernel types that a tool needs which looks at sk_buffs. As kernel.h: only the
 * members that are read, relocated to where the running kernel keeps them. */
#ifndef PLUMB_KERNEL_SKB_H
#define PLUMB_KERNEL_SKB_H

#include "bpf/kernel.h"

enum {
	ETH_P_IP = 0x0800,
	ETH_P_ARP = 0x0806,
	ETH_P_IPV6 = 0x86dd,
	ETH_P_8021Q = 0x8100,
	ETH_P_8021AD = 0x88a8,
	PACKET_BROADCAST = 1, /* include/uapi/linux/if_packet.h */
	PACKET_MULTICAST = 2,
	PACKET_LOOPBACK = 5, /* the sender's own copy of multicast and broadcast */
	IPPROTO_ICMP = 1,
	IPPROTO_IGMP = 2,
	IPPROTO_UDP = 17,
	IPPROTO_ICMPV6 = 58,
	IPPROTO_SCTP = 132,
	IFF_LOOPBACK = 1 << 3,
	NETDEV_HASHENTRIES = 1 << 8, /* include/linux/netdevice.h: buckets of net.dev_index_head */
};

struct hlist_node {
	struct hlist_node *next;
} RELOCATED;

struct hlist_head {
	struct hlist_node *first;
} RELOCATED;

struct net_device {
	unsigned int flags;
	int ifindex;
	possible_net_t nd_net;
	char name[16];
	struct hlist_node index_hlist;
} RELOCATED;

/* Another view of struct net: kernel.h knows only its namespace number. */
struct net___devices {
	struct hlist_head *dev_index_head;
} RELOCATED;

struct dst_entry {
	struct net_device *dev;
} RELOCATED;

/* `dev` shares its place with a scratch value while a datagram waits in a UDP socket's queue. */
struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	char cb[48];
	unsigned long _skb_refdst; /* bit 0: no reference held */
	unsigned int len;
	unsigned int data_len; /* of len, what lies in fragments */
	int skb_iif;
	__u8 pkt_type : 3;
	__be16 protocol;
	__u16 network_header; /* offset from head */
	__u16 mac_header;
	unsigned int tail; /* offset from head on 64-bit */
	unsigned int end;  /* the same; skb_shared_info begins there */
	unsigned char *head;
	unsigned char *data;
	__u16 alloc_cpu; /* that allocated it (Linux 5.18) */
} RELOCATED;

/* Of the neighbour table: what waits for its address lies in arp_queue. */
struct neighbour {
	struct sk_buff_head arp_queue;
	struct net_device *dev;
} RELOCATED;

/* include/uapi/linux/errqueue.h: what waits in a socket's error queue, in the packets' cb. */
enum {
	SO_EE_ORIGIN_ICMP = 2,
	SO_EE_ORIGIN_ICMP6 = 3,
};

struct sock_extended_err {
	__u32 ee_errno;
	__u8 ee_origin;
} RELOCATED;

struct sock_exterr_skb {
	struct sock_extended_err ee;
} RELOCATED;

struct page {
	unsigned long flags;
} RELOCATED;

/* A fragment, as kernels before 6.10 have it; younger ones hand fragments out themselves. */
struct bio_vec {
	struct page *bv_page;
	unsigned int bv_len;
	unsigned int bv_offset;
} RELOCATED;

struct skb_shared_info {
	__u8 nr_frags;
	struct bio_vec frags[17];
} RELOCATED;

/* include/net/inet_connection_sock.h, include/uapi/linux/tcp.h: stable numbers. */
enum {
	ICSK_TIME_LOSS_PROBE = 5,
	TCP_CA_Recovery = 3,
	TCP_CA_Loss = 4,
};

struct inet_connection_sock {
	__u8 icsk_ca_state : 5;
	__u8 icsk_pending;
	__u8 icsk_backoff;
} RELOCATED;

struct tcp_skb_cb {
	__u32 seq;
} RELOCATED;

struct tcp_sock___rtt {
	__u32 srtt_us;
	__u32 rttvar_us;
	__u32 total_retrans;
} RELOCATED;

struct request_sock {
	struct sock_common __req_common;
	__u8 num_retrans;
} RELOCATED;

enum skb_drop_reason {
	SKB_DROP_REASON_NOT_SPECIFIED,
};

enum sk_rst_reason {
	SK_RST_REASON_NOT_SPECIFIED,
};

/* What perf tells of a tracepoint. Never read: a member that is there stands for an argument of the same name. */
struct trace_event_raw_kfree_skb {
	enum skb_drop_reason reason; /* Linux 5.17 */
	void *rx_sk;                 /* Linux 6.11 */
} RELOCATED;

struct trace_event_raw_tcp_send_reset {
	enum sk_rst_reason reason; /* Linux 6.10 */
} RELOCATED;

#endif
