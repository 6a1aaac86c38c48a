"""What every tool shares: how a run starts, ends, fails, and what it leaves behind."""
import json
import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from harness import DEADLINE, PLUMB, Plumb, core, needs, run_plumb, wait_until
from tcpconnect import TcpTest, tcpconnect


class Ends(TcpTest):
    def traffic(self, count=1):
        listener = self.listener(backlog=4096)
        self.program("connect", address="127.0.0.1", port=listener.getsockname()[1], count=count).rest()

    def test_signals_end_it_well(self):
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=sig.name), tcpconnect() as plumb:
                self.traffic()
                plumb.finish(sig)
                self.assertEqual(len(self.mine(plumb.lines)), 1)

    def test_nohup_outlives_the_terminal(self):
        with tcpconnect("--netns", self.ns.path, prefix=("nohup",)) as plumb:
            self.traffic()
            plumb.process.send_signal(signal.SIGHUP)
            self.traffic()
            plumb.wait_for(lambda lines: len(lines) == 2, "what came after the hangup")
            plumb.finish(signal.SIGINT)
        self.assertEqual(len(plumb.lines), 2)

    @core
    def test_count(self):
        with tcpconnect("-n", "3", "--netns", self.ns.path) as plumb:
            self.traffic(10)
            plumb.finish()
        self.assertEqual(len(plumb.lines), 3)

    def test_count_ends_a_summary(self):
        with Plumb("tcpconnect", "--summary", "-n", "3", "--netns", self.ns.path) as plumb:
            self.traffic(10)
            plumb.finish()
        self.assertEqual(sum(e["attempts"] for e in plumb.lines), 3)

    def test_duration(self):
        with tcpconnect("-d", "3s") as plumb:
            started = time.monotonic()
            self.traffic()
            plumb.finish()
        self.assertGreater(time.monotonic() - started, 1)
        self.assertEqual(len(self.mine(plumb.lines)), 1)

    def test_closed_pipe_is_quiet(self):
        with Plumb("tcpconnect", "--netns", self.ns.path, stdout=subprocess.PIPE) as plumb:
            self.traffic(10)
            for _ in range(3):
                json.loads(plumb.process.stdout.readline())
            plumb.process.stdout.close()
            wait_until(lambda: (self.traffic(5), plumb.process.poll() is not None)[1], "the end after the reader left")
            plumb.finish()
        self.assertEqual(plumb.stderr, "")

    def test_full_disk_is_a_clear_error(self):
        with open("/dev/full", "w") as full:
            with Plumb("tcpconnect", "--netns", self.ns.path, stdout=full, expect_status=1) as plumb:
                self.traffic(3)
                plumb.finish()
        self.assertIn("No space left on device", plumb.stderr)
        self.assertLessEqual(len(plumb.stderr.splitlines()), 3)

    def test_full_disk_at_the_end_is_an_error_too(self):
        with open("/dev/full", "w") as full:
            with Plumb("tcpconnect", "--summary", "--netns", self.ns.path, stdout=full, expect_status=1) as plumb:
                self.traffic(3)
                plumb.finish(signal.SIGINT)
        self.assertIn("No space left on device", plumb.stderr)

    def test_output_that_cannot_be_written(self):
        result = run_plumb("tcpconnect", "-d", "1s", "-o", "/nonexistent/directory/file.json")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"/nonexistent/directory/file.json", result.stderr)
        self.assertLessEqual(len(result.stderr.splitlines()), 3)

    def test_output_file_follows_its_ending(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "out.json")
            with Plumb("tcpconnect", "-o", path, "--netns", self.ns.path, json_lines=False) as plumb:
                self.traffic(2)
            with open(path) as f:
                self.assertEqual([json.loads(line)["type"] for line in f], ["connect"] * 2)
        self.assertEqual(plumb.output, b"")

    def test_closed_stdout(self):
        with Plumb("tcpconnect", "--netns", self.ns.path, expect_status=None, json_lines=False,
                   prefix=["sh", "-c", 'exec "$0" "$@" >&-']) as plumb:
            self.traffic(3)
            plumb.finish(signal.SIGINT)
        self.assertEqual(plumb.status, 1, plumb.stderr)
        self.assertTrue(1 <= len(plumb.stderr.splitlines()) <= 3, plumb.stderr)

    def test_command_gives_its_status(self):
        for status in (0, 7):
            result = run_plumb("tcpconnect", "--", "sh", "-c", f"exit {status}")
            self.assertEqual(result.returncode, status, result.stderr)

    def test_command_that_does_not_exist(self):
        result = run_plumb("tcpconnect", "--", "/nonexistent/program")
        self.assertIn(result.returncode, (1, 126, 127))
        self.assertIn(b"/nonexistent/program", result.stderr)

    @core
    def test_no_probe_outlives_a_kill(self):
        with tcpconnect(expect_status=-signal.SIGKILL) as plumb:
            directory = f"/proc/{plumb.process.pid}/fdinfo"
            ids = set()
            for name in os.listdir(directory):
                with contextlib.suppress(FileNotFoundError), open(os.path.join(directory, name)) as f:  # closed since
                    ids |= {line.split()[1] for line in f if line.startswith("prog_id:")}
            self.assertTrue(ids, "no program is held by a descriptor")
            plumb.finish(signal.SIGKILL)

        def alive(program):
            return subprocess.run(["bpftool", "prog", "show", "id", program], capture_output=True).returncode == 0

        for program in ids:
            wait_until(lambda: not alive(program), f"program {program} to go")

    def test_privileges_are_dropped_once_attached(self):
        with tcpconnect() as plumb:
            with open(f"/proc/{plumb.process.pid}/status") as f:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
            effective = int(status["CapEff"], 16)
            # CAP_BPF stays: reading a map needs it where kernel.unprivileged_bpf_disabled is set.
            for name, bit in (("SYS_ADMIN", 21), ("PERFMON", 38), ("NET_ADMIN", 12), ("DAC_OVERRIDE", 1)):
                self.assertFalse(effective >> bit & 1, f"CAP_{name} is still effective")
            self.traffic()
        self.assertEqual(len(self.mine(plumb.lines)), 1)

    def test_stats(self):
        with tcpconnect("--stats", "--netns", self.ns.path) as plumb:
            self.traffic(20)
        self.assertEqual(len(plumb.lines), 20)
        for word in ("seen", "kept", "lost", "CPU"):
            self.assertIn(word, plumb.stderr)
        self.assertRegex(plumb.stderr, r"\b20\b")

    def test_table(self):
        with Plumb("tcpconnect", "--netns", self.ns.path, json_lines=False) as plumb:
            self.traffic(4)
        lines = plumb.output.decode().splitlines()
        self.assertEqual(len(lines), 5, lines)
        for heading in ("PID", "COMM", "OUTCOME", "LATENCY"):
            self.assertIn(heading, lines[0])
        for line in lines[1:]:
            self.assertIn("established", line)
            self.assertIn("tc-client", line)
            self.assertIn("127.0.0.1", line)
        self.assertNotIn(b"\x1b", plumb.output)

    def test_hostile_names_never_reach_the_terminal(self):
        names = [b"\x1b[31mred", b"\xff\xfe\x80\xc3", b"a\nb\tc\rd", b'"\\quote', b"\x9b31m\x7f"]
        listener = self.listener()
        with Plumb("tcpconnect", "--netns", self.ns.path, "--color", "never", json_lines=False) as table, \
                tcpconnect("--netns", self.ns.path) as lines:
            for name in names:
                self.program("connect", address="127.0.0.1", port=listener.getsockname()[1],
                             name=name.decode("utf-8", "surrogateescape")).rest()
        text = table.output.decode("utf-8")  # raises on invalid UTF-8
        self.assertEqual(len(text.splitlines()), 1 + len(names))
        self.assertEqual([c for c in text if ord(c) < 32 and c != "\n" or 0x7F <= ord(c) < 0xA0], [])
        self.assertEqual(len(lines.lines), len(names))
        self.assertEqual(lines.lines[0]["comm"], "\x1b[31mred")
        self.assertEqual(lines.lines[2]["comm"], "a\nb\tc\rd")
        self.assertEqual(lines.lines[3]["comm"], '"\\quote')
        self.assertTrue(all(b"\x1b" not in raw for raw in lines.output.splitlines()))

    def test_two_at_once(self):
        with tcpconnect("--netns", self.ns.path) as first, tcpconnect("--netns", self.ns.path) as second:
            self.traffic(30)
        self.assertEqual((len(first.lines), len(second.lines)), (30, 30))

    @needs("setpriv")
    def test_nobody_is_told_what_is_missing(self):
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o755)
            copy = shutil.copy(PLUMB, directory)
            result = run_plumb("tcpconnect", "-d", "1s", executable=copy,
                               prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"CAP_BPF", result.stderr)
        self.assertIn(b"CAP_PERFMON", result.stderr)
        self.assertLessEqual(len(result.stderr.splitlines()), 3)
        self.assertEqual(result.stdout, b"")

    @needs("setpriv")
    def test_one_missing_capability_is_named_alone(self):
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o755)
            copy = shutil.copy(PLUMB, directory)
            result = run_plumb("tcpconnect", "-d", "1s", executable=copy,
                               prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                       "--inh-caps=-all,+bpf", "--ambient-caps=-all,+bpf"])
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"CAP_PERFMON", result.stderr)
        self.assertNotIn(b"CAP_BPF is", result.stderr)


