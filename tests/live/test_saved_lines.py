"""--from: saved lines give what the run gave, to every view and expression. None of it needs privileges or a kernel that
traces; test_replay_live.py compares with runs that do."""

import fcntl
import json
import os
import struct
import subprocess
import tempfile
import termios
import unittest

from harness import HERE, PLUMB, needs, run_plumb, wait_until
from expressions import Expressions, chosen_by_jq

GOLDEN = os.path.join(HERE, "../golden/expected")
TOOLS = ("tcpconnect", "dnsx", "httptrace", "drops", "flame")


def golden(tool):
    return os.path.join(GOLDEN, f"{tool}.json")


def saved_lines(tool, path=None):
    with open(path or golden(tool), "rb") as f:
        return f.read().splitlines()


def waiting_bytes(pipe):
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]


class From(unittest.TestCase):
    def run_from(self, tool, *args, status=0, text=None):
        where = "-" if text is not None else golden(tool)
        done = subprocess.run([PLUMB, tool, "--from", where, *args],
                              input=text, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr.decode())
        return done.stdout, done.stderr.decode()

    def test_a_tool_s_own_options_are_refused(self):
        for tool, option in (("tcpconnect", "--port 81"), ("tcpconnect", "--failed"), ("tcpconnect", "--role server"),
                             ("tcpconnect", "--role client"), ("httptrace", "--status 5xx"), ("drops", "--type reset"), ("dnsx", "--role server"),
                             ("flame", "--user")):
            done = run_plumb(tool, "--from", "/dev/null", *option.split())
            self.assertEqual(done.returncode, 2, option)
            self.assertIn(f"{option.split()[0]} has no effect on saved lines", done.stderr.decode())
        self.assertEqual(run_plumb("tcpconnect", "--from", golden("tcpconnect"), "--life").returncode, 0)

    def test_lines_come_out_as_they_went_in(self):
        for tool in TOOLS:
            with open(golden(tool), "rb") as f:
                text = f.read()
            out, err = self.run_from(tool, "--json", text=text)
            self.assertEqual(out, text)
            self.assertIn("lost: when the lines were saved", err)

    @needs("jq")
    def test_where_is_what_jq_selects(self):
        per_tool = 50
        for tool in ("tcpconnect", "dnsx", "httptrace", "drops"):
            raw = [line for line in saved_lines(tool) if json.loads(line)["type"] != "lost"]
            made = Expressions([json.loads(line) for line in raw], seed=tool)
            pairs = [made.make() for _ in range(per_tool)]
            chosen = chosen_by_jq(raw, [jq for _, jq in pairs])
            kinds = set()
            for (expression, _), numbers in zip(pairs, chosen, strict=True):
                out, _ = self.run_from(tool, "--json", "--where", expression, text=b"\n".join(raw))
                self.assertEqual(out.splitlines(), [raw[n] for n in numbers], f"{tool}: {expression}")
                kinds.add(len(numbers))
            self.assertGreater(len(kinds), 2, tool)  # and not all or nothing

    def test_every_format_and_view(self):
        for tool in TOOLS:
            for args in ([], ["--wide"], ["-f", "csv"], ["-f", "tsv"], ["--summary"], ["--summary", "--by", "pid"], ["--top"]):
                out, _ = self.run_from(tool, *args)
                self.assertTrue(out, f"{tool} {args}")

    def test_groups_by_address_count(self):
        for args, count in (([], 9), (["--life"], 11)):  # as in a trace, closes are counted where they were asked for
            out, _ = self.run_from("tcpconnect", "--json", "--summary", "--by", "remote_addr,outcome", *args)
            lines = [json.loads(line) for line in out.splitlines()]
            self.assertEqual(sum(line["count"] for line in lines if line["type"] == "summary"), count)

    def test_top_rates_by_the_time_of_the_lines(self):
        """Two lines in the first second, four in the third: the whole is over 2 s, however fast it is read."""
        text = b"".join(b'{"time":"2026-11-21T06:49:%02d.000000000Z","type":"connect","comm":"curl","outcome":"established"}\n' % s
                        for s in (20, 20, 21, 22, 22, 22))
        out, _ = self.run_from("tcpconnect", "--top", "--once", text=text)
        self.assertRegex(out.decode().splitlines()[0], r"tcpconnect  2\.0 s  6 events  3\.0/s  0 lost")
        self.assertRegex(out.decode().splitlines()[2], r" 6 +3\.0 +0 ")

    def test_a_verdict(self):
        _, err = self.run_from("dnsx", "--fail-if", "count > 3", status=3)
        self.assertIn("FAILED: count > 3: count = 11", err)
        self.assertIn("the values above are of those that were seen", err)
        self.run_from("dnsx", "--fail-if", "count > 300")

    def test_other_lines_are_counted_and_broken_ones_named(self):
        text = b'{"type":"summary","count":1}\n{"type":"connect","time":"2026-11-21T06:49:26Z","pid":7,"shiny":1}\n\n' \
               b'{"type":"connect","pid":"seven"}\n{"type":"connect","pi'
        out, err = self.run_from("tcpconnect", "--json", text=text)
        lines = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([line["type"] for line in lines], ["connect", "lost", "lost"])
        self.assertEqual(lines[0]["pid"], 7)
        self.assertIsNone(lines[0]["comm"])
        self.assertIn("line 4 is broken: pid is not a whole number from 0 on", err)
        self.assertIn("line 5 is broken: not JSON at byte", err)
        self.assertIn("2 events lost: broken lines", err)
        self.assertIn("1 line of another type passed over: summary", err)
        self.assertIn("1 line without tid, comm, ", err)
        self.assertIn("1 line with shiny, which this plumb does not know", err)

    def test_a_file_of_something_else_is_no_quiet_run(self):
        with open(golden("dnsx"), "rb") as f:
            _, err = self.run_from("tcpconnect", status=1, text=f.read())
        self.assertIn("no line of tcpconnect in standard input", err)
        _, err = self.run_from("tcpconnect", status=1, text=b"TIME PID\n12:00 7\n")
        self.assertIn("none of its lines is JSON", err)
        self.run_from("tcpconnect", "--fail-if", "count > 0", text=b"")

    def test_options_that_mean_nothing_are_refused(self):
        for args in (["-p", "1"], ["-d", "1s"], ["--ready-file", "/tmp/x"], ["--", "true"]):
            _, err = self.run_from("tcpconnect", *args, status=2)
            self.assertIn("has no effect on saved lines", err)
        with tempfile.NamedTemporaryFile(suffix=".json") as f:
            f.write(b'{"type":"connect"}\n')
            f.flush()
            done = run_plumb("tcpconnect", "--from", f.name, "-o", f.name)
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"name the same file", done.stderr)
            self.assertEqual(os.path.getsize(f.name), 19)
        self.assertEqual(run_plumb("tcpconnect", "--from", "/nonexistent").returncode, 1)

    def test_without_privileges(self):
        done = run_plumb("dnsx", "--from", golden("dnsx"), "--json",
                         prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else [])
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_slow_reader_gets_every_line(self):
        line = saved_lines("tcpconnect")[0]
        count = 30000
        with tempfile.NamedTemporaryFile() as f:
            f.write((line + b"\n") * count)
            f.flush()
            first = subprocess.Popen([PLUMB, "tcpconnect",
                                      "--from", f.name, "--json"], stdout=subprocess.PIPE)
            with first.stdout:
                wait_until(lambda: waiting_bytes(first.stdout) >= 60000, "a full pipe")
                lines = first.stdout.read().splitlines()
            self.assertEqual(first.wait(), 0)
        self.assertEqual(len(lines), count)


if __name__ == "__main__":
    unittest.main()
