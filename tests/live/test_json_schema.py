"""--json-schema against a validator that others wrote: every kind of line that a run gives is valid, and what breaks the
promise is not."""
import json
import signal
import socket
import unittest

from harness import Plumb, needs, run_plumb
from tcpconnect import TcpTest

try:
    import jsonschema
except ImportError:
    jsonschema = None

TOOLS = ("tcpconnect", "drops")
WRONG = {"an": "object"}  # no field of any tool is one


def schema(tool, *args):
    return json.loads(run_plumb(tool, *args, "--json-schema").stdout)


def titles(tool, *args):
    return {branch["title"] for branch in schema(tool, *args)["oneOf"]}


@unittest.skipIf(jsonschema is None, "not installed: jsonschema for this python3")
class JsonSchema(TcpTest):
    def validator(self, tool, *args):
        # Formats are annotations in 2020-12 unless asked for. Those of addresses are; times the harness reads itself.
        return jsonschema.Draft202012Validator(schema(tool, *args),
                                               format_checker=jsonschema.FormatChecker(["ipv4", "ipv6"]))

    def check(self, lines, types, tool, *args):
        """Every line is valid and all these types are among them; with anything about a line wrong, it is not."""
        validator = self.validator(tool, *args)
        samples = {}
        for line in lines:
            samples.setdefault(line["type"], line)
            validator.validate(line)
        self.assertEqual(set(samples) & types, types)
        for line in samples.values():
            self.check_refusals(validator, line)

    def check_refusals(self, validator, line):
        for key in line:
            missing = {k: v for k, v in line.items() if k != key}
            self.assertFalse(validator.is_valid(missing), f"{line['type']} without {key}")
            self.assertFalse(validator.is_valid({**line, key: WRONG}), f"{line['type']} with an object as {key}")
        self.assertFalse(validator.is_valid({**line, "unknown": None}), f"{line['type']} with an unknown key")
        self.assertFalse(validator.is_valid({**line, "type": "unheard"}))
        self.assertFalse(validator.is_valid([line]))

    def test_the_schemas_are_schemas(self):
        for tool in TOOLS:
            for args in ((), ("--summary",)):
                with self.subTest(tool=tool, args=args):
                    described = schema(tool, *args)
                    self.assertEqual(described["$schema"], "https://json-schema.org/draft/2020-12/schema")
                    jsonschema.Draft202012Validator.check_schema(described)

    def test_values_out_of_range_are_refused(self):
        listener = self.listener()
        with Plumb("tcpconnect", "--netns", self.ns.path) as plumb:
            self.socket().connect(listener.getsockname())
        validator = self.validator("tcpconnect")
        line = self.one(plumb.lines)
        for key, value in (("remote_port", -1), ("remote_port", 1.5), ("remote_port", "80"), ("remote_addr", "localhost"),
                           ("outcome", "fine"), ("role", "peer"), ("latency_ms", "1"), ("netns", True)):
            self.assertTrue(validator.is_valid(line))
            self.assertFalse(validator.is_valid({**line, key: value}), (key, value))

    def test_tcpconnect(self):
        listener, closed = self.listener(), self.closed_port()
        with Plumb("tcpconnect", "--netns", self.ns.path, "--role", "both", "--life") as plumb:
            client = self.socket()
            client.connect(listener.getsockname())
            listener.accept()[0].close()
            client.close()
            plumb.wait_for(lambda lines: len(lines) >= 4, "the connection's lines")
            plumb.process.send_signal(signal.SIGSTOP)  # until the buffer is full
            for _ in range(12000):
                with self.socket() as s:
                    s.connect_ex(("127.0.0.1", closed))
            plumb.process.send_signal(signal.SIGCONT)
        self.check(plumb.lines, titles("tcpconnect"), "tcpconnect")
        lost = sum(e["count"] for e in plumb.lines if e["type"] == "lost")
        self.assertEqual(lost + len(self.mine(plumb.lines, outcome="refused")), 12000)

    @needs("nft")
    def test_drops(self):
        filtered = self.closed_port()
        with self.ns.inside():
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(sender.close)
        self.ns.drop(f"tcp dport {filtered}")
        waiting = self.socket()
        waiting.setblocking(False)
        with Plumb("drops", "--netns", self.ns.path, "--stack") as plumb:
            waiting.connect_ex(("127.0.0.1", filtered))  # the SYN is sent again after a second
            sender.sendto(b"x", ("127.0.0.1", 9))
            self.socket().connect_ex(("127.0.0.1", self.closed_port()))
            plumb.wait_for(lambda lines: any(e["type"] == "retransmit" for e in lines), "the second SYN")
        self.check(plumb.lines, titles("drops") - {"lost"}, "drops")

    def test_summaries(self):
        closed = self.closed_port()
        for tool in TOOLS:
            with self.subTest(tool=tool):
                with Plumb(tool, "--summary", "--netns", self.ns.path) as plumb:
                    self.socket().connect_ex(("127.0.0.1", closed))
                self.check(plumb.lines, titles(tool, "--summary") - {"lost"}, tool, "--summary")
