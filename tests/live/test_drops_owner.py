"""Who owned the socket when its packet was lost: known before the loss, however short-lived the process, whoever has the
port or the pid by the time that somebody looks; or null."""
import os
import socket
import struct
import subprocess
import sys
import unittest

from drops import COMM, KEYS, RELEASE, DropTest, drops
from harness import Plumb, core, forced, hook, needs, wait_until

# Sends from 20 sockets to a port that the firewall rejects, and is gone.
SEND_AND_END = """
import socket
for _ in range(20):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        s.sendto(b"lost", ("127.0.0.1", 4242))
    except PermissionError:
        pass
"""
# Binds its argument (UDP) and says so; holds it until its input ends.
HOLD_UDP = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", int(sys.argv[1])))
print("bound", flush=True)
sys.stdin.read()
"""
LISTEN_TCP = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen()
print("bound", flush=True)
sys.stdin.read()
"""
# Makes a receiver, leaves it to a child, and is gone.
PASS_ON = """
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
s.bind(("127.0.0.1", 0))
if os.fork() == 0:
    os.setsid()
    while os.getppid() == int(sys.argv[1]):
        pass
    print(os.getpid(), s.getsockname()[1], flush=True)
    sys.stdin.read()
"""
# Connects, sends what the firewall drops, and is gone: the kernel still sends it again.
SEND_AND_DIE = """
import os, socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sys.stdin.readline()
s.send(b"on its way")
"""


