"""What others do by the ten thousand, and terminals that go away: plumb stays small, quick and able to end."""
import os
import pty
import re
import resource
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time
import tty
import unittest

from drops import DropTest, drops
from harness import PLUMB, alone, heed_signals, needs, run_plumb, sanitized, wait_until
from tcpconnect import TcpTest, tcpconnect

SOCKETS = 20_000
MOST_KB = 30_000


def memory_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Many(DropTest):
    @staticmethod
    def told(plumb):
        with open(f"{plumb.directory}/out", "rb") as f:
            return f.read().count(b"\n")

    @needs("nft")
    @unittest.skipIf(sanitized(), "a sanitizer's memory is not plumb's")
    @alone("it opens 20,000 sockets")
    def test_owners_of_many_sockets(self):
        """Each is told with its owner, and the memory does not grow with them."""
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits[1], SOCKETS + 1000), limits[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        count = min(SOCKETS, limits[1] - 1000)
        self.ns.nft("udp dport 4242 counter drop", hook="output")
        with drops("--type", "drop", "--port", "4242", "--max-rate", "0") as plumb:
            sockets = []
            self.addCleanup(lambda: [s.close() for s in sockets])
            with self.ns.inside():
                for _ in range(count):
                    sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                    with self.assertRaises(PermissionError):
                        sockets[-1].sendto(b"x", ("127.0.0.1", 4242))
                    if len(sockets) % 1000 == 0:  # a storm is another test
                        wait_until(lambda: self.told(plumb) >= len(sockets), "the drops so far")
            wait_until(lambda: self.told(plumb) >= count, "all drops")
            used = memory_kb(plumb.process.pid)
        self.assertNothingLost(plumb.lines)
        lines = self.here(plumb.lines, dst_port=4242)
        self.assertEqual(self.total(lines), count)
        for line in lines:
            self.assertMine(line)
        self.assertLess(used, MOST_KB)


    @alone("it makes 270 network namespaces")
    def test_descriptors_for_many_namespaces(self):
        holders = [subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
                   for _ in range(270)]
        try:
            own = os.readlink("/proc/self/ns/net")
            for h in holders:
                wait_until(lambda: os.readlink(f"/proc/{h.pid}/ns/net") != own, "the namespace")
            with drops("--type", "counter") as plumb:
                held = len(os.listdir(f"/proc/{plumb.process.pid}/fd"))
        finally:
            for h in holders:
                h.stdin.close()
                h.wait()
        self.assertLess(held, 256 + 80)
        self.assertRegex(plumb.stderr, r"are told of 256 of \d+ network namespaces")


class Terminal(TcpTest):
    def start(self, keys, screen):
        ready = os.path.join(tempfile.mkdtemp(prefix="plumb-top-"), "ready")
        process = subprocess.Popen([PLUMB, "tcpconnect", "--top", "--interval", "200ms", "--netns", self.ns.path,
                                    "--ready-file", ready], stdin=keys, stdout=screen, stderr=subprocess.DEVNULL,
                                   env={**os.environ, "TERM": "xterm"}, preexec_fn=heed_signals)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_until(lambda: os.path.exists(ready) or process.poll() is not None, "the ready file")
        return process

    def terminal(self):
        """(leader, follower); what is drawn on it is read and forgotten."""
        leader, follower = pty.openpty()
        tty.setraw(follower)
        self.addCleanup(os.close, follower)
        return leader, follower

    def drain(self, leader):
        def read():
            while True:
                select.select([leader], [], [])  # it may be set not to block: then a read finds nothing, and is no end
                try:
                    if not os.read(leader, 65536):
                        return
                except BlockingIOError:
                    continue
                except OSError:
                    return
        threading.Thread(target=read, daemon=True).start()

    def test_whose_keyboard_hangs_up(self):
        (keys, keyboard), (screen, display) = self.terminal(), self.terminal()
        self.drain(screen)
        process = self.start(keyboard, display)
        os.close(keys)
        time.sleep(0.5)
        before, started = process.poll() is None and cpu_seconds(process.pid), time.monotonic()
        time.sleep(1)
        if process.poll() is None:
            share = (cpu_seconds(process.pid) - before) / (time.monotonic() - started)
            self.assertLess(share, 0.3)
            process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(20), 0)

    def test_into_which_much_is_pasted(self):
        leader, follower = self.terminal()
        self.drain(leader)
        process = self.start(follower, follower)
        before, left, end = cpu_seconds(process.pid), b"/" + b"x" * 100_000, time.monotonic() + 20
        os.set_blocking(leader, False)
        while left and time.monotonic() < end:
            select.select([], [leader], [], 1)
            try:
                left = left[os.write(leader, left[:1000]):]
            except BlockingIOError:
                pass
        self.assertEqual(len(left), 0, "not read in 20 s")
        self.assertLess(cpu_seconds(process.pid) - before, 5)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(20), 0)


class Said(TcpTest):
    def test_standard_output_by_name(self):
        folder = tempfile.mkdtemp(prefix="plumb-out-")
        done = subprocess.run([PLUMB, "tcpconnect", "--netns", self.ns.path, "-f", "json", "-o", "-", "-n", "1", "--",
                               "nsenter", f"--net={self.ns.path}", "python3", "-c",
                               "import socket; socket.socket().connect_ex(('127.0.0.1', 9))"], cwd=folder,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        self.assertIn(b'"type":"connect"', done.stdout)
        self.assertEqual(os.listdir(folder), [])
        os.rmdir(folder)

    def test_all_that_came_while_it_was_stopped(self):
        for more in ((), ("-d", "1s")):  # whose end comes meanwhile, too
            with self.subTest(more), tcpconnect("--netns", self.ns.path, *more) as plumb:
                plumb.process.send_signal(signal.SIGSTOP)
                port = self.closed_port()
                self.program("connect", address="127.0.0.1", port=port, count=300).rest()
                time.sleep(1)
                plumb.process.send_signal(signal.SIGCONT)
                if more:
                    plumb.finish()
            self.assertEqual(len(self.mine(plumb.lines, type="connect", outcome="refused")), 300)

    @unittest.skipIf(sanitized(), "a sanitizer's memory is not plumb's")
    def test_memory_is_its_own(self):
        big = "x = b'x' * 200_000_000; import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
        done = run_plumb("tcpconnect", "-d", "1ms", "--stats", "--netns", self.ns.path,
                         prefix=("python3", "-c", big), timeout=60)
        peak = float(re.search(rb"peak memory ([\d.]+) MB", done.stderr)[1])
        self.assertLess(peak, MOST_KB / 1000, done.stderr)

    def test_a_cgroup_of_the_first_version(self):
        with open("/proc/mounts") as f:
            old = [line.split()[1] for line in f if line.split()[2] == "cgroup"]
        for path in [*old[:1], "/tmp"]:
            with self.subTest(path):
                done = run_plumb("tcpconnect", "--cgroup", path, "-d", "1ms")
                self.assertEqual(done.returncode, 1)
                self.assertIn(b"cgroup v2", done.stderr)
                self.assertNotIn(b"EBADF", done.stderr)


if __name__ == "__main__":
    unittest.main()
