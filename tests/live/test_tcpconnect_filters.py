"""Each filter keeps what it names and nothing else, and they combine."""
import contextlib
import io
import json
import os
import shutil
import socket
import sys
import tempfile
import unittest
import uuid

from harness import APART_MS, Cgroup, Namespace, Plumb, core, needs
from tcpconnect import TcpTest, tcpconnect


class Filters(TcpTest):
    def setUp(self):
        super().setUp()
        self.port = self.listener(backlog=4096).getsockname()[1]
        self.other_port = self.listener(backlog=4096).getsockname()[1]

    def connect(self, **arguments):
        """One connect by a program of its own; returns its pid."""
        program = self.program("connect", **{"address": "127.0.0.1", "port": self.port, **arguments})
        program.rest()
        return program.pid

    def targets(self, args, make):
        """(address, port) of the lines that come out with `args` while `make` runs."""
        with tcpconnect(*args) as plumb:
            make()
        return sorted((e["remote_addr"], e["remote_port"]) for e in self.mine(plumb.lines))

    def two_ports(self):
        self.connect()
        self.connect(port=self.other_port)

    @core
    def test_pid(self):
        waiting = self.program("accept_one")  # a process whose pid is known before it connects
        waiting.next()
        with tcpconnect("--pid", str(os.getpid())) as plumb:
            s = self.socket()
            s.connect(("127.0.0.1", self.port))
            self.connect()
        self.assertEqual([e["pid"] for e in plumb.lines], [os.getpid()])

    def test_several_pids(self):
        with tcpconnect("-p", f"1,{os.getpid()}") as plumb:
            self.socket().connect(("127.0.0.1", self.port))
            self.connect()
        self.assertEqual([e["pid"] for e in plumb.lines], [os.getpid()])

    def test_pid_for_the_server_side(self):
        server = self.program("server", addresses=["127.0.0.1"])
        port = server.next()["ports"]["127.0.0.1"]
        with tcpconnect("--role", "both", "--life", "-p", str(server.pid)) as plumb:
            self.program("churn", targets=[("127.0.0.1", port, True)], count=5).rest()
            server.rest()
        self.assertEqual({e["pid"] for e in plumb.lines}, {server.pid})
        self.assertEqual(len(self.mine(plumb.lines, type="accept")), 5)
        self.assertEqual(len(self.mine(plumb.lines, type="close")), 5)

    @core
    def test_comm(self):
        with tcpconnect("--comm", "tc-wanted,tc-also") as plumb:
            for name in ("tc-wanted", "tc-unwanted", "tc-also", "tc-wante"):
                self.connect(name=name)
        self.assertEqual([e["comm"] for e in plumb.lines], ["tc-wanted", "tc-also"])

    def test_comm_of_the_longest_length(self):
        with tcpconnect("--comm", "tc-fifteen-long") as plumb:
            self.connect(name="tc-fifteen-long")
            self.connect(name="tc-fifteen-lon")
        self.assertEqual([e["comm"] for e in plumb.lines], ["tc-fifteen-long"])

    @needs("setpriv")
    def test_uid(self):
        with tcpconnect("-u", "65534") as plumb:
            self.connect()
            pid = self.connect(prefix=["setpriv", "--reuid=65534", "--clear-groups"])
        self.assertEqual([(e["pid"], e["uid"]) for e in plumb.lines], [(pid, 65534)])

    @needs("setpriv")
    def test_uid_by_name(self):
        with tcpconnect("-u", "nobody") as plumb:
            self.connect()
            pid = self.connect(prefix=["setpriv", "--reuid=65534", "--clear-groups"])
        self.assertEqual([e["pid"] for e in plumb.lines], [pid])

    @core
    def test_cgroup_and_what_is_below_it(self):
        group = Cgroup()
        self.addCleanup(group.close)
        below = group.child("below")
        self.addCleanup(below.close)
        with tcpconnect("--cgroup", group.path) as plumb:
            self.connect()
            pids = [self.connect(prefix=g.prefix()) for g in (group, below)]
        self.assertEqual([e["pid"] for e in plumb.lines], pids)

    @core
    @needs("unshare", "mount")
    def test_container_by_name_and_by_id(self):
        """Docker's files and cgroups, made by the test; plumb sees the files in a mount namespace of its own."""
        files = tempfile.mkdtemp(prefix="plumb-docker-")
        self.addCleanup(shutil.rmtree, files)
        ids = {name: uuid.uuid4().hex * 2 for name in ("tc-web", "tc-other")}
        groups = {}
        for name, id in ids.items():
            groups[name] = Cgroup(f"docker-{id}.scope")
            self.addCleanup(groups[name].close)
            os.makedirs(f"{files}/docker/containers/{id}")
            with open(f"{files}/docker/containers/{id}/config.v2.json", "w") as f:
                json.dump({"ID": id, "Name": f"/{name}", "State": {"Running": True}}, f)
        below = groups["tc-web"].child("below")
        self.addCleanup(below.close)
        prefix = ["unshare", "--mount", "sh", "-c", f'mount --bind {files} /var/lib && exec "$@"', "sh"]
        for container in ("tc-web", ids["tc-web"][:12], ids["tc-web"]):
            with self.subTest(container=container):
                with tcpconnect("--container", container, "--role", "both", prefix=prefix) as plumb:
                    self.connect()
                    self.connect(prefix=groups["tc-other"].prefix())
                    pids = [self.connect(prefix=g.prefix()) for g in (groups["tc-web"], below)]
                self.assertEqual([(e["pid"], e["container"]) for e in plumb.lines], [(pid, "tc-web") for pid in pids])
        with tcpconnect(prefix=prefix) as plumb:  # and without the filter each has its container's name
            pids = [self.connect(), *(self.connect(prefix=groups[name].prefix()) for name in ids)]
        self.assertEqual([(e["pid"], e["container"], e["pod"]) for e in self.mine(plumb.lines)],
                         list(zip(pids, (None, *ids), [None] * 3)))
        with self.assertRaisesRegex(AssertionError, "ended before it was ready, status 1"):
            with contextlib.redirect_stderr(io.StringIO()) as said, tcpconnect("--container", "tc-wbe", prefix=prefix):
                pass
        self.assertIn("tc-web", said.getvalue())  # a near name

    @core
    def test_netns_by_pid_and_by_path(self):
        other = Namespace()
        self.addCleanup(other.close)
        for netns in (str(self.ns.pid), self.ns.path):
            with self.subTest(netns=netns):
                with tcpconnect("--netns", netns) as plumb:
                    self.connect()
                    self.connect(ns=other)
                self.assertEqual({e["netns"] for e in plumb.lines}, {self.ns.inode})
                self.assertEqual(len(plumb.lines), 1)

    def test_all_namespaces_by_default(self):
        other = Namespace()
        self.addCleanup(other.close)
        with tcpconnect() as plumb:
            pids = {self.connect(), self.connect(ns=other)}
        self.assertLessEqual({self.ns.inode, other.inode}, {e["netns"] for e in plumb.lines if e["pid"] in pids})

    def test_family(self):
        port6 = self.listener("::1").getsockname()[1]

        def both():
            self.connect()
            self.connect(address="::1", port=port6)
            self.socket(socket.AF_INET6).connect(("::ffff:127.0.0.1", self.port))  # IPv4 on the wire

        v4, v6 = ("127.0.0.1", self.port), ("::1", port6)
        self.assertEqual(self.targets(["-4"], both), [v4, v4])
        self.assertEqual(self.targets(["-6"], both), [v6])
        self.assertEqual(self.targets([], both), sorted([v4, v4, v6]))

    def test_port(self):
        a, b = ("127.0.0.1", self.port), ("127.0.0.1", self.other_port)
        self.assertEqual(self.targets(["--port", str(self.port)], self.two_ports), [a])
        self.assertEqual(self.targets(["--port", f"!{self.port}"], self.two_ports), [b])
        self.assertEqual(self.targets(["--port", f"{self.port},{self.other_port}"], self.two_ports), sorted([a, b]))
        self.assertEqual(self.targets(["--port", str(self.port), "--port", str(self.other_port)], self.two_ports),
                         sorted([a, b]))

    def test_port_of_a_server_is_its_own(self):
        with tcpconnect("--role", "server", "--port", str(self.port)) as plumb:
            listener = self.listener()
            client = self.socket()
            client.connect(listener.getsockname())
            listener.accept()[0].close()
        self.assertEqual(self.mine(plumb.lines), [])

    @core
    def test_host(self):
        def several():
            for address in ("127.0.0.1", "127.1.2.3", "127.1.9.9"):
                s = self.socket()
                s.connect_ex((address, self.port))
            self.socket(socket.AF_INET6).connect_ex(("::1", self.port))

        def hosts(*args):
            return [address for address, _ in self.targets(args, several)]

        self.assertEqual(hosts("--host", "127.1.2.3"), ["127.1.2.3"])
        self.assertEqual(hosts("--host", "127.1.0.0/16"), ["127.1.2.3", "127.1.9.9"])
        self.assertEqual(hosts("--host", "!127.1.0.0/16"), ["127.0.0.1", "::1"])
        self.assertEqual(hosts("--host", "127.0.0.0/8", "--host", "!127.1.2.3"), ["127.0.0.1", "127.1.9.9"])
        self.assertEqual(hosts("--host", "::/0"), ["::1"])
        self.assertEqual(hosts("--host", "127.1.2.3", "--host", "::1"), ["127.1.2.3", "::1"])

    def test_failed(self):
        bad = self.closed_port()

        def both():
            self.connect()
            self.connect(port=bad)
            self.socket().connect_ex(("198.51.100.1", 80))  # no route

        self.assertEqual(self.targets(["--failed"], both), [("127.0.0.1", bad), ("198.51.100.1", 80)])

    @needs("nft")
    def test_min_latency(self):
        slow = self.listener().getsockname()[1]
        self.ns.drop_first_syn(slow)

        def both():
            self.connect()
            self.connect(port=slow)  # its first SYN is lost: one second

        self.assertEqual(self.targets(["--min-latency", "500ms"], both), [("127.0.0.1", slow)])

    def test_filters_combine(self):
        with tcpconnect("--comm", "tc-wanted", "--port", str(self.port)) as plumb:
            wanted = self.connect(name="tc-wanted")
            self.connect(name="tc-wanted", port=self.other_port)
            self.connect(name="tc-other")
        self.assertEqual([e["pid"] for e in plumb.lines], [wanted])

    @core
    def test_command_and_its_descendants_only(self):
        code = f"import socket, time; time.sleep(0.3); socket.create_connection(('127.0.0.1', {self.port}))"
        inner = ["sh", "-c", '"$@"; exit $?', "sh", *self.ns.prefix(), sys.executable, "-c", code]
        with tcpconnect("--", *inner) as plumb:
            self.connect(name="tc-outside")
            plumb.finish()
        self.assertEqual(len(self.mine(plumb.lines)), 1, plumb.lines)
        self.assertEqual(len(plumb.lines), 1)


