"""--otlp's metrics and spans of tcpconnect, dnsx and drops: what a collector receives is what plumb prints; --otlp-dry-run."""
import collections
import json
import os
import tempfile

import drops as of_drops
import harness
import tcpconnect as of_tcpconnect
import test_dnsx as of_dnsx
from harness import parse_time_ns, run_plumb, wait_until
from otlp import Collector, check_json, metric_points, plain_pairs, REQUESTS, unknown_names

INTERNAL, SERVER = 1, 2
ERROR = {"code": 2}
# What JSON members are as attributes, beside plumb.KEY.
NAMES = {"pid": "process.pid", "exe": "process.executable.path", "parent_pid": "process.parent_pid", "uid": "process.user.id",
         "container": "container.name", "pod": "k8s.pod.name", "namespace": "k8s.namespace.name", "error": "error.type",
         "local_addr": "network.local.address", "local_port": "network.local.port", "remote_addr": "network.peer.address",
         "remote_port": "network.peer.port", "name": "dns.question.name", "answers": "dns.answers",
         "transport": "network.transport", "port": "server.port", "server": "server.address", "server_port": "server.port", "client": "client.address"}


class WithCollector:
    def collector(self, *args, **options):
        collector = Collector(*args, **options)
        self.addCleanup(collector.close)
        return collector

    def assertCounts(self, collector, name, lines, key, count=lambda line: 1):
        """The points of a sum, added up by `key` of their attributes, are the lines', by `key` of them."""
        got = collections.Counter()
        for attributes, point in metric_points(collector, name):
            got[key(attributes)] += int(point["asInt"])
        expected = collections.Counter()
        for line in lines:
            expected[key({NAMES.get(k, "plumb." + k): v for k, v in line.items()})] += count(line)
        self.assertEqual(got, expected)

    def assertDurations(self, collector, name, lines, member="latency_ms"):
        points = metric_points(collector, name)
        self.assertEqual(sum(int(p["count"]) for _, p in points), len(lines))
        self.assertAlmostEqual(sum(p["sum"] for _, p in points), sum(line[member] for line in lines) / 1e3, 6)
        self.assertEqual([k for attributes, _ in points for k in attributes if k in ("process.pid", "network.local.port")], [])

    def assertNamesAreKnown(self, collector):
        self.assertEqual(unknown_names(collector), set())


