"""--where and --fail-if on real connections."""

from harness import Plumb, core, run_plumb
from tcpconnect import TcpTest, tcpconnect


class Where(TcpTest):
    @core
    def test_keeps_exactly_what_holds(self):
        listener, closed = self.listener(), self.closed_port()
        port = listener.getsockname()[1]
        with tcpconnect("--where", f"remote_port == {port} && remote_addr in 127.0.0.0/8") as kept, \
             tcpconnect("--where", "outcome != established") as failed, \
             tcpconnect("--where", f'!(outcome == "refused") && comm =~ "."') as rest:
            for target in (port, closed, port, closed, closed):
                self.socket().connect_ex(("127.0.0.1", target))
        self.assertEqual([e["remote_port"] for e in self.mine(kept.lines)], [port, port])
        self.assertEqual([e["remote_port"] for e in self.mine(failed.lines)], [closed] * 3)
        self.assertEqual([e["outcome"] for e in self.mine(rest.lines)], ["established"] * 2)

    def test_null_is_false(self):
        listener = self.listener()
        with tcpconnect("--where", 'error != "ECONNREFUSED"') as none, tcpconnect("--where", "error == null") as all_:
            self.socket().connect(listener.getsockname())
        self.assertEqual(self.mine(none.lines), [])
        self.assertEqual(len(self.mine(all_.lines)), 1)

    def test_a_typo_points_at_the_place(self):
        result = run_plumb("tcpconnect", "--where", "pid > 1 && latncy > 5")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"did you mean latency?", result.stderr)
        lines = result.stderr.decode().splitlines()
        at = lines.index("  pid > 1 && latncy > 5")
        self.assertEqual(lines[at + 1], " " * (2 + len("pid > 1 && ")) + "^" * len("latncy"))


class FailIf(TcpTest):
    def run_with(self, expression, traffic, status):
        plumb = tcpconnect("--netns", self.ns.path, "--fail-if", expression, expect_status=status)
        with plumb:
            traffic()
        return plumb.stderr

    def half_refused(self):
        port, closed = self.listener().getsockname()[1], self.closed_port()
        for target in (port, closed) * 5:
            self.socket().connect_ex(("127.0.0.1", target))

    @core
    def test_share(self):
        text = self.run_with('share(outcome != "established") > 10%', self.half_refused, 3)
        self.assertIn('share(outcome != "established") = 50.0 %', text)
        text = self.run_with('share(outcome != "established") > 60%', self.half_refused, 0)
        self.assertIn("= 50.0 %", text)

    def test_nothing_seen_is_decided(self):
        self.run_with("count == 0", lambda: None, 3)
        self.assertIn("= null", self.run_with("p99(latency) > 0", lambda: None, 0))

    def test_beside_a_summary(self):
        with Plumb("tcpconnect", "--netns", self.ns.path, "--summary", "--fail-if", "count != 10") as plumb:
            self.half_refused()
        self.assertEqual(sum(e["attempts"] for e in plumb.lines), 10)
        self.assertIn("count = 10", plumb.stderr)

    def test_the_command_s_failure_wins(self):
        result = run_plumb("tcpconnect", "--fail-if", "count == 0", "--", "false")
        self.assertEqual(result.returncode, 1)
        result = run_plumb("tcpconnect", "--fail-if", "count == 0", "--", "true")
        self.assertEqual(result.returncode, 3)
