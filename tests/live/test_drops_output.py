"""What drops shows and leaves out: storms, summaries, filters, counters, stacks, and quiet networks."""
import errno
import os
import re
import socket
import unittest

from drops import COMM, HAS_REASONS, DropTest, drops
from harness import Plumb, core, needs, run_plumb, wait_until


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

    def test_summary_of_refused_connections_names_the_service(self):
        """A client's port is another one for each connection: no row for each."""
        port = 7  # nobody listens in a namespace of our own
        for args in ((), ("--where", f"src_port == {port} || dst_port == {port}")):
            with self.subTest(args=args):
                with Plumb("drops", "--summary", *args, f"--netns={self.ns.path}") as plumb:
                    for _ in range(300):
                        with self.tcp() as s:
                            self.assertEqual(s.connect_ex(("127.0.0.1", port)), errno.ECONNREFUSED)
                rows = [e for e in plumb.lines if e["protocol"] == "tcp"]
                self.assertLessEqual(len(rows), 6, rows)
                for row in rows:
                    self.assertEqual({row["src_port"], row["dst_port"]}, {port, None}, row)
                resets = sum(row["count"] for row in rows if row["event"] == "reset" and row["src_port"] == port)
                self.assertGreaterEqual(resets, 300, rows)

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
                 (("--proto", "tcp"), set()), (("--dev", "lo"), {9, 10})]
        if HAS_REASONS:
            cases += [(("--reason", "no_socket"), {9, 10}), (("--reason", "!NO_SOCKET"), set()),
                      (("--reason", "NETFILTER_DROP,XDP"), set())]
        for args, expected in cases:
            with self.subTest(args=args):
                with drops(*args, "--type", "drop", f"--netns={self.ns.path}") as plumb:
                    self.flood(2, 9)
                    self.flood(2, 10)
                self.assertEqual({e["dst_port"] for e in plumb.lines}, expected)

    def test_devices_that_are_nowhere(self):
        done = run_plumb("drops", "--dev", "lo,nosuch0", "--netns", "/proc/self/ns/net", "-d", "1ms")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"--dev nosuch0: there is no such device", done.stderr)
        done = run_plumb("drops", "--dev", "lo", "--netns", "/proc/self/ns/net", "-d", "1ms")
        self.assertEqual(done.returncode, 0, done.stderr)

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
            self.assertRegex(text, r"(do_syscall_64|el0_svc).*udp\w*rcv")
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
