"""Every way of losing a packet, made for real in namespaces of its own: drops names it as the kernel does, and counts it
as the kernel's own counters do."""
import re
import socket
import struct
import unittest

from drops import RELEASE, HAS_REASONS, HAS_RESET_REASONS, DropTest, checksum, drops, ipv4
from harness import Namespace, core, hook, needs, wait_until


class Loopback(DropTest):
    @hook("drop")
    def test_closed_udp_port(self):
        s = self.udp()
        s.bind(("127.0.0.1", 0))
        before = self.counter("UdpNoPorts")
        with drops() as plumb:
            for _ in range(3):
                s.sendto(b"hello", ("127.0.0.1", 9))
        lines = self.here(plumb.lines, type="drop", dst_port=9)
        self.assertEqual(len(lines), 3)
        for line in lines:
            self.assertReason(line, "NO_SOCKET")
            self.assertPacket(line, protocol="udp", src="127.0.0.1", src_port=s.getsockname()[1], dst="127.0.0.1",
                              direction="in", dev="lo", pid=None, comm=None, owner_source=None, tcp_flags=None)
            self.assertRegex(line["location"], r"^\w*udp\w*rcv\S*\+0x[0-9a-f]+$")
        self.assertEqual(self.counter("UdpNoPorts") - before, 3)
        self.assertEqual(self.delta(plumb.lines, "UdpNoPorts"), 3)

    @core
    def test_closed_udp_port_ipv6(self):
        s = self.udp(family=socket.AF_INET6)
        with drops() as plumb:
            s.sendto(b"hello", ("::1", 9))
        line, = self.here(plumb.lines, type="drop", protocol="udp")
        self.assertReason(line, "NO_SOCKET")
        self.assertPacket(line, src="::1", dst="::1", dst_port=9, direction="in", dev="lo")
        self.assertEqual(self.delta(plumb.lines, "Udp6NoPorts"), 1)

    @core
    def test_full_udp_receive_buffer(self):
        receiver, s = self.udp(), self.udp()
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
        before = self.counter("UdpRcvbufErrors")
        with drops() as plumb:
            for _ in range(40):
                s.sendto(b"x" * 500, ("127.0.0.1", port))
            lost = self.counter("UdpRcvbufErrors") - before
        self.assertGreater(lost, 0)
        lines = self.here(plumb.lines, type="drop", dst_port=port)
        self.assertEqual(self.total(lines), lost)
        for line in lines:
            self.assertReason(line, "SOCKET_RCVBUFF")
            self.assertPacket(line, protocol="udp", direction="in", dst="127.0.0.1", length_bytes=500)
            self.assertMine(line, ("rx_sk",) if RELEASE >= (6, 11) else ("skb_sk", "table"))
        self.assertEqual(self.delta(plumb.lines, "UdpRcvbufErrors"), lost)

    @core
    def test_closed_tcp_port(self):
        s = self.tcp()
        before = self.counter("TcpOutRsts")
        with drops() as plumb:
            self.assertEqual(s.connect_ex(("127.0.0.1", 9)), 111)
            self.assertEqual(self.counter("TcpOutRsts") - before, 1)
        line, = self.here(plumb.lines, type="drop", protocol="tcp")
        self.assertReason(line, "NO_SOCKET")
        self.assertPacket(line, dst="127.0.0.1", dst_port=9, tcp_flags="SYN", direction="in", pid=None)
        # Before 6.10 the kernel has no tracepoint for resets without a socket.
        for sent in self.here(plumb.lines, type="reset", direction="out") if not HAS_RESET_REASONS else [
                self.here(plumb.lines, type="reset", direction="out")[0]]:
            self.assertPacket(sent, src="127.0.0.1", src_port=9, dst="127.0.0.1", dst_port=line["src_port"], pid=None,
                              tcp_flags="RST", protocol="tcp", reason="NO_SOCKET" if HAS_RESET_REASONS else None)
        received, = self.here(plumb.lines, type="reset", direction="in")
        self.assertPacket(received, src_port=9, dst_port=line["src_port"], state="syn_sent")
        self.assertMine(received, ("socket",))

    def resets_of_abort(self, direction):
        """A server closes with unread data; the line about its reset as it goes out or comes in, and both ports."""
        listener, client = self.tcp(), self.tcp()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        client.send(b"never read")
        wait_until(lambda: server.recv(1, socket.MSG_PEEK), "the data")
        with drops("--type", "reset") as plumb:
            server.close()
            with self.assertRaises(ConnectionResetError):
                client.recv(1)
        line, = self.here(plumb.lines, direction=direction)
        self.assertPacket(line, src_port=listener.getsockname()[1], dst_port=client.getsockname()[1])
        return line

    @hook("reset-sent")
    def test_abort_with_unread_data_sends_a_reset(self):
        sent = self.resets_of_abort("out")
        if HAS_RESET_REASONS:
            self.assertIn(sent["reason"], ("TCP_ABORT_ON_CLOSE", "NOT_SPECIFIED"))

    @hook("reset-received")
    def test_abort_with_unread_data_is_received_as_a_reset(self):
        self.assertMine(self.resets_of_abort("in"), ("socket",))

    @core
    @needs("nft")
    def test_nftables_input_names_the_owner_from_the_socket_table(self):
        receiver, s = self.udp(), self.udp()
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
        self.ns.drop(f"udp dport {port}")
        with drops() as plumb:
            for _ in range(5):
                s.sendto(b"x", ("127.0.0.1", port))
            counted = self.ns.dropped()
        self.assertEqual(counted, 5)
        lines = self.here(plumb.lines, type="drop", dst_port=port)
        self.assertEqual(self.total(lines), counted)
        for line in lines:
            self.assertReason(line, "NETFILTER_DROP")
            self.assertPacket(line, protocol="udp", direction="in", dev="lo", src_port=s.getsockname()[1])
            self.assertMine(line, ("table",))

    @core
    def test_listen_queue_overflow(self):
        listener = self.tcp()
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        before = self.counter("TcpExtListenOverflows")
        with drops() as plumb:
            for _ in range(5):
                s = self.tcp()
                s.setblocking(False)
                s.connect_ex(listener.getsockname())
            lost = self.counter("TcpExtListenOverflows") - before
        self.assertGreater(lost, 0)
        self.assertGreaterEqual(self.delta(plumb.lines, "TcpExtListenOverflows"), lost)
        line, = self.here(plumb.lines, type="counter", counter="TcpExtListenOverflows")
        self.assertIn("accept", line["hint"])

    @core
    def test_tcp_out_of_window(self):
        if not HAS_REASONS:
            self.skipTest("before 5.17 TCP frees what is out of its window without the tracepoint")
        listener, client = self.tcp(), self.tcp()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        self.addCleanup(server.close)
        source, target = client.getsockname()[1], listener.getsockname()[1]
        with self.ns.inside():
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.addCleanup(raw.close)
        end = socket.inet_aton("127.0.0.1")
        segment = struct.pack("!HHIIBBHHH", source, target, 12345, 1, 0x50, 0x18, 512, 0, 0) + b"stray"
        pseudo = end + end + struct.pack("!BBH", 0, 6, len(segment))
        segment = segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]
        with drops() as plumb:
            raw.sendto(ipv4("127.0.0.1", "127.0.0.1", 6, segment), ("127.0.0.1", 0))
            plumb.wait_for(lambda lines: self.here(lines, type="drop", src_port=source), "the drop")
        line, = self.here(plumb.lines, type="drop", src_port=source, dst_port=target)
        self.assertReason(line, "TCP_INVALID_SEQUENCE", "TCP_OLD_SEQUENCE", "TCP_INVALID_END_SEQUENCE")
        self.assertPacket(line, protocol="tcp", tcp_flags="PSH|ACK", direction="in",
                          state="established" if RELEASE >= (6, 11) else None)  # no socket is named before
        self.assertMine(line)

    @core
    def test_retransmit_is_joined_with_the_drop_behind_it(self):
        listener, client = self.tcp(), self.tcp()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        self.addCleanup(server.close)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = listener.getsockname()[1]
        self.ns.drop(f"tcp dport {port} tcp flags & psh == psh limit rate 1/hour burst 1 packets")
        with drops() as plumb:
            client.send(b"once more")
            self.assertEqual(server.recv(100), b"once more")
        drop = self.here(plumb.lines, type="drop", dst_port=port)[0]
        line = self.here(plumb.lines, type="retransmit", dst_port=port)[0]
        self.assertReason(drop, "NETFILTER_DROP")
        self.assertPacket(line, src_port=client.getsockname()[1], cause_certainty="segment", direction="out",
                          state="established", cause=drop["reason"] or drop["location"],
                          cause_location=drop["location"])
        self.assertIn(line["kind"], ("tlp", "rto"))
        self.assertGreater(line["cause_age_ms"], 0)
        self.assertGreaterEqual(line["retransmits"], 1)
        self.assertMine(line, ("socket",))

    @hook("retransmit")
    @needs("nft")
    def test_retransmit_alone(self):
        self.ns.drop("tcp dport 9")
        s = self.tcp()
        s.setblocking(False)
        with drops("--type", "retransmit") as plumb:
            s.connect_ex(("127.0.0.1", 9))
            plumb.wait_for(lambda lines: self.here(lines, type="retransmit"), "a retransmit")
        self.assertPacket(self.here(plumb.lines, type="retransmit")[0], kind="syn", state="syn_sent", dst_port=9)

    @hook("retransmit-synack")
    @needs("nft")
    def test_syn_ack_retransmit(self):
        """The client hears no answer and asks again, and so does the server."""
        listener, client = self.tcp(), self.tcp()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        self.ns.drop(f"tcp sport {port}")
        client.setblocking(False)
        with drops("--type", "retransmit") as plumb:
            client.connect_ex(listener.getsockname())
            plumb.wait_for(lambda lines: self.here(lines, kind="syn_ack"), "a SYN-ACK sent again")
        line = self.here(plumb.lines, kind="syn_ack")[0]
        self.assertPacket(line, src="127.0.0.1", src_port=port, dst="127.0.0.1", dst_port=client.getsockname()[1],
                          state="syn_recv")

    @core
    @needs("nft")
    def test_syn_retransmit(self):
        self.ns.drop("tcp dport 9")
        s = self.tcp()
        s.setblocking(False)
        with drops() as plumb:
            s.connect_ex(("127.0.0.1", 9))
            plumb.wait_for(lambda lines: self.here(lines, type="retransmit"), "a retransmit")
        line = self.here(plumb.lines, type="retransmit")[0]
        self.assertPacket(line, kind="syn", state="syn_sent", dst_port=9, cause_certainty="segment")
        if HAS_REASONS:
            self.assertEqual(line["cause"], "NETFILTER_DROP")


