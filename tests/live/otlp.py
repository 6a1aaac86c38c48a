"""A collector for tests, and a strict decoder of what it receives: what is not in the .proto files is an error. Field
numbers and types are those of opentelemetry/proto/{common,resource,logs,collector/logs}/v1."""
import gzip
import http.server
import json
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
REQUEST = {1: ("resourceLogs", [RESOURCE_LOGS])}
WIRE_TYPES = {"string": 2, "bool": 0, "int64": 0, "enum": 0, "fixed64": 1, "double": 1}


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
            elif kind == "int64":
                value = str(value - (1 << 64) if value >> 63 else value)
        elif tag & 7 == 1:
            value = str(struct.unpack_from("<Q", data, at)[0]) if kind == "fixed64" else struct.unpack_from("<d", data, at)[0]
            at += 8
        else:
            size, at = _varint(data, at)
            value = data[at:at + size]
            if len(value) != size:
                raise AssertionError(f"{name} is cut")
            at += size
            value = decode(value, kind) if isinstance(kind, dict) else value.decode("utf-8")
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
            else:
                expected = {"bool": bool, "enum": int, "double": (int, float)}.get(kind_of_item, str)
                if not isinstance(item, expected) or (kind_of_item in ("fixed64", "int64") and str(int(item)) != item):
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


class Collector:
    """An HTTP server on loopback, of IPv4 or IPv6. `answers` are statuses, or (status, headers, body), for the first requests; after
    them it answers 200. With `hold` it answers nothing until release()."""

    def __init__(self, answers=(), hold=False, certificate=None, address="127.0.0.1"):
        self.requests = []  # (path, headers, body as decoded) of those answered with 2xx
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
                    collector.requests.append((self.path, self.headers, collector.read(self.headers, body)))
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

    @staticmethod
    def read(headers, body):
        if headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if headers["Content-Type"] == "application/json":
            return check_json(json.loads(body))
        if headers["Content-Type"] == "application/x-protobuf":
            return decode(body)
        raise AssertionError(f"unknown content type {headers['Content-Type']}")

    @property
    def url(self):
        return "http://" + self.authority

    def release(self):
        self.free.set()

    def records(self):
        return [r for _, _, body in self.requests for resource in body["resourceLogs"]
                for scope in resource["scopeLogs"] for r in scope["logRecords"]]

    def close(self):
        self.release()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
