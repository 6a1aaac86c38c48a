"""Lookups of every kind, made for real in a namespace of its own, and what dnsx says of them."""
import ipaddress
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from dnsx import COMM, TYPES, DnsTest, dnsx, framed, query
from harness import APART_MS, HERE, PLUMB, core, hook, needs, wait_until


class Outcomes(DnsTest):
    def outcome(self, name, kind="A", **more):
        server = self.server()
        with dnsx() as plumb:
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            answer, s = self.ask(name, kind, **more)
            took_ms = (time.clock_gettime_ns(time.CLOCK_MONOTONIC) - before) / 1e6
            self.told(plumb)
        line = self.one(plumb.lines)
        self.assertNothingLost(plumb.lines)
        self.assertEqual((line["name"], line["qtype"]), (name, kind))
        self.assertEqual((line["pid"], line["tid"], line["comm"], line["uid"]),
                         (os.getpid(), threading.get_native_id(), COMM, 0))
        self.assertEqual(line["response_bytes"], len(answer))
        self.assertEqual(line["txid"], 0x1234)
        self.assertEqual(line["local_port"], s.getsockname()[1])
        self.assertEqual((line["server"], line["server_port"]), ("127.0.0.53", 53))
        self.assertLessEqual(line["latency_ms"], took_ms)
        self.assertGreater(line["latency_ms"], 0)
        self.assertGreater(server.pid, 0)
        return line

    @hook("packets")
    def test_answered(self):
        line = self.outcome("a.example")
        self.assertEqual((line["outcome"], line["rcode"], line["answers"]), ("answered", "NOERROR", ["192.0.2.1"]))
        self.assertEqual((line["ttls"], line["answer_count"], line["attempts"]), (["300"], 1, 1))
        self.assertEqual((line["transport"], line["flags"]), ("udp", ["AA", "RD", "RA"]))
        self.assertEqual((line["request_bytes"], line["edns_udp_bytes"]), (len(query("a.example")), None))

    @core
    def test_answered_with_an_ipv6_address(self):
        line = self.outcome("a.example", "AAAA")
        self.assertEqual((line["outcome"], line["answers"]), ("answered", ["2001:db8::1"]))

    @core
    def test_nxdomain(self):
        line = self.outcome("nxdomain.example")
        self.assertEqual((line["outcome"], line["rcode"], line["answers"]), ("answered", "NXDOMAIN", []))

    @core
    def test_nodata(self):
        line = self.outcome("nodata.example")
        self.assertEqual((line["outcome"], line["rcode"], line["answers"]), ("nodata", "NOERROR", []))

    def test_servfail(self):
        self.assertEqual(self.outcome("servfail.example")["rcode"], "SERVFAIL")

    def test_refused(self):
        self.assertEqual(self.outcome("refused.example")["rcode"], "REFUSED")

    def test_malformed(self):
        line = self.outcome("malformed.example")
        self.assertEqual((line["outcome"], line["rcode"], line["response_bytes"]), ("malformed", "NOERROR", 20))

    def test_an_answer_of_four_kilobytes(self):
        line = self.outcome("big.example", "TXT", edns=4096)
        self.assertGreater(line["response_bytes"], 3800)
        self.assertEqual((line["answer_count"], len(line["answers"]), line["edns_udp_bytes"]), (18, 18, 4096))
        self.assertEqual(line["answers"][17], f'TXT "{"r" * 200}"')

    def test_a_forged_answer_is_told_apart(self):
        self.server()
        with dnsx() as plumb:
            answer, s = self.ask("forged.example")
            s.recv(65535)
            self.told(plumb)
        line = self.one(plumb.lines)
        self.assertEqual((line["outcome"], line["misfits"], line["attempts"]), ("answered", 1, 1))

    @core
    def test_a_socket_without_a_peer(self):
        self.outcome("a.example", connect=False)

    @core
    def test_ipv6(self):
        self.server("::1")
        with dnsx() as plumb:
            self.ask("a.example", "AAAA", address="::1")
            self.told(plumb)
        line = self.one(plumb.lines)
        self.assertEqual((line["server"], line["client"], line["answers"]), ("::1", "::1", ["2001:db8::1"]))

    @hook("read")
    def test_when_the_application_reads(self):
        self.needs_hook("dnsx", "read")
        self.server()
        s = self.socket()
        s.connect(("127.0.0.53", 53))
        with dnsx() as plumb:
            before = time.monotonic()
            s.send(query("a.example"))
            self.assertEqual(select.select([s], [], [], 20)[0], [s])
            took_ms = (time.monotonic() - before) * 1e3
            time.sleep(0.2)  # what is measured: an application that is slow to read
            s.recv(65535)
            self.told(plumb)
        line = self.one(plumb.lines)
        self.assertGreater(line["pickup_ms"], 200 - APART_MS)
        self.assertLess(line["latency_ms"], took_ms + APART_MS)


