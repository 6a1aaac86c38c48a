"""Every way of losing a packet, made for real in namespaces of its own: drops names it as the kernel does, and counts it
as the kernel's own counters do."""
import os
import re
import socket
import struct
import time
import unittest

from harness import SHARED_KEYS, LiveTest, Namespace, Plumb, core, hook, needs, wait_until

EVENT_KEYS = SHARED_KEYS | {
    "reason", "subsystem", "hint", "location", "protocol", "src", "src_port", "dst", "dst_port", "tcp_flags",
    "length_bytes", "dev", "direction", "state", "owner_source", "stack", "count"}
KEYS = {
    "drop": EVENT_KEYS | {"inner_protocol", "inner_src", "inner_src_port", "inner_dst", "inner_dst_port"},
    "retransmit": EVENT_KEYS | {"kind", "sequence", "srtt_ms", "retransmits", "cause", "cause_location",
                                "cause_certainty", "cause_age_ms"},
    "reset": EVENT_KEYS,
    "counter": SHARED_KEYS | {"hint", "dev", "counter", "delta"},
}
COMM = open("/proc/self/comm").read().strip()
RELEASE = tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())
HAS_REASONS = RELEASE >= (5, 17)
HAS_RESET_REASONS = RELEASE >= (6, 10)


def drops(*args, **options):
    return Plumb("drops", *args, keys=KEYS, **options)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(source, destination, protocol, payload, ttl=64, fragment=0):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 7, fragment, ttl, protocol, 0,
                         socket.inet_aton(source), socket.inet_aton(destination))
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


class DropTest(LiveTest):
    """LiveTest with counters of the kernel and sockets in namespaces."""

    def udp(self, ns=None, family=socket.AF_INET):
        with (ns or self.ns).inside():
            s = socket.socket(family, socket.SOCK_DGRAM)
        self.addCleanup(s.close)
        return s

    def tcp(self, ns=None, family=socket.AF_INET):
        with (ns or self.ns).inside():
            s = socket.socket(family, socket.SOCK_STREAM)
        self.addCleanup(s.close)
        return s

    def counter(self, name, ns=None):
        """One of nstat's counters in the namespace."""
        with (ns or self.ns).inside():
            for file in ("snmp", "netstat"):
                with open(f"/proc/thread-self/net/{file}") as f:
                    lines = f.read().splitlines()
                for names, numbers in zip(lines[::2], lines[1::2]):
                    group = names.split(":")[0]
                    table = dict(zip(names.split()[1:], numbers.split()[1:]))
                    if name.startswith(group) and name[len(group):] in table:
                        return int(table[name[len(group):]])
            with open("/proc/thread-self/net/snmp6") as f:
                for line in f:
                    if line.split()[0] == name:
                        return int(line.split()[1])
        raise AssertionError(f"the kernel has no counter {name}")

    def here(self, lines, ns=None, **fields):
        inode = (ns or self.ns).inode
        return [e for e in lines if e["netns"] == inode and all(e.get(k) == v for k, v in fields.items())]

    def total(self, lines):
        return sum(e["count"] for e in lines)

    def delta(self, lines, counter, ns=None, dev=None):
        return sum(e["delta"] for e in self.here(lines, ns, type="counter", counter=counter, dev=dev))

    def assertReason(self, line, *names):
        """One of these on kernels with reasons; null before."""
        self.assertIn(line["reason"], names if HAS_REASONS else (None,), line)

    def assertPacket(self, line, **fields):
        for key, value in fields.items():
            self.assertEqual(line[key], value, (key, line))

    def assertMine(self, line, source=None):
        self.assertEqual((line["pid"], line["comm"], line["uid"]), (os.getpid(), COMM, 0), line)
        if source:
            self.assertIn(line["owner_source"], source, line)


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


