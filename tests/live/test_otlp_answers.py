"""What a collector must not be able to do to plumb by its answer."""
import os
import signal

from harness import sanitized, wait_until
from otlp import RawCollector
from tcpconnect import TcpTest, tcpconnect


class Answers(TcpTest):
    def trace(self, answer, *args):
        collector = RawCollector(self, lambda connection, path, n: answer(connection))
        with tcpconnect("--netns", self.ns.path, "--stats", "--otlp=" + collector.url, *args) as plumb:
            listener = self.listener()
            self.program("connect", address="127.0.0.1", port=listener.getsockname()[1], count=3).rest()
            wait_until(lambda: collector.requests, "a request")
            plumb.process.send_signal(signal.SIGINT)
            _, status, usage = os.wait4(plumb.process.pid, 0)
            plumb.process.returncode = os.waitstatus_to_exitcode(status)
            plumb.finish()
            plumb.peak_mb = usage.ru_maxrss / 1024
        return plumb

    def test_a_length_that_no_memory_holds(self):
        plumb = self.trace(lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\nx") or c.close())
        self.assertIn("3 records, 3 delivered", plumb.stderr)

    def test_a_body_without_end(self):
        def stream(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n")
            for _ in range(9000):
                connection.sendall(b"x" * 1000000)
        plumb = self.trace(stream)
        self.assertIn("3 records, 0 delivered, 3 dropped", plumb.stderr)
        self.assertIn("HTTP status 200, with an answer of more than 4 MiB", plumb.stderr)
        self.assertLess(plumb.peak_mb, 240 if sanitized() else 60)  # shadow memory counts

    def test_interim_answers_are_no_refusals(self):
        plumb = self.trace(lambda c: c.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                                               b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
        self.assertIn("3 records, 3 delivered", plumb.stderr)
