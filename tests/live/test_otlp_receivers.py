"""Real receivers: victoria-metrics (Debian sid) takes the metrics and gives back what was printed, and answers each query of
the dashboard; protoc decodes every payload with OpenTelemetry's own .proto files, without a field that it does not know."""
import collections
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.parse
import urllib.request

import drops as of_drops
import httptrace as of_httptrace
import tcpconnect as of_tcpconnect
import test_dnsx as of_dnsx
from harness import HERE, Plumb, needs, wait_until
from otlp import Collector, names_of_conventions

ROOT = os.path.join(HERE, "../..")
RECEIVERS = os.environ.get("PLUMB_RECEIVERS", os.path.join(ROOT, "build/receivers"))
SERVICES = {"logs": "logs.v1.ExportLogsServiceRequest", "traces": "trace.v1.ExportTraceServiceRequest",
            "metrics": "metrics.v1.ExportMetricsServiceRequest",
            "profiles": "profiles.v1development.ExportProfilesServiceRequest"}


def receivers():
    """The unpacked packages. Skips where Debian's archive cannot be reached."""
    done = subprocess.run([os.path.join(HERE, "receivers"), RECEIVERS], capture_output=True, text=True)
    if done.returncode != 0:
        raise unittest.SkipTest(f"no packages of Debian sid: {done.stderr.strip()[-300:]}")
    return RECEIVERS


class VictoriaMetrics:
    """Its own data directory, on loopback."""

    def __init__(self, test):
        directory = tempfile.TemporaryDirectory(prefix="plumb-vm-")
        test.addCleanup(directory.cleanup)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{s.getsockname()[1]}"
        self.log = open(os.path.join(directory.name, "log"), "w+")
        test.addCleanup(self.log.close)
        self.process = subprocess.Popen(
            [os.path.join(receivers(), "usr/bin/victoria-metrics"), "-httpListenAddr=" + self.url[7:], "-retentionPeriod=1d",
             "-storageDataPath=" + os.path.join(directory.name, "data"), "-opentelemetry.usePrometheusNaming",
             "-search.latencyOffset=0s", "-search.disableCache", "-memory.allowedBytes=100MB"], stdout=self.log, stderr=self.log)
        test.addCleanup(lambda: (self.process.terminate(), self.process.wait()))
        wait_until(self.answers, "victoria-metrics")

    def answers(self):
        if self.process.poll() is not None:
            with open(self.log.name) as log:
                raise AssertionError("victoria-metrics ended: " + log.read()[-2000:])
        try:
            return self.get("/health") == b"OK"
        except OSError:
            return False

    def get(self, path, **parameters):
        with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(parameters)}", timeout=20) as answer:
            return answer.read()

    def query(self, expression):
        """[(labels, value)] of an instant query, once all that came is searchable."""
        self.get("/internal/force_flush")
        answer = json.loads(self.get("/api/v1/query", query=expression))
        assert answer["status"] == "success", answer
        return [(r["metric"], float(r["value"][1])) for r in answer["data"]["result"]]

    def total(self, expression):
        return sum(value for _, value in self.query(f"sum({expression})"))

    def by(self, expression, *labels):
        return {tuple(m.get(label, "") for label in labels): value
                for m, value in self.query(f"sum by ({', '.join(labels)}) ({expression})")}


def unknown_attributes(tables):
    names = {tables["stringTable"][a["keyStrindex"]] for a in tables["attributeTable"][1:]}
    return {n for n in names - names_of_conventions("attribute") if not n.startswith("plumb.")}