class CommandLine(unittest.TestCase):
    """Needs no privileges and no kernel."""

    def wrong(self, *args):
        result = run_plumb(*args, timeout=5)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stdout, b"")
        self.assertLessEqual(len(result.stderr.splitlines()), 3, result.stderr)
        return result.stderr.decode()

    def test_unknown_option_gets_a_suggestion(self):
        self.assertIn("--count", self.wrong("tcpconnect", "--cuont", "3"))

    def test_unknown_tool_gets_a_suggestion(self):
        self.assertIn("tcpconnect", self.wrong("tcpconect"))

    def test_wrong_values(self):
        for args in (["-d", "5"], ["-d", "-1s"], ["-n", "0"], ["-n", "x"], ["-p", "abc"], ["-p", ""], ["--port", "70000"],
                     ["--host", "300.1.1.1"], ["--host", "10.0.0.0/33"], ["--role", "sideways"],
                     ["--min-latency", "fast"], ["--format", "xml"], ["--columns", "nonsense"], ["--pid"]):
            with self.subTest(args=args):
                self.wrong("tcpconnect", *args)
        # Those of httptrace are names, too; these are none.
        for host in ("300.1.1.1", "10.0.0.0/33", "fe80:::1", "name/24", "1.2.3"):
            with self.subTest(host=host):
                self.wrong("httptrace", "--host", host)

    def test_formats_that_a_tool_lacks(self):
        """Help offers exactly what is taken, and an ending that asks for another format is wrong too."""
        every = {"table", "json", "csv", "tsv", "folded", "svg", "pprof", "speedscope", "firefox"}
        for tool, formats in (("tcpconnect", {"table", "json", "csv", "tsv"}),
                              ("drops", every)):
            with self.subTest(tool=tool):
                help_text = " ".join(run_plumb(tool, "--help").stdout.decode().split())
                offered = re.search(r"--format FORMAT How .*? One of: ([a-z, ]*)\.", help_text)[1]
                self.assertEqual(set(offered.split(", ")), formats)
                for lacking in every - formats:
                    text = self.wrong(tool, "--format", lacking)
                    self.assertTrue(all(name in text for name in formats), text)
                for lacking in [e for e in ("svg", "folded", "pb.gz", "speedscope.json") if not formats & {e.split(".")[0], "pprof"}]:
                    self.assertIn(tool, self.wrong(tool, "-o", f"/nonexistent/x.{lacking}"))

    def test_options_that_exclude_each_other(self):
        for args in (["tcpconnect", "--top", "--json"], ["tcpconnect", "--top", "--summary"],
                     ["drops", "-f", "svg", "--where", "pid == 1"], ["drops", "-f", "folded", "--fail-if", "count > 1"],
                     ["drops", "-o", "x.svg", "-n", "5"], ["drops", "-f", "svg", "--summary"],
                     ["tcpconnect", "--json", "--format", "table"], ["tcpconnect", "--wide", "--columns", "pid"],
                     ["drops", "-o", "/tmp/x.svg", "-o", "/tmp/x.json"], ["tcpconnect", "--top", "-f", "csv"]):
            with self.subTest(args=args):
                self.assertIn("exclude each other", self.wrong(*args))

    def test_options_without_effect(self):
        for args in (["tcpconnect", "--interval", "2s"], ["tcpconnect", "--by", "pid"], ["tcpconnect", "--json", "--wide"],
                     ["tcpconnect", "--top", "--columns", "pid"], ["drops", "--type", "drop", "--interval", "1s"],
                     ["drops", "--icicle"], ["flame", "--icicle", "-f", "folded"], ["drops", "--stack", "--summary"],
                     ["drops", "--stack", "--top"], ["tcpconnect", "--histogram"], ["tcpconnect", "--summary", "--histogram", "-j"],
                     ["tcpconnect", "--names", "ports", "-f", "csv"]):
            with self.subTest(args=args):
                self.assertIn("effect", self.wrong(*args))

    def test_groups(self):
        self.assertIn("remote_addr", self.wrong("tcpconnect", "--summary", "--by", "remote_adr"))
        fields = run_plumb("tcpconnect", "--summary", "--by", "remote_addr", "--list-fields").stdout.decode()
        self.assertEqual([f.split()[0] for f in fields.splitlines() if f.startswith("  ") and f[2] != " "],
                         ["type", "remote_addr", "count", "failed", "latency_p50_ms", "latency_p90_ms", "latency_p99_ms",
                          "latency_max_ms", "tx_bytes", "rx_bytes"])

    def test_unknown_column_gets_a_suggestion(self):
        self.assertIn("latency", self.wrong("tcpconnect", "--columns", "latncy_ms"))

    def test_nothing_asked(self):
        result = run_plumb()
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"tcpconnect", result.stdout + result.stderr)

    def test_help_and_version(self):
        for args in (["--help"], ["tcpconnect", "--help"], ["--version"]):
            with self.subTest(args=args):
                result = run_plumb(*args)
                self.assertEqual((result.returncode, result.stderr), (0, b""))
                self.assertTrue(result.stdout)
        self.assertRegex(run_plumb("--version").stdout.decode(), r"^plumb \d+\.\d+\.\d+")

    def test_called_by_a_tools_name(self):
        with tempfile.TemporaryDirectory() as directory:
            link = os.path.join(directory, "tcpconnect")
            os.symlink(PLUMB, link)
            through_link = run_plumb("--help", executable=link)
        self.assertEqual(through_link.returncode, 0)
        self.assertIn(b"--min-latency", through_link.stdout)

    def test_fields_are_listed_without_privileges(self):
        from tcpconnect import CLOSE_KEYS
        result = run_plumb("tcpconnect", "--list-fields")
        self.assertEqual(result.returncode, 0)
        for key in CLOSE_KEYS:
            self.assertRegex(result.stdout.decode(), rf"(?m)^\s*{key}\b")

    def test_json_schema_names_every_type_and_key(self):
        from tcpconnect import KEYS
        result = run_plumb("tcpconnect", "--json-schema")
        self.assertEqual(result.returncode, 0)
        text = json.dumps(json.loads(result.stdout))
        for line_type, keys in KEYS.items():
            for word in {line_type, "lost", *keys}:
                self.assertIn(f'"{word}"', text)

    def test_doctor(self):
        result = run_plumb("doctor", "--json", timeout=DEADLINE)
        self.assertIn(result.returncode, (0, 1), result.stderr)
        self.assertTrue(json.loads(result.stdout))


if __name__ == "__main__":
    unittest.main()