class Owners(DropTest):
    def start(self, program, *arguments):
        """A python program in the namespace with pipes, ended by its input's end."""
        process = self.ns.popen(sys.executable, "-c", program, *map(str, arguments), stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdin.close)
        return process

    def under(self, *command, **options):
        """The lines of `drops -- COMMAND` in the namespace; what it prints itself goes to standard error."""
        plumb = Plumb("drops", "--type", "drop,retransmit,reset", "--", *command, prefix=self.ns.prefix(), keys=KEYS,
                      expect_status=None, **options)
        with plumb:
            plumb.finish()
        return plumb.lines

    @hook("owner-made")
    @needs("nft")
    def test_command_that_ends_at_once(self):
        self.ns.nft("udp dport 4242 counter drop", hook="output")
        lines = self.here(self.under(sys.executable, "-c", SEND_AND_END), type="drop")
        self.assertEqual(self.total(lines), 20)
        self.assertEqual(len({e["pid"] for e in lines}), 1)
        for line in lines:
            self.assertPacket(line, comm=COMM, owner_source="skb_sk", dst_port=4242, protocol="udp", direction="out")

    @core
    @needs("nft")
    def test_process_that_ends_at_once_unfiltered(self):
        self.ns.nft("udp dport 4242 counter drop", hook="output")
        with drops("--type", "drop", f"--netns={self.ns.path}") as plumb:
            process = self.start(SEND_AND_END)
            process.wait()
        lines = self.here(plumb.lines, type="drop", dst_port=4242)
        self.assertEqual(self.total(lines), 20)
        self.assertEqual({e["pid"] for e in lines}, {process.pid})

    @hook("owner-used")
    @needs("curl")
    def test_command_that_is_refused(self):
        lines = self.under("curl", "-s", "http://127.0.0.1:9/", env=forced("owner-made=none"))
        line, = self.here(lines, type="reset", direction="in")
        self.assertPacket(line, comm="curl", src_port=9, owner_source="socket", state="syn_sent")

    def overflow(self, port, count=40):
        s = self.udp()
        for _ in range(count):
            s.sendto(b"x" * 500, ("127.0.0.1", port))

    @hook("owner-search")
    def test_socket_older_than_the_trace(self):
        receiver = self.udp()
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
        with drops("--type", "drop", f"--netns={self.ns.path}") as plumb:
            self.overflow(port)
        lines = self.here(plumb.lines, type="drop", dst_port=port)
        self.assertGreater(len(lines), 0)
        for line in lines:
            self.assertMine(line)

    @hook("owner-kept")
    def test_socket_of_the_trace(self):
        with drops("--type", "drop", f"--netns={self.ns.path}") as plumb:
            receiver = self.udp()
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            receiver.bind(("127.0.0.1", 0))
            self.overflow(receiver.getsockname()[1])
        lines = self.here(plumb.lines, type="drop", dst_port=receiver.getsockname()[1])
        self.assertGreater(len(lines), 0)
        for line in lines:
            self.assertMine(line)

    def reset_of_accepted(self, *args, **options):
        """A client resets a connection that was accepted during the trace; the line of the reset as it comes in."""
        listener, client = self.tcp(), self.tcp()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with drops("--type", "reset", f"--netns={self.ns.path}", *args, **options) as plumb:
            client.connect(listener.getsockname())
            server, _ = listener.accept()
            self.addCleanup(server.close)
            client.send(b"hello")
            self.assertEqual(server.recv(5), b"hello")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            wait_until(lambda: self.is_reset(server), "the reset")
        line, = self.here(plumb.lines, direction="in", dst_port=listener.getsockname()[1])
        return line

    @staticmethod
    def is_reset(server):
        try:
            server.recv(1)
        except ConnectionResetError:
            return True
        return False

    @hook("owner-accepts")
    def test_accepted_socket(self):
        self.needs_hook("drops", "owner-accepts")
        self.assertMine(self.reset_of_accepted(env=forced("owner-search=none")))

    @hook("owner-traffic")
    def test_accepted_socket_by_its_traffic(self):
        self.needs_hook("drops", "owner-traffic")
        self.assertMine(self.reset_of_accepted("-p", str(os.getpid()), env=forced("owner-search=none,owner-accepts=none")))

    @core
    def test_accepted_socket_by_whatever_works(self):
        self.assertMine(self.reset_of_accepted())

    @core
    @needs("nft")
    def test_port_passes_to_another_process(self):
        """Received packets that no socket is named for: whoever had the port at that time, or nobody."""
        for program, kind in ((HOLD_UDP, socket.SOCK_DGRAM), (LISTEN_TCP, socket.SOCK_STREAM)):
            with self.subTest(kind=kind):
                s = self.udp() if kind == socket.SOCK_DGRAM else self.tcp()
                s.bind(("127.0.0.1", 0))
                port = s.getsockname()[1]
                s.close()
                self.ns.drop(f"meta l4proto {{ tcp, udp }} th dport {port}")
                clients = {}
                with drops("--type", "drop", f"--netns={self.ns.path}") as plumb:
                    for _ in range(8):
                        holder = self.start(program, port)
                        self.assertEqual(holder.stdout.readline(), "bound\n")
                        client = self.udp() if kind == socket.SOCK_DGRAM else self.tcp()
                        client.setblocking(False)
                        client.connect_ex(("127.0.0.1", port))
                        if kind == socket.SOCK_DGRAM:
                            client.send(b"x")
                        mine = client.getsockname()[1]
                        clients[mine] = holder.pid
                        plumb.wait_for(lambda lines: self.here(lines, src_port=mine), "its drop")
                        client.close()  # a SYN sent again would meet the next one
                        holder.kill()
                        holder.wait()
                self.ns.nft_flush()
                lines = self.here(plumb.lines, type="drop", dst_port=port)
                self.assertEqual({e["src_port"] for e in lines}, set(clients))
                for line in lines:
                    self.assertIn(line["pid"], (clients[line["src_port"]], None), line)

    def passed_on(self):
        """The maker of a socket, which has ended; the child that has it; its port."""
        maker = self.ns.popen(sys.executable, "-c", PASS_ON, str(os.getpid()), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
        self.addCleanup(maker.stdout.close)
        self.addCleanup(maker.stdin.close)
        maker.wait()
        return maker, *map(int, maker.stdout.readline().split())

    @core
    def test_socket_that_was_passed_on(self):
        """Its maker is gone; a child has it."""
        with drops("--type", "drop", f"--netns={self.ns.path}") as plumb:
            _, child, port = self.passed_on()
            self.overflow(port)
        lines = self.here(plumb.lines, type="drop", dst_port=port)
        self.assertGreater(len(lines), 0)
        self.assertEqual({e["pid"] for e in lines}, {child})

    def take_pid(self, pid, program=("sleep", "1000")):
        """A process that has the pid of one that has ended."""
        for _ in range(50):
            try:
                with open("/proc/sys/kernel/ns_last_pid", "w") as f:
                    f.write(str(pid - 1))
            except OSError as e:
                self.skipTest(f"pids cannot be chosen: {e}")
            process = subprocess.Popen(program)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            if process.pid == pid:
                return process
        self.skipTest("others take the pid each time")

    @core
    def test_pid_that_is_another_processes_by_now(self):
        """Whoever has the maker's pid now, and whoever had it before, has nothing to do with its socket."""
        with drops("--type", "drop", f"--netns={self.ns.path}") as plumb:
            maker, child, port = self.passed_on()
            self.take_pid(maker.pid, ["true"]).wait()
            self.take_pid(maker.pid)
            self.overflow(port)
        lines = self.here(plumb.lines, type="drop", dst_port=port)
        self.assertGreater(len(lines), 0)
        self.assertLessEqual({(e["pid"], e["comm"]) for e in lines}, {(child, COMM), (None, None)}, lines[0])

    @core
    @needs("nft")
    def test_retransmit_after_the_process_ended(self):
        listener = self.tcp()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with drops("--type", "retransmit", f"--netns={self.ns.path}") as plumb:
            process = self.start(SEND_AND_DIE, port)
            accepted, _ = listener.accept()
            self.addCleanup(accepted.close)
            self.ns.drop(f"tcp dport {port}")
            process.stdin.write("\n")
            process.stdin.flush()
            process.wait()
            plumb.wait_for(lambda lines: self.here(lines, type="retransmit"), "a retransmit")
        for line in self.here(plumb.lines, type="retransmit"):
            self.assertEqual(line["pid"], process.pid, line)

    @core
    def test_process_filter_in_the_kernel(self):
        """Others' drops never reach the user side."""
        receiver = self.udp()
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        receiver.bind(("127.0.0.1", 0))
        with drops("--type", "drop", "-p", "1", "--stats", f"--netns={self.ns.path}") as plumb:
            self.overflow(receiver.getsockname()[1], 200)
        self.assertEqual(self.here(plumb.lines), [])
        if RELEASE >= (6, 11):  # the kernel names the receiving socket
            self.assertIn("drops: 0 events seen", plumb.stderr)


if __name__ == "__main__":
    unittest.main()
