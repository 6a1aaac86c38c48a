"""Connections that no ordinary system call makes: io_uring, 32-bit programs, the kernel itself."""
import json
import os
import subprocess
import tempfile
import unittest

from harness import DEADLINE, compiled, core, forced, hook, needs
from tcpconnect import TcpTest, tcpconnect

NO_ROUTE = "198.51.100.1"  # nothing but loopback is up in a test's namespace
ENETUNREACH, ECONNREFUSED = 101, 111


class Entries(TcpTest):
    """What the two ways of calling have in common; a subclass gives the command of its program."""

    def run_program(self, *command):
        """A program of clients/ in the namespace of the test, to its end; what it says."""
        done = subprocess.run([*self.ns.prefix(), *command], capture_output=True, text=True, timeout=DEADLINE)
        self.check_status(done.returncode, done.stderr)
        return json.loads(done.stdout)

    def check_status(self, status, stderr):
        if status == 77:
            self.skipTest("the machine forbids io_uring (kernel.io_uring_disabled)")
        self.assertEqual(status, 0, stderr)

    def check_connects(self, command):
        """Established, refused, and without a route."""
        port, refused = self.listener().getsockname()[1], self.closed_port()
        comm = os.path.basename(command[0])
        with tcpconnect("--netns", self.ns.path, "-v") as plumb:
            said = {target: self.run_program(*command, "connect", *map(str, target))
                    for target in (("127.0.0.1", port), ("127.0.0.1", refused), (NO_ROUTE, 80))}
        self.assertEqual([s["error"] for s in said.values()], [0, ECONNREFUSED, ENETUNREACH])
        expected = {port: ("established", None), refused: ("refused", "ECONNREFUSED"), 80: ("unreachable", "ENETUNREACH")}
        if "hook connect-error: sys_exit" in plumb.stderr:
            del expected[80]  # what fails before a SYN is not seen there, as the manual page says
        lines = {e["remote_port"]: e for e in plumb.lines}
        self.assertEqual({p: (e["outcome"], e["error"]) for p, e in lines.items()}, expected)
        self.assertEqual(len(plumb.lines), len(expected))
        for (address, p), facts in said.items():
            if p in expected:
                self.assertEqual(lines[p]["remote_addr"], address)
                self.assertEqual((lines[p]["pid"], lines[p]["comm"]), (facts["pid"], comm))
                self.assertEqual(lines[p]["local_port"], facts["local_port"] or None)

    def check_accept(self, command, env=None):
        with tcpconnect("--netns", self.ns.path, "--role", "server", "-v", env=env) as plumb:
            server = self.ns.popen(*command, "serve", stdout=subprocess.PIPE, text=True)
            self.addCleanup(server.stdout.close)
            first = server.stdout.readline()
            if not first:
                self.check_status(server.wait(), "")
            client = self.socket()
            client.connect(("127.0.0.1", json.loads(first)["port"]))
            client.sendall(b"x")
            self.assertEqual(client.recv(1), b"x")
            facts = json.loads(server.stdout.readline())
            self.assertEqual(server.wait(DEADLINE), 0)
            client.close()
            plumb.wait_for(self.mine, "the accept")
        line = self.one(plumb.lines)
        self.assertEqual((line["type"], line["role"]), ("accept", "server"))
        # Where neither the accept nor the traffic is seen, as the manual page says, nobody can tell.
        blind = "hook accept: sys_exit" in plumb.stderr and "hook first-traffic: none" in plumb.stderr
        self.assertEqual((line["pid"], line["comm"]),
                         (None, None) if blind else (facts["pid"], os.path.basename(command[0])))
        self.assertEqual(line["remote_port"], facts["peer_port"])


class Uring(Entries):
    def setUp(self):
        super().setUp()
        self.command = [compiled("uring.c")]

    @core
    @needs("cc")
    def test_connect(self):
        self.check_connects(self.command)

    @core
    @needs("cc")
    def test_connect_by_a_worker_or_a_polling_thread(self):
        for how in ("async", "sqpoll"):
            with self.subTest(how=how):
                port = self.listener().getsockname()[1]
                with tcpconnect("--netns", self.ns.path) as plumb:
                    facts = self.run_program(*self.command, "connect", "127.0.0.1", str(port), how)
                self.assertEqual(facts["error"], 0)
                line = self.one(plumb.lines, outcome="established", local_port=facts["local_port"])
                # Where it is a kernel thread, nobody can tell whose it is.
                expected = (facts["pid"], "uring") if facts["threads"] > 1 else (None, None)
                self.assertEqual((line["pid"], line["comm"]), expected)

    @core
    @needs("cc")
    def test_accept(self):
        self.check_accept(self.command)


class Compat(Entries):
    def setUp(self):
        super().setUp()
        if os.uname().machine != "x86_64":
            self.skipTest("32-bit programs are tested on x86-64 only")
        path = compiled("compat.c", "-m32", "-nostdlib", "-static", "-ffreestanding", "-fno-stack-protector", "-fno-pie")
        try:
            subprocess.run([path], check=False)
        except OSError as e:
            self.skipTest(f"this kernel runs no 32-bit programs: {e}")
        self.commands = [[path, "direct"], [path, "socketcall"]]

    @core
    @needs("cc")
    def test_connect(self):
        for command in self.commands:
            with self.subTest(command[1]):
                self.check_connects(command)

    @core
    @needs("cc")
    def test_accept(self):
        for command in self.commands:
            with self.subTest(command[1]):
                self.check_accept(command)

    @hook("first-traffic")
    @needs("cc")
    def test_accept_that_only_its_first_traffic_shows(self):
        self.needs_hook("tcpconnect", "first-traffic")
        for command in self.commands:
            with self.subTest(command[1]):
                self.check_accept(command, forced("accept=sys_exit"))


class KernelThread(TcpTest):
    """The connection of an NFS mount is made by a worker of the kernel, whoever called mount(2)."""

    @core
    @needs("unshare", "mount")
    def test_connect_has_no_owner(self):
        subprocess.run(["modprobe", "-q", "nfsv3"], check=False)
        with open("/proc/filesystems") as f:
            if "nfs" not in f.read().split():
                self.skipTest("this kernel has no NFS client")
        port = self.listener().getsockname()[1]
        place = tempfile.mkdtemp(prefix="plumb-nfs-")
        self.addCleanup(os.rmdir, place)
        options = f"vers=3,nolock,soft,proto=tcp,mountproto=tcp,addr=127.0.0.1,mountaddr=127.0.0.1,port={port},mountport={port}"
        with tcpconnect("--netns", self.ns.path) as plumb:
            mount = self.ns.popen("unshare", "--mount", "mount", "-i", "-t", "nfs", "-o", options, "127.0.0.1:/x", place,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                plumb.wait_for(self.mine, "the mount's connection")
            finally:
                mount.kill()
                mount.wait()
        line = self.mine(plumb.lines, remote_port=port)[0]
        self.assertEqual((line["type"], line["outcome"], line["remote_addr"]), ("connect", "established", "127.0.0.1"))
        self.assertEqual([line[k] for k in ("pid", "tid", "comm", "uid", "container")], [None] * 5)


if __name__ == "__main__":
    unittest.main()