class Attempts(DnsTest):
    @core
    def test_no_answer_is_a_timeout(self):
        self.server()
        s = self.socket()
        s.connect(("127.0.0.53", 53))
        with dnsx("--timeout", "300ms") as plumb:
            s.send(query("silent.example"))
            self.told(plumb)
        line = self.one(plumb.lines)
        self.assertEqual((line["outcome"], line["rcode"], line["answers"]), ("timeout", None, None))
        self.assertEqual((line["latency_ms"], line["attempts"], line["pid"]), (None, 1, os.getpid()))

    def test_an_answer_after_the_timeout_is_late(self):
        self.server()
        with dnsx("--timeout", "200ms") as plumb:
            self.ask("late-800.example")
            lines = self.told(plumb, 2)
        self.assertEqual([line["outcome"] for line in lines], ["timeout", "late"])
        self.assertGreater(lines[1]["latency_ms"], 800 - APART_MS)
        self.assertEqual(lines[1]["answers"], ["192.0.2.1"])

    def test_the_end_of_the_trace_is_no_timeout(self):
        self.server()
        s = self.socket()
        s.connect(("127.0.0.53", 53))
        with dnsx() as plumb:
            s.send(query("silent.example"))
        self.assertEqual(self.one(plumb.lines)["outcome"], "pending")

    @core
    def test_a_lost_first_packet(self):
        self.server()
        s = self.socket()
        s.connect(("127.0.0.53", 53))
        with dnsx() as plumb:
            s.send(query("lost-1.example"))
            time.sleep(0.3)
            s.send(query("lost-1.example"))
            s.recv(65535)
            self.told(plumb)
        line = self.one(plumb.lines)
        self.assertEqual((line["outcome"], line["attempts"]), ("answered", 2))
        self.assertGreater(line["latency_ms"], 300 - APART_MS)

    def test_another_server_is_another_attempt(self):
        self.server()
        self.ns.drop("ip daddr 127.0.0.99 udp dport 53")
        with dnsx() as plumb:
            dead = self.socket()
            dead.connect(("127.0.0.99", 53))
            dead.send(query("a.example"))
            time.sleep(0.2)
            self.ask("a.example")
            self.told(plumb)
        line = self.one(plumb.lines)
        self.assertEqual((line["outcome"], line["attempts"], line["server"]), ("answered", 2, "127.0.0.53"))

    @core
    def test_no_server_there_is_unreachable_at_once(self):
        """ICMP says so; it is no timeout, and nobody waits for one."""
        s = self.socket()
        s.connect(("127.0.0.53", 53))
        with dnsx("--timeout", "600s") as plumb:
            s.send(query("a.example"))
            self.assertRaises(ConnectionRefusedError, s.recv, 9999)
            self.told(plumb)
        line = self.one(plumb.lines)
        self.assertEqual((line["outcome"], line["rcode"], line["latency_ms"], line["attempts"], line["pid"]),
                         ("unreachable", None, None, 1, os.getpid()))

    @core
    def test_no_server_there_over_ipv6(self):
        s = self.socket(family=socket.AF_INET6)
        s.connect(("::1", 53))
        with dnsx("--timeout", "600s") as plumb:
            s.send(query("a.example"))
            self.assertRaises(ConnectionRefusedError, s.recv, 9999)
            self.told(plumb)
        self.assertEqual(self.one(plumb.lines)["outcome"], "unreachable")

    def test_a_dead_server_and_then_another_is_one_lookup(self):
        """As glibc does it that learns of it by ICMP."""
        self.server()
        path = os.path.join(tempfile.mkdtemp(prefix="plumb-dns-"), "resolv.conf")
        self.addCleanup(shutil.rmtree, os.path.dirname(path))
        with open(path, "w") as f:
            f.write("nameserver 127.0.0.99\nnameserver 127.0.0.53\n")
        with dnsx() as plumb:
            subprocess.run([*self.ns.prefix(), "unshare", "--mount", "--propagation", "private", "sh", "-c",
                            f"mount --bind {path} $(readlink -f /etc/resolv.conf) && exec \"$@\"", "sh", "/usr/bin/python3",
                            "-c", "import socket; socket.gethostbyname('a.example')"], check=True)
            self.told(plumb)
        line = self.one(plumb.lines)
        self.assertEqual((line["outcome"], line["attempts"], line["server"]), ("answered", 2, "127.0.0.53"))

    def connected(self, address, port):
        self.ns.run("ip", "addr", "replace", f"{address}/32", "dev", "lo")
        listener = self.socket(socket.SOCK_STREAM)
        listener.bind((address, port))
        listener.listen()
        client = self.socket(socket.SOCK_STREAM)
        client.connect((address, port))

    @hook("encrypted")
    def test_encrypted_lookups_are_connections(self):
        with dnsx() as plumb:
            self.connected("10.9.8.7", 443)  # of anybody
            self.connected("10.9.8.7", 853)
            self.connected("9.9.9.9", 443)
            self.told(plumb, 2)
        lines = self.mine(plumb.lines)
        self.assertEqual([(e["transport"], e["server"], e["server_port"], e["outcome"], e["name"], e["pid"]) for e in lines],
                         [("dot", "10.9.8.7", 853, "encrypted", None, os.getpid()),
                          ("doh", "9.9.9.9", 443, "encrypted", None, os.getpid())])

    def tcp(self, name, pieces, ident=0x1234, kind="A"):
        """One query over TCP, sent in pieces of these sizes."""
        s = self.socket(socket.SOCK_STREAM)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.connect(("127.0.0.53", 53))
        message = query(name, kind, ident)
        data = struct.pack("!H", len(message)) + message
        for size in [*pieces, len(data)]:
            s.sendall(data[:size])
            data = data[size:]
        return framed(s)

    @core
    def test_truncated_then_over_tcp_is_one_lookup(self):
        self.server()
        with dnsx() as plumb:
            self.ask("tc.example")
            self.tcp("tc.example", [1, 1, 9])
            self.told(plumb)
        line = self.one(plumb.lines)
        self.assertEqual((line["outcome"], line["attempts"], line["transport"]), ("answered", 2, "tcp"))
        self.assertIn("TC", line["flags"])
        self.assertEqual((line["answers"], line["pid"]), (["192.0.2.1"], os.getpid()))

    @core
    def test_tcp(self):
        self.server()
        with dnsx() as plumb:
            answer = self.tcp("big.example", [1], kind="TXT")
            self.told(plumb)
        line = self.one(plumb.lines)
        self.assertEqual((line["transport"], line["response_bytes"], line["answer_count"]), ("tcp", len(answer), 18))

    def test_tcp_pipelined(self):
        self.server()
        s = self.socket(socket.SOCK_STREAM)
        s.connect(("127.0.0.53", 53))
        with dnsx() as plumb:  # the connection is older than the trace
            messages = [query(f"n{i}.example", ident=i) for i in range(20)]
            s.sendall(b"".join(struct.pack("!H", len(m)) + m for m in messages))
            for _ in messages:
                framed(s)
            self.told(plumb, 20)
        lines = self.mine(plumb.lines)
        self.assertEqual(sorted(line["txid"] for line in lines), list(range(20)))
        self.assertTrue(all(line["name"] == f"n{line['txid']}.example" for line in lines))


