"""Views of the same connections: chosen keys, formats, dates in a file, ports by name, the spread of latencies, groups."""
import csv
import json
import os
import re
import socket
import tempfile

from harness import Plumb
from tcpconnect import TcpTest


class Views(TcpTest):
    def view(self, *args, tool="tcpconnect", **options):
        """What it writes about three refused connections to 5432 and one to a server at 8080."""
        server = self.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 8080))
        server.listen()
        with Plumb(tool, "--netns", self.ns.path, *args, json_lines=False, **options) as plumb:
            for _ in range(3):
                self.socket().connect_ex(("127.0.0.1", 5432))
            client = self.socket()
            client.connect(("127.0.0.1", 8080))
            server.accept()[0].close()
            client.close()
        server.close()
        return plumb.output.decode().splitlines()

    def test_json_lines_have_the_keys_that_were_chosen(self):
        lines = [json.loads(line) for line in self.view("--json", "--columns", "outcome,pid")]
        self.assertEqual([list(line) for line in lines], [["time", "type", "pid", "outcome"]] * 4)

    def test_wide_shows_every_field(self):
        heading = self.view("--wide")[0].split()
        self.assertTrue({"EXE", "PPID", "UID", "NETNS", "ERROR", "SYNRTX", "SRTT"} <= set(heading), heading)

    def test_endings_of_files(self):
        with tempfile.TemporaryDirectory() as directory:
            names = {ending: os.path.join(directory, "out." + ending) for ending in ("csv", "tsv", "txt")}
            self.assertEqual(self.view(*(word for path in names.values() for word in ("-o", path))), [])
            for ending, delimiter in (("csv", ","), ("tsv", "\t")):
                with open(names[ending], newline="", encoding="utf-8") as f:
                    rows = list(csv.DictReader(f, delimiter=delimiter))
                self.assertEqual([row["outcome"] for row in rows], ["refused"] * 3 + ["established"])
            with open(names["txt"], encoding="utf-8") as f:
                lines = f.read().splitlines()
            for line in lines[1:]:  # a file may be read on another day, in another place
                self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d) ")

    def test_ports_by_name(self):
        self.assertEqual(sum("127.0.0.1:postgresql" in line for line in self.view("--names", "ports")), 3)
        top = self.view("--top", "--once", "-d", "60s", "--names", "ports", "--by", "remote_port")
        self.assertTrue([line for line in top if line.split()[:1] == ["postgresql"]], top)
        self.assertEqual(sum("127.0.0.1:5432" in line for line in self.view()), 3)

    def test_spread_of_latencies(self):
        lines = self.view("--summary", "--histogram")
        below = lines[lines.index("") + 1:]
        self.assertEqual(below[0].split(), ["LATENCY", "COUNT", "UP", "TO"])
        counts = [int(m[1]) for m in map(re.compile(r".* - \S*\s+(\d+)\s+[\d.]+%").fullmatch, (l.split("  #")[0] for l in below)) if m]
        self.assertEqual(sum(counts), 4, below)
        self.assertEqual(below[-1], "4 rows")

    def test_both_sides_of_a_service_keep_its_port(self):
        lines = self.view("--top", "--once", "-d", "60s", "--role", "both", "--life")
        rows = {tuple(line.split()[2:6]) for line in lines[2:] if line}
        self.assertEqual(rows, {("client", "127.0.0.1", "5432", "3"), ("client", "127.0.0.1", "8080", "1"),
                                ("server", "127.0.0.1", "8080", "1")}, lines)

    def test_a_verdict_says_over_how_many_values(self):
        with tempfile.TemporaryDirectory() as directory:
            with Plumb("tcpconnect", "--netns", self.ns.path, "--fail-if", "max(latency) > 1h", json_lines=False,
                       stdout=open(os.path.join(directory, "out"), "wb")) as plumb:
                for _ in range(3):
                    self.socket().connect_ex(("127.0.0.1", 5432))
        self.assertRegex(plumb.stderr, r"passed: max\(latency\) > 1h: max\(latency\) = [\d.]+ ms \(n 3\)")
