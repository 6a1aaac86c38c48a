"""What finds no room in the kernel is counted: what is told and what is lost are together what was made."""
import errno
import re
import resource
import signal
import socket
import unittest

from harness import Plumb, alone, needs, wait_until
from tcpconnect import TcpTest, tcpconnect


@alone("what others connect would be lost with its own")
class Losses(TcpTest):
    def check_sum(self, plumb, made):
        """Lines and losses against what was made, in the lines, on stderr, and in --stats; returns the losses."""
        told = self.mine(plumb.lines)
        lost = sum(e["count"] for e in plumb.lines if e["type"] == "lost")
        self.assertEqual(len(told) + lost, made)
        # Each of them where the loss was noticed, in time's order with the lines around it.
        self.assertEqual(sum(map(int, re.findall(r"(\d+) events lost: no room left", plumb.stderr))), lost, plumb.stderr)
        stats = re.search(r"tcpconnect: (\d+) events seen, (\d+) kept.*, (\d+) lost", plumb.stderr)
        self.assertIsNotNone(stats, plumb.stderr)
        self.assertEqual([int(n) for n in stats.groups()][1:], [len(told), lost])
        return lost, int(stats[1])

    def stopped(self, plumb):
        def state():
            with open(f"/proc/{plumb.process.pid}/stat") as f:
                return f.read().rpartition(") ")[2][0] == "T"

        plumb.process.send_signal(signal.SIGSTOP)
        wait_until(state, "plumb to stand still")

    def test_full_buffer(self):
        made = 10000  # the buffer has room for about 6,500 records
        port = self.closed_port()
        with tcpconnect("--netns", self.ns.path, "--stats") as plumb, self.ns.inside():
            self.stopped(plumb)
            for _ in range(made):
                with socket.socket() as s:
                    self.assertEqual(s.connect_ex(("127.0.0.1", port)), errno.ECONNREFUSED)
            plumb.process.send_signal(signal.SIGCONT)
            plumb.wait_for(lambda lines: any(e["type"] == "lost" for e in lines), "the loss")
        lost, seen = self.check_sum(plumb, made)
        self.assertGreater(lost, 0)
        self.assertEqual(seen, made)
        # What was there first is told; the loss stands behind it.
        self.assertEqual(plumb.lines[-1]["type"], "lost")

    @needs("nft")
    def test_full_table_of_connections(self):
        room = 16384  # handshakes that are followed at one time
        made = room + 1000
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < made + 100:
            self.skipTest(f"needs {made + 100} descriptors, the limit is {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.ns.drop("tcp dport 9")
        sockets = []
        try:
            with tcpconnect("--netns", self.ns.path, "--stats") as plumb, self.ns.inside():
                for _ in range(made):
                    sockets.append(socket.socket())
                    sockets[-1].setblocking(False)
                    self.assertEqual(sockets[-1].connect_ex(("127.0.0.1", 9)), errno.EINPROGRESS)
                while sockets:
                    sockets.pop().close()
        finally:
            for s in sockets:
                s.close()
        lost, seen = self.check_sum(plumb, made)
        self.assertGreaterEqual(lost, made - room)
        self.assertEqual(seen, room)  # the others were never followed
        self.assertEqual({e["outcome"] for e in self.mine(plumb.lines)}, {"cancelled"})

    def test_full_summary(self):
        room = 8192  # pairs of process and destination
        made = room + 500
        for how in ([], ["--where", "remote_port != 0"]):  # added up in the kernel, and by plumb itself
            with self.subTest(how=how):
                with Plumb("tcpconnect", "--netns", self.ns.path, "--summary", *how) as plumb, \
                        self.ns.inside():
                    for port in range(1, made + 1):
                        with socket.socket() as s:
                            self.assertEqual(s.connect_ex(("127.0.0.1", port)), errno.ECONNREFUSED)
                rows = [e for e in plumb.lines if e["type"] == "summary"]
                lost = sum(e["count"] for e in plumb.lines if e["type"] == "lost")
                self.assertEqual(sum(e["attempts"] for e in rows) + lost, made)
                self.assertGreaterEqual(lost, made - room)
                self.assertIn(f"plumb: {lost} events lost: no room left", plumb.stderr)


if __name__ == "__main__":
    unittest.main()
