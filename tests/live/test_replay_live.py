"""--from beside a trace: 200 random expressions keep the same lines live, from the saved lines, and in jq; summaries of the
saved lines are those of the trace."""
import http.client
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

from expressions import Expressions, chosen_by_jq
from harness import HERE, Plumb, needs, run_plumb, sanitized, wait_until
from httptrace import HttpTest
from tcpconnect import TcpTest
from test_dnsx import query

# Of each tool; a sanitizer's runtime makes a hundred starts take minutes.
EXPRESSIONS = 5 if sanitized() else 50
AT_ONCE = 25


def known_at_once(line):
    """Without what each process that watches measures by itself."""
    return {k: v for k, v in line.items() if k != "time" and not k.endswith("_ms")}


def comparable(lines):
    return sorted(json.dumps(known_at_once(line), sort_keys=True) for line in lines)


def saved(path):
    with open(path, "rb") as f:
        return f.read().splitlines()


def replayed(tool, path, *args):
    done = run_plumb(tool, "--from", path, "--json", *args)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return done.stdout.splitlines()


NOT_COUNTED = {"close", "call"}  # a connection counts where it begins, a lookup by what went over the wire


def counted(tool, where, lines):
    """How many of the lines count(WHERE) takes: all where it asks for what only the others have, or for the type."""
    help_ = json.loads(run_plumb(tool, "--help", "--json").stdout)["commands"][0]
    names = set(re.findall(r"[a-z_]+", re.sub(r'"(\\.|[^"\\])*"', "", where)))
    asks = "type" in names or any(f["key"] in names and set(f["lines"] or ()) <= NOT_COUNTED and f["lines"] for f in help_["fields"])
    return sum(asks or line["type"] not in NOT_COUNTED for line in lines)


class Watched:
    """Several runs that watch the same."""

    def __init__(self, runs):
        self.runs = runs

    def __enter__(self):
        for run in self.runs:
            run.__enter__()
        return self

    def __exit__(self, kind, error, trace):
        for run in self.runs:
            run.__exit__(kind, error, trace)


class AsLive:
    """What is compared, for a test that has `tool`, `lines_as` and `summary_as` (options), `traffic()`, how many lines that
    makes (`at_least`), and `by`."""

    lines_as = summary_as = ()

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "lines.json")
        self.prepare()

    def prepare(self):
        pass

    def of_test(self, *args, **options):
        return Plumb(self.tool, "--netns", self.ns.path, *args, **options)

    def record(self, *others):
        """The lines of a run, raw, while `others` watched."""
        with Watched([self.of_test(*self.lines_as, "-o", self.path), *others]):
            self.traffic()
            # The network of a busy machine may be late: what is on its way is not seen by all when the first one stops.
            wait_until(lambda: len(saved(self.path)) >= self.at_least, f"{self.at_least} lines")
        raw = saved(self.path)
        self.assertNothingLost([json.loads(line) for line in raw])
        for other in others:
            self.assertNothingLost(other.lines)
        self.assertGreater(len(raw), 5)
        return raw

    def made(self, raw, seed, without=lambda key: False):
        made = Expressions([json.loads(line) for line in raw], f"{self.tool} {seed}", without)
        return [made.make() for _ in range(EXPRESSIONS)]

    @needs("jq")
    def test_where(self):
        """Each expression in a run of its own, all beside one without: live = from = jq. Latencies differ from one watching
        process to the next, so that no expression is about them; test_count() has those."""
        sample = self.record()
        pairs = self.made(sample, "where", lambda key: key.endswith("_ms"))
        sizes = set()
        for begin in range(0, len(pairs), AT_ONCE):
            batch = pairs[begin:begin + AT_ONCE]
            runs = [self.of_test(*self.lines_as, "--where", where) for where, _ in batch]
            raw = self.record(*runs)
            for (where, _), run, numbers in zip(batch, runs, chosen_by_jq(raw, [jq for _, jq in batch]), strict=True):
                expected = [raw[n] for n in numbers]
                self.assertEqual(replayed(self.tool, self.path, "--where", where), expected, where)
                self.assertEqual(comparable(run.lines), comparable(map(json.loads, expected)), where)
                sizes.add(len(numbers))
        self.assertGreater(len(sizes), 1)

    @needs("jq")
    def test_count(self):
        """All expressions over each event of one run, latencies too: as many lines as jq selects of that run's."""
        pairs = self.made(self.record(), "count")
        report = self.path + ".report.json"
        asked = [a for where, _ in pairs for a in ("--fail-if", f"count({where}) > 1000000000")]
        with self.of_test(*self.lines_as, "-o", self.path, "--report", report, *asked):
            self.traffic()
            wait_until(lambda: len(saved(self.path)) >= self.at_least, f"{self.at_least} lines")
        raw = saved(self.path)
        lines = [json.loads(line) for line in raw]
        expected = [counted(self.tool, where, [lines[n] for n in numbers])
                    for (where, _), numbers in zip(pairs, chosen_by_jq(raw, [jq for _, jq in pairs]), strict=True)]
        again = self.path + ".again.json"
        run_plumb(self.tool, "--from", self.path, "-o", "/dev/null", "-f", "csv", "--report", again, *asked)
        for path in (report, again):
            with open(path, encoding="utf-8") as f:
                values = [v["measured"][0]["value"] for v in json.load(f)["verdicts"]]
            self.assertEqual(dict(zip((w for w, _ in pairs), values)), dict(zip((w for w, _ in pairs), expected)), path)

    def test_summary(self):
        groups = [(), *(("--by", by) for by in self.by)]
        runs = [self.of_test(*self.summary_as, "--summary", *by) for by in groups]
        self.record(*runs)
        for by, run in zip(groups, runs, strict=True):
            again = replayed(self.tool, self.path, *self.summary_as, "--summary", *by)
            self.assertEqual(comparable(map(json.loads, again)), comparable(run.lines), by)
            self.assertTrue(run.lines)