class Summary(TcpTest):
    @core
    def test_summary_of_connections_older_than_the_trace(self):
        """A row for each side, not for each client's port."""
        listener = self.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 8080))
        listener.listen(20)
        for args in ((), ("--where", "pid > 0")):
            with self.subTest(args=args):
                pairs = []
                for _ in range(20):
                    client = self.socket()
                    client.connect(("127.0.0.1", 8080))
                    pairs.append((client, listener.accept()[0]))
                with Plumb("tcpconnect", "--summary", "--netns", self.ns.path, *args) as plumb:
                    for client, accepted in pairs:
                        client.close()
                        accepted.close()
                self.assertEqual({(s["role"], s["remote_addr"], s["port"], s["closed"]) for s in plumb.lines},
                                 {(None, "127.0.0.1", 8080, 20), (None, None, 8080, 20)})

    def test_summary_agrees_with_the_lines(self):
        def run():
            server = self.program("server", addresses=["127.0.0.1", "::1"])
            ports = server.next()["ports"]
            targets = [("127.0.0.1", ports["127.0.0.1"], True), ("127.0.0.1", self.closed_port(), False),
                       ("::1", ports["::1"], True)]
            args = ("--role", "both", "--life", "--netns", self.ns.path)
            with tcpconnect(*args) as lines, Plumb("tcpconnect", *args, "--summary") as summary:
                self.program("churn", targets=targets, count=90).rest()
                server.rest()
            return [[lines, summary]]

        (lines, summary), = self.with_nothing_lost(run)
        expected = {}
        for e in lines.lines:
            server_side = e["role"] == "server"
            row = expected.setdefault(
                (e["pid"], e["role"], None if server_side else e["remote_addr"],
                 e["local_port"] if server_side else e["remote_port"]),
                {"attempts": 0, "established": 0, "refused": 0, "closed": 0, "tx_bytes": 0, "rx_bytes": 0,
                 "retransmits": 0, "latencies": []})
            if e["type"] == "close":
                row["closed"] += 1
                for key in ("tx_bytes", "rx_bytes", "retransmits"):
                    row[key] += e[key]
            else:
                row["attempts"] += 1
                row[e["outcome"]] += 1
                if e["outcome"] == "established":
                    row["latencies"].append(e["latency_ms"])
        got = {(s["pid"], s["role"], s["remote_addr"], s["port"]): s for s in summary.lines}
        self.assertEqual(set(got), set(expected))
        self.assertEqual(len(got), 5)
        for key, row in expected.items():
            latencies = sorted(row.pop("latencies"))
            self.assertEqual({k: got[key][k] for k in row}, row, key)
            if not latencies or None in latencies:
                continue
            # Two tracers stamp the same connection one after the other, and may be interrupted in between; how exact
            # the histogram itself is, the unit tests tell.
            self.assertAlmostEqual(got[key]["latency_max_ms"], latencies[-1], delta=APART_MS)
            # Within the histogram's 6.25 % plus what lies between the two tracers, of the neighbours of the exact rank.
            for q, name in ((0.5, "latency_p50_ms"), (0.9, "latency_p90_ms"), (0.99, "latency_p99_ms")):
                rank = q * (len(latencies) - 1)
                low, high = latencies[max(int(rank) - 1, 0)], latencies[min(int(rank) + 2, len(latencies) - 1)]
                self.assertTrue(low * 0.93 - APART_MS <= got[key][name] <= high * 1.07 + APART_MS, (name, got[key], latencies))


if __name__ == "__main__":
    unittest.main()
