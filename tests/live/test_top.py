"""The live table in a real terminal (tmux): drawn, sorted, resized, filtered, left with the screen as it was."""
import os
import re
import shlex
import subprocess
import tempfile
import uuid

from harness import PLUMB, Plumb, needs, wait_until
from tcpconnect import TcpTest
from test_flame import spin


@needs("tmux")
class Top(TcpTest):
    def setUp(self):
        super().setUp()
        self.session = f"plumb-test-{uuid.uuid4().hex[:8]}"
        self.socket_file = os.path.join(tempfile.mkdtemp(prefix="plumb-top-"), "tmux")
        self.tmux("new-session", "-d", "-s", self.session, "-x", "110", "-y", "20", "sh", env={"PS1": "prompt$ "})
        self.addCleanup(self.tmux, "kill-server")

    def tmux(self, *args, env=None):
        return subprocess.run(["tmux", "-S", self.socket_file, "-f", "/dev/null", *args], check=True,
                              capture_output=True, text=True, env={**os.environ, "TERM": "xterm", **(env or {})}).stdout

    def keys(self, *keys):
        self.tmux("send-keys", "-t", self.session, *keys)

    def screen(self):
        return self.tmux("capture-pane", "-p", "-t", self.session)

    def start(self, *args, tool="tcpconnect", interval="200ms"):
        ready = os.path.join(os.path.dirname(self.socket_file), "ready")
        place = [] if tool == "flame" else ["--netns", self.ns.path]
        self.keys(shlex.join([PLUMB, tool, "--top", "--interval", interval, *place, "--ready-file", ready, *args]) +
                  "; echo status $?", "Enter")
        wait_until(lambda: os.path.exists(ready), "the ready file")

    def connect(self, times, port):
        for _ in range(times):
            s = self.socket()
            s.connect_ex(("127.0.0.1", port))
            s.close()

    def rows(self):
        """The port and total of each row, as they stand on the screen."""
        lines = [line.split() for line in self.screen().splitlines()]
        rows = [w[w.index(place):] for w in lines for place in w if place.startswith("127.0.0.1:")]
        return [(int(w[0].split(":")[1]), int(w[1])) for w in rows if len(w) > 2]

    def test_live_table(self):
        few, many = self.listener().getsockname()[1], self.closed_port()
        self.start()
        self.connect(3, few)
        self.connect(7, many)
        wait_until(lambda: self.rows() == [(many, 7), (few, 3)], "both rows, most attempts first")
        self.assertIn("10 events", self.screen())
        self.assertIn("TOTAL\u2193", self.screen())
        self.assertIn("q quit", self.screen())
        self.keys("r")
        wait_until(lambda: self.rows() == [(few, 3), (many, 7)], "the reverse order")
        self.assertIn("TOTAL\u2191", self.screen())
        self.keys("r", "/")
        self.keys("-l", str(few))
        self.keys("Enter")
        wait_until(lambda: self.rows() == [(few, 3)], "the filter")
        self.keys("Escape")
        wait_until(lambda: self.rows() == [(many, 7), (few, 3)], "all rows without the filter")
        self.keys("p")
        wait_until(lambda: "PAUSED" in self.screen(), "the pause")
        self.keys("p")
        self.tmux("resize-window", "-t", self.session, "-x", "40", "-y", "10")
        # The terminal cuts what it shows by itself: only what is drawn anew ends in an ellipsis.
        wait_until(lambda: "\u2026" in self.screen() and "TOTAL\u2193" in self.screen(), "40 columns")
        self.assertLessEqual(max(map(len, self.screen().splitlines())), 40)
        self.assertEqual(self.rows(), [(many, 7), (few, 3)])
        self.keys("q")
        wait_until(lambda: "status 0" in self.screen(), "the end")
        self.assertNotIn("q quit", self.screen())  # the alternate screen is gone
        self.assertEqual(self.rows(), [(many, 7), (few, 3)])  # what it showed last is not
        self.assertIn("10 connects, 7 failed, 0 lost in", self.screen())
        self.assertIn("--top", self.tmux("capture-pane", "-p", "-J", "-t", self.session, "-S", "-50"))

    @needs("c++")
    def test_functions_of_flame(self):
        load = subprocess.Popen([spin(), "60"])
        self.addCleanup(load.wait)
        self.addCleanup(load.kill)
        row = re.compile(r"^ *(\d+\.\d\d) +(\d+\.\d\d) .* spin +(\S+)", re.MULTILINE)
        heading = re.compile(r"SELF%\u2193 +TOTAL% +NOW% +SAMPLES MODULE +FUNCTION")
        shares = lambda screen: {f.partition("(")[0]: (float(own), float(total)) for own, total, f in row.findall(screen)}
        none = (0, 0)

        # One picture for each look: the next may be half drawn.
        def shown(width):
            screen = self.screen()
            of = shares(screen)
            return ("sort_some" in of and of.get("main", none)[1] > 90 and of["main"][0] < 10 and
                    of.get("recurse", none)[0] > 10 and heading.search(screen) and
                    max(map(len, screen.splitlines())) <= width)

        def filtered():
            screen = self.screen()
            return "TOTAL%\u2193" in screen and "main" not in shares(screen) and "recurse" in shares(screen)

        for width in (80, 120):
            # So high that what a busy kernel does meanwhile takes no row from them.
            self.tmux("resize-window", "-t", self.session, "-x", str(width), "-y", "70")
            self.start("-p", str(load.pid), tool="flame", interval="1s")
            wait_until(lambda: shown(width), f"functions in {width} columns, and their shares")
            self.keys("s", "/")
            self.keys("-l", "recurs")
            self.keys("Enter")
            wait_until(filtered, "sort and filter")
            self.keys("q")
            wait_until(lambda: "status 0" in self.screen(), "the end")
            self.assertIn("rooted", self.screen())
            self.assertNotIn("no events", self.screen())
            last = re.search(r"^ *\d+\.\d\d +\d+\.\d\d +(\d+\.\d\d) .* recurse", self.screen(), re.MULTILINE)
            self.assertGreater(float(last[1]), 0, "the last whole interval's")
            self.keys("clear", "Enter")
            wait_until(lambda: "status 0" not in self.screen(), "an empty screen")
            os.unlink(os.path.join(os.path.dirname(self.socket_file), "ready"))

    def test_a_signal_restores_the_screen(self):
        self.start()
        wait_until(lambda: "q quit" in self.screen(), "the table")
        self.keys("C-c")
        wait_until(lambda: "status 0" in self.screen(), "the end")
        self.assertNotIn("q quit", self.screen())
        self.keys("echo typed", "Enter")  # echo is on again
        wait_until(lambda: "echo typed" in self.screen(), "the echo of what is typed")

    def test_what_is_said_at_the_end_stands_below_the_command(self):
        self.start(tool="drops")
        wait_until(lambda: "TOTAL" in self.screen(), "the table")
        listener, client = self.listener(), self.socket()
        client.connect(listener.getsockname())
        served, _ = listener.accept()
        client.close()
        wait_until(lambda: self.ns.run("ss", "-tanH", "state", "fin-wait-2").stdout, "the client to wait for a FIN")
        served.close()  # whose FIN is answered and freed, which is no loss
        self.keys("q")
        wait_until(lambda: "status 0" in self.screen(), "the end")
        self.assertRegex(self.screen(), r"\d+ benign drops not shown")

    def test_stopped_and_continued(self):
        self.start(interval="60s")  # what is drawn sooner is drawn because of what happened
        wait_until(lambda: "TOTAL" in self.screen(), "the table")
        self.keys("C-z")
        wait_until(lambda: "Stopped" in self.screen() or "Suspended" in self.screen(), "the shell")
        self.assertNotIn("TOTAL", self.screen())
        self.keys("stty -a", "Enter")
        wait_until(lambda: re.search(r"\siexten\s+\S*echo\s", self.screen()), "the terminal's modes")
        self.assertRegex(self.screen(), r"\sicanon\s+iexten\s+echo\s")
        self.connect(4, self.listener().getsockname()[1])
        self.keys("clear; fg; echo status $?", "Enter")
        wait_until(lambda: "TOTAL" in self.screen() and "4 events" in self.screen(), "the table with what came meanwhile")
        self.keys("p")  # without Enter, and unseen
        wait_until(lambda: "PAUSED" in self.screen(), "the pause")
        self.keys("C-z")
        wait_until(lambda: "TOTAL" not in self.screen(), "the shell again")
        self.keys("clear; fg; echo status $?", "Enter")
        wait_until(lambda: "PAUSED" in self.screen(), "the table again")
        self.keys("q")
        wait_until(lambda: "status 0" in self.screen(), "the end")
        self.assertNotIn("q quit", self.screen())

    def test_stopped_by_a_signal_that_cannot_be_caught(self):
        self.start(interval="60s")
        wait_until(lambda: "TOTAL" in self.screen(), "the table")
        subprocess.run(["pkill", "-STOP", "-f", self.socket_file.replace("tmux", "ready")], check=True)
        wait_until(lambda: "Stopped" in self.screen(), "the shell")
        self.keys("clear", "Enter")
        wait_until(lambda: "TOTAL" not in self.screen(), "the cleared screen")
        self.keys("fg; echo status $?", "Enter")
        wait_until(lambda: "TOTAL" in self.screen(), "the table again")
        self.keys("q")
        wait_until(lambda: "status 0" in self.screen(), "the end")

    def test_a_resize_is_drawn_at_once(self):
        self.start(interval="60s")
        wait_until(lambda: "0 lost" in self.screen(), "the table")
        self.tmux("resize-window", "-t", self.session, "-x", "30", "-y", "10")
        wait_until(lambda: max(map(len, self.screen().splitlines())) <= 30 and "TOTAL" in self.screen(), "30 columns")
        self.tmux("resize-window", "-t", self.session, "-x", "110", "-y", "20")
        wait_until(lambda: "FAILED" in self.screen(), "all columns again")

    def test_one_frame_for_a_script(self):
        port = self.closed_port()
        with Plumb("tcpconnect", "--top", "--once", "-d", "1s", "--netns", self.ns.path, json_lines=False) as plumb:
            self.connect(3, port)
        status, heading, row = plumb.output.decode().splitlines()[:3]
        self.assertIn("3 events", status)
        self.assertIn("TOTAL", heading)
        self.assertIn(f"127.0.0.1:{port}", row)
        self.assertEqual(row.split()[5], "3")  # failed

    def test_a_crash_restores_the_screen(self):
        self.start()
        wait_until(lambda: "TOTAL" in self.screen(), "the table")
        subprocess.run(["pkill", "-SEGV", "-f", self.socket_file.replace("tmux", "ready")], check=True)
        wait_until(lambda: "status 139" in self.screen(), "the end")
        self.assertNotIn("TOTAL", self.screen())