class Tcpconnect(WithCollector, of_tcpconnect.TcpTest):
    def traffic(self):
        listener = self.listener(backlog=4096)
        port = listener.getsockname()[1]
        self.program("connect", address="127.0.0.1", port=port, count=7).rest()
        self.program("connect", address="127.0.0.1", port=self.closed_port()).rest()
        return port

    def run_with(self, *args, **env):
        collector = self.collector()
        with of_tcpconnect.tcpconnect("--netns", self.ns.path, "--role", "both", "--life", "--otlp=" + collector.url, *args, env=env) as plumb:
            port = self.traffic()
            plumb.wait_for(lambda lines: len([e for e in lines if e["type"] == "connect"]) == 8, "all attempts")
        return collector, plumb.lines, port

    def test_metrics_are_the_lines_added_up(self):
        collector, lines, port = self.run_with()
        attempts = [e for e in lines if e["type"] != "close"]
        self.assertCounts(collector, "plumb.tcp.connections", attempts,
                          lambda a: (a["plumb.role"], a["plumb.outcome"], a.get("error.type")))
        self.assertDurations(collector, "plumb.tcp.handshake.duration", [e for e in attempts if e["latency_ms"] is not None])
        closes = [e for e in lines if e["type"] == "close"]
        self.assertDurations(collector, "plumb.tcp.connection.duration",
                             [e for e in closes if e["duration_ms"] is not None], "duration_ms")
        self.assertDurations(collector, "plumb.tcp.rtt", [e for e in closes if e["srtt_ms"] is not None], "srtt_ms")
        for direction, member in (("transmit", "tx_bytes"), ("receive", "rx_bytes")):
            points = [p for a, p in metric_points(collector, "plumb.tcp.io") if a["network.io.direction"] == direction]
            self.assertEqual(sum(int(p["asInt"]) for p in points), sum(e[member] for e in closes))
        # Of a client the other side's port, of a server its own: never one that comes and goes.
        ports = {a["server.port"] for a, _ in metric_points(collector, "plumb.tcp.handshake.duration")}
        self.assertEqual(ports - {e["remote_port"] for e in attempts if e["outcome"] == "refused"}, {port})
        self.assertEqual(len(collector.records()), len(lines))
        self.assertEqual(collector.spans(), [])
        self.assertNamesAreKnown(collector)

    def test_spans_on_request(self):
        collector, lines, _ = self.run_with("--otlp-spans", "connect")
        lines = [e for e in lines if e["type"] == "connect" and e["latency_ms"] is not None]
        self.assertEqual(len(lines), 8)
        spans = sorted(collector.spans(), key=lambda s: int(s["endTimeUnixNano"]))
        for span, line in zip(spans, sorted(lines, key=lambda e: parse_time_ns(e["time"])), strict=True):
            self.assertEqual(span["name"], f"socket connect {line['remote_addr']}:{line['remote_port']}")
            self.assertEqual((span["kind"], int(span["endTimeUnixNano"])), (INTERNAL, parse_time_ns(line["time"])))
            self.assertEqual(int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]), round(line["latency_ms"] * 1e6))
            self.assertEqual(span.get("status"), None if line["outcome"] == "established" else ERROR)
            self.assertEqual(plain_pairs(span["attributes"]),
                             {"network.transport": "tcp", "network.type": "ipv4",
                              **{NAMES.get(k, "plumb." + k): v for k, v in line.items() if v is not None and k not in ("time", "type")}})
            self.assertNotIn("parentSpanId", span)
        self.assertEqual(len({s["traceId"] for s in collector.spans()}), 8)
        self.assertEqual(collector.records(), [])
        self.assertNamesAreKnown(collector)

    def test_what_was_pushed_is_a_metric_too(self):
        of_logs, collector = self.collector([(200, {}, b"\x0a\x08\x08\x02\x12\x04full")]), self.collector()
        with of_tcpconnect.tcpconnect("--netns", self.ns.path, "--otlp",
                        env={"OTEL_METRIC_EXPORT_INTERVAL": "50", "OTEL_BLRP_SCHEDULE_DELAY": "1",
                             "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": of_logs.url + "/v1/logs",
                             "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": collector.url + "/v1/metrics"}) as plumb:
            self.traffic()
            exported = "otel.sdk.exporter.log.exported"
            wait_until(lambda: {a.get("error.type") for a, _ in metric_points(collector, exported)} >= {None, "rejected"}
                       or (self.traffic() and False), "both counts")
        rejected = [p["asInt"] for a, p in metric_points(collector, exported) if a.get("error.type") == "rejected"]
        self.assertEqual(rejected[-1], "2")
        self.assertIn("2 of ", plumb.stderr)
        self.assertNamesAreKnown(collector)


class Dnsx(WithCollector, of_dnsx.DnsTest):
    def run_with(self, *args):
        self.server()
        collector = self.collector()
        with of_dnsx.dnsx("--netns", self.ns.path, "--role", "both", "--otlp=" + collector.url, *args) as plumb:
            for name in ("a.example", "a.example", "nxdomain.example", "servfail.example", "nodata.example"):
                self.ask(name)
            self.told(plumb, 10)
        return collector, plumb.lines

    def test_metrics_are_the_lines_added_up(self):
        collector, lines = self.run_with()
        self.assertEqual(len(lines), 10)
        self.assertCounts(collector, "plumb.dns.lookups", lines,
                          lambda a: (a["plumb.role"], a["plumb.outcome"], a["plumb.qtype"], a["plumb.rcode"]))
        self.assertDurations(collector, "dns.lookup.duration", [e for e in lines if e["role"] == "client"])
        self.assertDurations(collector, "plumb.dns.server.duration", [e for e in lines if e["role"] == "server"])
        of_names = {(a["dns.question.name"], a.get("error.type")): int(p["count"])
                    for a, p in metric_points(collector, "dns.lookup.duration")}
        self.assertEqual(of_names, {("a.example", None): 2, ("nxdomain.example", "NXDOMAIN"): 1,
                                    ("servfail.example", "SERVFAIL"): 1, ("nodata.example", None): 1})
        self.assertNamesAreKnown(collector)

    def test_spans_on_request(self):
        collector, lines = self.run_with("--otlp-spans=dns")
        spans = sorted(collector.spans(), key=lambda s: (int(s["startTimeUnixNano"]), s["kind"]))
        for span, line in zip(spans, sorted(lines, key=lambda e: (parse_time_ns(e["time"]), e["role"])), strict=True):
            self.assertEqual(span["name"], "DNS lookup " + line["name"])
            self.assertEqual(span["kind"], INTERNAL if line["role"] == "client" else SERVER)
            self.assertEqual(int(span["startTimeUnixNano"]), parse_time_ns(line["time"]))
            self.assertEqual(int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]), round(line["latency_ms"] * 1e6))
            names = {**NAMES, "local_port": "plumb.local_port"}  # of lookups it is no end of a connection
            expected = {names.get(k, "plumb." + k): v for k, v in line.items() if v is not None and k not in ("time", "type")}
            if line["rcode"] != "NOERROR":
                expected["error.type"] = line["rcode"]
            self.assertEqual(plain_pairs(span["attributes"]), expected)
            self.assertEqual(span.get("status"), ERROR if line["rcode"] != "NOERROR" else None)
        self.assertNamesAreKnown(collector)