class Roles(DnsTest):
    @core
    def test_the_server_role(self):
        server = self.server()
        with dnsx("--role", "both") as plumb:
            _, s = self.ask("a.example")
            self.told(plumb, 2)
        client, = self.mine(plumb.lines, role="client")
        served, = self.mine(plumb.lines, role="server")
        self.assertEqual((client["pid"], served["pid"]), (os.getpid(), server.pid))
        self.assertEqual((served["local_port"], client["local_port"]), (53, s.getsockname()[1]))
        self.assertLessEqual(served["latency_ms"], client["latency_ms"])

    @core
    def test_a_server_that_does_not_answer(self):
        server = self.server()
        with dnsx("--role", "server", "--timeout", "300ms") as plumb:
            self.ask("a.example")
            self.told(plumb)  # it is known as a server of this host from now on
            s = self.socket()
            s.connect(("127.0.0.53", 53))
            s.send(query("silent.example"))
            self.told(plumb, 2)
        line = self.mine(plumb.lines, name="silent.example")
        self.assertEqual([(e["outcome"], e["role"], e["pid"]) for e in line], [("timeout", "server", server.pid)])

    def test_another_port(self):
        self.server(port=5353)
        with dnsx("--port", "5353,53") as plumb:
            self.ask("a.example", port=5353)
            self.told(plumb)
        self.assertEqual(self.one(plumb.lines)["server_port"], 5353)

    @core
    def test_only_one_process(self):
        self.server()
        with dnsx("-p", str(os.getpid())) as plumb:
            self.ns.run(sys.executable, "-c", "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
                        f"s.sendto({query('other.example')!r}, ('127.0.0.53', 53)); s.recv(9999)")
            self.ask("a.example")
            self.told(plumb)
        self.assertEqual(self.one(plumb.lines)["name"], "a.example")

    def link(self):
        """A device to a link where nobody is."""
        self.ns.run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far")
        self.ns.run("ip", "addr", "add", "10.231.8.1/24", "dev", "near")
        for device in ("near", "far"):
            self.ns.run("ip", "link", "set", device, "up")

    @core
    @hook("waiting")
    def test_a_server_that_no_neighbour_is(self):
        """Its query is never sent, since nobody says where its address is; the kernel gives up after three requests."""
        self.needs_hook("dnsx", "waiting")
        self.link()
        self.ns.sysctl("net.ipv4.neigh.near.retrans_time_ms", 200)
        s = self.socket()
        s.connect(("10.231.8.53", 53))
        with dnsx() as plumb:
            s.send(query("a.example"))
            self.told(plumb)
        line = self.one(plumb.lines)
        self.assertEqual((line["outcome"], line["attempts"], line["name"]), ("unreachable", 1, "a.example"))
        self.assertEqual((line["pid"], line["server"], line["client"]), (os.getpid(), "10.231.8.53", "10.231.8.1"))
        self.assertEqual((line["local_port"], line["request_bytes"]), (s.getsockname()[1], len(query("a.example"))))

    @core
    def test_a_query_that_waits_for_its_neighbour(self):
        """It is told once, and with its process, although it is sent in another's time."""
        self.needs_hook("dnsx", "waiting")
        self.link()
        s = self.socket()
        s.connect(("10.231.8.53", 53))
        with dnsx("--timeout", "300ms") as plumb:
            s.send(query("a.example"))
            self.ns.run("ip", "neigh", "replace", "10.231.8.53", "lladdr", "02:00:00:00:00:53", "dev", "near")
            self.told(plumb)
        line = self.one(plumb.lines)
        self.assertEqual((line["outcome"], line["attempts"], line["pid"]), ("timeout", 1, os.getpid()))

    def test_a_query_that_waits_longer_than_its_timeout(self):
        """It is not told again once it is sent."""
        self.needs_hook("dnsx", "waiting")
        self.link()
        s = self.socket()
        s.connect(("10.231.8.53", 53))
        with dnsx("--timeout", "300ms") as plumb:
            s.send(query("a.example"))
            self.told(plumb)
            self.ns.run("ip", "neigh", "replace", "10.231.8.53", "lladdr", "02:00:00:00:00:53", "dev", "near")
        line = self.one(plumb.lines)
        self.assertEqual((line["outcome"], line["attempts"], line["pid"]), ("timeout", 1, os.getpid()))

    def test_across_a_pair_of_devices(self):
        """A query that leaves the namespace through a veth is told once, in the namespace of its socket."""
        self.ns.run("ip", "link", "add", "out", "type", "veth", "peer", "name", "in", "netns", str(os.getpid()))
        self.addCleanup(lambda: subprocess.run(["ip", "link", "del", "in"], check=False, capture_output=True))
        self.ns.run("ip", "addr", "add", "10.231.7.1/30", "dev", "out")
        self.ns.run("ip", "link", "set", "out", "up")
        subprocess.run(["ip", "addr", "add", "10.231.7.2/30", "dev", "in"], check=True)
        subprocess.run(["ip", "link", "set", "in", "up"], check=True)
        process = subprocess.Popen([sys.executable, os.path.join(HERE, "nameserver.py"), "10.231.7.2", "53"],
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (process.kill(), process.wait(), process.stdout.close()))
        self.assertEqual(process.stdout.readline(), "ready\n")
        with dnsx("--role", "both") as plumb:
            self.ask("a.example", address="10.231.7.2")
            self.told(plumb)
            wait_until(lambda: [e for e in plumb.so_far() if e.get("pid") == process.pid], "the server's line")
        line = self.one(plumb.lines)  # first through the neighbour's queue: the owner is known all the same
        self.assertEqual((line["role"], line["attempts"], line["pid"]), ("client", 1, os.getpid()))
        served = [e for e in plumb.lines if e.get("pid") == process.pid]
        self.assertEqual([e["role"] for e in served], ["server"])