class Tcpconnect(AsLive, TcpTest):
    tool = "tcpconnect"
    lines_as = ("--role", "both", "--life")
    summary_as = ("--role", "both")
    by = ("outcome,remote_port", "remote_addr", "role,local_port,error")
    at_least = 8 + 4 * 5  # failures; and of each connection connect, accept and both closes

    def prepare(self):
        self.targets = [("127.0.0.1", self.closed_port()), ("192.0.2.1", 9)]
        self.server = self.listener()

    def traffic(self):
        for target in self.targets * 4:
            with self.socket() as s:
                s.connect_ex(target)
        for size in (0, 10, 3000, 0, 1):
            with self.socket() as s:
                s.connect(self.server.getsockname())
                accepted, _ = self.server.accept()
                with accepted:
                    s.sendall(b"x" * size)
                    s.shutdown(socket.SHUT_WR)
                    while accepted.recv(65536):
                        pass


class Dnsx(AsLive, TcpTest):
    tool = "dnsx"
    by = ("name", "outcome,rcode", "qtype,local_port")
    at_least = 16

    def prepare(self):
        server = self.ns.popen(sys.executable, os.path.join(HERE, "nameserver.py"), "127.0.0.53", "53",
                               stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (server.kill(), server.wait(), server.stdout.close()))
        self.assertEqual(server.stdout.readline(), "ready\n")
        with self.ns.inside():
            self.asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.asker.close)
        self.asker.settimeout(20)
        self.asker.connect(("127.0.0.53", 53))

    def traffic(self):
        for ident, (name, kind) in enumerate([("a.example", "A"), ("b.example", "AAAA"), ("nxdomain.example", "A"),
                                              ("nodata.example", "A"), ("servfail.example", "A"), ("refused.example", "MX"),
                                              ("late-30.example", "A"), ("c.example", "TXT")] * 2):
            self.asker.send(query(name, kind, ident + 1, edns=1232 if ident % 3 == 0 else None))
            self.asker.recv(65535)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status = int(self.path.rpartition("/")[2])
        self.send_response(status)
        body = b"" if status in (204, 304) else b"x" * status
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = do_GET

    def log_message(self, *_):
        pass


class Httptrace(AsLive, HttpTest):
    tool = "httptrace"
    by = ("path", "status,role", "method,host")
    at_least = 24

    def prepare(self):
        with self.ns.inside():
            self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(lambda: (self.server.shutdown(), self.server.server_close()))

    def traffic(self):
        for host in ("a.example", "b.example"):
            with self.ns.inside():
                connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port)
                connection.connect()
            for method, path in (("GET", "/x/200"), ("POST", "/y/201"), ("GET", "/z/404"), ("DELETE", "/y/204"),
                                 ("GET", "/w/503"), ("GET", "/x/200")):
                connection.request(method, path, headers={"Host": host, "User-Agent": f"test/{host}"})
                connection.getresponse().read()
            connection.close()


class Drops(AsLive, TcpTest):
    tool = "drops"
    by = ("reason", "location,dst_port", "protocol,direction")
    at_least = 9 + 3

    def prepare(self):
        self.ns.nft("udp dport 4000-4002 counter drop", "tcp dport 4003 counter drop")
        with self.ns.inside():
            self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.other = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.addCleanup(self.sender.close)
        self.addCleanup(self.other.close)
        self.closed = self.closed_port()

    def traffic(self):
        before = self.ns.dropped()
        for port in (4000, 4001, 4002, 4000):
            for size in (1, 100):
                self.sender.sendto(b"x" * size, ("127.0.0.1", port))
        self.other.sendto(b"x", ("::1", 4001))
        for _ in range(3):
            with self.socket() as s:
                s.connect_ex(("127.0.0.1", self.closed))  # a reset each
        wait_until(lambda: self.ns.dropped() - before == 9, "all packets to be dropped")


class Flame(unittest.TestCase):
    """Two captures never have the same stacks: one is enough to compare --from with jq."""

    @needs("jq")
    def test_where(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "lines.json")
            done = run_plumb("flame", "-o", path, "--", sys.executable, "-c", "sum(i * i for i in range(3000000))")
            self.assertEqual(done.returncode, 0, done.stderr)
            raw = saved(path)
            made = Expressions([json.loads(line) for line in raw], "flame")
            pairs = [made.make() for _ in range(EXPRESSIONS)]
            for (where, _), numbers in zip(pairs, chosen_by_jq(raw, [jq for _, jq in pairs]), strict=True):
                self.assertEqual(replayed("flame", path, "--where", where), [raw[n] for n in numbers], where)


if __name__ == "__main__":
    unittest.main()
