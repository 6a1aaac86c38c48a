"""What plumb says to a command line that is nearly right, and to --pid of processes that are not there."""
import re
import subprocess
import unittest

from harness import Plumb, run_plumb
from tcpconnect import TcpTest


class NearMisses(unittest.TestCase):
    def assertSays(self, *words, args, status=2):
        done = run_plumb(*args)
        said = done.stderr.decode()
        self.assertEqual(done.returncode, status, said)
        for word in words:
            self.assertIn(word, said)
        self.assertLessEqual(len(said.splitlines()), 3, said)

    def test_a_value_that_is_missing(self):
        self.assertSays("--duration needs a value: TIME", "500ms, 10s, 2m", args=("tcpconnect", "-d"))

    def test_words_of_other_languages(self):
        self.assertSays("and is written &&", args=("tcpconnect", "--where", "remote_port == 443 and pid > 1"))
        self.assertSays("or is written ||", args=("tcpconnect", "--where", "pid == 1 or pid == 2"))

    def test_half_a_field_s_name(self):
        self.assertSays("there is local_port and remote_port", args=("httptrace", "--where", "port == 443"))

    def test_a_command_without_a_tool(self):
        self.assertSays("plumb tcpconnect -- curl", args=("curl", "http://127.0.0.1"))

    def test_options_without_a_tool(self):
        self.assertSays("such as: plumb tcpconnect --summary", args=("--summary",))

    def test_a_command_without_dashes(self):
        self.assertSays("to trace it: -- curl ...", args=("tcpconnect", "curl", "http://127.0.0.1"))
        self.assertSays("ports and processes have options", args=("tcpconnect", "8080"))

    def test_a_rate_of_zero_is_offered(self):
        self.assertSays("0: no limit", args=("drops", "--max-rate", "x"))

    def test_a_command_that_is_not_there(self):
        self.assertSays("see that PATH has it", args=("tcpconnect", "--", "there-is-no-such-command"), status=127)

    def test_one_frame_of_nothing(self):
        self.assertSays("--once has no effect without --top", args=("tcpconnect", "--once"))


class Processes(TcpTest):
    def test_none_with_this_id(self):
        done = run_plumb("tcpconnect", "-p", "4194303")
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"no process 4194303", done.stderr)

    def test_the_trace_ends_with_the_last_of_them(self):
        children = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]
        self.addCleanup(lambda: [child.kill() for child in children])
        with Plumb("tcpconnect", "-p", ",".join(str(child.pid) for child in children)) as plumb:
            children[0].kill()
            children[0].wait()
            self.assertIsNone(plumb.process.poll())
            children[1].kill()
            children[1].wait()
            plumb.finish()
            self.assertIn("all processes of --pid have ended", plumb.stderr)


class Statistics(TcpTest):
    def test_kept_by_type_and_what_expressions_left_out(self):
        port = self.closed_port()
        with Plumb("tcpconnect", "--netns", self.ns.path, "--stats", "--where", "outcome == established") as plumb:
            for _ in range(2):
                self.socket().connect_ex(("127.0.0.1", port))
            listener = self.listener()
            self.socket().connect(listener.getsockname())
            plumb.wait_for(lambda lines: len(lines) == 1, "the connection")
        self.assertTrue(re.search(r"1 kept \(1 connect, 0 failed\), 2 filtered out, 0 lost", plumb.stderr), plumb.stderr)