class Resolvers(DnsTest):
    def test_getaddrinfo_of_python(self):
        self.server()
        prefix = self.resolver()
        with dnsx() as plumb:
            done = subprocess.run([*prefix, sys.executable, "-c",
                                   "import os, socket; print(os.getpid());"
                                   "print(sorted({a[4][0] for a in socket.getaddrinfo('a.example', 80)}))"],
                                  check=True, capture_output=True, text=True)
            self.told(plumb, 2)
        pid, addresses = done.stdout.splitlines()
        lines = self.mine(plumb.lines)
        self.assertEqual({(e["qtype"], e["pid"]) for e in lines}, {("A", int(pid)), ("AAAA", int(pid))})
        self.assertEqual(sorted(a for e in lines for a in e["answers"]), json.loads(addresses.replace("'", '"')))

    @needs("curl")
    def test_curl(self):
        self.server()
        prefix = self.resolver()
        with dnsx() as plumb:
            subprocess.run([*prefix, "curl", "-s", "-m", "0.3", "http://a.example/"], check=False)
            self.told(plumb, 2)
        self.assertEqual({(e["comm"], e["name"]) for e in self.mine(plumb.lines)}, {("curl", "a.example")})

    def test_a_search_list_is_one_story(self):
        """In a mount namespace of its own, as a container's processes are."""
        self.server()
        prefix = self.resolver("search nxdomain.one.example nxdomain.two.example\noptions ndots:3\n")
        # The server says NXDOMAIN by the first label: what is wanted must be that one.
        program = ("import socket, time\n"
                   "try: socket.getaddrinfo('nxdomain', 80)\n"
                   "except OSError: pass\n"
                   "time.sleep(0.5)")  # its resolv.conf is read while it is there
        with dnsx() as plumb:
            subprocess.run([*prefix, sys.executable, "-c", program], check=True)
            self.told(plumb, 6)
        lines = self.mine(plumb.lines)
        self.assertEqual({e["search_of"] for e in lines}, {"nxdomain"}, lines)
        self.assertEqual({e["name"] for e in lines},
                         {"nxdomain.nxdomain.one.example", "nxdomain.nxdomain.two.example", "nxdomain"})


    def test_a_summary_counts_what_search_lists_waste(self):
        self.server()
        prefix = self.resolver("search nxdomain.one.example nxdomain.two.example\noptions ndots:3\n")
        program = ("import socket, time\n"
                   "try: socket.gethostbyname('nxdomain')\n"
                   "except OSError: pass\n"
                   "socket.gethostbyname('a.example.')\n"
                   "time.sleep(0.5)")  # its resolv.conf is read while it is there
        with dnsx("--summary", "--netns", self.ns.path, json_lines=False) as plumb:
            subprocess.run([*prefix, "/usr/bin/python3", "-c", program], check=True)
        self.assertIn("plumb: 2 of 4 lookups were search-list misses\n", plumb.stderr)

    def test_saved_lookups_tell_what_search_lists_waste(self):
        self.server()
        prefix = self.resolver("search nxdomain.one.example\noptions ndots:3\n")
        program = ("import socket, time\n"
                   "try: socket.gethostbyname('nxdomain')\n"
                   "except OSError: pass\n"
                   "time.sleep(0.5)")
        with dnsx("--netns", self.ns.path) as plumb:
            subprocess.run([*prefix, "/usr/bin/python3", "-c", program], check=True)
            self.told(plumb, 2)
        lines = "".join(json.dumps(line) + "\n" for line in plumb.lines)
        for args in (["--summary"], ["--summary", "--by", "name,rcode"], ["--summary", "-q"]):
            done = subprocess.run([PLUMB, "dnsx", "--from", "-", *args], input=lines, capture_output=True, text=True, check=True)
            said = [line for line in done.stderr.splitlines() if "search-list" in line]
            self.assertEqual(said, [] if "-q" in args else ["plumb: 1 of 2 lookups was a search-list miss"])