class Routed(DropTest):
    """a -- router -- b, with the test's own namespace as the router."""


    def setUp(self):
        super().setUp()
        self.a, self.b = Namespace(), Namespace()
        self.addCleanup(self.a.close)
        self.addCleanup(self.b.close)
        for ns, name, net in ((self.a, "ra", 1), (self.b, "rb", 2)):
            self.ns.run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(ns.pid))
            self.ns.run("ip", "addr", "add", f"10.9.{net}.1/24", "dev", name)
            self.ns.run("ip", "link", "set", name, "up")
            ns.run("ip", "addr", "add", f"10.9.{net}.2/24", "dev", "eth0")
            ns.run("ip", "link", "set", "eth0", "up")
            ns.run("ip", "route", "add", "default", "via", f"10.9.{net}.1")
        self.ns.sysctl("net.ipv4.ip_forward", 1)
        for name in ("all", "default", "ra", "rb"):
            self.ns.sysctl(f"net.ipv4.conf.{name}.rp_filter", 0)
        wait_until(lambda: self.tcp(self.a).connect_ex(("10.9.2.2", 9)) == 111, "an answer from beyond the router")

    def send(self, destination, port=4242, ttl=None, size=1, discover=False):
        s = self.udp(self.a)
        if ttl:
            s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        if discover:
            s.setsockopt(socket.IPPROTO_IP, 10, 3)  # IP_MTU_DISCOVER, IP_PMTUDISC_PROBE
        s.sendto(b"x" * size, (destination, port))
        return s

    def drop_in_router(self, plumb, **fields):
        line, = self.here(plumb.lines, type="drop", protocol="udp", dst_port=4242)
        self.assertPacket(line, src="10.9.1.2", pid=None, **fields)
        return line

    @core
    @needs("nft")
    def test_nftables_forward(self):
        self.ns.nft("udp dport 4242 counter drop", hook="forward")
        with drops() as plumb:
            self.send("10.9.2.2")
        self.assertReason(self.drop_in_router(plumb, dst="10.9.2.2", direction="forward", dev="ra"), "NETFILTER_DROP")

    @core
    def test_no_route(self):
        with drops() as plumb:
            self.send("192.0.2.1")
        line = self.drop_in_router(plumb, dst="192.0.2.1", dev="ra")
        self.assertReason(line, "IP_INNOROUTES", "IP_INADDRERRORS", "NOT_SPECIFIED")
        self.assertIn(line["direction"], ("in", "forward"))

    @core
    def test_ttl_exceeded(self):
        before = self.counter("IpInHdrErrors")
        with drops() as plumb:
            self.send("10.9.2.2", ttl=1)
        line = self.drop_in_router(plumb, dst="10.9.2.2", direction="forward", dev="ra")
        self.assertReason(line, "IP_INHDR")
        self.assertIn("ip_forward", line["location"])
        self.assertEqual(self.counter("IpInHdrErrors") - before, 1)
        self.assertEqual(self.delta(plumb.lines, "IpInHdrErrors"), 1)

    @core
    def test_mtu_too_big(self):
        self.ns.run("ip", "link", "set", "rb", "mtu", "1000")
        with drops() as plumb:
            self.send("10.9.2.2", size=1400, discover=True)
        line = self.drop_in_router(plumb, dst="10.9.2.2", direction="forward")
        self.assertReason(line, "PKT_TOO_BIG")
        self.assertEqual(self.delta(plumb.lines, "IpFragFails"), 1)

    @core
    def test_rp_filter(self):
        self.ns.sysctl("net.ipv4.conf.ra.rp_filter", 1)
        self.a.run("ip", "addr", "add", "10.9.2.77/32", "dev", "lo")
        before = self.counter("TcpExtIPReversePathFilter")
        s = self.udp(self.a)
        s.bind(("10.9.2.77", 0))
        with drops() as plumb:
            s.sendto(b"x", ("10.9.1.1", 4242))
        line, = self.here(plumb.lines, type="drop", src="10.9.2.77")
        self.assertReason(line, "IP_RPFILTER")
        self.assertPacket(line, direction="in", dev="ra", dst_port=4242)
        self.assertEqual(self.counter("TcpExtIPReversePathFilter") - before, 1)
        self.assertEqual(self.delta(plumb.lines, "TcpExtIPReversePathFilter"), 1)

    @core
    def test_bad_checksum(self):
        with self.a.inside():
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.addCleanup(raw.close)
        wrong = struct.pack("!HHHH", 1111, 4242, 12, 0x1234) + b"abcd"
        with drops() as plumb:
            raw.sendto(ipv4("10.9.1.2", "10.9.1.1", 17, wrong), ("10.9.1.1", 0))
        line = self.drop_in_router(plumb, src_port=1111, direction="in", dev="ra")
        self.assertReason(line, "UDP_CSUM")
        self.assertEqual(self.delta(plumb.lines, "UdpInCsumErrors"), 1)

    @core
    def test_neighbour_does_not_answer(self):
        self.ns.sysctl("net.ipv4.neigh.rb.mcast_solicit", 1)
        self.ns.sysctl("net.ipv4.neigh.rb.retrans_time_ms", 50)
        with drops() as plumb:
            self.send("10.9.2.99")
            plumb.wait_for(lambda lines: self.here(lines, type="drop", dst="10.9.2.99"), "the drop")
        line = self.drop_in_router(plumb, dst="10.9.2.99", direction="forward")
        self.assertReason(line, "NEIGH_FAILED")

    @core
    @needs("tc")
    def test_qdisc_overflow(self):
        made = self.ns.run("tc", "qdisc", "add", "dev", "rb", "root", "tbf", "rate", "8kbit", "burst", "2000", "limit",
                           "3000", check=False)
        if made.returncode != 0:
            self.skipTest(f"this kernel has no tbf: {made.stderr.strip()}")
        with drops() as plumb:
            for _ in range(20):
                self.send("10.9.2.2", size=500)
            counted = int(re.search(r"dropped (\d+)", self.ns.run("tc", "-s", "qdisc", "show", "dev", "rb").stdout)[1])
        self.assertGreater(counted, 0)
        lines = self.here(plumb.lines, type="drop", protocol="udp", dst_port=4242)
        self.assertEqual(self.total(lines), counted)
        for line in lines:
            self.assertReason(line, "QDISC_DROP", "QDISC_OVERLIMIT", "QDISC_DROP_OVERLIMIT", "QDISC_DROP_GENERIC")
            self.assertPacket(line, direction="forward", dev="rb", dst="10.9.2.2")
        self.assertEqual(self.delta(plumb.lines, "qdisc_drops", dev="rb"), counted)


if __name__ == "__main__":
    unittest.main()