class Test(of_httptrace.HttpTest, of_drops.DropTest, of_tcpconnect.TcpTest):
    """Traffic of every tool."""

    server = of_dnsx.DnsTest.server

    def lookups(self):
        for name in ("a.example", "b.example", "nxdomain.example", "servfail.example"):
            s = self.udp()
            s.settimeout(20)
            s.connect(("127.0.0.53", 53))
            s.send(of_dnsx.query(name))
            s.recv(65535)

    def connections(self):
        if not hasattr(self, "ports"):  # the same in each round: a rate is of one series
            self.ports = self.listener(backlog=100).getsockname()[1], self.closed_port()
        self.program("connect", address="127.0.0.1", port=self.ports[0], count=5, send=100).rest()
        self.program("connect", address="127.0.0.1", port=self.ports[1]).rest()

    def losses(self):
        s = self.udp()
        for _ in range(4):
            s.sendto(b"nobody listens", ("127.0.0.1", 9))
        self.assertEqual(self.tcp().connect_ex(("127.0.0.1", 9)), 111)

    def requests(self):
        for path in ("small", "small", "missing", "refused"):
            self.curl(f"http://127.0.0.1:8080/{path}")

    def tools(self):
        """(tool, its arguments, traffic, lines that this makes)"""
        yield of_dnsx.dnsx, ("--role", "both"), self.lookups, 8
        yield of_tcpconnect.tcpconnect, ("--role", "both", "--life"), self.connections, 11  # 6 attempts, 5 closes
        yield of_drops.drops, ("--interval", "100ms"), self.losses, 5
        yield of_httptrace.httptrace, (), self.requests, 8


@needs("nginx", "curl")
class Victoria(Test):
    def counted(self):
        return "({" + '__name__=~"plumb_dns_lookups_total|plumb_tcp_connections_total|plumb_tcp_connection_duration_seconds_count|' \
               'plumb_packets_dropped_total|http_.*_request_duration_seconds_count"})'

    def test_the_query_gives_back_what_was_printed(self):
        vm = VictoriaMetrics(self)
        self.server()
        self.nginx()
        lines = {}
        for tool, args, traffic, count in self.tools():
            with tool("--netns", self.ns.path, "--otlp-signals=metrics", f"--otlp={vm.url}/opentelemetry", *args,
                      env={"OTEL_METRIC_EXPORT_INTERVAL": "200"}) as plumb:
                before = vm.total(self.counted())
                # Twice, with a push between, so that there is a rate.
                for times in (1, 2):
                    traffic()
                    wait_until(lambda: vm.total(self.counted()) - before >= times * count, f"{times * count} in victoria-metrics")
            self.assertEqual(plumb.stderr, "")
            lines[tool.__name__] = plumb.lines
        self.compare(vm, lines)
        self.ask_what_the_dashboard_asks(vm, lines)

    def compare(self, vm, lines):
        count = lambda lines, *keys: dict(collections.Counter(tuple(str(e[k]) if e[k] is not None else "" for k in keys) for e in lines))
        self.assertEqual(vm.by("plumb_dns_lookups_total", "plumb_role", "plumb_outcome", "plumb_rcode"),
                         count(lines["dnsx"], "role", "outcome", "rcode"))
        client = [e for e in lines["dnsx"] if e["role"] == "client"]
        self.assertEqual(vm.by("dns_lookup_duration_seconds_count", "dns_question_name"), count(client, "name"))
        self.assertAlmostEqual(vm.total("dns_lookup_duration_seconds_sum"), sum(e["latency_ms"] for e in client) / 1e3, 6)
        attempts = [e for e in lines["tcpconnect"] if e["type"] != "close"]
        self.assertEqual(vm.by("plumb_tcp_connections_total", "plumb_role", "plumb_outcome", "error_type"),
                         count(attempts, "role", "outcome", "error"))
        known = [e for e in attempts if e["latency_ms"] is not None]
        self.assertEqual(vm.total("plumb_tcp_handshake_duration_seconds_count"), len(known))
        self.assertAlmostEqual(vm.total("plumb_tcp_handshake_duration_seconds_sum"), sum(e["latency_ms"] for e in known) / 1e3, 6)
        self.assertEqual(vm.total("plumb_tcp_io_bytes_total"),
                         sum(e["rx_bytes"] + e["tx_bytes"] for e in lines["tcpconnect"] if e["type"] == "close"))
        dropped = collections.Counter()
        for e in lines["drops"]:
            if e["type"] == "drop":
                dropped[e["reason"] or "", e["protocol"]] += e["count"]
        self.assertEqual(vm.by("plumb_packets_dropped_total", "error_type", "network_transport"), dict(dropped))
        for role in ("client", "server"):
            mine = [e for e in lines["httptrace"] if e["role"] == role]
            name = f"http_{role}_request_duration_seconds"
            self.assertEqual(vm.by(name + "_count", "http_response_status_code"), count(mine, "status"))
            self.assertAlmostEqual(vm.total(name + "_sum"), sum(e["latency_ms"] for e in mine) / 1e3, 6)
            buckets = {float(m["le"]): value for m, value in vm.query(f"sum by (le) ({name}_bucket)")}
            for bound, value in buckets.items():
                self.assertEqual(value, len([e for e in mine if e["latency_ms"] / 1e3 <= bound]), bound)
        self.assertEqual(set(vm.by("plumb_dns_lookups_total", "host_name", "service_name")), {(socket.gethostname(), "plumb")})

    def ask_what_the_dashboard_asks(self, vm, lines):
        with open(os.path.join(ROOT, "deploy/grafana/plumb.json")) as f:
            panels = [p for p in json.load(f)["panels"] if p["type"] != "row"]
        # What this test's traffic has not: RPCs, retransmits, losses of events.
        empty = {"rpc_server_call_duration_seconds", "plumb_tcp_retransmits_total", "plumb_events_lost_total"}
        if not any(e["type"] == "reset" for e in lines["drops"]):
            empty.add("plumb_tcp_resets_total")
        asked = 0
        for panel in panels:
            for target in panel["targets"]:
                expression = target["expr"].replace("$__rate_interval", "5m").replace("$host", ".*")
                with self.subTest(expression):
                    self.assertNotIn("$", expression)
                    result = vm.query(expression)
                    asked += 1
                    if any(name in expression for name in empty):
                        continue
                    self.assertNotEqual(result, [])
                    self.assertGreater(max(value for _, value in result), 0)
                    for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                        if label != "error_type":
                            self.assertTrue(any(label in m for m, _ in result), label)
        self.assertGreater(asked, 20)


