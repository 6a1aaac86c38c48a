"""--otlp's spans and metrics: what a collector receives is what plumb prints of the same requests."""
import json
import os
import signal
import unittest

from harness import LiveTest, needs, parse_time_ns, run_plumb
from httptrace import GRPC_PROGRAM, HttpTest, httptrace
from otlp import Collector, metric_points, plain_pairs, unknown_names

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SERVER, CLIENT = 2, 3
ERROR = {"code": 2}
# What a JSON line's members are as attributes of a span, where they keep their value.
SAME = {"pid": "process.pid", "exe": "process.executable.path", "parent_pid": "process.parent_pid", "uid": "process.user.id",
        "container": "container.name", "pod": "k8s.pod.name", "namespace": "k8s.namespace.name",
        "path_template": "plumb.path.template", "user_agent": "user_agent.original", "local_addr": "network.local.address",
        "local_port": "network.local.port", "remote_addr": "network.peer.address", "remote_port": "network.peer.port",
        "request_bytes": "http.request.body.size", "response_bytes": "http.response.body.size", "status": "http.response.status_code",
        "scheme": "url.scheme"}
RESHAPED = {"time", "type", "role", "protocol", "method", "host", "path", "query", "latency_ms", "trace_id", "parent_id", "error",
            "grpc_method", "grpc_status"}
METHODS = "CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE".split()


def expected_attributes(line):
    """The attributes of a request's span, by the conventions, out of its JSON line."""
    out = {SAME.get(key, "plumb." + key): value for key, value in line.items() if value is not None and key not in RESHAPED}
    host, _, port = line["host"].rpartition(":")
    out.update({"server.address": host, "server.port": int(port), "network.protocol.name": "http",
                "network.protocol.version": {"http/1.0": "1.0", "http/1.1": "1.1", "h2": "2"}[line["protocol"]],
                "http.request.method": line["method"] if line["method"] in METHODS else "_OTHER"})
    if line["method"] not in METHODS:
        out["http.request.method_original"] = line["method"]
    query = f"?{line['query']}" if line["query"] else ""
    if line["role"] == "server":
        out.update({"url.path": line["path"], "client.address": line["remote_addr"], "client.port": line["remote_port"]})
        if query:
            out["url.query"] = line["query"]
    else:
        out["url.full"] = f"{line['scheme']}://{line['host']}{line['path']}{query}"
    if line["status"] >= (500 if line["role"] == "server" else 400):
        out["error.type"] = str(line["status"])
    return out


# Asks once, and is there until it is ended.
STAYS = """
import http.client, signal
connection = http.client.HTTPConnection("127.0.0.1", 8080)
connection.request("GET", "/text/1")
connection.getresponse().read()
signal.pause()
"""


# Asks once, says at a signal what it is by a context of its own (OTEP 4719), and asks on.
SAYS_ITSELF = """
import ctypes, http.client, mmap, os, signal, struct

def field(number, data):
    return bytes([number << 3 | 2, len(data)]) + data

def pair(key, value):
    return field(1, field(1, key.encode()) + field(2, field(1, value.encode())))

def ask(times):
    connection = http.client.HTTPConnection("127.0.0.1", 8080)
    for _ in range(times):
        connection.request("GET", "/text/1")
        connection.getresponse().read()

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
ask(1)
signal.sigwait([signal.SIGUSR1])
fd = os.memfd_create("OTEL_CTX")
os.ftruncate(fd, mmap.PAGESIZE)
memory = mmap.mmap(fd, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE)
os.close(fd)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
payload = field(1, pair("service.name", "checkout") + pair("service.namespace", "shop") + pair("host.name", "elsewhere"))
memory[8:32] = struct.pack("<IIQQ", 2, len(payload), 1, start + 32)
memory[32:32 + len(payload)] = payload
memory[:8] = b"OTEL_CTX"
ctypes.CDLL(None).prctl(0x53564D41, 0, ctypes.c_ulong(start), mmap.PAGESIZE, b"OTEL_CTX")
ask(16)
signal.pause()
"""


def in_time(spans, lines):
    """Both by end and side: a request has the spans of each service together."""
    side = {"server": SERVER, "client": CLIENT}
    return (sorted(spans, key=lambda s: (int(s["endTimeUnixNano"]), s["kind"])),
            sorted(lines, key=lambda e: (parse_time_ns(e["time"]), side[e["role"]])))


