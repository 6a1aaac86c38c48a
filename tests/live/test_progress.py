"""How far a silent capture is: on a terminal's standard error, in place, and gone before anything else is printed."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time

from harness import DEADLINE, PLUMB, run_plumb
from tcpconnect import TcpTest

ERASE = b"\r\x1b[K"


class Terminal:
    """plumb with standard error, and with `stdout` None standard output, on a pseudo-terminal of its own."""

    def __init__(self, *args, columns=80, stdout=subprocess.DEVNULL, env=None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen([PLUMB, *args], stdin=subprocess.DEVNULL, stderr=slave,
                                        stdout=slave if stdout is None else stdout,
                                        env={**os.environ, "TERM": "xterm", **(env or {})})
        self.name = os.ttyname(slave)
        os.close(slave)
        self.seen = b""

    def read_until(self, pattern, deadline=DEADLINE):
        """Reads until `pattern` (bytes) is found in what the terminal got; None: until plumb has ended."""
        end = time.monotonic() + deadline
        while pattern is None or not re.search(pattern, self.seen):
            if not select.select([self.master], [], [], max(end - time.monotonic(), 0))[0]:
                raise AssertionError(f"no {pattern} in {deadline} s: {self.seen}")
            try:
                self.seen += os.read(self.master, 65536)
            except OSError:  # EIO: nobody has the other side any more
                if pattern is None:
                    break
                raise AssertionError(f"it ended without {pattern}: {self.seen}") from None
        return self.seen

    def rest(self):
        self.read_until(None)
        self.status = self.process.wait(DEADLINE)
        os.close(self.master)
        return self.seen

    def screen(self):
        """What stands on the terminal's lines in the end, for carriage returns and erased line ends alone."""
        lines = []
        for line in self.seen.split(b"\n"):
            shown = b""
            for part in re.split(rb"\r", line.removesuffix(b"\r")):
                shown = part.removeprefix(b"\x1b[K") if part.startswith(b"\x1b[K") else part + shown[len(part):]
            lines.append(shown)
        return lines


class ProgressLine(TcpTest):
    def connect(self):
        self.socket().connect_ex(("127.0.0.1", self.closed_port()))

    def test_timed_summary_on_a_terminal(self):
        terminal = Terminal("tcpconnect", "--netns", self.ns.path, "--summary", "-d", "3500ms", stdout=None)
        terminal.read_until(rb"tcpconnect 0:01 of 0:04, 0:03 left, 0 events seen \(Ctrl-C ends it\)")
        self.connect()
        terminal.read_until(rb"0:02 of 0:04, 0:02 left, 1 event seen")
        seen = terminal.rest()
        self.assertEqual(terminal.status, 0)
        self.assertNotIn(b"Ctrl-C", b"".join(terminal.screen()), seen)
        heading, row, footer, ending, last = terminal.screen()
        self.assertIn(b"--wide for", footer)
        self.assertRegex(ending, rb"^\d+ seen, 0 lost in 3\.\d s$")
        self.assertIn(b"ATTEMPTS", heading)
        self.assertIn(b"127.0.0.1", row)
        self.assertEqual(last, b"")

    def test_without_an_end_it_says_how_to_end(self):
        terminal = Terminal("tcpconnect", "--netns", self.ns.path, "--fail-if", "count > 5")
        terminal.read_until(rb"tcpconnect 0:01, 0 events seen \(Ctrl-C ends it\)")
        terminal.process.send_signal(signal.SIGINT)
        seen = terminal.rest()
        self.assertEqual(seen[seen.rindex(ERASE):], ERASE + seen[seen.rindex(b"no events, 0 lost in"):])
        self.assertTrue(seen.endswith(b"plumb: passed: count > 5: count = 0\r\n"), seen)

    def test_lines_into_a_file(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "lines.json")
            terminal = Terminal("tcpconnect", "--netns", self.ns.path, "-o", path, "-n", "2", stdout=None)
            terminal.read_until(rb"tcpconnect 0:01, 0 of 2 events")
            self.connect()
            terminal.read_until(rb", 1 of 2 events")
            self.connect()
            self.assertRegex(terminal.rest().split(ERASE)[-1], rb"^2 connects, 2 failed, 0 lost in [\d.]+ s\r\n$")
            with open(path, "rb") as f:
                self.assertEqual(len(f.readlines()), 2)

    def test_cut_to_the_width(self):
        terminal = Terminal("drops", "--netns", self.ns.path, "--stack", "-f", "svg", "-d", "1300ms", columns=20)
        seen = terminal.rest().split(ERASE)
        self.assertIn(b"drops 0:01 of 0:02,", seen)  # 19 columns

    def test_a_stopped_terminal_holds_nothing_up(self):
        terminal = Terminal("tcpconnect", "--netns", self.ns.path, "--summary", "-d", "2500ms")
        terminal.read_until(rb"0:01 of")
        slave = os.open(terminal.name, os.O_RDWR | os.O_NOCTTY)
        termios.tcflow(slave, termios.TCOOFF)  # as Ctrl-S does
        self.assertEqual(terminal.process.wait(DEADLINE), 0)
        os.close(slave)
        os.close(terminal.master)

    def test_no_line_for_a_while(self):
        terminal = Terminal("tcpconnect", "--netns", self.ns.path, "--where", "outcome == timeout", "-n", "1", stdout=None)
        terminal.read_until(rb"no event for 5 s")
        self.connect()
        terminal.read_until(rb"no event for \d+ s; 1 filtered out")
        terminal.process.send_signal(signal.SIGINT)
        self.assertRegex(terminal.rest().split(ERASE)[-1], rb"no events, 0 lost in [\d.]+ s; 1 filtered out\r\n$")
        quiet = Terminal("tcpconnect", "--netns", self.ns.path, "-q", "-d", "100ms", stdout=None)
        self.assertNotIn(b"lost", quiet.rest())

    def test_silence_where_it_would_be_in_the_way(self):
        netns = ("--netns", self.ns.path, "-d", "1200ms")
        for args, options in ((("tcpconnect", *netns), {"stdout": None}),  # lines come to this terminal
                              (("tcpconnect", *netns), {"stdout": subprocess.PIPE}),  # or through who reads them
                              (("tcpconnect", "--summary", *netns), {"env": {"TERM": "dumb"}}),
                              (("tcpconnect", "--summary", "--", "sleep", "1.2"), {})):  # the command's terminal
            with self.subTest(args=args):
                self.assertNotIn(b"Ctrl-C", Terminal(*args, **options).rest())
        result = run_plumb("tcpconnect", "--summary", *netns)  # a log
        self.assertEqual(result.stderr, b"")