@needs("dnsmasq", "tshark", "dig")
class BesideTshark(DnsTest):
    """dnsmasq answers, dig asks, and tshark reads the same packets with a decoder of its own."""
    QUESTIONS = [("a.test", "A"), ("a.test", "AAAA"), ("c.test", "A"), ("m.test", "MX"), ("t.test", "TXT"),
                 ("s.test", "SRV"), ("nx.test", "A"), ("a.test", "TXT"), ("refused.example", "A"), ("many.test", "A"),
                 ("caa.test", "CAA"), ("9.2.0.192.in-addr.arpa", "PTR")]

    def dnsmasq(self):
        many = [f"--host-record=many.test,10.9.{i}.1" for i in range(60)]
        process = self.ns.popen(
            "dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--pid-file=",
            "--listen-address=127.0.0.53", "--bind-interfaces", "--local=/test/", "--local-ttl=77",
            "--host-record=a.test,192.0.2.9,2001:db8::9", "--cname=b.test,a.test", "--cname=c.test,b.test",
            "--mx-host=m.test,a.test,10", "--txt-record=t.test,plain,quoted \"x\"", "--srv-host=s.test,a.test,5060,1,2",
            "--caa-record=caa.test,0,issue,ca.test", *many, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (process.terminate(), process.wait()))
        wait_until(lambda: ":35 " in self.ns.run("cat", "/proc/net/udp").stdout.replace("0035", ":35"), "dnsmasq")
        return process

    def test_every_line_is_what_tshark_decodes(self):
        self.dnsmasq()
        directory = tempfile.mkdtemp(prefix="plumb-dns-")
        self.addCleanup(shutil.rmtree, directory)
        capture = os.path.join(directory, "dns.pcap")
        dump = self.ns.popen("tcpdump", "-i", "lo", "-Z", "root", "--immediate-mode", "-U", "-w", capture, "port", "53", stderr=subprocess.PIPE, text=True)
        self.addCleanup(dump.stderr.close)
        while "listening" not in (said := dump.stderr.readline()):
            self.assertTrue(said, "tcpdump ended")
        with dnsx() as plumb:
            for name, kind in self.QUESTIONS:
                self.ns.run("dig", "+noedns", "+tries=1", "@127.0.0.53", name, kind)
            self.told(plumb, len(self.QUESTIONS))
        time.sleep(0.2)
        dump.terminate()
        dump.wait()
        lines = self.mine(plumb.lines)
        self.assertEqual(len(lines), len(self.QUESTIONS))
        decoded = json.loads(subprocess.run(
            ["tshark", "-r", capture, "-Y", "dns.flags.response == 1", "-T", "json", "--no-duplicate-keys"],
            check=True, capture_output=True, text=True).stdout)
        # The last answer to a question is the one that counts: over TCP after a truncated one.
        truth = {}
        for packet in decoded:
            dns = packet["_source"]["layers"]["dns"]
            question, = dns["Queries"].values()
            truth[question["dns.qry.name"], int(question["dns.qry.type"])] = dns
        for line, (name, kind) in zip(lines, self.QUESTIONS):
            with self.subTest(name=name, kind=kind):
                number = {"PTR": 12, "SRV": 33, "CAA": 257, **TYPES}[kind]
                dns = truth[name, number]
                self.assertEqual((line["name"], line["qtype"], line["comm"]), (name, kind, "dig"))
                self.assertEqual(line["txid"], int(dns["dns.id"], 16))
                flags = dns["dns.flags_tree"]
                rcode = {0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}[int(flags["dns.flags.rcode"])]
                self.assertEqual(line["rcode"], rcode)
                self.assertEqual(line["answer_count"], int(dns["dns.count.answers"]))
                expected = {"AA": "authoritative", "RD": "recdesired", "RA": "recavail"}
                for flag, field in expected.items():
                    self.assertEqual(flag in line["flags"], flags[f"dns.flags.{field}"] in ("1", True, "True"), flag)
                self.assertEqual(self.texts(line), sorted(self.decoded(dns)))
        self.assertEqual([e["transport"] for e in lines if e["name"] == "many.test"], ["tcp"])

    @staticmethod
    def texts(line):
        return sorted(zip(line["answers"], line["ttls"]))

    @staticmethod
    def decoded(dns):
        answers = dns.get("Answers", {})
        records = [r for value in answers.values() for r in (value if isinstance(value, list) else [value])]
        for r in records:
            ttl = r["dns.resp.ttl"]
            kind = int(r["dns.resp.type"])
            if kind == 1:
                text = r["dns.a"]
            elif kind == 28:
                text = str(ipaddress.ip_address(r["dns.aaaa"]))
            elif kind == 5:
                text = "CNAME " + r["dns.cname"]
            elif kind == 15:
                text = f"MX {r['dns.mx.preference']} {r['dns.mx.mail_exchange']}"
            elif kind == 12:
                text = "PTR " + r["dns.ptr.domain_name"]
            elif kind == 33:
                text = (f"SRV {r['dns.srv.priority']} {r['dns.srv.weight']} {r['dns.srv.port']} "
                        f"{r['dns.srv.target']}")
            elif kind == 16:
                texts = r["dns.txt"] if isinstance(r["dns.txt"], list) else [r["dns.txt"]]
                text = "TXT " + " ".join('"' + t.replace('"', '\\"') + '"' for t in texts)
            elif kind == 257:
                text = f"CAA {int(r['dns.caa.flags'], 0)} issue \"{r['dns.caa.issue']}\""
            else:
                raise AssertionError(r)
            yield text, ttl


if __name__ == "__main__":
    unittest.main()