class Httptrace(HttpTest):
    def collector(self, *args, **options):
        collector = Collector(*args, **options)
        self.addCleanup(collector.close)
        return collector

    def traffic(self, plumb):
        for path in ("small", "small?q=1&token=x", "missing", "refused", "text/1"):
            self.curl(f"http://127.0.0.1:8080/{path}")
        self.curl("-X", "PROPFIND", "http://127.0.0.1:8080/small")
        self.curl("-H", f"traceparent: 00-{TRACE}-{PARENT}-01", "http://127.0.0.1:8080/small")
        self.until_seen(plumb, 14)

    def assertIsSpanOf(self, span, line):
        client = line["role"] == "client"
        self.assertEqual(span["kind"], CLIENT if client else SERVER)
        self.assertEqual(span["name"], line["method"] if line["method"] in METHODS else "HTTP")
        self.assertEqual(int(span["endTimeUnixNano"]), parse_time_ns(line["time"]))
        self.assertEqual(int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]), round(line["latency_ms"] * 1e6))
        self.assertEqual(plain_pairs(span["attributes"]), expected_attributes(line))
        self.assertEqual(span.get("status"), ERROR if line["status"] >= (400 if client else 500) else None)
        self.assertEqual(len(span["spanId"]), 16)
        self.assertNotEqual(span["spanId"], line["parent_id"])
        if line["trace_id"]:
            self.assertEqual((span["traceId"], span["parentSpanId"]), (line["trace_id"], line["parent_id"]))
            self.assertEqual(span["flags"], 0x101 if client else 0x301)
        else:
            self.assertNotIn("parentSpanId", span)
            self.assertEqual((len(span["traceId"]), span["flags"]), (32, 0x101))

    def run_with(self, *args, **env):
        collector = self.collector()
        self.nginx()
        with httptrace("--netns", self.ns.path, "--otlp=" + collector.url, *args, env=env) as plumb:
            self.traffic(plumb)
        return collector, [line for line in plumb.lines if line["type"] == "request"], plumb

    @needs("nginx", "curl")
    def test_spans_are_the_lines_one_by_one(self):
        collector, lines, plumb = self.run_with()
        self.assertGreaterEqual(len(lines), 14)
        spans = collector.spans()
        self.assertEqual(len(spans), len(lines), plumb.stderr)
        for span, line in zip(*in_time(spans, lines)):
            self.assertIsSpanOf(span, line)
        self.assertEqual(len({s["spanId"] for s in spans}), len(spans))
        self.assertEqual({line["trace_id"] for line in lines}, {None, TRACE})
        self.assertEqual(len({s["traceId"] for s in spans}), len([line for line in lines if not line["trace_id"]]) + 1)
        self.assertEqual({path for path, _, _ in collector.requests}, {"/v1/traces", "/v1/metrics"})
        self.assertEqual(collector.records(), [])

    @needs("nginx", "curl")
    def test_spans_are_of_the_service_that_did_them(self):
        self.nginx()
        for mine in ("", "mine"):
            collector = self.collector()
            with httptrace("--netns", self.ns.path, "--otlp=" + collector.url, env={"OTEL_SERVICE_NAME": mine}) as plumb:
                self.curl("http://127.0.0.1:8080/small")
                # Environments are of those that live when they are first seen.
                for variable in ("OTEL_SERVICE_NAME=shop", "OTEL_RESOURCE_ATTRIBUTES=service.name=shop,x=y"):
                    self.start("env", variable, "/usr/bin/python3", "-c", STAYS)
                self.until_seen(plumb, 6)
            got = set()
            for path, _, body in collector.requests:
                for resource in body.get("resourceSpans", []):
                    attributes = plain_pairs(resource["resource"]["attributes"])
                    self.assertEqual((attributes["host.name"], attributes["os.type"]), (os.uname().nodename, "linux"))
                    got.update((attributes["service.name"], s["kind"]) for scope in resource["scopeSpans"] for s in scope["spans"])
            self.assertEqual(got, {("mine", SERVER), ("mine", CLIENT)} if mine else
                             {("nginx", SERVER), ("curl", CLIENT), ("shop", CLIENT)})
            self.assertEqual(len(collector.spans()), len(plumb.lines))

    @needs("nginx")
    def test_a_process_says_itself_what_it_is(self):
        self.nginx()
        collector = self.collector()
        with httptrace("--netns", self.ns.path, "--role", "client", "--otlp=" + collector.url) as plumb:
            process = self.start("env", "OTEL_SERVICE_NAME=first", "/usr/bin/python3", "-c", SAYS_ITSELF)
            self.until_seen(plumb, 1)
            process.send_signal(signal.SIGUSR1)
            self.until_seen(plumb, 17)
        seen = []
        for path, _, body in collector.requests:
            for resource in body.get("resourceSpans", []):
                attributes = plain_pairs(resource["resource"]["attributes"])
                spans = [s for scope in resource["scopeSpans"] for s in scope["spans"]]
                seen += [(int(s["endTimeUnixNano"]), attributes) for s in spans]
        names = [attributes["service.name"] for _, attributes in sorted(seen, key=lambda s: s[0])]
        self.assertEqual(len(names), 17)
        self.assertEqual((names[0], names[-1]), ("first", "checkout"), names)
        self.assertEqual(names, sorted(names, reverse=True))  # once known it stays
        last = max(seen, key=lambda s: s[0])[1]
        self.assertEqual((last["service.namespace"], last["host.name"]), ("shop", os.uname().nodename))

    @needs("nginx", "curl")
    def test_templates_of_urls_on_request(self):
        self.nginx()
        for wanted in (False, True):
            collector = self.collector()
            options = ["--otlp-url-template"] if wanted else []
            with httptrace("--netns", self.ns.path, "--otlp=" + collector.url, *options) as plumb:
                self.curl("http://127.0.0.1:8080/text/1?q=2")
                self.until_seen(plumb, 2)
            for span in collector.spans():
                attributes = plain_pairs(span["attributes"])
                template = wanted and span["kind"] == CLIENT
                self.assertEqual(attributes.get("url.template"), "/text/{id}" if template else None)
                self.assertEqual(span["name"], "GET /text/{id}" if template else "GET")
                self.assertEqual(attributes["plumb.path.template"], "/text/{id}")

    @needs("nginx", "curl")
    def test_json_says_the_same(self):
        collector, lines, _ = self.run_with(OTEL_EXPORTER_OTLP_PROTOCOL="http/json")
        spans = collector.spans()
        self.assertEqual(len(spans), len(lines))
        for span, line in zip(*in_time(spans, lines)):
            self.assertIsSpanOf(span, line)

    @needs("nginx", "curl")
    def test_a_trace_that_is_not_sampled(self):
        self.nginx()
        header = f"traceparent: 00-{TRACE}-{PARENT}-00"
        for sampler, count in (("", 0), ("always_on", 2), ("always_off", 0)):
            with self.subTest(sampler):
                collector = self.collector()
                with httptrace("--netns", self.ns.path, "--otlp=" + collector.url,
                               env={"OTEL_TRACES_SAMPLER": sampler}) as plumb:
                    self.curl("-H", header, "http://127.0.0.1:8080/small")
                    self.until_seen(plumb, 2)
                spans = collector.spans()
                self.assertEqual(len(spans), count)
                self.assertEqual({s["flags"] & 0xff for s in spans}, {0} if count else set())
                self.assertEqual("2 requests are no spans" in plumb.stderr, count == 0, plumb.stderr)

    @needs("nginx", "curl")
    def test_durations_are_those_of_the_lines(self):
        for preference, temporality in (("", 2), ("delta", 1)):
            with self.subTest(preference):
                env = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": preference, "OTEL_METRIC_EXPORT_INTERVAL": "50"}
                collector, lines, _ = self.run_with(**env)
                for role in ("client", "server"):
                    mine = [line for line in lines if line["role"] == role]
                    self.assertDurations(collector, f"http.{role}.request.duration", temporality, mine)

    def assertDurations(self, collector, name, temporality, lines):
        series = {}
        for metric in [m for m in collector.metrics() if m["name"] == name]:
            self.assertEqual((metric["unit"], metric["histogram"]["aggregationTemporality"]), ("s", temporality))
            for point in metric["histogram"]["dataPoints"]:
                self.assertLessEqual(int(point["startTimeUnixNano"]), int(point["timeUnixNano"]))
                self.assertEqual(sum(map(int, point["bucketCounts"])), int(point["count"]))
                self.assertEqual(len(point["bucketCounts"]), len(point["explicitBounds"]) + 1)
                key = json.dumps(plain_pairs(point["attributes"]), sort_keys=True)
                count, total = series.get(key, (0, 0)) if temporality == 1 else (0, 0)
                series[key] = (count + int(point["count"]), total + point["sum"])
        self.assertEqual(sum(count for count, _ in series.values()), len(lines))
        self.assertAlmostEqual(sum(total for _, total in series.values()), sum(line["latency_ms"] for line in lines) / 1e3, 6)
        for key in series:
            self.assertFalse({"process.pid", "client.port", "network.peer.port"} & set(json.loads(key)))
        by_status = {}
        for key, (count, _) in series.items():
            status = json.loads(key)["http.response.status_code"]
            by_status[status] = by_status.get(status, 0) + count
        self.assertEqual(by_status, {s: len([x for x in lines if x["status"] == s]) for s in {x["status"] for x in lines}})

    @needs("nginx", "curl")
    def test_log_records_on_request(self):
        collector, lines, _ = self.run_with("--otlp-signals", "logs,traces")
        self.assertEqual((len(collector.records()), len(collector.spans())), (len(lines), len(lines)))
        self.assertEqual(collector.metrics(), [])

    @needs("nginx", "curl")
    def test_an_endpoint_of_one_signal_alone(self):
        collector = self.collector()
        self.nginx()
        with httptrace("--netns", self.ns.path, "--otlp", env={"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": collector.url + "/v1/traces"}) as plumb:
            self.curl("http://127.0.0.1:8080/small")
            self.until_seen(plumb, 2)
        self.assertEqual((len(collector.spans()), collector.metrics()), (2, []))
        self.assertEqual(plumb.stderr, "")


    def test_rpcs(self):
        try:
            import grpc  # noqa: F401
        except ImportError:
            self.skipTest("python3-grpcio is not installed")
        collector = self.collector()
        with httptrace("--netns", self.ns.path, "--otlp=" + collector.url) as plumb:
            self.ns.run("/usr/bin/python3", "-c", GRPC_PROGRAM)
            self.until_seen(plumb, 12)
        for span, line in zip(*in_time(collector.spans(), plumb.lines), strict=True):
            self.assertIsSpanOfCall(span, line)
        self.assertGreater(len({line["grpc_status"] for line in plumb.lines}), 1)
        ended = [line for line in plumb.lines if line["error"] in (None, "reset")]
        for role in ("client", "server"):
            points = metric_points(collector, f"rpc.{role}.call.duration")
            mine = [line for line in ended if line["role"] == role]
            self.assertEqual(sum(int(p["count"]) for _, p in points), len(mine))
            self.assertAlmostEqual(sum(p["sum"] for _, p in points), sum(line["latency_ms"] for line in mine) / 1e3, 6)
            self.assertEqual({(a["rpc.method"], a.get("rpc.response.status_code")) for a, _ in points},
                             {(line["grpc_method"], line["grpc_status"]) for line in mine})
        self.assertEqual(metric_points(collector, "http.server.request.duration"), [])
        self.assertEqual(unknown_names(collector), set())

    def assertIsSpanOfCall(self, span, line):
        client = line["role"] == "client"
        attributes = plain_pairs(span["attributes"])
        self.assertEqual((span["name"], span["kind"]), (line["grpc_method"], CLIENT if client else SERVER))
        self.assertEqual(int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]), round(line["latency_ms"] * 1e6))
        self.assertEqual((attributes["rpc.system.name"], attributes["rpc.method"], attributes.get("rpc.response.status_code")),
                         ("grpc", line["grpc_method"], line["grpc_status"]))
        self.assertEqual([name for name in attributes if name.startswith(("http.request.method", "url."))], [])
        # Of a server only what is its own fault is an error; of a client all but OK.
        bad = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
        failed = line["error"] == "reset" or (line["grpc_status"] is not None and
                                              (line["grpc_status"] != "OK" if client else line["grpc_status"] in bad))
        self.assertEqual(span.get("status"), ERROR if failed else None, line)
        self.assertEqual("error.type" in attributes, failed)


class CommandLine(LiveTest):
    def refused(self, tool, *args, **env):
        result = run_plumb(tool, "-d", "1s", *args, env=env)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertLessEqual(len(result.stderr.splitlines()), 3)
        return result.stderr.decode()

    def test_signals(self):
        self.assertIn("expected logs, traces, metrics or profiles", self.refused("httptrace", "--otlp", "--otlp-signals=spans"))
        self.assertIn("tcpconnect gives no traces", self.refused("tcpconnect", "--otlp", "--otlp-signals=traces"))
        self.assertIn("httptrace gives no traces with --summary",
                      self.refused("httptrace", "--summary", "--otlp", "--otlp-signals=traces"))
        self.assertIn("no effect without --otlp", self.refused("httptrace", "--otlp-signals=traces"))

    def test_a_configuration_file(self):
        self.assertIn("OTEL_CONFIG_FILE is set", self.refused("httptrace", "--otlp", OTEL_CONFIG_FILE="/etc/otel.yaml"))


if __name__ == "__main__":
    unittest.main()
