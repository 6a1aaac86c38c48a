"""A collector for tests, and a strict decoder of what it receives: what is not in the .proto files is an error. Field
numbers and types are those of opentelemetry/proto/{common,resource,logs,trace,metrics,collector/*}/v1."""
import gzip
import http.server
import json
import os
import re
import socket
import ssl
import struct
import threading

ANY, LIST, PAIR = {}, {}, {}
ANY.update({1: ("stringValue", "string"), 2: ("boolValue", "bool"), 3: ("intValue", "int64"),
            4: ("doubleValue", "double"), 5: ("arrayValue", LIST)})
LIST.update({1: ("values", [ANY])})
PAIR.update({1: ("key", "string"), 2: ("value", ANY)})
RECORD = {1: ("timeUnixNano", "fixed64"), 2: ("severityNumber", "enum"), 3: ("severityText", "string"), 5: ("body", ANY),
          6: ("attributes", [PAIR]), 11: ("observedTimeUnixNano", "fixed64"), 12: ("eventName", "string")}
SCOPE = {1: ("name", "string"), 2: ("version", "string")}
SCOPE_LOGS = {1: ("scope", SCOPE), 2: ("logRecords", [RECORD])}
RESOURCE_LOGS = {1: ("resource", {1: ("attributes", [PAIR])}), 2: ("scopeLogs", [SCOPE_LOGS])}
STATUS = {2: ("message", "string"), 3: ("code", "enum")}
SPAN = {1: ("traceId", "id"), 2: ("spanId", "id"), 3: ("traceState", "string"), 4: ("parentSpanId", "id"), 5: ("name", "string"),
        6: ("kind", "enum"), 7: ("startTimeUnixNano", "fixed64"), 8: ("endTimeUnixNano", "fixed64"),
        9: ("attributes", [PAIR]), 15: ("status", STATUS), 16: ("flags", "fixed32")}
NUMBER = {2: ("startTimeUnixNano", "fixed64"), 3: ("timeUnixNano", "fixed64"), 4: ("asDouble", "double"),
          6: ("asInt", "sfixed64"), 7: ("attributes", [PAIR])}
BUCKETS = {2: ("startTimeUnixNano", "fixed64"), 3: ("timeUnixNano", "fixed64"), 4: ("count", "fixed64"), 5: ("sum", "double"),
           6: ("bucketCounts", "fixed64s"), 7: ("explicitBounds", "doubles"), 9: ("attributes", [PAIR]), 11: ("min", "double"),
           12: ("max", "double")}
SUM = {1: ("dataPoints", [NUMBER]), 2: ("aggregationTemporality", "enum"), 3: ("isMonotonic", "bool")}
HISTOGRAM = {1: ("dataPoints", [BUCKETS]), 2: ("aggregationTemporality", "enum")}
METRIC = {1: ("name", "string"), 2: ("description", "string"), 3: ("unit", "string"), 7: ("sum", SUM), 9: ("histogram", HISTOGRAM)}


def _request(resources, scopes, items, item):
    of_scope = {1: ("scope", SCOPE), 2: (items, [item])}
    return {1: (resources, [{1: ("resource", {1: ("attributes", [PAIR])}), 2: (scopes, [of_scope])}])}


REQUEST = {1: ("resourceLogs", [RESOURCE_LOGS])}
REQUESTS = {"logs": REQUEST, "traces": _request("resourceSpans", "scopeSpans", "spans", SPAN),
            "metrics": _request("resourceMetrics", "scopeMetrics", "metrics", METRIC)}
# opentelemetry/proto/profiles/v1development of 1.11.
VALUE_TYPE = {1: ("typeStrindex", "enum"), 2: ("unitStrindex", "enum")}
SAMPLE = {1: ("stackIndex", "enum"), 2: ("attributeIndices", "int32s"), 3: ("linkIndex", "enum"), 4: ("values", "int64s"),
          5: ("timestampsUnixNano", "fixed64s")}
PROFILE = {1: ("sampleType", VALUE_TYPE), 2: ("samples", [SAMPLE]), 3: ("timeUnixNano", "fixed64"), 4: ("durationNano", "uint64"),
           5: ("periodType", VALUE_TYPE), 6: ("period", "int64"), 7: ("profileId", "id"), 11: ("attributeIndices", "int32s")}
MAPPING = {1: ("memoryStart", "uint64"), 2: ("memoryLimit", "uint64"), 3: ("fileOffset", "uint64"), 4: ("filenameStrindex", "enum"),
           5: ("attributeIndices", "int32s")}
