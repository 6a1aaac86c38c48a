"""--otlp: what a collector receives is what plumb prints, whatever the collector does; and it ends in time."""
import os
import signal
import socket
import subprocess
import tempfile
import time

from harness import LiveTest, Plumb, needs, parse_time_ns, run_plumb, wait_until
from otlp import Collector, plain_pairs
from tcpconnect import TcpTest
from tcpconnect import tcpconnect as tcpconnect_of_all_signals

ATTRIBUTES = {"pid": "process.pid", "exe": "process.executable.path", "parent_pid": "process.parent_pid",
              "uid": "process.user.id", "container": "container.name", "pod": "k8s.pod.name",
              "namespace": "k8s.namespace.name", "error": "error.type", "local_addr": "network.local.address",
              "local_port": "network.local.port", "remote_addr": "network.peer.address",
              "remote_port": "network.peer.port", "port": "server.port", "remote_name": "server.address"}


def tcpconnect(*args, **options):
    """With log records alone: what answers and connections are counted of."""
    return tcpconnect_of_all_signals(*args, "--otlp-signals=logs", **options)


def attributes_of(line):
    """What a JSON line's members are as attributes."""
    return {ATTRIBUTES.get(key, "plumb." + key): value for key, value in line.items()
            if value is not None and key != "time"}