@needs("protoc", "nginx", "curl")
class Protoc(Test):
    def decode(self, signal, body):
        """protoc's text; fails on bytes that are no such message, and on fields that it does not know by name."""
        done = subprocess.run(["protoc", "-I", os.path.join(receivers(), "usr/include"),
                               "--decode=opentelemetry.proto.collector." + SERVICES[signal],
                               "opentelemetry/proto/collector/{0}/{1}/{0}_service.proto".format(*SERVICES[signal].split("."))],
                              input=body, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        text = done.stdout.decode()
        self.assertEqual([line for line in text.splitlines() if re.match(r"\s*\d+\s*[:{]", line)], [])
        return text

    def test_every_payload_of_every_tool_and_signal(self):
        self.server()
        self.nginx()
        grpc = os.path.exists("/usr/lib/python3/dist-packages/grpc")
        seen = collections.Counter()
        for tool, args, traffic, count in self.tools():
            spans = {"dnsx": "dns", "tcpconnect": "connect"}.get(tool.__name__)
            signals = "logs,metrics" if tool.__name__ == "drops" else "logs,traces,metrics"
            collector = Collector()
            self.addCleanup(collector.close)
            with tool("--netns", self.ns.path, "--otlp=" + collector.url, "--otlp-signals=" + signals, *args,
                      *(["--otlp-spans", spans] if spans else []), env={"OTEL_METRIC_EXPORT_INTERVAL": "100"}) as plumb:
                traffic()
                if grpc and tool.__name__ == "httptrace":
                    self.ns.run("/usr/bin/python3", "-c", of_httptrace.GRPC_PROGRAM)
                plumb.wait_for(lambda lines: len(lines) >= count, "the lines")
            of_tool = collections.Counter()
            for signal, _, body in collector.raw:
                text = self.decode(signal, body)
                of_tool[signal] += len(re.findall("^    (?:log_records|spans|metrics) {", text, re.M))
            self.assertEqual(of_tool["logs"], len(collector.records()))
            self.assertEqual(of_tool["traces"], len(collector.spans()))
            self.assertEqual(of_tool["metrics"], len(collector.metrics()))
            self.assertEqual(of_tool["logs"], len(plumb.lines))
            seen += of_tool
        self.assertGreater(min(seen.values()), 10)
        self.assertEqual(set(seen) | {"profiles"}, set(SERVICES))

    def test_profiles(self):
        for protocol in ("http/protobuf", "http/json"):
            with self.subTest(protocol):
                self.profile(protocol)

    def profile(self, protocol):
        collector = Collector()
        self.addCleanup(collector.close)
        folded = os.path.join(self.directory, "folded")
        with Plumb("flame", "-q", "-f", "folded", "-o", folded, "--otlp-profiles", "--otlp=" + collector.url, "--", sys.executable, "-c",
                   # zlib's functions have no names, which alone may be all that is sampled; the interpreter's have.
                   "import zlib\nfor i in range(60): zlib.compress(bytes(range(256)) * 4000)\nfor i in range(10_000_000): pass",
                   json_lines=False,
                   env={"OTEL_EXPORTER_OTLP_PROTOCOL": protocol}) as plumb:
            plumb.finish()
        self.assertEqual(plumb.stderr, "")
        (signal, content, body), = [r for r in collector.raw if r[0] == "profiles"]
        (path, _, request), = [r for r in collector.requests if r[0].endswith("profiles")]
        self.assertEqual(path, "/v1development/profiles")
        if content == "application/x-protobuf":
            self.assertIn("stack_table", self.decode(signal, body))
        tables = request["dictionary"]
        profile, = request["resourceProfiles"][0]["scopeProfiles"][0]["profiles"]
        self.check_tables(tables, profile)
        self.assertEqual(unknown_attributes(tables), set())
        # What the folded stacks say, leaf first, with as many samples.
        with open(folded) as f:
            expected = sum(int(line.rsplit(" ", 1)[1]) for line in f)
        self.assertEqual(sum(int(v) for s in profile["samples"] for v in s["values"]), expected)
        self.assertGreater(expected, 0)
        with open(folded) as f:
            leaves = {line.rsplit(" ", 1)[0].rsplit(";", 1)[1] for line in f if ";" in line}
        named = set()
        for sample in profile["samples"]:
            leaf = tables["locationTable"][tables["stackTable"][sample["stackIndex"]]["locationIndices"][0]]
            if leaf.get("lines"):
                named.add(tables["stringTable"][tables["functionTable"][leaf["lines"][0]["functionIndex"]]["nameStrindex"]])
        self.assertGreater(len(named), 0)
        self.assertEqual({n for n in named if not any(n in leaf for leaf in leaves)}, set())

    def check_tables(self, tables, profile):
        """The rules of profiles.proto: entry 0 is nothing, each entry is there once and referred to, each reference is to one."""
        nothing = {"stringTable": "", "linkTable": {"traceId": "0" * 32, "spanId": "0" * 16}}
        used = {name: {0} for name in tables}
        def refer(table, *indices):
            for i in indices:
                self.assertTrue(0 <= i < len(tables[table]), (table, i))
                used[table].add(i)
        for name, table in tables.items():
            without_lists = {k: v for k, v in table[0].items() if v != []} if isinstance(table[0], dict) else table[0]
            self.assertEqual(without_lists, nothing.get(name, {}), name)
            self.assertEqual(len({json.dumps(row, sort_keys=True) for row in table}), len(table), name)
        attributes = lambda item: item.get("attributeIndices", [])
        for sample in profile["samples"]:
            refer("stackTable", sample.get("stackIndex", 0))
            refer("attributeTable", *attributes(sample))
            self.assertEqual(len(sample["values"]), 1)
            keys = [tables["attributeTable"][i]["keyStrindex"] for i in attributes(sample)]
            self.assertEqual(len(set(keys)), len(keys))
        identities = {(s.get("stackIndex", 0), frozenset(attributes(s))) for s in profile["samples"]}
        self.assertEqual(len(identities), len(profile["samples"]))
        for stack in tables["stackTable"]:
            refer("locationTable", *stack.get("locationIndices", []))
        for location in tables["locationTable"]:
            refer("mappingTable", location.get("mappingIndex", 0))
            refer("attributeTable", *attributes(location))
            refer("functionTable", *[line["functionIndex"] for line in location.get("lines", [])])
        for mapping in tables["mappingTable"]:
            refer("stringTable", mapping.get("filenameStrindex", 0))
            refer("attributeTable", *attributes(mapping))
        for function in tables["functionTable"]:
            refer("stringTable", function.get("nameStrindex", 0), function.get("filenameStrindex", 0))
        for attribute in tables["attributeTable"]:
            refer("stringTable", attribute.get("keyStrindex", 0))
        for kind in ("sampleType", "periodType"):
            refer("stringTable", *[i for i in profile.get(kind, {}).values()])
        for name, table in tables.items():
            self.assertEqual(used[name], set(range(len(table))), f"{name} has what nothing refers to")