LINE = {1: ("functionIndex", "enum"), 2: ("line", "int64"), 3: ("column", "int64")}
LOCATION = {1: ("mappingIndex", "enum"), 2: ("address", "uint64"), 3: ("lines", [LINE]), 4: ("attributeIndices", "int32s")}
FUNCTION = {1: ("nameStrindex", "enum"), 2: ("systemNameStrindex", "enum"), 3: ("filenameStrindex", "enum"), 4: ("startLine", "int64")}
DICTIONARY = {1: ("mappingTable", [MAPPING]), 2: ("locationTable", [LOCATION]), 3: ("functionTable", [FUNCTION]),
              4: ("linkTable", [{1: ("traceId", "id"), 2: ("spanId", "id")}]), 5: ("stringTable", ["string"]),
              6: ("attributeTable", [{1: ("keyStrindex", "enum"), 2: ("value", ANY), 3: ("unitStrindex", "enum")}]),
              7: ("stackTable", [{1: ("locationIndices", "int32s")}])}
REQUESTS["profiles"] = {**_request("resourceProfiles", "scopeProfiles", "profiles", PROFILE), 2: ("dictionary", DICTIONARY)}
WIRE_TYPES = {"int32s": 2, "int64s": 2, "uint64": 0, "string": 2, "id": 2, "fixed64s": 2, "doubles": 2, "bool": 0, "int64": 0, "enum": 0, "fixed64": 1,
              "sfixed64": 1, "double": 1, "fixed32": 5}


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at


def decode(data, message=REQUEST):
    """Protobuf to what OTLP's JSON has for it."""
    out, at = {}, 0
    while at < len(data):
        tag, at = _varint(data, at)
        name, kind = message[tag >> 3]
        repeated = isinstance(kind, list)
        kind = kind[0] if repeated else kind
        if tag & 7 != (2 if isinstance(kind, dict) else WIRE_TYPES[kind]):
            raise AssertionError(f"{name} has wire type {tag & 7}")
        if tag & 7 == 0:
            value, at = _varint(data, at)
            if kind == "bool":
                value = bool(value)
            elif kind in ("int64", "uint64"):
                value = str(value - (1 << 64) if kind == "int64" and value >> 63 else value)
        elif tag & 7 == 1:
            value, = struct.unpack_from({"fixed64": "<Q", "sfixed64": "<q", "double": "<d"}[kind], data, at)
            value = value if kind == "double" else str(value)
            at += 8
        elif tag & 7 == 5:
            value, = struct.unpack_from("<I", data, at)
            at += 4
        else:
            size, at = _varint(data, at)
            value = data[at:at + size]
            if len(value) != size:
                raise AssertionError(f"{name} is cut")
            at += size
            if isinstance(kind, dict):
                value = decode(value, kind)
            elif kind == "id":
                value = value.hex()
            elif kind == "fixed64s":
                value = [str(n) for n, in struct.iter_unpack("<Q", value)]
            elif kind in ("int32s", "int64s"):
                numbers, inner = [], 0
                while inner < len(value):
                    n, inner = _varint(value, inner)
                    numbers.append(n if kind == "int32s" else str(n - (1 << 64) if n >> 63 else n))
                value = numbers
            elif kind == "doubles":
                value = [n for n, in struct.iter_unpack("<d", value)]
            else:
                value = value.decode("utf-8")
        if repeated:
            out.setdefault(name, []).append(value)
        elif name in out:
            raise AssertionError(f"{name} stands twice")
        else:
            out[name] = value
    return out


def check_json(value, message=REQUEST):
    """What decode() gives, out of the JSON encoding; fails by name on keys and types that the mapping has not."""
    known = {name: kind for name, kind in message.values()}
    for name, inner in value.items():
        kind = known[name]
        for item in inner if isinstance(kind, list) else [inner]:
            kind_of_item = kind[0] if isinstance(kind, list) else kind
            if isinstance(kind_of_item, dict):
                check_json(item, kind_of_item)
            elif kind_of_item in ("fixed64s", "doubles", "int32s", "int64s"):
                for one in item:
                    check_json({"x": one}, {1: ("x", kind_of_item[:-1].replace("int32", "enum"))})
            else:
                expected = {"bool": bool, "enum": int, "fixed32": int, "double": (int, float)}.get(kind_of_item, str)
                if not isinstance(item, expected) or (kind_of_item in ("fixed64", "sfixed64", "int64", "uint64") and str(int(item)) != item):
                    raise AssertionError(f"{name}: {item!r} is no {kind_of_item}")
    return value


def plain(any_value):
    """An AnyValue as Python has it."""
    (kind, value), = any_value.items()
    if kind == "intValue":
        return int(value)
    if kind == "arrayValue":
        return [plain(v) for v in value.get("values", [])]
    return value


def plain_pairs(pairs):
    out = {p["key"]: plain(p["value"]) for p in pairs}
    if len(out) != len(pairs):
        raise AssertionError(f"an attribute stands twice: {pairs}")
    return out


def names_of_conventions(kind):
    with open(os.path.join(os.path.dirname(__file__), "../unit/data/conventions.txt")) as f:
        return {line.split()[1] for line in f if line.startswith(kind + " ")}


