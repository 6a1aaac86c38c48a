"""What a line of drops says of a packet is what happened to it: its direction, its ports, why it was sent again."""
import ctypes
import fcntl
import os
import select
import socket
import struct
import threading
import unittest

from drops import HAS_REASONS, DropTest, checksum, drops, ipv4
from harness import Namespace, Plumb, core, libc, needs, wait_until

PORT = 22136
XDP_DROP = bytes.fromhex("b700000001000000" "9500000000000000")  # r0 = XDP_DROP; exit


def bpf(command, attributes):
    fd = libc.syscall(321, command, attributes, len(attributes))
    if fd < 0:
        raise unittest.SkipTest(f"bpf(2), command {command}: {os.strerror(ctypes.get_errno())}")
    return fd


class Cut(DropTest):
    """Packets that end before their ports do."""

    def send(self, protocol):
        with self.ns.inside():
            s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.addCleanup(s.close)
        s.sendto(ipv4("127.0.0.1", "127.0.0.1", protocol, struct.pack("!H", PORT)), ("127.0.0.1", 0))

    def send_both(self):
        self.send(socket.IPPROTO_TCP)
        self.send(socket.IPPROTO_UDP)

    @core
    def test_are_losses_without_ports(self):
        with drops("--type", "drop") as plumb:
            self.send_both()
        lines = self.here(plumb.lines, type="drop")
        self.assertEqual(sorted(e["protocol"] for e in lines), ["tcp", "udp"])
        for line in lines:
            self.assertPacket(line, src_port=None, dst_port=None, src="127.0.0.1")

    @core
    def test_have_none_in_a_summary_either(self):
        with Plumb("drops", "--type", "drop", "--summary") as plumb:
            self.send_both()
        lines = [e for e in plumb.lines if e["netns"] == self.ns.inode]
        self.assertEqual(sum(e["count"] for e in lines), 2)
        self.assertEqual({e["dst_port"] for e in lines}, {None})

    @core
    def test_match_no_port(self):
        with drops("--type", "drop", "--port", str(PORT)) as plumb:
            self.send_both()
        self.assertEqual(self.here(plumb.lines), [])


class Direction(DropTest):
    def setUp(self):
        super().setUp()
        self.other = Namespace()
        self.addCleanup(self.other.close)
        self.ns.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(self.other.pid))
        for ns, last in ((self.ns, 1), (self.other, 2)):
            ns.run("ip", "addr", "add", f"10.9.1.{last}/24", "dev", "eth0")
            ns.run("ip", "addr", "add", f"fd09::{last}/64", "dev", "eth0", "nodad")
            ns.run("ip", "link", "set", "eth0", "up")
        wait_until(self.usable, "addresses of both ends")

    def usable(self):
        said = [ns.run("ip", "-6", "addr", "show", "eth0").stdout for ns in (self.ns, self.other)]
        return all("fe80" in s and "tentative" not in s for s in said)

    @staticmethod
    def index(ns):
        with ns.inside():
            return socket.if_nametoindex("eth0")

    @core
    def test_multicast_that_nobody_wants_comes_in(self):
        s = self.udp(self.other, socket.AF_INET6)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF,
                     self.index(self.other))
        with drops("--type", "drop", "--all") as plumb:
            s.sendto(b"x", ("ff02::1", PORT))  # all nodes: received, and then no socket is there
        lines = self.here(plumb.lines, dst_port=PORT)
        self.assertTrue(lines)
        for line in lines:
            self.assertPacket(line, direction="in", dst="ff02::1", protocol="udp")

    @core
    def test_what_xdp_drops_comes_in(self):
        code, licence = ctypes.create_string_buffer(XDP_DROP, len(XDP_DROP)), ctypes.create_string_buffer(b"GPL")
        program = bpf(5, struct.pack("=IIQQ", 6, 2, ctypes.addressof(code), ctypes.addressof(licence)) + bytes(40))
        self.addCleanup(os.close, program)
        with self.ns.inside():
            link = bpf(28, struct.pack("=IIII", program, self.index(self.ns), 37, 4) + bytes(32))  # BPF_XDP, by the driver
        self.addCleanup(os.close, link)
        s = self.udp(self.other)
        self.other.run("ip", "neigh", "replace", "10.9.1.1", "lladdr",
                       self.ns.run("ip", "-br", "link", "show", "eth0").stdout.split()[2], "dev", "eth0")
        with drops("--type", "drop") as plumb:
            s.sendto(b"x", ("10.9.1.1", PORT))
        lines = self.here(plumb.lines)
        self.assertTrue(lines)
        for line in lines:
            self.assertPacket(line, direction="in", dev="eth0")


