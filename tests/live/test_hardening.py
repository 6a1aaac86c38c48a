"""The executable itself: loaded at another address each time, nothing both writable and executable."""
import glob
import os
import signal
import subprocess
import tempfile

from harness import PLUMB, Plumb, needs, sanitized, wait_until
from tcpconnect import TcpTest


def readelf(*args):
    return subprocess.run(["readelf", "-W", *args, PLUMB], check=True, capture_output=True, text=True).stdout


@needs("readelf")
class Executable(TcpTest):
    def setUp(self):
        super().setUp()
        if "INTERP" in readelf("-l"):
            self.skipTest("not the static executable")

    def test_it_is_position_independent_and_read_only_after_relocation(self):
        self.assertRegex(readelf("-h"), r"Type:\s+DYN")
        segments = readelf("-l")
        self.assertIn("GNU_RELRO", segments)
        self.assertRegex(segments, r"GNU_STACK .* RW ")
        self.assertNotRegex(segments, r"(LOAD|GNU_STACK) .* RWE ")
        dynamic = readelf("-d")
        self.assertIn("NOW", dynamic)
        self.assertNotIn("TEXTREL", dynamic)

    def test_each_run_lies_elsewhere(self):
        bases = set()
        for _ in range(3):
            with Plumb("tcpconnect", "--netns", self.ns.path) as plumb:
                with open(f"/proc/{plumb.process.pid}/maps") as f:
                    bases.add(f.readline().split("-")[0])
        self.assertGreater(len(bases), 1)

    def test_our_own_code_is_guarded(self):
        """Each library of ours checks its stacks and its buffers, and marks where indirect jumps may land (the C library and
        OpenSSL do as their packages were built)."""
        archives = sorted(a for a in glob.glob(os.path.join(os.path.dirname(PLUMB), "lib/libplumb_*.a"))
                          if not a.endswith("_fmt.a"))  # another project's
        if not archives:
            self.skipTest("not a build's folder")
        names = subprocess.run(["nm", "-u", *archives], check=True, capture_output=True, text=True).stdout
        self.assertIn("__stack_chk_fail", names)
        self.assertRegex(names, r"__(read|memcpy|memset|strncpy|snprintf|poll|pread|pread64|recv|realpath)_chk")
        if "X86-64" in readelf("-h"):
            for archive in archives:
                notes = subprocess.run(["readelf", "-nW", archive], check=True, capture_output=True, text=True).stdout
                objects = notes.count("File: ")
                self.assertEqual(notes.count("x86 feature: IBT, SHSTK"), objects, archive)


class Confined(TcpTest):
    def status(self, pid):
        with open(f"/proc/{pid}/status") as f:
            return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)

    def test_system_calls_are_filtered_but_not_those_of_a_command(self):
        if sanitized():
            self.skipTest("a build with sanitizers has no filter")
        out = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "status")
        with Plumb("tcpconnect", "--", "sh", "-c", f"cp /proc/self/status {out}; exec sleep 60", expect_status=128 + signal.SIGINT) as plumb:
            wait_until(lambda: os.path.exists(out) and os.path.getsize(out), "the command")
            wait_until(lambda: self.status(plumb.process.pid)["Seccomp"] == "2", "the filter")
            self.assertEqual(self.status(plumb.process.pid)["NoNewPrivs"], "1")
        with open(out) as f:
            self.assertIn("Seccomp:\t0\n", f.read())
