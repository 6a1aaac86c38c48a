"""An ordinary healthy network shows nothing: no drop, no retransmit, no reset, no counter. Two hosts on one wire, and what
machines do all day."""
import contextlib
import os
import socket
import struct
import threading
import time
import unittest

from harness import Namespace, Plumb, core, needs, wait_until
from drops import HAS_REASONS, DropTest, checksum


# Why a receiver throws away what it has already.
DUPLICATES = {"TCP_OLD_DATA", "TCP_RFC7323_PAWS"}


class Healthy(DropTest):
    """10.9.1.1 (this namespace) -- 10.9.1.2 (`other`), on veth devices."""

    def setUp(self):
        super().setUp()
        self.other = Namespace()
        self.addCleanup(self.other.close)
        self.wire()
        wait_until(self.usable, "addresses that are no longer tentative")

    def wire(self):
        self.ns.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(self.other.pid))
        for ns, last in ((self.ns, 1), (self.other, 2)):
            ns.run("ip", "addr", "add", f"10.9.1.{last}/24", "brd", "+", "dev", "eth0")
            ns.run("ip", "addr", "add", f"fd09::{last}/64", "dev", "eth0")
            ns.run("ip", "link", "set", "eth0", "up")
            ns.sysctl("net.ipv6.conf.eth0.keep_addr_on_down", 1)

    def usable(self):
        return not any("tentative" in ns.run("ip", "-6", "addr").stdout for ns in (self.ns, self.other))

    @contextlib.contextmanager
    def nothing_shown(self, *args):
        # A busy machine may really send something again, when an answer takes it too long. That is no matter here, nor that
        # the receiver, who has it already, throws the second one away.
        with Plumb("drops", "--type", "drop,reset,counter,retransmit", *args) as plumb:
            yield plumb
        here = [e for e in plumb.lines if e.get("netns") in (self.ns.inode, self.other.inode)]
        again = {self.flow(e) for e in here if self.kind(e) == "retransmit"}
        here = [e for e in here if self.kind(e) != "retransmit" and
                not (e.get("reason") in DUPLICATES and self.flow(e) in again)]
        keys = ("type", "event", "reason", "location", "protocol", "src", "dst", "dst_port", "tcp_flags", "direction", "dev",
                "counter")
        self.assertEqual([], [tuple(e[k] for k in keys if e.get(k)) for e in here])

    @staticmethod
    def kind(e):
        return e["event"] if e["type"] == "summary" else e["type"]

    @staticmethod
    def flow(e):
        return e.get("src"), e.get("src_port"), e.get("dst"), e.get("dst_port")

    def connected(self, address="10.9.1.1", family=socket.AF_INET):
        listener, client = self.tcp(family=family), self.tcp(self.other, family)
        listener.bind((address, 0))
        listener.listen()
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        self.addCleanup(server.close)
        return server, client

    def send_all(self, sender, data, receiver):
        thread = threading.Thread(target=sender.sendall, args=(data,))
        thread.start()
        left = len(data)
        while left:
            left -= len(receiver.recv(min(left, 1 << 16)))
        thread.join()

    def until_closed(self, *sockets):
        for s in sockets:
            self.assertEqual(s.recv(1), b"")

    # what machines do

    def half_closed_reply(self):
        """The client has said all; 2 MB come back."""
        for address, family in (("10.9.1.1", socket.AF_INET), ("fd09::1", socket.AF_INET6)):
            server, client = self.connected(address, family)
            client.shutdown(socket.SHUT_WR)
            self.until_closed(server)
            self.send_all(server, b"x" * 2_000_000, client)
            server.close()
            self.until_closed(client)
            client.close()

    def transfers_both_ways(self):
        server, client = self.connected()
        self.send_all(server, b"x" * 4_000_000, client)
        self.send_all(client, b"x" * 4_000_000, server)
        client.close()
        self.until_closed(server)
        server.close()

    def connections_closed_by_either_side(self):
        for first in range(20):
            pair = self.connected()
            self.send_all(pair[0], b"hello", pair[1])
            pair[first % 2].close()
            self.until_closed(pair[1 - first % 2])
            pair[1 - first % 2].close()

    def connections_closed_by_both_at_once(self):
        for _ in range(10):
            server, client = self.connected()
            server.close()
            client.close()

    def connections_on_loopback(self):
        listener = self.tcp()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        for _ in range(10):
            client = self.tcp()
            client.connect(listener.getsockname())
            server, _ = listener.accept()
            self.send_all(client, b"x" * 300_000, server)
            client.close()
            self.until_closed(server)
            server.close()

    def web_server(self):
        """Before the trace: it asks for its host's name, for which there may be no route."""
        server = self.ns.popen("/usr/bin/python3", "-m", "http.server", "8000", "--directory", "/etc", stdout=-3, stderr=-3)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        wait_until(lambda: ":8000 " in self.ns.run("ss", "-tlnH").stdout, "the server")

    def http(self):
        for _ in range(5):
            self.other.run("curl", "-sS", "-o", "/dev/null", "http://10.9.1.1:8000/hostname", "http://10.9.1.1:8000/passwd")

    def pings_by_raw_sockets(self):
        self.echo(socket.SOCK_RAW)

    def pings_by_ping_sockets(self):
        for ns in (self.ns, self.other):
            ns.sysctl("net.ipv4.ping_group_range", "0 2147483647")
        self.echo(socket.SOCK_DGRAM)

    def echo(self, kind):
        for family, protocol, request, address in ((socket.AF_INET, socket.IPPROTO_ICMP, 8, "10.9.1.1"),
                                                   (socket.AF_INET6, socket.IPPROTO_ICMPV6, 128, "fd09::1")):
            with self.other.inside():
                s = socket.socket(family, kind, protocol)
            self.addCleanup(s.close)
            for sequence in range(5):
                message = struct.pack("!BBHHH", request, 0, 0, os.getpid() & 0xffff, sequence) + b"ping"
                if request == 8:
                    message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
                s.sendto(message, (address, 0))
                s.settimeout(10)
                while s.recv(100)[:28][20 if kind == socket.SOCK_RAW and request == 8 else 0] not in (0, 129):
                    pass

    def questions_and_answers_by_udp(self):
        for address, family in (("10.9.1.1", socket.AF_INET), ("fd09::1", socket.AF_INET6)):
            answerer, asker = self.udp(family=family), self.udp(self.other, family)
            answerer.bind((address, 0))
            for _ in range(20):
                asker.sendto(b"question", answerer.getsockname())
                data, peer = answerer.recvfrom(100)
                answerer.sendto(data, peer)
                asker.recv(100)

    def broadcast(self, address, *ports):
        s = self.udp(self.other)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        for port in ports:
            s.sendto(b"anybody?", (address, port))

    def mdns(self):
        self.broadcast("224.0.0.251", 5353)
        s = self.udp(self.other, socket.AF_INET6)
        index = self.index(self.other)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        s.sendto(b"anybody?", ("ff02::fb", 5353, 0, index))

    def index(self, ns):
        with ns.inside():
            return socket.if_nametoindex("eth0")

    def ssdp(self):
        self.broadcast("239.255.255.250", 1900)

    def dhcp(self):
        self.broadcast("255.255.255.255", 67)

    def netbios(self):
        self.broadcast("10.9.1.255", 137, 138)

    def multicast_that_somebody_wants(self):
        """A member of the group who listens, and one who is told of another port."""
        member = self.udp()
        member.bind(("", 5353))
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                          socket.inet_aton("224.0.0.251") + socket.inet_aton("10.9.1.1"))
        self.broadcast("224.0.0.251", 5353, 5354)
        self.assertEqual(member.recv(100), b"anybody?")

    def a_device_comes_up(self):
        for ns in (self.ns, self.other):
            ns.run("ip", "link", "set", "eth0", "down")
        for ns in (self.ns, self.other):
            ns.run("ip", "link", "set", "eth0", "up")
        wait_until(self.usable, "addresses that are no longer tentative")

    def devices_come_and_go(self):
        self.ns.run("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns", str(self.other.pid))
        self.ns.run("ip", "addr", "add", "10.9.2.1/24", "dev", "eth1")
        for ns in (self.ns, self.other):
            ns.run("ip", "link", "set", "eth1", "up")
        time.sleep(0.3)  # what it says of itself meanwhile is the matter
        self.ns.run("ip", "link", "del", "eth1")

    def neighbours_are_found(self):
        for ns in (self.ns, self.other):
            ns.run("ip", "neigh", "flush", "dev", "eth0")
        self.questions_and_answers_by_udp()

    def captures(self):
        """A packet socket that wants nothing, and one that wants all and reads."""
        with self.ns.inside():
            capture = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.addCleanup(capture.close)
        self.questions_and_answers_by_udp()
        capture.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while capture.recv(2000):
                pass

    def local_sockets(self):
        a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        a.send(b"never read")
        b.close()
        a.close()
        a, b = socket.socketpair()
        a.send(b"never read")
        b.close()
        a.close()
        self.ns.run("ip", "-s", "link")

    @core
    @needs("curl")
    def test_nothing_is_shown(self):
        if not HAS_REASONS:
            self.skipTest("this kernel gives no reasons: what it drops there may be a loss")
        self.web_server()
        for scenario in (self.half_closed_reply, self.transfers_both_ways, self.connections_closed_by_either_side,
                         self.connections_closed_by_both_at_once, self.connections_on_loopback, self.http,
                         self.pings_by_raw_sockets, self.pings_by_ping_sockets, self.questions_and_answers_by_udp,
                         self.mdns, self.ssdp, self.dhcp, self.netbios, self.multicast_that_somebody_wants,
                         self.a_device_comes_up, self.devices_come_and_go, self.neighbours_are_found, self.captures,
                         self.local_sockets):
            with self.subTest(scenario.__name__):
                with self.nothing_shown():
                    scenario()

    @core
    def test_summary_shows_nothing_either(self):
        if not HAS_REASONS:
            self.skipTest("this kernel gives no reasons: what it drops there may be a loss")
        with self.nothing_shown("--summary"):
            self.half_closed_reply()
            self.pings_by_raw_sockets()
            self.mdns()
            self.netbios()


if __name__ == "__main__":
    unittest.main()
