#include "drops/hints.h"

#include <algorithm>
#include <iterator>

namespace plumb {
namespace {

struct Hint {
  std::string_view name;
  std::string_view text;
};

constexpr std::string_view kUnknownReason =
    "a reason that this version of plumb does not know; the location tells where in the kernel it happened";

// By meaning; looked up by a linear search once for each number, then remembered by the caller.
constexpr Hint kReasons[] = {
    // no drop at all
    {"NOT_DROPPED_YET", "the kernel had not decided yet when it freed the packet; the location tells more"},
    {"CONSUMED", "the packet was used up as intended; no loss"},
    {"NOT_SPECIFIED", "the kernel gives no reason here; the location tells where it was dropped"},
    // sockets
    {"NO_SOCKET",
     "nobody listens on that port in that namespace; check the address, the port, and whether the service "
     "runs"},
    {"SOCKET_CLOSE",
     "the socket was closed with packets still waiting in it; the application did not read them"},
    {"SOCKET_FILTER",
     "a filter that the application put on its own socket rejected it (tcpdump, DHCP clients)"},
    {"SOCKET_RCVBUFF",
     "the socket's receive buffer is full: the application reads too slowly; see SO_RCVBUF, "
     "net.core.rmem_max"},
    {"SOCKET_BACKLOG",
     "the socket was busy and its backlog is full; see net.ipv4.tcp_rmem and the application's load"},
    {"UNIX_DISCONNECT", "a local socket was disconnected with messages in it"},
    {"UNIX_SKIP_OOB", "out-of-band data of a local socket was skipped, as its reader asked"},
    {"PROTO_MEM", "the protocol's memory limit is reached; see net.ipv4.tcp_mem, net.ipv4.udp_mem"},
    {"PROTO_NONE", "no handler for this protocol"},
    {"PACKET_SOCK_ERROR", "a packet socket (a capture) could not take it; its buffer may be full"},
    {"SECURITY_HOOK", "a security module (SELinux, AppArmor, BPF LSM) said no; see the audit log"},
    {"BPF_CGROUP_EGRESS", "a BPF program of the sender's cgroup said no; see bpftool cgroup tree"},
    // sizes and checksums
    {"PKT_TOO_SMALL", "shorter than its own headers: a broken sender, or bytes lost on the way"},
    {"PKT_TOO_BIG",
     "larger than the next link takes and not to be fragmented; check the MTUs of the path and path MTU "
     "discovery"},
    {"HDR_TRUNC", "its headers are cut off: a broken sender or tunnel"},
    {"TCP_CSUM",
     "wrong TCP checksum: damaged on the way, or a checksum offload that does not work; see ethtool -k"},
    {"UDP_CSUM",
     "wrong UDP checksum: damaged on the way, or a checksum offload that does not work; see ethtool -k"},
    {"ICMP_CSUM", "wrong ICMP checksum: damaged on the way"},
    {"IP_CSUM", "wrong IP header checksum: damaged on the way"},
    {"SKB_CSUM", "a checksum could not be computed or does not match; see ethtool -k"},
    {"SKB_GSO_SEG",
     "a large packet could not be cut into segments; see ethtool -k for segmentation offloads"},
    {"SKB_BAD_GSO", "a virtual machine or tap device gave wrong segmentation data"},
    {"SKB_UCOPY_FAULT", "its data could not be copied from or to the application's memory"},
    // IP
    {"IP_INHDR", "a bad IP header, or its time to live ended on the way: a loop, or traceroute"},
    {"IP_RPFILTER",
     "the source address would be answered through another device; see net.ipv4.conf.*.rp_filter and the "
     "routes"},
    {"IP_NOPROTO", "no handler for this IP protocol; is the tunnel or module loaded?"},
    {"IP_OUTNOROUTES", "no route to the destination; see ip route get"},
    {"IP_INNOROUTES", "received, but no route leads on; see ip route get ... from ... iif ..."},
    {"IP_INADDRERRORS",
     "not for this host and not to be forwarded: forwarding is off, or the destination is unreachable by a "
     "route"},
    {"IP_LOCAL_SOURCE", "it came in with one of this host's own addresses as source: spoofed, or a loop"},
    {"IP_INVALID_SOURCE", "a source address that no packet may have (0.0.0.0, multicast, loopback)"},
    {"IP_INVALID_DEST", "a destination address that no packet may have"},
    {"IP_LOCALNET", "127.0.0.0/8 from outside; see net.ipv4.conf.*.route_localnet"},
    {"IP_TUNNEL_ECN", "the congestion marks inside and outside a tunnel contradict each other"},
    {"UNICAST_IN_L2_MULTICAST",
     "a unicast packet in a multicast or broadcast frame: misdirected by a switch, or an attack"},
    {"OTHERHOST", "a frame for another host, seen because the device is promiscuous; no loss"},
    {"INVALID_PROTO", "a protocol field that makes no sense"},
    {"UNHANDLED_PROTO",
     "nobody on this host handles this kind of frame (LLDP, spanning tree); usually no loss"},
    {"DUP_FRAG", "a fragment that had come already"},
    {"FRAG_REASM_TIMEOUT",
     "a fragment is missing: the others were given up; look for loss on the way, avoid fragmentation"},
    {"FRAG_TOO_FAR", "fragments are too far out of order; see net.ipv4.ipfrag_max_dist"},
    {"XFRM_POLICY", "an IPsec policy forbids it or wants it encrypted; see ip xfrm policy"},
    {"IPV6DISABLED", "IPv6 is switched off on this device; see net.ipv6.conf.*.disable_ipv6"},
    {"IPV6_BAD_EXTHDR", "a broken IPv6 extension header"},
    {"IPV6_TOO_MANY_EXTHDRS", "more IPv6 extension headers than allowed"},
    {"IPV6_NDISC_FRAG", "a fragmented neighbour discovery packet, which RFC 6980 forbids"},
    {"IPV6_NDISC_HOP_LIMIT", "a neighbour discovery packet from beyond this link: misrouted, or an attack"},
    {"IPV6_NDISC_BAD_CODE", "a malformed neighbour discovery packet"},
    {"IPV6_NDISC_BAD_OPTIONS", "a neighbour discovery packet with malformed options"},
    {"IPV6_NDISC_NS_OTHERHOST", "a neighbour solicitation for another host; no loss"},
    {"RECURSION_LIMIT", "packets went through too many nested devices or tunnels: a loop in the set-up"},
    // filters
    {"NETFILTER_DROP",
     "a firewall rule dropped or rejected it; see nft list ruleset, and nft monitor trace for the rule"},
    {"TC_INGRESS", "a tc filter or BPF program on the way in dropped it; see tc filter show dev ... ingress"},
    {"TC_EGRESS", "a tc filter or BPF program on the way out dropped it; see tc filter show dev ... egress"},
    {"TC_COOKIE_ERROR", "traffic control met an internal error"},
    {"TC_CHAIN_NOTFOUND", "a tc filter jumps to a chain that does not exist"},
    {"TC_RECLASSIFY_LOOP", "tc filters send the packet round in circles"},
    {"XDP", "an XDP program dropped it; see ip link, bpftool net"},
    {"TAP_FILTER", "the filter of a tap device rejected its address; usually no loss"},
    {"TAP_TXFILTER", "the address filter of a tap device rejected it; usually no loss"},
    // TCP
    {"TCP_AUTH_HDR", "malformed TCP authentication options"},
    {"TCP_MD5NOTFOUND", "no TCP MD5 signature where one is required: the keys of the two sides differ (BGP)"},
    {"TCP_MD5UNEXPECTED",
     "a TCP MD5 signature where none is expected: the keys of the two sides differ (BGP)"},
    {"TCP_MD5FAILURE", "a wrong TCP MD5 signature: the keys of the two sides differ (BGP)"},
    {"TCP_AONOTFOUND", "no TCP-AO signature where one is required: the keys of the two sides differ"},
    {"TCP_AOUNEXPECTED", "a TCP-AO signature where none is expected: the keys of the two sides differ"},
    {"TCP_AOKEYNOTFOUND", "a TCP-AO key that this side does not have"},
    {"TCP_AOFAILURE", "a wrong TCP-AO signature: the keys of the two sides differ"},
    {"TCP_FLAGS", "TCP flags that make no sense in this state"},
    {"TCP_ABORT_ON_DATA", "data came for a connection that the application had closed; it was reset"},
    {"TCP_ZEROWINDOW", "data beyond a closed window: the application reads too slowly"},
    {"TCP_OLD_DATA", "data that had come already: the sender resent what was not lost; no loss here"},
    {"TCP_OVERWINDOW",
     "data beyond the receive window: a sender that ignores it, or an application that reads too slowly"},
    {"TCP_OFOMERGE", "it was in the queue already; no loss"},
    {"TCP_OFO_QUEUE_PRUNE", "out-of-order data was thrown away for lack of memory; see net.ipv4.tcp_rmem"},
    {"TCP_OFO_DROP", "out-of-order data was refused for lack of memory; see net.ipv4.tcp_rmem"},
    {"TCP_RFC7323_PAWS",
     "an old timestamp: a late duplicate, or a NAT that mixes hosts with different clocks"},
    {"TCP_RFC7323_PAWS_ACK", "an acknowledgement with an old timestamp, a late duplicate"},
    {"TCP_RFC7323_TW_PAWS",
     "an old timestamp for a connection in TIME_WAIT: a NAT that mixes hosts with different clocks"},
    {"TCP_RFC7323_TSECR", "it echoes a timestamp that was never sent: a broken peer or an attack"},
    {"TCP_LISTEN_OVERFLOW",
     "the listener's accept queue is full: the application accepts too slowly; see its backlog, "
     "net.core.somaxconn"},
    {"TCP_OLD_SEQUENCE", "a sequence number from before the window, a late duplicate"},
    {"TCP_INVALID_SEQUENCE",
     "a sequence number outside the window: a late duplicate, a broken NAT, or an attack"},
    {"TCP_INVALID_END_SEQUENCE",
     "its end lies outside the window: a late duplicate, a broken NAT, or an attack"},
    {"TCP_INVALID_ACK_SEQUENCE",
     "it acknowledges what is outside the window: a late duplicate, a broken NAT, or an attack"},
    {"TCP_RESET", "a reset, which did its work; the `reset` line tells whose"},
    {"TCP_INVALID_SYN", "a SYN within a connection: a reused port, or an attack"},
    {"TCP_CLOSE", "the socket is closed already"},
    {"TCP_FASTOPEN", "the Fast Open data cannot be used; the connection goes on without"},
    {"TCP_OLD_ACK", "it acknowledges what was acknowledged already; no loss"},
    {"TCP_TOO_OLD_ACK", "it acknowledges far too old data: a late duplicate, or an attack"},
    {"TCP_ACK_UNSENT_DATA", "it acknowledges data that was never sent: a broken peer or an attack"},
    {"TCP_MINTTL",
     "its time to live is below the least that the socket accepts (IP_MINTTL, BGP's TTL security)"},
    // neighbours, devices, queues
    {"NEIGH_CREATEFAIL", "no room for another neighbour entry; see net.ipv4.neigh.default.gc_thresh3"},
    {"NEIGH_FAILED",
     "the next hop does not answer ARP or neighbour discovery: is it up, on this link, with this address?"},
    {"NEIGH_QUEUEFULL",
     "too many packets wait for the next hop's link address; see neigh/default/unres_qlen_bytes"},
    {"NEIGH_DEAD", "the neighbour entry is gone"},
    {"NEIGH_HH_FILLFAIL", "the link header could not be written"},
    {"QDISC_DROP", "the device's send queue is full or its discipline decided so; see tc -s qdisc"},
    {"QDISC_BURST_DROP", "the device's send queue dropped a burst; see tc -s qdisc"},
    {"QDISC_OVERLIMIT", "the send queue's limit is reached; see tc -s qdisc"},
    {"QDISC_CONGESTED", "active queue management dropped it to slow its sender; see tc -s qdisc"},
    {"CAKE_FLOOD", "cake dropped a flow that does not slow down; see tc -s qdisc"},
    {"FQ_BAND_LIMIT", "fq's limit for this priority band is reached; see tc -s qdisc"},
    {"FQ_HORIZON_LIMIT", "its departure time lies beyond fq's horizon; see tc -s qdisc"},
    {"FQ_FLOW_LIMIT", "fq's limit for one flow is reached; see tc -s qdisc"},
    {"DUALPI2_STEP_DROP", "dualpi2 dropped a packet above its step threshold; see tc -s qdisc"},
    {"QDISC_DROP_GENERIC", "the queueing discipline dropped it; see tc -s qdisc"},
    {"QDISC_DROP_OVERLIMIT", "the send queue's limit is reached; see tc -s qdisc"},
    {"QDISC_DROP_CONGESTED", "active queue management dropped it to slow its sender; see tc -s qdisc"},
    {"QDISC_DROP_MAXFLOWS", "the queueing discipline tracks as many flows as it can; see tc -s qdisc"},
    {"QDISC_DROP_FLOOD_PROTECTION", "a flow that does not slow down was cut; see tc -s qdisc"},
    {"QDISC_DROP_BAND_LIMIT", "the limit of this priority band is reached; see tc -s qdisc"},
    {"QDISC_DROP_HORIZON_LIMIT", "its departure time lies beyond the horizon; see tc -s qdisc"},
    {"QDISC_DROP_FLOW_LIMIT", "the limit for one flow is reached; see tc -s qdisc"},
    {"QDISC_DROP_L4S_STEP_NON_ECN", "above the step threshold and without congestion marks; see tc -s qdisc"},
    {"CPU_BACKLOG",
     "the processor's input queue is full; see net.core.netdev_max_backlog and how interrupts are spread"},
    {"FULL_RING", "a device's ring is full (tun, tap, virtio): the reader is too slow"},
    {"NOMEM", "no memory for the packet"},
    {"PFMEMALLOC", "memory was short and this packet may not use the reserve"},
    {"DEV_HDR", "the device's own header is broken"},
    {"DEV_READY", "the device is down or not ready; see ip link"},
    {"MACVLAN_BROADCAST_BACKLOG", "macvlan's broadcast queue is full; see bcqueuelen"},
    {"IPVLAN_MULTICAST_BACKLOG", "ipvlan's multicast queue is full"},
    {"QUEUE_PURGE", "a queue was emptied because its owner went away; no loss"},
    // bridges, tunnels, links
    {"VXLAN_INVALID_HDR", "a broken VXLAN header"},
    {"VXLAN_VNI_NOT_FOUND", "no VXLAN device here has this network identifier"},
    {"VXLAN_ENTRY_EXISTS", "a forwarding entry of VXLAN stands in the way"},
    {"MAC_INVALID_SOURCE", "a source link address that no frame may have"},
    {"MAC_IEEE_MAC_CONTROL", "a pause or control frame, which is not forwarded"},
    {"LOCAL_MAC", "the source link address is this device's own: a loop"},
    {"NO_TX_TARGET", "no port or peer to send it to (bridge, bond, team, VXLAN)"},
    {"TUNNEL_TXINFO", "a tunnel was given no or wrong metadata to send it with"},
    {"ARP_PVLAN_DISABLE", "an ARP that proxy_arp_pvlan would have answered, which is off"},
    {"BRIDGE_INGRESS_STP_STATE", "the bridge port is not forwarding (spanning tree); see bridge link"},
    {"CAN_RX_INVALID_FRAME", "a malformed CAN frame"},
    {"CANFD_RX_INVALID_FRAME", "a malformed CAN FD frame"},
    {"CANXL_RX_INVALID_FRAME", "a malformed CAN XL frame"},
    {"PSP_INPUT", "PSP encryption refused it on the way in: unencrypted, or with another key"},
    {"PSP_OUTPUT", "PSP encryption refused it on the way out"},
    // Open vSwitch, net/openvswitch/drop.h
    {"OVS_DROP_LAST_ACTION", "the Open vSwitch flow ends without an output; see ovs-ofctl dump-flows"},
    {"OVS_DROP_ACTION_ERROR", "an Open vSwitch action failed"},
    {"OVS_DROP_EXPLICIT", "an Open vSwitch flow says drop"},
    {"OVS_DROP_EXPLICIT_WITH_ERROR", "an Open vSwitch flow says drop after an error"},
    {"OVS_DROP_METER", "an Open vSwitch meter's rate is exceeded"},
    {"OVS_DROP_RECURSION_LIMIT", "Open vSwitch flows are nested too deeply"},
    {"OVS_DROP_DEFERRED_LIMIT", "too many deferred Open vSwitch actions"},
    {"OVS_DROP_FRAG_L2_TOO_LONG", "Open vSwitch cannot fragment a frame with so long a link header"},
    {"OVS_DROP_FRAG_INVALID_PROTO", "Open vSwitch cannot fragment this protocol"},
    {"OVS_DROP_CONNTRACK", "Open vSwitch's connection tracking failed"},
    {"OVS_DROP_IP_TTL", "the time to live ended in Open vSwitch"},
};

constexpr Hint kResets[] = {
    {"NOT_SPECIFIED", "the kernel gives no reason"},
    {"NO_SOCKET",
     "nobody listens on that port, or the connection is long gone; the kernel answers by itself"},
    {"TCP_INVALID_ACK_SEQUENCE", "the segment acknowledges what is outside the window"},
    {"TCP_RFC7323_PAWS", "an old timestamp: a late duplicate, or a NAT that mixes hosts"},
    {"TCP_TOO_OLD_ACK", "the segment acknowledges far too old data"},
    {"TCP_ACK_UNSENT_DATA", "the segment acknowledges data that was never sent"},
    {"TCP_FLAGS", "flags that make no sense in this state"},
    {"TCP_OLD_ACK",
     "an old acknowledgement during the handshake: a connection from before a restart, or an attack"},
    {"TCP_ABORT_ON_DATA", "data came after the application had closed the connection"},
    {"TCP_TIMEWAIT_SOCKET", "a segment for a connection that is in TIME_WAIT"},
    {"INVALID_SYN", "a SYN within a connection"},
    {"TCP_ABORT_ON_CLOSE", "the application closed the connection with data unread"},
    {"TCP_ABORT_ON_LINGER", "the application closed with SO_LINGER 0, which means: reset"},
    {"TCP_ABORT_ON_MEMORY",
     "too many orphaned connections or no memory; see net.ipv4.tcp_max_orphans, tcp_mem"},
    {"TCP_STATE", "the application ended the connection in a state that calls for a reset"},
    {"TCP_KEEPALIVE_TIMEOUT", "the peer did not answer keep-alives"},
    {"TCP_DISCONNECT_WITH_DATA", "the application disconnected with data unsent or unread"},
    {"MPTCP_RST_EUNSPEC", "MPTCP ended the subflow without saying why"},
    {"MPTCP_RST_EMPTCP", "MPTCP: the subflow broke the protocol"},
    {"MPTCP_RST_ERESOURCE", "MPTCP: no resources for the subflow"},
    {"MPTCP_RST_EPROHIBIT", "MPTCP: the subflow is forbidden"},
    {"MPTCP_RST_EWQ2BIG", "MPTCP: too much data waits"},
    {"MPTCP_RST_EBADPERF", "MPTCP: the subflow is too slow"},
    {"MPTCP_RST_EMIDDLEBOX", "MPTCP: something on the way changes the segments"},
    {"ERROR", "an internal error"},
};

constexpr std::string_view kBenign[] = {
    "NOT_DROPPED_YET", "CONSUMED",        "QUEUE_PURGE",  "SOCKET_FILTER", "UNIX_DISCONNECT",
    "UNIX_SKIP_OOB",   "OTHERHOST",       "TCP_OLD_DATA", "TCP_OFOMERGE",  "TCP_OLD_ACK",
    "TCP_RESET",       "UNHANDLED_PROTO", "TAP_FILTER",   "TAP_TXFILTER",  "IPV6_NDISC_NS_OTHERHOST",
};

// Where the kernel frees packets without a reason although nothing is lost: queues of sockets that are
// closed, messages of netlink that nobody subscribed to, captures that have what they want.
constexpr std::string_view kHarmlessFunctions[] = {
    "skb_queue_purge",
    "skb_queue_purge_reason",
    "skb_rbtree_purge",
    "skb_errqueue_purge",
    "sk_stream_kill_queues",
    "inet_sock_destruct",
    "udp_destruct_common",
    "unix_release_sock",
    "unix_sock_destructor",
    "unix_stream_connect",
    "unix_stream_read_generic",
    "unix_dgram_disconnected",
    "icmpv6_rcv",  // up to Linux 6.3 what it has taken, too; what it refuses, Icmp6InErrors counts
    "netlink_broadcast",
    "netlink_broadcast_filtered",
    "do_one_broadcast",
    "netlink_unicast",
    "netlink_sock_destruct",
    "netlink_attachskb",
    "packet_rcv",
    "tpacket_rcv",
    "packet_rcv_spkt",
    "packet_rcv_fanout",
    "packet_sock_destruct",
    "tcp_write_queue_purge",
    "tcp_rtx_queue_purge",
};

constexpr Hint kCounters[] = {
    {"TcpExtListenOverflows",
     "an accept queue was full: the application accepts too slowly; see ss -ltn, its backlog, "
     "net.core.somaxconn"},
    {"TcpExtListenDrops",
     "connection requests were dropped at a listener; ListenOverflows tells how many for a full queue"},
    {"TcpExtTCPReqQFullDrop",
     "the queue of half-open connections was full; see net.ipv4.tcp_max_syn_backlog, tcp_syncookies"},
    {"TcpExtTCPReqQFullDoCookies",
     "the queue of half-open connections was full: SYN cookies were sent; a flood, or a slow application"},
    {"TcpExtTCPBacklogDrop", "a busy socket's backlog was full; see net.ipv4.tcp_rmem"},
    {"TcpExtPFMemallocDrop", "memory was short"},
    {"TcpExtTCPMinTTLDrop", "below the socket's least time to live"},
    {"TcpExtTCPDeferAcceptDrop",
     "an acknowledgement without data at a listener with TCP_DEFER_ACCEPT; usually wanted"},
    {"TcpExtIPReversePathFilter", "rp_filter refused packets; see net.ipv4.conf.*.rp_filter and the routes"},
    {"TcpExtTCPTimeWaitOverflow", "more connections in TIME_WAIT than net.ipv4.tcp_max_tw_buckets"},
    {"TcpExtTCPOFODrop", "out-of-order data was refused for lack of memory; see net.ipv4.tcp_rmem"},
    {"TcpExtTCPRcvQDrop", "data was refused for lack of memory; see net.ipv4.tcp_rmem, tcp_mem"},
    {"TcpExtRcvPruned", "received data was thrown away for lack of memory; see net.ipv4.tcp_rmem"},
    {"TcpExtOfoPruned", "out-of-order data was thrown away for lack of memory; see net.ipv4.tcp_rmem"},
    {"TcpExtTCPZeroWindowDrop", "data came while the window was closed"},
    {"TcpExtTCPAbortOnMemory",
     "connections were ended for lack of memory; see net.ipv4.tcp_mem, tcp_max_orphans"},
    {"TcpExtTCPAbortOnTimeout", "connections were given up: the peer did not answer"},
    {"TcpExtTCPAbortFailed", "a reset could not be sent for lack of memory"},
    {"TcpExtTCPMemoryPressures", "TCP's memory ran short; see net.ipv4.tcp_mem"},
    {"TcpExtTCPRetransFail", "a segment could not be sent again by this host; see the device's queue"},
    {"TcpExtSyncookiesFailed", "wrong SYN cookies came back: a flood, or too old"},
    {"TcpExtLockDroppedIcmps", "ICMP errors were ignored because the socket was busy"},
    {"TcpExtPAWSActive", "old timestamps in answers to own connects"},
    {"TcpExtPAWSEstab", "old timestamps in connections: a NAT that mixes hosts, or late duplicates"},
    {"TcpExtTSEcrRejected", "echoed timestamps that were never sent"},
    {"TcpExtBeyondWindow", "data beyond the receive window"},
    {"TcpExtTCPMD5NotFound", "no MD5 signature where one is required"},
    {"TcpExtTCPMD5Unexpected", "an MD5 signature where none is expected"},
    {"TcpExtTCPMD5Failure", "wrong MD5 signatures"},
    {"TcpExtTCPAOBad", "wrong TCP-AO signatures"},
    {"TcpExtTCPAOKeyNotFound", "TCP-AO keys that this side does not have"},
    {"TcpExtTCPAODroppedIcmps", "ICMP errors ignored for TCP-AO"},
    {"TcpExtTCPFastOpenListenOverflow", "the queue of Fast Open requests was full"},
    {"TcpInErrs", "damaged or malformed TCP segments"},
    {"TcpInCsumErrors", "wrong TCP checksums; see ethtool -k"},
    {"UdpNoPorts", "datagrams to ports where nobody listens"},
    {"UdpInErrors", "datagrams that could not be delivered; RcvbufErrors and InCsumErrors tell which"},
    {"UdpRcvbufErrors",
     "a receive buffer was full: the application reads too slowly; see SO_RCVBUF, net.core.rmem_max"},
    {"UdpSndbufErrors", "a send buffer was full; see SO_SNDBUF, net.core.wmem_max"},
    {"UdpInCsumErrors", "wrong UDP checksums; see ethtool -k"},
    {"UdpMemErrors", "UDP's memory limit is reached; see net.ipv4.udp_mem"},
    {"Udp6NoPorts", "datagrams to ports where nobody listens"},
    {"Udp6InErrors", "datagrams that could not be delivered; RcvbufErrors and InCsumErrors tell which"},
    {"Udp6RcvbufErrors",
     "a receive buffer was full: the application reads too slowly; see SO_RCVBUF, net.core.rmem_max"},
    {"Udp6SndbufErrors", "a send buffer was full; see SO_SNDBUF, net.core.wmem_max"},
    {"Udp6InCsumErrors", "wrong UDP checksums; see ethtool -k"},
    {"Udp6MemErrors", "UDP's memory limit is reached; see net.ipv4.udp_mem"},
    {"IpInHdrErrors", "bad IP headers, or the time to live ended on the way"},
    {"IpInAddrErrors", "not for this host and not to be forwarded"},
    {"IpInUnknownProtos", "no handler for the IP protocol"},
    {"IpInDiscards", "thrown away on the way in, often for lack of memory or by a rule"},
    {"IpOutDiscards", "thrown away on the way out; see the device's queue, ip neigh"},
    {"IpOutNoRoutes", "no route to the destination; see ip route get"},
    {"IpReasmFails", "fragments could not be put together: some are missing"},
    {"IpFragFails", "too big for the link and not to be fragmented; check the MTUs of the path"},
    {"IpExtInNoRoutes", "received, but no route leads on"},
    {"IpExtInTruncatedPkts", "shorter than their headers say"},
    {"IpExtInCsumErrors", "wrong IP header checksums"},
    {"Ip6InHdrErrors", "bad IPv6 headers, or the hop limit ended on the way"},
    {"Ip6InTooBigErrors", "too big for the next link; check the MTUs of the path"},
    {"Ip6InNoRoutes", "received, but no route leads on"},
    {"Ip6InAddrErrors", "not for this host and not to be forwarded"},
    {"Ip6InUnknownProtos", "no handler for the protocol"},
    {"Ip6InTruncatedPkts", "shorter than their headers say"},
    {"Ip6InDiscards", "thrown away on the way in, often for lack of memory or by a rule"},
    {"Ip6OutDiscards", "thrown away on the way out; see the device's queue, ip -6 neigh"},
    {"Ip6OutNoRoutes", "no route to the destination; see ip -6 route get"},
    {"Ip6ReasmFails", "fragments could not be put together: some are missing"},
    {"Ip6FragFails", "too big for the link"},
    {"IcmpInErrors", "damaged or malformed ICMP"},
    {"IcmpInCsumErrors", "wrong ICMP checksums"},
    {"IcmpOutErrors", "ICMP that could not be sent"},
    {"IcmpOutRateLimitGlobal", "ICMP errors held back; see net.ipv4.icmp_msgs_per_sec"},
    {"IcmpOutRateLimitHost", "ICMP errors to one host held back; see net.ipv4.icmp_ratelimit"},
    {"Icmp6InErrors", "damaged or malformed ICMPv6"},
    {"Icmp6InCsumErrors", "wrong ICMPv6 checksums"},
    {"Icmp6OutErrors", "ICMPv6 that could not be sent"},
    {"Icmp6OutRateLimitHost", "ICMPv6 errors to one host held back; see net.ipv6.icmp.ratelimit"},
    {"softnet_dropped",
     "a processor's input queue was full; see net.core.netdev_max_backlog and how interrupts are spread"},
    {"softnet_squeezed", "a processor had no time for all that waited; see net.core.netdev_budget"},
    {"rx_errors", "the device received damaged frames; see ethtool -S"},
    {"rx_dropped", "the device or the stack behind it dropped frames; see ethtool -S"},
    {"rx_fifo_errors", "the device's ring was full: interrupts are served too late; see ethtool -g"},
    {"rx_frame_errors", "misaligned frames: cable, transceiver, duplex"},
    {"tx_errors", "the device could not send frames; see ethtool -S"},
    {"tx_dropped", "the device dropped frames to send"},
    {"tx_fifo_errors", "the device's send ring ran dry or over; see ethtool -g"},
    {"tx_carrier_errors", "no carrier while sending: cable, transceiver, switch port"},
    {"qdisc_drops", "the device's queueing discipline dropped packets; see tc -s qdisc"},
};

template <std::size_t N>
const Hint* lookup(const Hint (&table)[N], std::string_view name) {
  const Hint* found = std::ranges::find(table, name, &Hint::name);
  return found == std::end(table) ? nullptr : found;
}

template <std::size_t N>
std::string_view hint_or_unknown(const Hint (&table)[N], std::string_view name) {
  if (name.empty()) return {};
  const Hint* found = lookup(table, name);
  return found == nullptr ? kUnknownReason : found->text;
}

}  // namespace

std::string_view reason_hint(std::string_view reason) {
  return hint_or_unknown(kReasons, reason);
}
std::string_view reset_hint(std::string_view reason) {
  return hint_or_unknown(kResets, reason);
}
bool has_reason_hint(std::string_view reason) {
  return lookup(kReasons, reason) != nullptr;
}
bool has_reset_hint(std::string_view reason) {
  return lookup(kResets, reason) != nullptr;
}

bool is_benign_reason(std::string_view reason) {
  return std::ranges::find(kBenign, reason) != std::end(kBenign);
}
std::span<const std::string_view> benign_reasons() {
  return kBenign;
}
std::span<const std::string_view> ambiguous_reasons() {
  static constexpr std::string_view kAmbiguous[] = {"NOT_SPECIFIED", "NO_SOCKET", "IP_INNOROUTES",
                                                    "QDISC_DROP", "TCP_CLOSE"};
  return kAmbiguous;
}

std::span<const std::string_view> overtaken_reasons() {
  static constexpr std::string_view kOvertaken[] = {"TCP_RFC7323_PAWS", "TCP_RFC7323_PAWS_ACK"};
  return kOvertaken;
}

std::span<const std::string_view> arriving_reasons() {
  static constexpr std::string_view kArriving[] = {
      "XDP",       "NO_SOCKET",      "UDP_CSUM",       "TCP_CSUM",     "TCP_FLAGS",       "TCP_ZEROWINDOW",
      "TCP_CLOSE", "TCP_OVERWINDOW", "SOCKET_BACKLOG", "TCP_OLD_DATA", "TCP_OLD_SEQUENCE"};
  return kArriving;
}

Place place_of(std::string_view function) {
  // Parts that the compiler splits off keep the name before a dot: netlink_unicast.constprop.0
  function = function.substr(0, function.find('.'));
  // tcp_drop_reason() ends in the call that frees, which may be a jump: then its caller is seen in its place. On arm64's 7.2
  // it is no jump.
  if (function == "tcp_v4_rcv" || function == "tcp_v6_rcv" || function == "tcp_rcv_state_process" ||
      function == "tcp_drop_reason")
    return Place::tcp;
  // Linux 5.10's compiler puts the first into the second, which frees nothing else.
  if (function == "veth_xdp_rcv_skb" || function == "veth_poll") return Place::arriving;
  return std::ranges::find(kHarmlessFunctions, function) == std::end(kHarmlessFunctions) ? Place::lossy
                                                                                         : Place::harmless;
}

std::string_view counter_hint(std::string_view counter) {
  const Hint* found = lookup(kCounters, counter);
  return found == nullptr ? std::string_view{} : found->text;
}

}  // namespace plumb
