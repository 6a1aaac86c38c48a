"""What a receiver may do, with spans and metrics: tracing goes on undisturbed, each span is delivered or counted as not, and
it ends in time."""
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from email.utils import formatdate

import test_dnsx as of_dnsx
from harness import needs, parse_time_ns
from otlp import RawCollector

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
TIMEOUT_S = 2.0


def answer(status, headers="", body=b""):
    return f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def first(*answers):
    """These, then 200. None: hangs up."""
    def behave(connection, _path, n):
        reply = answers[n] if n < len(answers) else OK
        if reply is None:
            connection.shutdown(socket.SHUT_RDWR)
            return False
        connection.sendall(reply)
        return reply == OK
    return behave


class Faults(of_dnsx.DnsTest):
    def trace(self, url, count=6, prefix=(), env=None):
        """dnsx over some lookups; (its lines, {signal: (offered, delivered, dropped)}, seconds that the end took, stderr)."""
        self.server()
        with of_dnsx.dnsx("--netns", self.ns.path, "--role", "client", "--otlp-spans=dns", "--stats", "--otlp=" + url, prefix=prefix,
                          env={"OTEL_EXPORTER_OTLP_TIMEOUT": str(int(TIMEOUT_S * 1000)), "OTEL_BSP_SCHEDULE_DELAY": "1",
                               **(env or {})}) as plumb:
            for i in range(count):
                self.ask(f"n{i}.example")
                self.told(plumb, i + 1)
            started = time.monotonic()
            plumb.finish(signal.SIGINT)
            took = time.monotonic() - started
        counts = {}
        for what, offered, delivered, dropped in re.findall(r"/v1/(\w+): (\d+) [a-z ]+, (\d+) delivered, (\d+) dropped", plumb.stderr):
            counts[what] = (int(offered), int(delivered), int(dropped))
        self.assertEqual(set(counts), {"traces", "metrics"}, plumb.stderr)
        self.assertEqual([e["name"] for e in plumb.lines], [f"n{i}.example" for i in range(count)])
        self.assertNothingLost(plumb.lines)
        for offered, delivered, dropped in counts.values():
            self.assertEqual(delivered + dropped, offered)
        self.assertEqual(counts["traces"][0], count)
        return plumb.lines, counts, took, plumb.stderr

    def assertDelivered(self, receiver, lines, counts):
        """All of it, each once, in its order."""
        self.assertEqual(counts["traces"][1:], (len(lines), 0))
        self.assertEqual(counts["metrics"][2], 0)
        self.assertEqual([int(s["startTimeUnixNano"]) for s in sorted(receiver.spans(), key=lambda s: int(s["startTimeUnixNano"]))],
                         [parse_time_ns(e["time"]) for e in lines])

    def survives(self, *answers):
        """They are tried again: nothing is lost."""
        receiver = RawCollector(self, first(*answers))
        lines, counts, _, stderr = self.trace(receiver.url, env={"OTEL_EXPORTER_OTLP_TIMEOUT": "30000"})
        self.assertNotIn("not delivered", stderr)
        self.assertDelivered(receiver, lines, counts)
        self.assertGreater(receiver.requests, len(answers))

    def test_429_with_seconds(self):
        self.survives(answer(429, "Retry-After: 1\r\n"))

    def test_429_with_a_date(self):
        self.survives(answer(429, f"Retry-After: {formatdate(time.time() + 1, usegmt=True)}\r\n"))

    def test_429_with_dates_and_numbers_that_are_none(self):
        hostile = ("-5", "soon", "", "99999999999999999999999", "1e9", "Thu, 99 Foo 2026 99:99:99 GMT", "0x10",
                   formatdate(0, usegmt=True), "\xff\xfe")
        self.survives(*[answer(429, f"Retry-After: {value}\r\n") for value in hostile[:4]])
        self.survives(*[answer(429, f"Retry-After: {value}\r\n") for value in hostile[4:]])

    def test_429_that_wants_a_day(self):
        receiver = RawCollector(self, lambda c, path, n: c.sendall(answer(429, "Retry-After: 86400\r\n")))
        lines, counts, took, stderr = self.trace(receiver.url)
        self.assertEqual(counts["traces"], (6, 0, 6))
        self.assertIn("6 of 6 spans not delivered", stderr)
        self.assertLess(took, TIMEOUT_S + 8)

    def test_503_502_504(self):
        self.survives(answer(503), answer(502), answer(504))

    def test_a_connection_that_is_closed_without_an_answer(self):
        self.survives(None, None)

    def final(self, reply, problem, hint=""):
        """It is an answer, and a refusal: at once, counted, said."""
        receiver = RawCollector(self, lambda c, path, n: (c.sendall(reply), False)[1])
        lines, counts, took, stderr = self.trace(receiver.url)
        self.assertEqual(counts["traces"], (6, 0, 6))
        self.assertIn(f"6 of 6 spans not delivered to {receiver.url}/v1/traces: refused", stderr)
        self.assertIn(problem, stderr)
        self.assertIn(hint, stderr)
        self.assertLess(took, TIMEOUT_S + 8)

    def test_400(self):
        self.final(answer(400), "HTTP status 400")

    def test_404_405_415(self):
        self.final(answer(404), "HTTP status 404", "/v1/traces and the like are appended")
        self.final(answer(405), "HTTP status 405", "port 4318")
        self.final(answer(415), "HTTP status 415", "OTEL_EXPORTER_OTLP_PROTOCOL=http/json")

    def test_a_redirect(self):
        elsewhere = RawCollector(self, first())
        self.final(answer(308, f"Location: {elsewhere.url}/v1/traces\r\n"), "HTTP status 308", "follows no redirects")
        self.assertEqual(elsewhere.requests, 0)

    def test_garbage(self):
        self.final(os.urandom(16) + b"\r\n\r\n" * 3, "no answer of HTTP/1.1", "4317 is the port of gRPC")

    def test_a_grpc_server(self):
        # What an HTTP/2 server says first: a SETTINGS frame, then that the preface is wrong (GOAWAY).
        self.final(bytes.fromhex("000000040000000000" "0000080700000000000000000000000001"), "no answer of HTTP/1.1",
                   "OTLP over HTTP is on 4318")

    def test_an_answer_of_five_megabytes(self):
        self.final(answer(503, "", b"x" * 5_000_000), "an answer of more than 4 MiB")

    def test_a_partial_success(self):
        rejected = b"\x0a\x08\x08\x01\x12\x04full"
        receiver = RawCollector(self, lambda c, path, n: (c.sendall(answer(200, "", rejected if path == "/v1/traces" else b"")), True)[1])
        lines, counts, _, stderr = self.trace(receiver.url)
        requests = len([1 for path, _ in receiver.taken if path == "/v1/traces"])
        self.assertEqual(counts["traces"], (6, 6 - requests, requests))
        self.assertIn("the last problem was: full", stderr)

    def test_a_receiver_that_stalls(self):
        receiver = RawCollector(self, lambda c, path, n: time.sleep(600))
        lines, counts, took, stderr = self.trace(receiver.url)
        self.assertEqual(counts["traces"], (6, 0, 6))
        self.assertIn("it took too long", stderr)
        self.assertLess(took, TIMEOUT_S + 8)

    def test_one_byte_a_second(self):
        def drip(connection, _path, _n):
            for byte in OK + b"x" * 1000:
                connection.sendall(bytes([byte]))
                time.sleep(1)
        receiver = RawCollector(self, drip)
        lines, counts, took, stderr = self.trace(receiver.url)
        self.assertEqual(counts["traces"], (6, 0, 6))
        self.assertLess(took, TIMEOUT_S + 8)

    @needs("openssl")
    def test_a_wrong_certificate(self):
        with tempfile.TemporaryDirectory() as directory:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                            "-subj", "/CN=somebody.else", "-keyout", directory + "/key", "-out", directory + "/cert"],
                           check=True, capture_output=True)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(directory + "/cert", directory + "/key")
        receiver = RawCollector(self, first(), context=context)
        lines, counts, took, stderr = self.trace(receiver.url.replace("http:", "https:"))
        self.assertEqual(counts["traces"], (6, 0, 6))
        self.assertIn("self-signed certificate", stderr.replace("self signed", "self-signed"))
        self.assertEqual(receiver.spans(), [])
        self.assertLess(took, TIMEOUT_S + 8)

    def test_ipv6(self):
        receiver = RawCollector(self, first(), family=socket.AF_INET6)
        lines, counts, _, _ = self.trace(receiver.url)
        self.assertDelivered(receiver, lines, counts)

    @needs("nft")
    def test_a_name_whose_first_address_is_dead(self):
        for dead in ("refuses", "swallows"):
            with self.subTest(dead), tempfile.NamedTemporaryFile("w") as hosts:
                hosts.write("127.0.0.3 receiver.test\n127.0.0.1 receiver.test\n")
                hosts.flush()
                if dead == "swallows":
                    self.ns.drop("ip daddr 127.0.0.3")
                with self.ns.inside():
                    receiver = RawCollector(self, first())
                inside = ("unshare", "--mount", "sh", "-c", f'mount --bind {hosts.name} /etc/hosts && exec "$@"', "sh")
                lines, counts, _, _ = self.trace(f"http://receiver.test:{receiver.port}", prefix=(*self.ns.prefix(), *inside),
                                                 env={"OTEL_EXPORTER_OTLP_TIMEOUT": "10000"})
                self.assertDelivered(receiver, lines, counts)

    def server(self, *args):
        """One name server for all runs of a test."""
        if getattr(self, "own", None) is None:
            self.own = super().server(*args)
        return self.own
