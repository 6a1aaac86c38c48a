"""remote_name: the name that led to a connection, as the DNS answers say that came before it."""
import os
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

from harness import HERE, core, hook, needs, wait_until
from tcpconnect import TcpTest, tcpconnect

# Looks up each name, connects to the last one's address, and says its process id.
VISITS = """
import os, socket, sys
port, names = int(sys.argv[1]), sys.argv[2:]
print(os.getpid(), flush=True)
for name in names:
    addresses = socket.getaddrinfo(name, port, socket.AF_INET, socket.SOCK_STREAM)
socket.create_connection(addresses[0][4]).close()
"""


@needs("dnsmasq")
class Names(TcpTest):
    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        resolv = os.path.join(directory.name, "resolv.conf")
        with open(resolv, "w") as f:
            f.write("nameserver 127.0.0.53\n")
        self.prefix = [*self.ns.prefix(), "unshare", "--mount", "--propagation", "private", "sh", "-c",
                       f"mount --bind {resolv} $(readlink -f /etc/resolv.conf) && exec \"$@\"", "sh"]
        server = self.ns.popen(
            "dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--user=root", "--conf-file=/dev/null", "--pid-file=",
            "--listen-address=127.0.0.53", "--bind-interfaces", "--address=/web.test/127.0.0.2",
            "--address=/other.test/127.0.0.2", stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (server.kill(), server.wait()))
        wait_until(self.answers, "dnsmasq")
        self.listening = self.socket()
        self.listening.bind(("127.0.0.2", 0))
        self.listening.listen(16)
        self.port = self.listening.getsockname()[1]

    def answers(self):
        with self.ns.inside():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with s:
            s.settimeout(0.2)
            s.connect(("127.0.0.53", 53))
            try:
                s.send(b"\0\1\1\0\0\1\0\0\0\0\0\0\3web\4test\0\0\1\0\1")
                return bool(s.recv(512))
            except OSError:
                return False

    def visit(self, *names):
        """A process that looks these up and connects once; its id."""
        done = subprocess.run([*self.prefix, sys.executable, "-c", VISITS, str(self.port), *names], check=True,
                              capture_output=True, text=True)
        return int(done.stdout)

    def line(self, plumb, pid):
        return self.one([e for e in plumb.lines if e["type"] == "connect" and e["pid"] == pid])

    def serve_once(self):
        def serve():
            connection, _ = self.listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.0 204 No Content\r\n\r\n")
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        self.addCleanup(thread.join)

    @needs("curl")
    def test_curl_by_name(self):
        self.serve_once()
        with tcpconnect() as plumb:
            subprocess.run([*self.prefix, "curl", "-s", "-m", "20", f"http://web.test:{self.port}/"], check=True)
        line = self.one([e for e in self.mine(plumb.lines) if e["comm"] == "curl"])
        self.assertEqual((line["remote_name"], line["remote_addr"]), ("web.test", "127.0.0.2"))
        self.assertNothingLost(plumb.lines)

    @hook("packets")
    def test_a_name_and_none(self):
        with tcpconnect("--life") as plumb:
            named = self.visit("web.test")
            bare = subprocess.run([*self.prefix, sys.executable, "-c", VISITS, str(self.port), "127.0.0.3"], check=False,
                                  capture_output=True, text=True)
        mine = [e for e in plumb.lines if e["pid"] == named]
        self.assertEqual([(e["type"], e["remote_name"]) for e in mine], [("connect", "web.test"), ("close", "web.test")])
        self.assertEqual({e["remote_name"] for e in plumb.lines if e["pid"] == int(bare.stdout)}, {None})

    def test_two_names_of_one_address_are_none(self):
        with tcpconnect() as plumb:
            both = self.visit("web.test", "other.test")
            other = self.visit("other.test")
        self.assertIsNone(self.line(plumb, both)["remote_name"])
        self.assertEqual(self.line(plumb, other)["remote_name"], "other.test")

    def test_a_filter_by_process_leaves_the_names(self):
        with tcpconnect("-p", str(os.getpid())) as plumb:
            self.visit("web.test")  # another process asks, as a local resolver does
            client = self.socket()
            client.connect(("127.0.0.2", self.port))
        self.assertEqual(self.line(plumb, os.getpid())["remote_name"], "web.test")

    def test_no_names(self):
        with tcpconnect("--no-names", "--stats") as plumb:
            pid = self.visit("web.test")
        self.assertIsNone(self.line(plumb, pid)["remote_name"])
        self.assertNotIn("packet_received", plumb.stderr)

    def test_dns_is_watched_only_where_a_name_is_shown(self):
        for args, watched in ((("--json",), True), (("--format", "table"), False), (("--wide",), True),
                              (("--columns", "pid,remote_name"), True), (("--json", "--columns", "pid"), False),
                              (("--where", "remote_name == 'web.test'", "--format", "table"), True)):
            done = subprocess.run([os.environ.get("PLUMB", os.path.join(HERE, "../../build/plumb")), "tcpconnect",
                                   "-d", "1ms", "--stats", *args], capture_output=True, text=True)
            self.assertEqual(("packet_received" in done.stderr, done.returncode), (watched, 0), args)


if __name__ == "__main__":
    unittest.main()