def unknown_names(collector):
    """Attributes and metrics among what came that neither the semantic conventions nor plumb have."""
    attributes = names_of_conventions("attribute") | {"otel.metric.overflow"}
    found = {m["name"] for m in collector.metrics()} - names_of_conventions("metric")

    def walk(value):
        if isinstance(value, list):
            for v in value:
                walk(v)
        elif isinstance(value, dict):
            found.update(a["key"] for a in value.get("attributes", []) if a["key"] not in attributes)
            for v in value.values():
                walk(v)

    for _, _, body in list(collector.requests):
        walk(body)
    return {name for name in found if not name.startswith("plumb.")}


def metric_points(collector, name):
    """(attributes, data point) of the last push of a metric."""
    last = {}
    for metric in collector.metrics():
        if metric["name"] == name:
            for point in (metric.get("histogram") or metric["sum"])["dataPoints"]:
                attributes = plain_pairs(point.get("attributes", []))
                last[json.dumps(attributes, sort_keys=True)] = (attributes, point)
    return list(last.values())


class RawCollector:
    """A server of raw bytes on loopback. `behave(connection, path, n)` answers the n-th request; what it returns as true was
    taken, and its spans count."""

    def __init__(self, test, behave, family=socket.AF_INET, context=None, address=None):
        self.behave, self.context = behave, context
        self.taken, self.requests, self.lock = [], 0, threading.Lock()
        self.listener = socket.create_server((address or ("::1" if family == socket.AF_INET6 else "127.0.0.1"), 0), family=family)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://[::1]:{self.port}" if family == socket.AF_INET6 else f"http://127.0.0.1:{self.port}"
        test.addCleanup(self.listener.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.handle, args=(connection,), daemon=True).start()

    def handle(self, connection):
        try:
            with connection if self.context is None else self.context.wrap_socket(connection, server_side=True) as c:
                data = b""
                while True:
                    while b"\r\n\r\n" not in data:
                        piece = c.recv(65536)
                        if not piece:
                            return
                        data += piece
                    head, data = data.split(b"\r\n\r\n", 1)
                    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
                    while len(data) < length:
                        data += c.recv(65536)
                    body, data = data[:length], data[length:]
                    path = head.split()[1].decode()
                    with self.lock:
                        n, self.requests = self.requests, self.requests + 1
                    # Noted before it is answered: plumb may end as soon as it has the answer.
                    with self.lock:
                        self.taken.append((path, body))
                    if not self.behave(c, path, n):
                        with self.lock:
                            self.taken.remove((path, body))
        except (OSError, ssl.SSLError):
            pass

    def spans(self):
        with self.lock:
            bodies = [body for path, body in self.taken if path == "/v1/traces"]
        return [s for body in bodies for r in decode(body, REQUESTS["traces"]).get("resourceSpans", [])
                for scope in r["scopeSpans"] for s in scope["spans"]]


class Collector:
    """An HTTP server on loopback, of IPv4 or IPv6. `answers` are statuses, or (status, headers, body), for the first requests; after
    them it answers 200. With `hold` it answers nothing until release()."""

    def __init__(self, answers=(), hold=False, certificate=None, address="127.0.0.1"):
        self.requests = []  # (path, headers, body as decoded) of those answered with 2xx
        self.raw = []       # (signal, content type, body as it came) of the same
        self.refused = 0    # requests answered otherwise
        self.connections = 0
        self.answers = list(answers)
        self.free = threading.Event()
        if not hold:
            self.free.set()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                collector.connections += 1
                super().setup()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.free.wait(60)
                answer = collector.answers.pop(0) if collector.answers else 200
                status, headers, text = answer if isinstance(answer, tuple) else (answer, {}, b"")
                if 200 <= status < 300:
                    collector.requests.append((self.path, self.headers, collector.read(self.headers, body, self.path)))
                else:
                    collector.refused += 1
                self.send_response(status)
                for name, value in {"Content-Length": str(len(text)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

            def handle_error(self, *_):
                pass  # a client that gives up is part of some tests

        self.server = Server((address, 0), Handler)
        self.port = self.server.server_address[1]
        self.authority = f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def read(self, headers, body, path="/v1/logs"):
        signal = path.rsplit("/", 1)[1]
        message = REQUESTS.get(signal, REQUEST)
        if headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.raw.append((signal, headers["Content-Type"], body))
        if headers["Content-Type"] == "application/json":
            return check_json(json.loads(body), message)
        if headers["Content-Type"] == "application/x-protobuf":
            return decode(body, message)
        raise AssertionError(f"unknown content type {headers['Content-Type']}")

    @property
    def url(self):
        return "http://" + self.authority

    def release(self):
        self.free.set()

    def items(self, resources, scopes, items):
        return [i for _, _, body in list(self.requests) for resource in body.get(resources, [])
                for scope in resource[scopes] for i in scope[items]]

    def records(self):
        return self.items("resourceLogs", "scopeLogs", "logRecords")

    def spans(self):
        return self.items("resourceSpans", "scopeSpans", "spans")

    def metrics(self):
        return self.items("resourceMetrics", "scopeMetrics", "metrics")

    def close(self):
        self.release()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