class Drops(WithCollector, of_drops.DropTest):
    def test_metrics_are_the_lines_added_up(self):
        collector = self.collector()
        with of_drops.drops("--netns", self.ns.path, "--otlp=" + collector.url) as plumb:
            s = self.udp()
            for _ in range(5):
                s.sendto(b"nobody listens", ("127.0.0.1", 9))
            self.assertEqual(self.tcp().connect_ex(("127.0.0.1", 9)), 111)
        lines = [e for e in plumb.lines if e["type"] in ("drop", "retransmit", "reset")]
        for metric, kind in (("plumb.packets.dropped", "drop"), ("plumb.tcp.resets", "reset")):
            mine = [e for e in lines if e["type"] == kind]
            got, expected = collections.Counter(), collections.Counter()
            for a, p in metric_points(collector, metric):
                got[a.get("error.type"), a.get("network.transport"), a.get("plumb.direction")] += int(p["asInt"])
            for line in mine:
                expected[line["reason"], line["protocol"], line["direction"]] += line["count"]
            self.assertEqual(got, expected)
            self.assertGreater(len(mine), 0)
        counters = {a["plumb.counter"]: int(p["asInt"]) for a, p in metric_points(collector, "plumb.kernel.losses")}
        self.assertEqual(counters, {e["counter"]: e["delta"] for e in plumb.lines if e["type"] == "counter"})
        self.assertNamesAreKnown(collector)


class DryRun(WithCollector, of_tcpconnect.TcpTest):
    def test_it_prints_what_it_would_send(self):
        collector = self.collector()
        lines = os.path.join(self.directory(), "lines.json")
        with of_tcpconnect.tcpconnect("--netns", self.ns.path, "--otlp-dry-run", "--otlp-spans", "connect", "--otlp-signals=logs,traces,metrics",
                        "--otlp=" + collector.url + "/in?key=secret", "-o", lines,
                        env={"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20secret", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"},
                        json_lines=False) as plumb:
            listener = self.listener()
            self.program("connect", address="127.0.0.1", port=listener.getsockname()[1], count=4).rest()
        requests = [json.loads(line) for line in plumb.output.splitlines()]
        self.assertEqual({r["signal"]: r["url"] for r in requests},
                         {s: f"{collector.url}/in/v1/{s}" for s in ("logs", "traces", "metrics")})
        self.assertNotIn(b"secret", plumb.output)
        for r in requests:
            self.assertEqual((r["headers"]["Content-Type"], r["headers"]["authorization"], r["headers"]["Content-Encoding"]),
                             ("application/x-protobuf", "***", "gzip"))
            check_json(r["body"], REQUESTS[r["signal"]])
        with open(lines) as f:
            printed = [json.loads(line) for line in f]
        records = [i for r in requests if r["signal"] == "logs" for s in r["body"]["resourceLogs"][0]["scopeLogs"]
                   for i in s["logRecords"]]
        self.assertEqual([int(i["timeUnixNano"]) for i in records], [parse_time_ns(e["time"]) for e in printed])
        self.assertEqual(len(printed), 4)
        self.assertEqual(collector.connections, 0)

    def directory(self):
        d = tempfile.TemporaryDirectory()
        self.addCleanup(d.cleanup)
        return d.name


class CommandLine(harness.LiveTest):
    def refused(self, tool, *args, **env):
        result = run_plumb(tool, "-d", "1s", *args, env=env)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertLessEqual(len(result.stderr.splitlines()), 3)
        return result.stderr.decode()

    def test_options(self):
        self.assertIn("--otlp-dry-run has no effect without --otlp", self.refused("dnsx", "--otlp-dry-run"))
        self.assertIn("--otlp-spans dns", self.refused("dnsx", "--otlp", "--otlp-spans=connect"))
        self.assertIn("--otlp-spans connect makes spans", self.refused("tcpconnect", "--otlp", "--otlp-signals=traces"))
        self.assertIn("both write to standard output", self.refused("dnsx", "--otlp", "--otlp-dry-run", "--top"))
