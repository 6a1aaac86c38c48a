"""What the tests of dnsx share: a name server, queries over any socket, and a resolv.conf of the test's own."""
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

from harness import HERE, SHARED_KEYS, LiveTest, Plumb, wait_until

KEYS = {"query": SHARED_KEYS | {
    "role", "name", "qtype", "outcome", "cached", "search_of", "rcode", "answers", "answer_count", "ttls", "latency_ms",
    "pickup_ms", "attempts", "transport", "server", "server_port", "client", "local_port", "txid", "flags",
    "edns_udp_bytes", "request_bytes", "response_bytes", "misfits", "caller_pid", "caller_comm"},
    "call": SHARED_KEYS | {"name", "qtype", "outcome", "cached", "function", "error", "call_ms", "attempts",
                           "answer_count", "answers"}}
TYPES = {"A": 1, "MX": 15, "TXT": 16, "AAAA": 28}
COMM = open("/proc/self/comm").read().strip()


def dnsx(*args, **options):
    return Plumb("dnsx", *args, keys=KEYS, **options)


def query(name, kind="A", ident=0x1234, edns=None):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    message = struct.pack("!HHHHHH", ident, 0x0100, 1, 0, 0, 1 if edns else 0) + labels + b"\0"
    message += struct.pack("!HH", TYPES[kind], 1)
    return message + (b"\0" + struct.pack("!HHIH", 41, edns, 0, 0) if edns else b"")


def framed(s):
    """The next message of a TCP connection."""
    def exactly(size):
        data = b""
        while len(data) < size:
            data += s.recv(size - len(data)) or sys.exit("the connection ended")
        return data
    return exactly(struct.unpack("!H", exactly(2))[0])


class DnsTest(LiveTest):
    def server(self, address="127.0.0.53", port=53):
        process = self.ns.popen(sys.executable, os.path.join(HERE, "nameserver.py"), address, str(port),
                                stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (process.kill(), process.wait(), process.stdout.close()))
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def socket(self, kind=socket.SOCK_DGRAM, family=socket.AF_INET):
        with self.ns.inside():
            s = socket.socket(family, kind)
        self.addCleanup(s.close)
        s.settimeout(20)
        return s

    def ask(self, name, kind="A", address="127.0.0.53", port=53, connect=True, **more):
        """One query over UDP; the answer and the socket."""
        s = self.socket(family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        if connect:
            s.connect((address, port))
            s.send(query(name, kind, **more))
        else:
            s.sendto(query(name, kind, **more), (address, port))
        return s.recv(65535), s

    def told(self, plumb, count=1, **fields):
        """The lines about this test, once there are so many."""
        wait_until(lambda: len(self.mine(plumb.so_far(), **fields)) >= count, f"{count} lines")
        return self.mine(plumb.so_far(), **fields)

    def resolver(self, search="", extra=()):
        """A directory with a resolv.conf, and a command prefix that sees it as its own /etc/resolv.conf."""
        directory = tempfile.mkdtemp(prefix="plumb-dns-")
        self.addCleanup(shutil.rmtree, directory)
        path = os.path.join(directory, "resolv.conf")
        with open(path, "w") as f:
            f.write("".join(f"nameserver {a}\n" for a in ("127.0.0.53", *extra)) + search)
        return [*self.ns.prefix(), "unshare", "--mount", "--propagation", "private", "sh", "-c",
                f"mount --bind {path} $(readlink -f /etc/resolv.conf) && exec \"$@\"", "sh"]
