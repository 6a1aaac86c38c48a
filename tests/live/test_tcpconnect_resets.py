"""Connections that are reset as they are accepted, by the thousand."""
import collections
import json
import os
import socket
import struct
import unittest

from harness import EMULATED, core
from tcpconnect import TcpTest, tcpconnect

COUNT = 500 if EMULATED else 10_000
ALL_BUT_A_FEW = 0.994


class Resets(TcpTest):
    def accept_all(self, listener, told):
        """In a process: accepts until the listener is shut down, and writes how often it accepted from which port."""
        ports = collections.Counter()
        while True:
            try:
                connection, peer = listener.accept()
            except OSError:
                break
            ports[peer[1]] += 1
            connection.close()
        os.write(told, json.dumps(ports).encode())
        os._exit(0)

    def resets(self, *options):
        """Accepts that plumb told, connects that were made, accepts that the server saw; each by the client's port."""
        listener = self.listener(backlog=4096)
        read, write = os.pipe()
        with tcpconnect("--role", "server", "--netns", self.ns.path, *options) as plumb:
            server = os.fork()
            if server == 0:
                self.accept_all(listener, write)
            os.close(write)
            connected = collections.Counter()
            with self.ns.inside():
                for _ in range(COUNT):
                    with socket.socket() as client:
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        client.connect(listener.getsockname())
                        connected[client.getsockname()[1]] += 1
            listener.shutdown(socket.SHUT_RDWR)
            with os.fdopen(read, "rb") as f:
                accepted = collections.Counter({int(port): n for port, n in json.loads(f.read()).items()})
            os.waitpid(server, 0)
        return plumb, connected, accepted

    def check_each_is_told_once(self, *options):
        plumb, connected, accepted = self.resets(*options)
        told = collections.Counter(e["remote_port"] for e in self.mine(plumb.lines, type="accept"))
        self.assertEqual(told - connected, collections.Counter(), "told more often than connected")
        # What still waits in the queue at the end is told, too; only what runs on top of pid 1 is not seen on some machines.
        self.assertGreaterEqual(told.total(), COUNT * ALL_BUT_A_FEW)
        return plumb, told

    @core
    def test_each_is_told_once(self):
        self.check_each_is_told_once()

    @core
    def test_each_is_told_once_with_its_end(self):
        plumb, told = self.check_each_is_told_once("--life")
        closed = collections.Counter(e["remote_port"] for e in self.mine(plumb.lines, type="close"))
        self.assertEqual(closed - told, collections.Counter(), "closed more often than accepted")
        self.assertGreaterEqual(closed.total(), COUNT * ALL_BUT_A_FEW)


if __name__ == "__main__":
    unittest.main()