class Output(DropTest):
    def flood(self, n, port=9):
        s = self.udp()
        for _ in range(n):
            s.sendto(b"x", ("127.0.0.1", port))

    @core
    def test_a_storm_is_counted_exactly(self):
        before = self.counter("UdpNoPorts")
        with drops("--type", "drop", "--max-rate", "50", f"--netns={self.ns.path}") as plumb:
            self.flood(20000)
        self.assertEqual(self.counter("UdpNoPorts") - before, 20000)
        lines = self.here(plumb.lines, type="drop")
        self.assertEqual(self.total(lines), 20000)
        self.assertLess(len(lines), 500)
        folded = [e for e in lines if e["count"] > 1]
        self.assertTrue(folded)
        for line in folded:
            self.assertPacket(line, src=None, dst=None, dev="lo", direction="in")
        self.assertNothingLost(plumb.lines)

    @core
    def test_summary(self):
        with Plumb("drops", "--summary", f"--netns={self.ns.path}") as plumb:
            self.flood(300, 9)
            self.flood(100, 10)
        lines = [e for e in plumb.lines if e["event"] == "drop" and e["protocol"] == "udp"]
        self.assertEqual([(e["count"], e["dst_port"]) for e in lines], [(300, 9), (100, 10)])
        for line in lines:
            self.assertReason(line, "NO_SOCKET")
            self.assertPacket(line, src="127.0.0.1", dst="127.0.0.1", dev="lo", direction="in")

    def test_summary_of_what_an_expression_keeps(self):
        with Plumb("drops", "--summary", "--by", "protocol,dst_port,dev", "--where", "dst_port == 9", f"--netns={self.ns.path}") as plumb:
            self.flood(300, 9)
            self.flood(100, 10)
        line, = plumb.lines
        self.assertEqual(line, {"type": "summary", "protocol": "udp", "dst_port": 9, "dev": "lo", "count": 300,
                                "length_bytes": line["length_bytes"]})

    def test_filters_in_the_kernel(self):
        cases = [(("--port", "9"), {9}), (("--port", "!9"), {10}), (("--host", "127.0.0.0/8"), {9, 10}),
                 (("--host", "!127.0.0.1"), set()), (("--host", "10.0.0.0/8"), set()), (("--proto", "udp"), {9, 10}),
                 (("--proto", "tcp"), set()), (("--dev", "lo"), {9, 10}), (("--dev", "eth7"), set())]
        if HAS_REASONS:
            cases += [(("--reason", "no_socket"), {9, 10}), (("--reason", "!NO_SOCKET"), set()),
                      (("--reason", "NETFILTER_DROP,XDP"), set())]
        for args, expected in cases:
            with self.subTest(args=args):
                with drops(*args, "--type", "drop", f"--netns={self.ns.path}") as plumb:
                    self.flood(2, 9)
                    self.flood(2, 10)
                self.assertEqual({e["dst_port"] for e in plumb.lines}, expected)

    def counters(self, *args, prefix=(), **options):
        """The counters that are told while this namespace loses packets."""
        with drops(*args, prefix=prefix, **options) as plumb:
            self.flood(3)
            if "--" in args:
                plumb.finish()
        return self.here(plumb.lines, type="counter")

    @core
    def test_counters_are_told_only_where_they_can_be_held_to_the_filter(self):
        self.assertNotEqual(self.counters(), [])
        self.assertNotEqual(self.counters(f"--netns={self.ns.path}"), [])
        self.assertNotEqual(self.counters("--type", "drop,counter", "--port", "9"), [])
        for args in (("-p", str(os.getpid())), ("--comm", COMM), ("--port", "9"), ("--proto", "udp"), ("--dev", "lo")):
            with self.subTest(args=args):
                self.assertEqual(self.counters(*args), [])

    @core
    def test_counters_of_others_fail_no_command(self):
        """Another namespace loses packets while the command runs."""
        with drops("--fail-if", "count > 0", "--", "sleep", "1") as plumb:
            self.flood(20)
            plumb.finish()
        self.assertEqual([e for e in plumb.lines if e["type"] == "counter"], [])

    def test_count_of_counters(self):
        with drops("--type", "counter", f"--netns={self.ns.path}", "-n", "1") as plumb:
            self.flood(3)
            plumb.finish()
        self.assertEqual([e["type"] for e in plumb.lines], ["counter"])

    @core
    def test_counters_at_each_interval(self):
        with drops("--type", "counter", f"--netns={self.ns.path}", "--interval", "100ms") as plumb:
            for _ in range(2):
                told = len(self.here(plumb.so_far(), counter="UdpNoPorts"))
                self.flood(3)
                plumb.wait_for(lambda lines: len(self.here(lines, counter="UdpNoPorts")) > told, "its growth")
        self.assertEqual(self.delta(plumb.lines, "UdpNoPorts"), 6)

    def test_what_has_no_reason_is_none_of_those_asked_for(self):
        if not HAS_REASONS:
            self.skipTest("this kernel gives no reasons")
        with drops("--reason", "QDISC_DROP", f"--netns={self.ns.path}") as plumb:
            self.assertEqual(self.tcp().connect_ex(("127.0.0.1", 9)), 111)
        self.assertEqual(plumb.lines, [])

    def test_process_filter(self):
        receiver = self.udp()
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        receiver.bind(("127.0.0.1", 0))
        for args, found in (("-p", str(os.getpid())), True), (("-p", "1"), False), (("--comm", COMM), True):
            with self.subTest(args=args):
                with drops("--type", "drop", *args, f"--netns={self.ns.path}") as plumb:
                    self.flood(40, receiver.getsockname()[1])
                    self.flood(1, 9)  # nobody's
                self.assertEqual({e["dst_port"] for e in plumb.lines},
                                 {receiver.getsockname()[1]} if found else set())

    @core
    def test_stack_and_folded(self):
        with drops("--stack", "--type", "drop", f"--netns={self.ns.path}") as plumb:
            self.flood(3)
        for line in self.here(plumb.lines, type="drop"):
            text = " ".join(line["stack"])
            self.assertRegex(text, r"do_syscall_64.*udp\w*rcv")
            self.assertNotIn("bpf_prog", text)
        with Plumb("drops", "-f", "folded", f"--netns={self.ns.path}", json_lines=False) as plumb:
            self.flood(5)
        found = [line for line in plumb.output.decode().splitlines() if re.search(r"udp\w*rcv", line)]
        self.assertEqual(sum(int(line.split()[-1]) for line in found), 5)
        self.assertIn("udp_sendmsg", found[0])
        if HAS_REASONS:
            self.assertTrue(found[0].split()[0].endswith("[NO_SOCKET]"))

    @needs("curl")
    def test_ordinary_traffic_prints_nothing(self):
        with self.ns.inside():
            server = self.ns.popen("python3", "-m", "http.server", "8000", "--bind", "127.0.0.1", "--directory", "/etc",
                                   stdout=-3, stderr=-3)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        wait_until(lambda: ":8000 " in self.ns.run("ss", "-tlnH").stdout, "the server")
        answerer, asker = self.udp(), self.udp()
        answerer.bind(("127.0.0.1", 0))
        with Plumb("drops", f"--netns={self.ns.path}", json_lines=False) as plumb:
            for _ in range(15):
                self.ns.run("curl", "-sS", "-o", "/dev/null", "http://127.0.0.1:8000/hostname")
                self.ns.run("curl", "-sS", "-o", "/dev/null", "http://127.0.0.1:8000/", "http://127.0.0.1:8000/passwd")
                asker.sendto(b"question", answerer.getsockname())
                data, peer = answerer.recvfrom(100)
                answerer.sendto(data, peer)
                asker.recv(100)
        rows = plumb.output.decode().splitlines()[1:]
        self.assertEqual([], rows)
        self.assertRegex(plumb.stderr, r"^(plumb: \d+ benign drops not shown \(--all shows them\)\n)?$")

    @core
    def test_last_segments_of_a_connection_are_no_drops(self):
        """Who closes first and is gone waits as TIME_WAIT, whose answer to the other's FIN frees it without a reason."""
        if not HAS_REASONS:
            self.skipTest("this kernel gives no reasons: what it drops there may be a loss")
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            for options in ([], ["--summary"]):
                with self.subTest(address=address, options=options):
                    listener = self.tcp(family=family)
                    listener.bind((address, 0))
                    listener.listen()
                    with Plumb("drops", f"--netns={self.ns.path}", "--type", "drop", *options) as plumb:
                        client = self.tcp(family=family)
                        client.connect(listener.getsockname())
                        served, _ = listener.accept()
                        port = client.getsockname()[1]
                        client.close()
                        wait_until(lambda: f":{port} " in self.ns.run("ss", "-tanH", "state", "fin-wait-2").stdout,
                                   "the client to wait for the server's FIN")
                        served.close()
                        wait_until(lambda: f":{port} " in self.ns.run("ss", "-tanH", "state", "time-wait").stdout,
                                   "TIME_WAIT")
                    self.assertEqual(plumb.lines, [])

    def test_wrong_reason_is_explained(self):
        if not HAS_REASONS:
            self.skipTest("this kernel gives no reasons")
        plumb = Plumb("drops", "--reason", "NO_SOKET", expect_status=1)
        with self.assertRaises(AssertionError):
            plumb.__enter__()
        self.assertIn("NO_SOCKET", plumb.stderr)


if __name__ == "__main__":
    unittest.main()
