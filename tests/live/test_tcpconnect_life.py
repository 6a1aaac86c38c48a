"""The server side, and the whole life of connections: owners, bytes, durations, who closed and how."""
import os
import re
import signal
import socket
import statistics
import struct
import subprocess
import time
import unittest

from harness import APART_MS, core, hook, needs, parse_time_ns, wait_until
from tcpconnect import TcpTest, tcpconnect
from traffic import REPLY_BYTES

BOTH = ("--role", "both", "--life")


class Life(TcpTest):
    def closes(self, plumb):
        """The close lines of the client and of the server of the only connection."""
        return self.one(plumb.lines, type="close", role="client"), self.one(plumb.lines, type="close", role="server")

    @core
    def test_two_hundred_connects(self):
        """The figures that the project promises: 200 attempts, each line right, against what the programs measured."""
        def run():
            server = self.program("server", addresses=["127.0.0.1", "::1"], closes_first_every=3, name="tc-server")
            ports = server.next()["ports"]
            targets = [("127.0.0.1", ports["127.0.0.1"], True), ("127.0.0.1", self.closed_port(), False),
                       ("::1", ports["::1"], True), ("::1", self.closed_port("::1"), False)]
            with tcpconnect(*BOTH) as plumb:
                client = self.program("churn", targets=targets, count=200, name="tc-client")
                truth = client.rest()
                served = [server.next() for _ in range(100)]
            return [plumb], server, client, truth, served

        (plumb,), server, client, truth, served = self.with_nothing_lost(run)
        self.assertEqual(len(truth), 200)
        connects = self.mine(plumb.lines, type="connect")
        self.assertEqual(len(connects), 200)
        by_port = {(e["remote_addr"], e["remote_port"], e["local_port"]): e for e in connects}
        self.assertEqual(len(by_port), 200)
        # IPv4 and IPv6 may have chosen the same port.
        accepts = {(e["remote_addr"], e["remote_port"]): e for e in self.mine(plumb.lines, type="accept")}
        closes = {(e["role"], e["remote_addr"], e["local_port"] if e["role"] == "client" else e["remote_port"]): e
                  for e in self.mine(plumb.lines, type="close")}
        self.assertEqual((len(accepts), len(closes)), (100, 200))
        tx_of_server = {(f["peer"], f["peer_port"]): f for f in served}
        differences = []
        for t in truth:
            line = by_port[t["address"], t["port"], t["local_port"]]
            self.assertOwner(line, pid=t["pid"], comm="tc-client", tid=t["tid"])
            self.assertEqual(line["outcome"], "refused" if t["error"] else "established")
            self.assertLessEqual(line["latency_ms"], t["call_ms"])
            if t["error"]:
                self.assertEqual(line["error"], "ECONNREFUSED")
                continue
            accept = accepts[t["address"], t["local_port"]]
            self.assertOwner(accept, pid=server.pid, comm="tc-server")
            self.assertEqual(accept["local_port"], t["port"])
            ours, theirs = (closes[role, t["address"], t["local_port"]] for role in ("client", "server"))
            self.assertEqual(ours["pid"], client.pid)
            self.assertEqual(theirs["pid"], server.pid)
            self.assertEqual((ours["tx_bytes"], ours["rx_bytes"]), (t["tx"], t["rx"]))
            fact = tx_of_server[t["address"], t["local_port"]]
            self.assertEqual((theirs["tx_bytes"], theirs["rx_bytes"]), (REPLY_BYTES, fact["rx"]))
            self.assertEqual(theirs["rx_bytes"], t["tx"])
            differences.append(abs(ours["duration_ms"] - t["open_ms"]))
            # Both may have closed before either heard of it; then each was the first, as far as it knows.
            self.assertIn("local", {ours["closed_by"], theirs["closed_by"]})
            self.assertLessEqual({ours["closed_by"], theirs["closed_by"]}, {"local", "remote"})
        # Between the socket's change of state and the program's clock lie two system calls and the scheduler.
        close_enough = sum(d < APART_MS for d in differences)
        self.assertGreaterEqual(close_enough, 0.9 * len(differences),
                                f"median {statistics.median(differences):.3f} ms, worst {max(differences):.3f} ms")

    @needs("tcpdump", "tshark")
    def test_syns_agree_with_a_packet_capture(self):
        server = self.program("server", addresses=["127.0.0.1"])
        port = server.next()["ports"]["127.0.0.1"]
        capture = f"/tmp/plumb-live-{os.getpid()}.pcap"
        self.addCleanup(lambda: os.path.exists(capture) and os.unlink(capture))
        dump = self.ns.popen("tcpdump", "-i", "lo", "-U", "-Z", "root", "-w", capture, "tcp", stderr=subprocess.PIPE)
        self.addCleanup(dump.stderr.close)
        self.assertIn(b"listening", dump.stderr.readline())
        with tcpconnect() as plumb:
            truth = self.program("churn", count=60, targets=[("127.0.0.1", port, True),
                                                             ("127.0.0.1", self.closed_port(), False)]).rest()
        server.rest()

        def syns():
            out = subprocess.run(["tshark", "-r", capture, "-Y", "tcp.flags.syn == 1 && tcp.flags.ack == 0", "-T",
                                  "fields", "-e", "tcp.srcport", "-e", "tcp.dstport"], capture_output=True, text=True)
            return sorted(tuple(map(int, row.split())) for row in out.stdout.splitlines())

        wait_until(lambda: len(syns()) >= len(truth), "the capture")
        dump.send_signal(signal.SIGINT)
        dump.wait()
        lines = self.mine(plumb.lines)
        self.assertEqual(sorted((e["local_port"], e["remote_port"]) for e in lines
                                for _ in range(1 + e["syn_retries"])), syns())

    def ss(self, port):
        """What ss says of the connection from local port `port`."""
        return self.ns.run("ss", "-tinH", "sport", "=", f":{port}").stdout

    @needs("ss", "nft")
    def test_bytes_and_retransmits_agree_with_ss(self):
        client, listener = self.socket(), self.listener()
        with tcpconnect(*BOTH) as plumb:
            client.connect(listener.getsockname())
            accepted, _ = listener.accept()
            port = client.getsockname()[1]
            client.sendall(b"a" * 5000)
            self.assertEqual(len(accepted.recv(5000, socket.MSG_WAITALL)), 5000)
            self.ns.drop(f"tcp dport {listener.getsockname()[1]}")
            client.sendall(b"b" * 700)
            wait_until(lambda: re.search(r"retrans:\d+/[1-9]", self.ss(port)), "a retransmission")
            self.ns.nft_flush()
            self.assertEqual(len(accepted.recv(700, socket.MSG_WAITALL)), 700)
            accepted.sendall(b"c" * 333)
            client.recv(333, socket.MSG_WAITALL)
            wait_until(lambda: "unacked" not in self.ss(port), "the last acknowledgement")
            seen = self.ss(port)
            client.close()
            accepted.recv(1)
            accepted.close()
        value = {k: int(m[1]) if (m := re.search(pattern, seen)) else 0 for k, pattern in {
            "sent": r"bytes_sent:(\d+)", "again": r"bytes_retrans:(\d+)", "received": r"bytes_received:(\d+)",
            "retransmits": r"retrans:\d+/(\d+)"}.items()}
        line, theirs = self.closes(plumb)
        self.assertEqual(line["tx_bytes"], value["sent"] - value["again"], seen)
        self.assertEqual(line["tx_bytes"], 5700)
        self.assertEqual(line["rx_bytes"], value["received"])
        self.assertEqual(line["retransmits"], value["retransmits"])
        self.assertGreaterEqual(line["retransmits"], 1)
        self.assertGreater(line["srtt_ms"], 0)
        self.assertEqual(theirs["rx_bytes"], 5700)
        self.assertEqual(theirs["retransmits"], 0)

    @core
    def test_closed_by_fin_from_each_side(self):
        for who in ("client", "server"):
            with self.subTest(closes=who):
                listener = self.listener()
                client = self.socket()
                with tcpconnect(*BOTH) as plumb:
                    client.connect(listener.getsockname())
                    accepted, _ = listener.accept()
                    first, second = (client, accepted) if who == "client" else (accepted, client)
                    first.close()
                    self.assertEqual(second.recv(1), b"")
                    second.close()
                ours, theirs = self.closes(plumb)
                expected = ("local", "remote") if who == "client" else ("remote", "local")
                self.assertEqual((ours["closed_by"], theirs["closed_by"]), expected)

    def test_time_is_when_this_side_closed(self):
        """Not when the socket goes, which the peer can put off."""
        listener = self.listener()
        client = self.socket()
        with tcpconnect(*BOTH) as plumb:
            client.connect(listener.getsockname())
            accepted, _ = listener.accept()
            before = time.time_ns()
            client.close()
            closed = time.time_ns()
            self.assertEqual(accepted.recv(1), b"")
            while time.time_ns() < closed + 20_000_000 + int(2e6 * APART_MS):
                pass  # the distance that is measured below
            between = time.time_ns()
            accepted.close()
        ours, theirs = self.closes(plumb)
        apart = int(1e6 * APART_MS)
        self.assertTrue(before - apart <= parse_time_ns(ours["time"]) <= closed + apart, ours)
        self.assertGreaterEqual(parse_time_ns(theirs["time"]), between - apart)

    def test_closed_by_half_close(self):
        listener = self.listener()
        client = self.socket()
        with tcpconnect(*BOTH) as plumb:
            client.connect(listener.getsockname())
            accepted, _ = listener.accept()
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(accepted.recv(1), b"")
            accepted.sendall(b"x" * 2048)
            accepted.close()
            self.assertEqual(len(client.recv(4096, socket.MSG_WAITALL)), 2048)
            client.close()
        ours, theirs = self.closes(plumb)
        self.assertEqual((ours["closed_by"], theirs["closed_by"]), ("local", "remote"))
        self.assertEqual((ours["rx_bytes"], theirs["tx_bytes"]), (2048, 2048))

    @core
    def test_closed_by_reset(self):
        for how in ("linger", "unread"):
            with self.subTest(how=how):
                listener = self.listener()
                client = self.socket()
                with tcpconnect(*BOTH) as plumb:
                    client.connect(listener.getsockname())
                    accepted, _ = listener.accept()
                    if how == "linger":
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    else:
                        accepted.sendall(b"never read")
                        wait_until(lambda: client.recv(10, socket.MSG_PEEK), "the data")
                    client.close()
                    with self.assertRaises(ConnectionResetError):
                        accepted.recv(1)
                    accepted.close()
                ours, theirs = self.closes(plumb)
                self.assertEqual((ours["closed_by"], theirs["closed_by"]), ("reset_local", "reset_remote"))

    @core
    @needs("nft")
    def test_closed_by_timeout(self):
        listener = self.listener()
        client = self.socket()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 400)
        with tcpconnect(*BOTH) as plumb:
            client.connect(listener.getsockname())
            accepted, _ = listener.accept()
            self.ns.drop(f"tcp dport {listener.getsockname()[1]}")
            client.sendall(b"into the void")
            with self.assertRaises(TimeoutError):
                client.recv(1)
            client.close()
            self.ns.nft_flush()
            accepted.close()
        line = self.one(plumb.lines, type="close", role="client")
        self.assertEqual(line["closed_by"], "timeout")
        self.assertOwner(line)
        self.assertGreaterEqual(line["retransmits"], 1)

    @core
    @needs("nft")
    def test_closed_by_timeout_whatever_icmp_says(self):
        for code in ("port-unreachable", "prot-unreachable", "admin-prohibited", "host-unreachable"):
            with self.subTest(code=code):
                listener, client = self.listener(), self.socket()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 400)
                with tcpconnect(*BOTH) as plumb:
                    client.connect(listener.getsockname())
                    accepted, _ = listener.accept()
                    self.ns.nft(f"tcp dport {listener.getsockname()[1]} reject with icmp type {code}")
                    client.sendall(b"into the void")
                    with self.assertRaises(OSError):
                        client.recv(1)
                    client.close()
                    self.ns.nft_flush()
                    accepted.close()
                self.assertEqual(self.one(plumb.lines, type="close", role="client")["closed_by"], "timeout")

    @core
    @needs("nft")
    def test_closed_by_who_breaks_off_while_the_peer_sends(self):
        """Only this side sent a FIN, and then resets for what the peer, which has not got it, still sends."""
        listener, client = self.listener(), self.socket()
        with tcpconnect(*BOTH) as plumb:
            client.connect(listener.getsockname())
            accepted, _ = listener.accept()
            self.ns.drop(f"tcp dport {listener.getsockname()[1]} tcp flags & fin == fin")
            client.close()
            with self.assertRaises(OSError):
                while True:
                    accepted.send(b"x" * 1000)
            self.ns.nft_flush()
            accepted.close()
        self.assertEqual(self.one(plumb.lines, type="close", role="client")["closed_by"], "local")
        self.assertEqual(self.one(plumb.lines, type="close", role="server")["closed_by"], "reset_remote")

    @core
    def test_accepted_from_the_queue_of_before(self):
        listener = self.listener()
        client = self.socket()
        client.connect(listener.getsockname())
        port = client.getsockname()[1]
        with tcpconnect("--role", "server", "--life") as plumb:
            accepted, _ = listener.accept()
            accepted.close()
            client.close()
        for kind in ("accept", "close"):
            line = self.one(plumb.lines, type=kind, role="server")
            self.assertOwner(line)
            self.assertEqual((line["remote_port"], line["latency_ms"], line["syn_retries"]), (port, None, None))

    @core
    def test_syn_retries_of_older_connections_are_not_known(self):
        client, accepted, _ = self.pair()
        with tcpconnect("--life") as plumb:
            client.close()
            accepted.close()
        for line in self.mine(plumb.lines, type="close"):
            self.assertIsNone(line["syn_retries"], line)

    def test_killed_process_closes(self):
        listener = self.listener()
        with tcpconnect(*BOTH) as plumb:
            program = self.program("connect", address="127.0.0.1", port=listener.getsockname()[1], wait=True, send=77,
                                   name="tc-doomed")
            program.next()
            accepted, _ = listener.accept()
            program.kill()
            self.assertEqual(accepted.recv(100, socket.MSG_WAITALL), b"x" * 77)
            accepted.close()
        ours, theirs = self.closes(plumb)
        self.assertOwner(ours, pid=program.pid, comm="tc-doomed")
        self.assertEqual((ours["closed_by"], theirs["closed_by"]), ("local", "remote"))

    def test_v4_mapped_client_of_an_ipv6_listener(self):
        listener = self.listener("::", family=socket.AF_INET6)
        client = self.socket()
        with tcpconnect(*BOTH) as plumb:
            client.connect(("127.0.0.1", listener.getsockname()[1]))
            accepted, _ = listener.accept()
            client.close()
            accepted.recv(1)
            accepted.close()
        for line in self.mine(plumb.lines):
            self.assertEqual((line["local_addr"], line["remote_addr"]), ("127.0.0.1", "127.0.0.1"), line)

    @hook("accept")
    def test_forked_workers_own_what_they_accept(self):
        server = self.program("forking_server")
        port = server.next()["port"]
        with tcpconnect("--role", "server", "--life") as plumb:
            self.program("connect", address="127.0.0.1", port=port, count=10).rest()
            truth = [server.next() for _ in range(10)]
            plumb.wait_for(lambda lines: len(self.mine(lines, type="close")) == 10, "ten closes")
        server.rest()
        owners = {t["peer_port"]: (t["pid"], t["comm"]) for t in truth}
        self.assertEqual(len(self.mine(plumb.lines, type="accept")), 10)
        for line in self.mine(plumb.lines):
            self.assertEqual((line["pid"], line["comm"]), owners[line["remote_port"]], line)
            self.assertEqual(line["role"], "server")

    def test_accept_then_fork_names_the_acceptor(self):
        server = self.program("accept_then_fork")
        port = server.next()["port"]
        with tcpconnect("--role", "server", "--life") as plumb:
            self.program("connect", address="127.0.0.1", port=port, send=10).rest()
            server.rest()
        self.assertEqual(self.one(plumb.lines, type="accept")["pid"], server.pid)

    @core
    def test_half_close_ends_nothing(self):
        """After shutdown(SHUT_WR) the peer still sends: the connection lasts until close()."""
        listener = self.listener()
        client = self.socket()
        with tcpconnect("--life") as plumb:
            client.connect(listener.getsockname())
            connected = time.monotonic_ns()
            server, _ = listener.accept()
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(server.recv(1), b"")
            time.sleep(0.1)  # what is measured, not a wait for something
            server.sendall(b"late")
            self.assertEqual(client.recv(4), b"late")
            client.close()
            open_ms = (time.monotonic_ns() - connected) / 1e6
            server.close()
            plumb.wait_for(lambda lines: self.mine(lines, type="close"), "the close")
        line = self.one(plumb.lines, type="close", role="client")
        self.assertEqual((line["closed_by"], line["rx_bytes"]), ("local", 4))
        self.assertGreaterEqual(line["duration_ms"], 100)
        self.assertLess(abs(line["duration_ms"] - open_ms), max(APART_MS, 60))  # the peer's ACK may be delayed

    @core
    def test_connection_that_nobody_accepted_has_no_owner(self):
        listener = self.listener()
        client = self.socket()
        with tcpconnect("--role", "both", "--life") as plumb:
            client.connect(listener.getsockname())
            client.close()
            listener.close()
        for line in self.mine(plumb.lines, role="server"):
            self.assertIsNone(line["pid"], line)
            self.assertIsNone(line["comm"], line)
            self.assertIsNone(line["tid"], line)

    @hook("older")
    def test_connection_older_than_the_trace(self):
        acceptor = self.program("accept_one", name="tc-acceptor")
        port = acceptor.next()["port"]
        client = self.program("connect", address="127.0.0.1", port=port, wait=True, send=9, name="tc-old")
        client.next()
        acceptor.next()
        with tcpconnect(*BOTH) as plumb:
            client.rest()
            acceptor.go()
            acceptor.rest()
            plumb.wait_for(lambda lines: len(self.mine(lines, type="close")) == 2, "two closes")
        self.assertEqual(self.mine(plumb.lines, type="connect") + self.mine(plumb.lines, type="accept"), [])
        lines = {e["pid"]: e for e in self.mine(plumb.lines, type="close")}
        self.assertEqual(set(lines), {client.pid, acceptor.pid})
        self.assertOwner(lines[client.pid], pid=client.pid, comm="tc-old")
        self.assertOwner(lines[acceptor.pid], pid=acceptor.pid, comm="tc-acceptor")
        for line in lines.values():
            self.assertIsNone(line["duration_ms"])
            self.assertIn(line["role"], (None, "client" if line["pid"] == client.pid else "server"))
        self.assertEqual(lines[client.pid]["tx_bytes"], 9)

    def test_roles(self):
        for role, types in (("client", {("connect", "client")}), ("server", {("accept", "server")}),
                            ("both", {("connect", "client"), ("accept", "server")})):
            with self.subTest(role=role):
                with tcpconnect("--role", role) as plumb:
                    self.pair()
                self.assertEqual({(e["type"], e["role"]) for e in self.mine(plumb.lines)}, types)
        with tcpconnect("--accept") as plumb:
            self.pair()
        self.assertEqual({e["type"] for e in self.mine(plumb.lines)}, {"connect", "accept"})

    def test_close_without_life_is_silent(self):
        with tcpconnect("--role", "both") as plumb:
            client, accepted, _ = self.pair()
            client.close()
            accepted.close()
        self.assertEqual(self.mine(plumb.lines, type="close"), [])

    def test_lines_come_while_it_runs(self):
        with tcpconnect() as plumb:
            self.pair()
            plumb.wait_for(lambda lines: self.mine(lines), "the line")

    def test_times_are_now(self):
        before = time.time()
        with tcpconnect() as plumb:
            self.pair()
            after = time.time()
        self.assertTrue(before - 0.001 <= parse_time_ns(self.one(plumb.lines)["time"]) / 1e9 <= after + 0.001)

    def test_namespace_is_named(self):
        with tcpconnect() as plumb:
            self.pair()
        self.assertEqual(self.one(plumb.lines)["netns"], self.ns.inode)


if __name__ == "__main__":
    unittest.main()
