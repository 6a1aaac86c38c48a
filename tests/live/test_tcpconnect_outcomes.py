"""Every outcome of a connection attempt, made for real in a namespace of its own."""
import errno
import os
import select
import socket
import struct
import time
import unittest

from harness import Namespace, core, hook, needs, wait_until
from tcpconnect import TcpTest, gettid, tcpconnect


class Outcomes(TcpTest):
    def attempt(self, address, port, args=(), socket_setup=None, expected_errno=0):
        """One blocking connect under trace; the line about it."""
        s = self.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        if socket_setup:
            socket_setup(s)
        with tcpconnect(*args) as plumb:
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            error = s.connect_ex((address, port))
            took_ms = (time.clock_gettime_ns(time.CLOCK_MONOTONIC) - before) / 1e6
        self.assertEqual(errno.errorcode.get(error, 0), errno.errorcode.get(expected_errno, 0))
        line = self.one(plumb.lines)
        self.assertEqual(line["type"], "connect")
        self.assertEqual(line["role"], "client")
        self.assertOwner(line, tid=gettid())
        self.assertEqual(line["uid"], 0)
        self.assertEqual((line["remote_addr"], line["remote_port"]), (address, port))
        self.assertEqual(line["error"], errno.errorcode[error] if error else None)
        if line["latency_ms"] is not None:
            self.assertLessEqual(line["latency_ms"], took_ms)
        return line, s

    @hook("state")
    def test_established(self):
        listener = self.listener()
        line, s = self.attempt(*listener.getsockname())
        self.assertEqual(line["outcome"], "established")
        self.assertEqual((line["local_addr"], line["local_port"]), s.getsockname())
        self.assertGreater(line["latency_ms"], 0)
        self.assertEqual(line["syn_retries"], 0)

    @core
    def test_established_ipv6(self):
        listener = self.listener("::1")
        line, s = self.attempt("::1", listener.getsockname()[1])
        self.assertEqual(line["outcome"], "established")
        self.assertEqual((line["local_addr"], line["local_port"]), s.getsockname()[:2])

    @core
    def test_v4_mapped_is_shown_as_ipv4(self):
        listener = self.listener()
        port = listener.getsockname()[1]
        s = self.socket(socket.AF_INET6)
        with tcpconnect() as plumb:
            s.connect(("::ffff:127.0.0.1", port))
        line = self.one(plumb.lines)
        self.assertEqual((line["remote_addr"], line["remote_port"]), ("127.0.0.1", port))
        self.assertEqual(line["local_addr"], "127.0.0.1")

    @core
    def test_refused(self):
        for address in ("127.0.0.1", "::1"):
            with self.subTest(address=address):
                line, _ = self.attempt(address, self.closed_port(address), expected_errno=errno.ECONNREFUSED)
                self.assertEqual(line["outcome"], "refused")
                self.assertIsNotNone(line["local_port"])
                self.assertIsNotNone(line["latency_ms"])

    @core
    @needs("nft")
    def test_timeout_counts_syn_retries(self):
        self.ns.sysctl("net.ipv4.tcp_syn_retries", 1)
        self.ns.drop("tcp dport 9")
        line, _ = self.attempt("127.0.0.1", 9, expected_errno=errno.ETIMEDOUT)
        self.assertEqual(line["outcome"], "timeout")
        self.assertEqual(line["syn_retries"], self.ns.dropped() - 1)
        self.assertGreater(line["latency_ms"], 1000)

    @needs("nft")
    def test_established_after_a_lost_syn(self):
        listener = self.listener()
        port = listener.getsockname()[1]
        self.ns.drop_first_syn(port)
        line, _ = self.attempt("127.0.0.1", port)
        self.assertEqual(line["outcome"], "established")
        self.assertEqual(line["syn_retries"], 1)
        self.assertGreater(line["latency_ms"], 900)

    @hook("connect-error")
    def test_no_route(self):
        line, _ = self.attempt("198.51.100.7", 80, expected_errno=errno.ENETUNREACH)
        self.assertEqual(line["outcome"], "unreachable")
        self.assertIsNone(line["local_port"])

    def test_unreachable_by_a_route(self):
        self.ns.run("ip", "route", "add", "unreachable", "198.51.100.0/24")
        line, _ = self.attempt("198.51.100.7", 80, expected_errno=errno.EHOSTUNREACH)
        self.assertEqual(line["outcome"], "unreachable")

    def test_prohibited_by_a_route_has_its_error(self):
        self.ns.run("ip", "route", "add", "prohibit", "198.51.100.0/24")
        line, _ = self.attempt("198.51.100.7", 80, expected_errno=errno.EACCES)
        self.assertIn(line["outcome"], ("error", "unreachable"))

    def router(self):
        """A second namespace as the default gateway, which answers ICMP for what it cannot reach."""
        other = Namespace()
        self.addCleanup(other.close)
        self.ns.run("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1", "netns", str(other.pid))
        self.ns.run("ip", "addr", "add", "10.99.0.1/24", "dev", "v0")
        self.ns.run("ip", "link", "set", "v0", "up")
        other.run("ip", "addr", "add", "10.99.0.2/24", "dev", "v1")
        other.run("ip", "link", "set", "v1", "up")
        other.sysctl("net.ipv4.ip_forward", 1)
        self.ns.run("ip", "route", "add", "default", "via", "10.99.0.2")
        return other

    @core
    def test_unreachable_by_icmp(self):
        self.router().run("ip", "route", "add", "unreachable", "198.51.100.0/24")
        line, s = self.attempt("198.51.100.7", 80, expected_errno=errno.EHOSTUNREACH)
        self.assertEqual(line["outcome"], "unreachable")
        self.assertEqual(line["local_addr"], "10.99.0.1")
        self.assertIsNotNone(line["local_port"])

    @core
    @needs("nft")
    def test_nonblocking_rejected_by_the_own_firewall(self):
        """The ICMP message comes while connect() still runs: poll() and SO_ERROR tell it, no state changes."""
        for where in ("input", "output"):
            for code, expected in (("port-unreachable", (errno.ECONNREFUSED, "refused")),
                                   ("host-unreachable", (errno.EHOSTUNREACH, "unreachable")),
                                   ("admin-prohibited", (errno.EHOSTUNREACH, "unreachable")),
                                   ("prot-unreachable", (errno.ENOPROTOOPT, "unreachable"))):
                with self.subTest(where=where, code=code):
                    self.ns.nft(f"tcp dport 99 reject with icmp type {code}", hook=where)
                    s = self.socket()
                    s.setblocking(False)
                    poll = select.poll()
                    with tcpconnect() as plumb:
                        s.connect_ex(("127.0.0.1", 99))
                        poll.register(s, select.POLLOUT)
                        self.assertTrue(poll.poll(30000))
                        error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                        s.close()
                    self.ns.nft_flush()
                    line = self.one(plumb.lines)
                    self.assertEqual(error, expected[0])
                    self.assertEqual((line["error"], line["outcome"]), (errno.errorcode[error], expected[1]))

    @core
    def test_latency_of_a_fast_open_that_waits_for_data(self):
        """connect() returns at once, since there is a cookie; the SYN goes out with the first data."""
        self.ns.sysctl("net.ipv4.tcp_fastopen", 0x603)  # both sides, without cookies
        listener = self.listener()
        with tcpconnect() as plumb:
            s = self.socket()
            s.setsockopt(socket.IPPROTO_TCP, 30, 1)  # TCP_FASTOPEN_CONNECT
            s.connect(listener.getsockname())
            time.sleep(0.4)  # the program has nothing to say yet
            s.sendall(b"now")
            accepted, _ = listener.accept()
            self.addCleanup(accepted.close)
            accepted.recv(3)
        line = self.one(plumb.lines)
        self.assertEqual(line["outcome"], "established")
        self.assertLess(line["latency_ms"], 390)

    @core
    def test_remote_port_0(self):
        with tcpconnect() as plumb:
            self.assertEqual(self.socket().connect_ex(("127.0.0.1", 0)), errno.ECONNREFUSED)
        self.assertEqual(self.one(plumb.lines)["remote_port"], 0)

    @core
    def test_no_ports(self):
        listener = self.listener()
        self.ns.sysctl("net.ipv4.ip_local_port_range", "1024 1025")
        sockets = [self.socket() for _ in range(3)]
        with tcpconnect() as plumb:
            errors = [s.connect_ex(listener.getsockname()) for s in sockets]
        self.assertEqual(errors[-1], errno.EADDRNOTAVAIL)
        line = self.one(plumb.lines, outcome="no_ports")
        self.assertEqual(line["error"], "EADDRNOTAVAIL")
        self.assertIsNone(line["local_port"])
        self.assertOwner(line)
        self.assertEqual(len(self.mine(plumb.lines)), 3)

    def test_nonblocking_established_and_refused(self):
        good, bad = self.listener().getsockname(), ("127.0.0.1", self.closed_port())
        with tcpconnect() as plumb:
            for target, error in ((good, 0), (bad, errno.ECONNREFUSED)):
                s = self.socket()
                s.setblocking(False)
                s.connect_ex(target)
                wait_until(lambda: s.connect_ex(target) not in (errno.EINPROGRESS, errno.EALREADY), "the handshake")
        self.assertEqual(sorted(e["outcome"] for e in self.mine(plumb.lines)), ["established", "refused"])
        for line in self.mine(plumb.lines):
            self.assertOwner(line, tid=gettid())

    @core
    @needs("nft")
    def test_cancelled_by_close(self):
        self.ns.drop("tcp dport 9")
        s = self.socket()
        s.setblocking(False)
        with tcpconnect() as plumb:
            self.assertEqual(s.connect_ex(("127.0.0.1", 9)), errno.EINPROGRESS)
            port = s.getsockname()[1]
            s.close()
        line = self.one(plumb.lines)
        self.assertEqual((line["outcome"], line["local_port"]), ("cancelled", port))
        self.assertIsNone(line["error"])
        self.assertOwner(line)

    @core
    @needs("nft")
    def test_cancelled_by_kill(self):
        self.ns.drop("tcp dport 9")
        with tcpconnect() as plumb:
            program = self.program("connect", address="127.0.0.1", port=9, name="tc-killed")
            wait_until(lambda: self.ns.run("ss", "-tnH", "state", "syn-sent").stdout.strip(), "the SYN")
            program.kill()
        line = self.one(plumb.lines)
        self.assertEqual(line["outcome"], "cancelled")
        self.assertOwner(line, pid=program.pid, comm="tc-killed")

    @needs("nft")
    def test_reset_in_simultaneous_open(self):
        """A SYN that crosses ours moves the socket to SYN_RECV; a RST then is a reset, not a refusal."""
        self.ns.drop("tcp dport 9")
        with self.ns.inside():
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
            sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))  # sees what is dropped
        self.addCleanup(raw.close)
        self.addCleanup(sniffer.close)
        s = self.socket()
        s.bind(("127.0.0.1", 0))
        local_port = s.getsockname()[1]
        s.setblocking(False)
        with tcpconnect() as plumb:
            self.assertEqual(s.connect_ex(("127.0.0.1", 9)), errno.EINPROGRESS)
            their_syn = wait_until(lambda: self.find_syn(sniffer, local_port), "our SYN")
            raw.sendto(tcp_segment(9, local_port, seq=1000, ack=0, flags=0x02), ("127.0.0.1", 0))
            wait_until(lambda: "SYN-RECV" in self.ns.run("ss", "-tanH").stdout, "SYN-RECV")
            raw.sendto(tcp_segment(9, local_port, seq=1001, ack=their_syn + 1, flags=0x14), ("127.0.0.1", 0))
            wait_until(lambda: s.connect_ex(("127.0.0.1", 9)) == errno.ECONNRESET, "ECONNRESET")
        line = self.one(plumb.lines)
        self.assertEqual((line["outcome"], line["error"]), ("reset", "ECONNRESET"))
        self.assertOwner(line)

    @staticmethod
    def find_syn(sniffer, source_port):
        """The sequence number of a SYN from this port, if the next packet is one."""
        sniffer.settimeout(5)
        packet = sniffer.recv(200)
        header = (packet[0] & 15) * 4
        port, _, seq = struct.unpack_from("!HHI", packet, header)
        return seq if port == source_port and packet[header + 13] & 0x02 else None

    @core
    def test_self_connect(self):
        s = self.socket()
        s.bind(("127.0.0.1", 0))
        with tcpconnect("--role", "both", "--life") as plumb:
            s.connect(s.getsockname())
            s.close()
        line = self.one(plumb.lines, type="connect")
        self.assertEqual(line["outcome"], "established")
        self.assertEqual(line["local_port"], line["remote_port"])
        self.assertOwner(line)
        self.assertEqual(self.one(plumb.lines, type="close")["role"], "client")

    def test_threads_are_told_apart_and_the_process_is_named(self):
        listener = self.listener()
        with tcpconnect() as plumb:
            truth = self.program("threads", address="127.0.0.1", port=listener.getsockname()[1]).rest()
        lines = self.mine(plumb.lines)
        self.assertEqual(sorted((e["pid"], e["tid"], e["comm"], e["local_port"]) for e in lines),
                         sorted((t["pid"], t["tid"], "tc-threads", t["local_port"]) for t in truth))
        self.assertEqual(len({e["tid"] for e in lines}), 3)

    @core
    def test_mptcp_is_shown_as_tcp(self):
        try:
            listener = self.listener(protocol=262)  # IPPROTO_MPTCP
            client = self.socket(protocol=262)
        except OSError as e:
            self.skipTest(f"no MPTCP on this kernel: {e}")
        with tcpconnect("--role", "both") as plumb:
            client.connect(listener.getsockname())
            accepted, _ = listener.accept()
            accepted.close()
        self.assertEqual(self.one(plumb.lines, type="connect")["outcome"], "established")
        self.assertOwner(self.one(plumb.lines, type="connect"))
        self.assertOwner(self.one(plumb.lines, type="accept"))

    @core
    def test_fast_open(self):
        self.ns.sysctl("net.ipv4.tcp_fastopen", 3)
        listener = self.listener()
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
        with tcpconnect("--role", "both", "--life") as plumb:
            for _ in range(2):  # the first fetches the cookie, the second sends data in the SYN
                client = self.socket()
                client.sendto(b"hello", socket.MSG_FASTOPEN, listener.getsockname())
                accepted, _ = listener.accept()
                self.assertEqual(accepted.recv(5, socket.MSG_WAITALL), b"hello")
                client.close()
                self.assertEqual(accepted.recv(1), b"")
                accepted.close()
        connects = self.mine(plumb.lines, type="connect")
        self.assertEqual([e["outcome"] for e in connects], ["established"] * 2)
        for line in connects:
            self.assertOwner(line)
        closes = self.mine(plumb.lines, type="close")
        self.assertEqual([e["tx_bytes"] for e in closes if e["role"] == "client"], [5, 5])
        self.assertEqual([e["rx_bytes"] for e in closes if e["role"] == "server"], [5, 5])


def tcp_segment(source, destination, seq, ack, flags):
    """A bare TCP header with its checksum, between loopback addresses (RFC 9293 section 3.1)."""
    header = struct.pack("!HHIIBBHHH", source, destination, seq, ack & 0xFFFFFFFF, 5 << 4, flags, 65535, 0, 0)
    pseudo = socket.inet_aton("127.0.0.1") * 2 + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(header))
    total = sum(struct.unpack("!16H", pseudo + header))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return header[:16] + struct.pack("!H", ~total & 0xFFFF) + header[18:]


if __name__ == "__main__":
    unittest.main()
