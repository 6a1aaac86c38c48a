"""What the live tests of tcpconnect share: the promised keys, and running its traffic programs."""
import json
import os
import socket
import subprocess
import sys
import threading

from harness import HERE, SHARED_KEYS, LiveTest, Plumb

CONNECT_KEYS = SHARED_KEYS | {
    "role", "outcome", "error", "local_addr", "local_port", "remote_addr", "remote_port", "port", "remote_name", "latency_ms",
    "syn_retries"}
CLOSE_KEYS = CONNECT_KEYS | {"duration_ms", "tx_bytes", "rx_bytes", "retransmits", "srtt_ms", "closed_by"}
KEYS = {"connect": CONNECT_KEYS, "accept": CONNECT_KEYS, "close": CLOSE_KEYS}
COMM = open("/proc/self/comm").read().strip()


def tcpconnect(*args, **options):
    return Plumb("tcpconnect", *args, keys=KEYS, **options)


def gettid():
    return threading.get_native_id()


class Program:
    """A program of traffic.py in the test's namespace. stop() ends its standard input and waits."""

    def __init__(self, test, program, /, prefix=(), ns=None, **arguments):
        self.test = test
        command = [*(ns or test.ns).prefix(), *prefix, sys.executable, os.path.join(HERE, "traffic.py"), program,
                   json.dumps(arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        test.addCleanup(self._kill)

    @property
    def pid(self):
        return self.process.pid

    def next(self):
        line = self.process.stdout.readline()
        self.test.assertTrue(line, f"{self.process.args} ended early")
        return json.loads(line)

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def rest(self):
        """Ends its input; all that it still says once it has ended."""
        self.process.stdin.close()
        facts = [json.loads(line) for line in self.process.stdout]
        self.test.assertEqual(self.process.wait(), 0)
        return facts

    def kill(self):
        self.process.kill()
        self.process.wait()

    def _kill(self):
        if self.process.poll() is None:
            self.kill()
        self.process.stdin.close() if not self.process.stdin.closed else None
        self.process.stdout.close()


class TcpTest(LiveTest):
    """LiveTest with sockets of this very process in the test's namespace."""

    def socket(self, family=socket.AF_INET, protocol=0):
        with self.ns.inside():
            s = socket.socket(family, socket.SOCK_STREAM, protocol)
        self.addCleanup(s.close)
        return s

    def listener(self, address="127.0.0.1", family=None, protocol=0, backlog=64):
        s = self.socket(family or (socket.AF_INET6 if ":" in address else socket.AF_INET), protocol)
        s.bind((address, 0))
        s.listen(backlog)
        return s

    def closed_port(self, address="127.0.0.1"):
        """A port where nobody listens, kept from others by a bound socket."""
        s = self.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        s.bind((address, 0))
        return s.getsockname()[1]

    def pair(self, **options):
        """A connected client, the accepted socket, and their listener."""
        listener = self.listener(**options)
        client = self.socket(listener.family)
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        self.addCleanup(accepted.close)
        return client, accepted, listener

    def program(self, program, /, **arguments):
        return Program(self, program, **arguments)

    def assertOwner(self, line, pid=None, comm=COMM, tid=None):
        self.assertEqual((line["pid"], line["comm"]), (pid or os.getpid(), comm), line)
        if tid:
            self.assertEqual(line["tid"], tid, line)