class Wire:
    """A wire between two namespaces, 10.9.3.1 and .2, through this process: of each 20 segments with data that .1 sends for
    the first time one is lost here, and one marked so that a firewall rule at .2 drops it."""

    def __init__(self, a, b):
        self.devices = [self.device(ns, last) for ns, last in ((a, 1), (b, 2))]
        b.nft("ip dscp cs1 counter drop")
        self.lost_here, self.marked, self.seen = [], [], set()
        self.over, self.end = os.pipe()
        self.thread = threading.Thread(target=self.carry)
        self.thread.start()

    @staticmethod
    def device(ns, last):
        with ns.inside():
            try:
                fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
                fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", b"wire", 0x1001))  # TUNSETIFF, a tun without a head
            except OSError as e:
                raise unittest.SkipTest(f"no tun device: {e}") from None
        ns.run("ip", "addr", "add", f"10.9.3.{last}/24", "dev", "wire")
        ns.run("ip", "link", "set", "wire", "up")
        return fd

    def carry(self):
        while True:
            ready = select.select([*self.devices, self.over], [], [])[0]
            if self.over in ready:
                return
            for fd in ready:
                packet = os.read(fd, 65536)
                if fd == self.devices[0]:
                    packet = self.passed(packet)
                if packet:
                    os.write(self.devices[fd == self.devices[0]], packet)

    def passed(self, packet):
        if packet[0] != 0x45 or packet[9] != socket.IPPROTO_TCP:
            return packet
        sequence, = struct.unpack_from("!I", packet, 24)
        size = len(packet) - 20 - 4 * (packet[32] >> 4)
        if not size or sequence in self.seen:
            return packet
        self.seen.add(sequence)
        if len(self.seen) % 20 == 5:
            self.lost_here.append((sequence, size))
            return None
        if len(self.seen) % 20 == 15:
            self.marked.append((sequence, size))
            head = packet[:1] + b"\x20" + packet[2:10] + b"\0\0" + packet[12:20]  # cs1
            return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + packet[20:]
        return packet

    def close(self):
        os.close(self.end)
        self.thread.join()
        for fd in (*self.devices, self.over):
            os.close(fd)


@needs("nft")
class SentAgain(DropTest):
    def transfer(self, size):
        """Sends so much over the wire; the retransmits of data that plumb told."""
        other = Namespace()
        self.addCleanup(other.close)
        wire = Wire(self.ns, other)
        self.addCleanup(wire.close)
        listener, client = self.tcp(other), self.tcp()
        listener.bind(("10.9.3.2", 0))
        listener.listen()
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        self.addCleanup(server.close)
        with drops("--type", "drop,retransmit") as plumb:
            sender = threading.Thread(target=client.sendall, args=(b"x" * size,))
            sender.start()
            got = 0
            while got < size:
                got += len(server.recv(65536))
            sender.join()
        self.assertNothingLost(plumb.lines)
        return wire, self.here(plumb.lines, type="retransmit", dst_port=listener.getsockname()[1])

    @core
    def test_by_a_loss_elsewhere_blames_nothing_here(self):
        wire, lines = self.transfer(600_000)
        self.assertGreater(len(wire.lost_here), 15)
        self.assertGreater(len(lines), 15)

        def holds(line, segments):
            first = line["sequence"]
            return any((s - first) % 2**32 < line["length_bytes"] or (first - s) % 2**32 < n for s, n in segments)

        blamed = [e for e in lines if e["cause"] or e["cause_location"]]
        self.assertTrue(blamed)
        for line in blamed:
            self.assertTrue(holds(line, wire.marked), (line, wire.marked, wire.lost_here))
            self.assertEqual((line["cause"], line["cause_certainty"]),
                             ("NETFILTER_DROP" if HAS_REASONS else line["cause"], "segment"))
        unseen = [e for e in lines if e not in blamed and holds(e, wire.marked) and not holds(e, wire.lost_here)]
        self.assertEqual(unseen, [])

    @core
    def test_at_once_is_no_tail_loss_probe(self):
        before = self.counter("TcpExtTCPLossProbes"), self.counter("TcpExtTCPFastRetrans")
        _, lines = self.transfer(600_000)
        probes, fast = (self.counter(f"TcpExtTCP{name}") - n
                        for name, n in zip(("LossProbes", "FastRetrans"), before))
        kinds = [e["kind"] for e in lines]
        self.assertGreater(kinds.count("fast"), 0)
        self.assertLessEqual(kinds.count("tlp"), probes)
        self.assertLessEqual(kinds.count("fast"), fast)


if __name__ == "__main__":
    unittest.main()