class Otlp(TcpTest):
    def collector(self, *args, **options):
        collector = Collector(*args, **options)
        self.addCleanup(collector.close)
        return collector

    def traffic(self, count=5):
        listener = self.listener(backlog=4096)
        self.program("connect", address="127.0.0.1", port=listener.getsockname()[1], count=count).rest()
        self.program("connect", address="127.0.0.1", port=self.closed_port()).rest()

    def trace(self, *args, **options):
        """plumb over some traffic, ended well."""
        with tcpconnect("--netns", self.ns.path, "--role", "both", "--life", *args, **options) as plumb:
            self.traffic()
        return plumb

    def assertSame(self, collector, lines):
        records = collector.records()
        self.assertEqual([r["eventName"] for r in records], [f"plumb.tcpconnect.{line['type']}" for line in lines])
        for record, line in zip(records, lines):
            self.assertEqual(plain_pairs(record["attributes"]), attributes_of(line))
            self.assertEqual(int(record["timeUnixNano"]), parse_time_ns(line["time"]))
            self.assertLess(abs(int(record["observedTimeUnixNano"]) - time.time_ns()), 600 * 10**9)
            trouble = line["outcome"] != "established"
            self.assertEqual((record["severityNumber"], record["severityText"]), (13, "WARN") if trouble else (9, "INFO"))
            self.assertNotIn("body", record)

    def test_protobuf_says_what_the_lines_say(self):
        collector = self.collector()
        plumb = self.trace("--otlp=" + collector.url)
        self.assertGreater(len(plumb.lines), 10)
        self.assertSame(collector, plumb.lines)
        path, headers, body = collector.requests[0]
        self.assertEqual(path, "/v1/logs")
        self.assertEqual(headers["Content-Type"], "application/x-protobuf")
        self.assertEqual(headers["Host"], f"127.0.0.1:{collector.port}")
        self.assertTrue(headers["User-Agent"].startswith("plumb/"))
        resource = plain_pairs(body["resourceLogs"][0]["resource"]["attributes"])
        self.assertEqual(resource["service.name"], "plumb")
        self.assertEqual(resource["host.name"], socket.gethostname())
        self.assertEqual(body["resourceLogs"][0]["scopeLogs"][0]["scope"]["name"], "plumb")
        self.assertEqual(plumb.stderr, "")

    def test_json_gzip_headers_and_resource(self):
        collector = self.collector()
        plumb = self.trace("--otlp", env={
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": collector.url + "/in?tenant=1",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x,x-a=b", "OTEL_SERVICE_NAME": "mine",
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=other,host.name=h,deployment.environment.name=caf%C3%A9"})
        self.assertSame(collector, plumb.lines)
        path, headers, body = collector.requests[0]
        self.assertEqual(path, "/in?tenant=1")
        self.assertEqual((headers["Content-Type"], headers["Content-Encoding"]), ("application/json", "gzip"))
        self.assertEqual((headers["Authorization"], headers["X-A"]), ("Bearer x", "b"))
        resource = plain_pairs(body["resourceLogs"][0]["resource"]["attributes"])
        self.assertEqual((resource["service.name"], resource["host.name"], resource["deployment.environment.name"]),
                         ("mine", "h", "café"))

    def test_batches_go_while_it_runs_over_one_connection(self):
        collector = self.collector()
        with tcpconnect("--netns", self.ns.path, "--otlp=" + collector.url,
                        env={"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "10"}) as plumb:
            self.traffic(99)
            wait_until(lambda: len(collector.records()) == 100, "100 records")
            self.assertGreaterEqual(len(collector.requests), 10)
            self.traffic(3)
            wait_until(lambda: len(collector.records()) == 104, "the rest of them, once they are old")
        self.assertSame(collector, plumb.lines)
        self.assertEqual(collector.connections, 1)

    def test_a_collector_that_fails_for_a_while_loses_nothing(self):
        collector = self.collector([503, (429, {"Retry-After": "1"}, b"later"), (502, {"Connection": "close"}, b"")])
        plumb = self.trace("--otlp=" + collector.url, "--stats")
        self.assertSame(collector, plumb.lines)
        self.assertEqual(collector.refused, 3)
        self.assertIn(f"{len(plumb.lines)} records, {len(plumb.lines)} delivered, 0 dropped", plumb.stderr)
        self.assertIn("3 of them retries", plumb.stderr)

    def test_a_refusal_is_counted_and_said(self):
        collector = self.collector([(400, {}, rb'{"message":"no \u001b[31mway"}')])
        plumb = self.trace("--otlp=" + collector.url, env={"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})
        count = len(plumb.lines)
        self.assertIn(f"plumb: {count} of {count} records not delivered to {collector.url}/v1/logs: refused", plumb.stderr)
        self.assertIn("HTTP status 400, no \\x1b[31mway", plumb.stderr)
        self.assertEqual(collector.requests, [])

    def test_a_partial_success_is_counted_and_said(self):
        collector = self.collector([(200, {}, b"\x0a\x08\x08\x02\x12\x04full")])
        plumb = self.trace("--otlp=" + collector.url)
        self.assertIn(f"plumb: 2 of {len(plumb.lines)} records not delivered", plumb.stderr)
        self.assertIn("the last problem was: full", plumb.stderr)

    def test_a_collector_that_is_down(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{closed.getsockname()[1]}"
            plumb = self.trace("--otlp=" + url, env={"OTEL_EXPORTER_OTLP_TIMEOUT": "1500"})
        count = len(plumb.lines)
        self.assertGreater(count, 10)
        self.assertIn(f"plumb: {count} of {count} records not delivered to {url}/v1/logs: the time at the end was up",
                      plumb.stderr)
        self.assertIn("Connection refused", plumb.stderr)

    def test_it_ends_in_time_when_nobody_answers(self):
        collector = self.collector(hold=True)
        with tcpconnect("--netns", self.ns.path, "--otlp=" + collector.url,
                        env={"OTEL_EXPORTER_OTLP_TIMEOUT": "1500"}) as plumb:
            self.traffic()
            started = time.monotonic()
            plumb.finish(signal.SIGINT)
        self.assertLess(time.monotonic() - started, 10)
        self.assertIn("waiting up to 1.5 s", plumb.stderr)
        self.assertIn("it took too long", plumb.stderr)

    def test_a_second_interrupt_ends_at_once(self):
        collector = self.collector(hold=True)
        in_background = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")  # as a shell starts `plumb ... &`
        with tcpconnect("--netns", self.ns.path, "--otlp=" + collector.url, expect_status=-signal.SIGINT,
                        prefix=in_background, env={"OTEL_EXPORTER_OTLP_TIMEOUT": "3600000"}) as plumb:
            self.traffic()
            plumb.process.send_signal(signal.SIGINT)
            wait_until(lambda: "Ctrl-C ends at once" in open(plumb._err.name).read(), "the notice")
            plumb.finish(signal.SIGINT)
        self.assertEqual(len(plumb.lines), 6)

    def test_more_than_the_queue_holds_is_counted_and_said(self):
        collector = self.collector(hold=True)
        with tcpconnect("--netns", self.ns.path, "--otlp=" + collector.url,
                        env={"OTEL_BLRP_MAX_QUEUE_SIZE": "20", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "10",
                             "OTEL_BLRP_SCHEDULE_DELAY": "3600000"}) as plumb:  # full batches alone
            self.traffic(99)
            plumb.wait_for(lambda lines: len(lines) == 100, "100 lines")
            collector.release()
        # one batch under way and two in the queue
        self.assertIn("more came than could be sent", plumb.stderr)
        delivered = len(collector.records())
        self.assertTrue(20 <= delivered <= 30, delivered)
        self.assertIn(f"plumb: {100 - delivered} of 100 records not delivered", plumb.stderr)

    def test_summary_rows_are_pushed(self):
        collector = self.collector()
        with tcpconnect("--netns", self.ns.path, "--summary", "--otlp=" + collector.url, json_lines=False):
            self.traffic()
        records = collector.records()
        self.assertEqual(sum(plain_pairs(r["attributes"])["plumb.attempts"] for r in records), 6)
        self.assertTrue(all(r["eventName"].startswith("plumb.tcpconnect.") for r in records))

    def test_its_own_connections_are_no_events(self):
        collector = self.collector([(200, {"Connection": "close"}, b"")] * 100)
        with tcpconnect("--otlp=" + collector.url, env={"OTEL_BLRP_SCHEDULE_DELAY": "1"}) as plumb:
            own = plumb.process.pid
            for _ in range(5):
                before = len(collector.requests)
                self.traffic(1)
                wait_until(lambda: len(collector.requests) > before, "a request")
        self.assertGreater(collector.connections, 4)
        self.assertEqual([e for e in plumb.lines if e["pid"] == own], [])

    def test_the_thread_that_sends_has_no_capabilities_and_takes_no_signals(self):
        collector = self.collector()
        with tcpconnect("--otlp=" + collector.url) as plumb:
            self.traffic(1)
            wait_until(lambda: collector.requests, "a request")
            tasks = f"/proc/{plumb.process.pid}/task"
            others = [t for t in os.listdir(tasks) if int(t) != plumb.process.pid]
            self.assertEqual(len(others), 1)
            with open(f"{tasks}/{others[0]}/status") as f:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        self.assertEqual({status[c] for c in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd")}, {"0" * 16})
        self.assertEqual(status["NoNewPrivs"], "1")
        for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
            self.assertTrue(int(status["SigBlk"], 16) >> (s - 1) & 1, s.name)

    def test_names_are_looked_up(self):
        collector = self.collector()
        plumb = self.trace(f"--otlp=http://localhost:{collector.port}/")
        self.assertSame(collector, plumb.lines)
        # in the test's namespace, so that no name server is asked
        plumb = self.trace("--otlp=http://no-such-host.invalid", env={"OTEL_EXPORTER_OTLP_TIMEOUT": "1500"},
                           prefix=self.ns.prefix())
        self.assertIn("cannot look up no-such-host.invalid", plumb.stderr)

    def test_an_ipv6_literal(self):
        collector = self.collector(address="::1")
        plumb = self.trace("--otlp=" + collector.url)
        self.assertSame(collector, plumb.lines)
        self.assertEqual(collector.requests[0][1]["Host"], f"[::1]:{collector.port}")

    def test_switched_off(self):
        collector = self.collector()
        plumb = self.trace("--otlp=" + collector.url, env={"OTEL_SDK_DISABLED": "true"})
        self.assertIn("--otlp is off", plumb.stderr)
        self.assertEqual(collector.connections, 0)


class Drops(LiveTest):
    def test_what_was_dropped(self):
        collector = Collector()
        self.addCleanup(collector.close)
        with Plumb("drops", "--netns", self.ns.path, "--otlp-signals=logs", "--otlp=" + collector.url) as plumb:
            with self.ns.inside(), socket.socket(type=socket.SOCK_DGRAM) as s:
                s.sendto(b"nobody listens", ("127.0.0.1", 9))
            plumb.wait_for(lambda lines: lines, "the drop")
        records = collector.records()
        self.assertEqual([r["eventName"] for r in records], [f"plumb.drops.{line['type']}" for line in plumb.lines])
        line = self.one(plumb.lines, type="drop", dst_port=9)
        record, = [r for r in records if plain_pairs(r["attributes"]).get("destination.port") == 9]
        attributes = plain_pairs(record["attributes"])
        self.assertEqual((attributes["source.address"], attributes["destination.address"]), ("127.0.0.1", "127.0.0.1"))
        self.assertEqual((attributes.get("error.type"), attributes["plumb.location"]), (line["reason"], line["location"]))
        self.assertEqual(record["severityText"], "WARN")


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


@needs("openssl")
class Https(TcpTest):
    """Certificates made here: an authority, and a collector at localhost and 127.0.0.1."""

    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = lambda name: os.path.join(directory.name, name)
        self.authority = path("ca.pem")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=test authority", "-keyout", path("ca.key"), "-out", self.authority)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=collector",
                "-keyout", path("key.pem"), "-out", path("request.pem"))
        with open(path("names"), "w") as f:
            f.write("subjectAltName=DNS:collector.test,IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", path("request.pem"), "-CA", self.authority, "-CAkey", path("ca.key"),
                "-CAcreateserial", "-days", "2", "-extfile", path("names"), "-out", path("cert.pem"))
        self.collector = Collector(certificate=(path("cert.pem"), path("key.pem")))
        self.addCleanup(self.collector.close)

    def trace(self, host, **env):
        listener = self.listener()
        with tcpconnect("--netns", self.ns.path, f"--otlp=https://{host}:{self.collector.port}",
                        env={"OTEL_EXPORTER_OTLP_TIMEOUT": "1500", **env}) as plumb:
            self.program("connect", address="127.0.0.1", port=listener.getsockname()[1]).rest()
        self.assertEqual(len(plumb.lines), 1)
        return plumb

    def test_an_authority_of_ones_own(self):
        for variable in ("OTEL_EXPORTER_OTLP_CERTIFICATE", "SSL_CERT_FILE"):
            with self.subTest(variable):
                before = len(self.collector.records())
                plumb = self.trace("127.0.0.1", **{variable: self.authority})
                self.assertEqual(len(self.collector.records()), before + 1)
                self.assertEqual(plumb.stderr, "")

    def test_an_unknown_authority_gets_nothing(self):
        plumb = self.trace("127.0.0.1")
        self.assertIn("unable to get local issuer certificate", plumb.stderr)
        self.assertEqual(self.collector.records(), [])

    def test_another_name_gets_nothing(self):
        plumb = self.trace("localhost", OTEL_EXPORTER_OTLP_CERTIFICATE=self.authority)
        self.assertIn("1 of 1 records not delivered", plumb.stderr)
        self.assertIn("its certificate is not for localhost", plumb.stderr)
        self.assertEqual(self.collector.records(), [])

    def test_a_file_that_is_no_certificate(self):
        result = run_plumb("tcpconnect", "-d", "1s", "--otlp=https://127.0.0.1",
                           env={"OTEL_EXPORTER_OTLP_CERTIFICATE": "/dev/null"})
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"cannot read the certificates in /dev/null", result.stderr)


class CommandLine(TcpTest):
    def refused(self, *args, **env):
        result = run_plumb("tcpconnect", "-d", "1s", *args, env=env)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertLessEqual(len(result.stderr.splitlines()), 3)
        return result.stderr.decode()

    def test_wrong_urls_and_protocols(self):
        self.assertIn("http://localhost:4318", self.refused("--otlp=localhost:4318"))
        self.assertIn("OTEL_EXPORTER_OTLP_ENDPOINT", self.refused("--otlp", OTEL_EXPORTER_OTLP_ENDPOINT="ftp://x"))
        self.assertIn("http/protobuf and http/json", self.refused("--otlp", OTEL_EXPORTER_OTLP_PROTOCOL="grpc"))

    def test_ignored_variables_are_said(self):
        with tcpconnect("--otlp", env={"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}) as plumb:
            pass
        self.assertIn("plumb: OTEL_EXPORTER_OTLP_TIMEOUT: 'soon' is ignored", plumb.stderr)
