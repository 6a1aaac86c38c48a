#!/usr/bin/env python3
"""Mixed traffic between two network namespaces, captured on both sides, beside what tcpconnect and drops tell of it.

    sudo tests/bench/truth/mixed.py [--seconds 600] [--seed N] [--keep FOLDER] [--examples 3]

Programs connect, are refused, rejected, dropped, reset; send to closed ports and into full buffers; lose 6 % of their
segments; live for long or for a moment. Each logs what it did. In the end a table: how much of what happened was told
(recall), how much of what was told happened (precise), whether the owner was right, unknown or another, and which fields
were wrong. Below it some lines that do not fit. PLUMB names the executable. Needs root, tcpdump, nft and curl.
"""
import argparse
import collections
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../../live")]

import programs  # noqa: E402
from harness import Namespace, Plumb, parse_time_ns, wait_until  # noqa: E402
from judge import HEADING, Judge  # noqa: E402
from wire import Capture  # noqa: E402

import drops  # noqa: E402
import tcpconnect  # noqa: E402

LOSS_PERCENT = 6
ADDRESSES = ({"10.77.0.1", "fd77::1"}, {programs.V4, programs.V6})  # the clients', the servers'
SERVERS = (("server", "mx-serve", programs.SERVE), ("forking_server", "mx-fork", programs.FORKING),
           ("server", "mx-lossy", programs.LOSSY), ("full_receiver", "mx-full", programs.UDP_FULL))
CLIENTS = (("steady", "mx-steady", 3), ("short_lived", "mx-short", 1), ("lossy", "mx-drip", 4), ("blocked", "mx-wait", 2),
           ("flooding", "mx-flood", 1), ("curls", "mx-curls", 1))  # program, name, how many


class Hosts:
    """10.77.0.1 (clients) -- 10.77.0.2 (servers)."""

    def __init__(self):
        self.both = self.clients, self.servers = Namespace(), Namespace()
        self.clients.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns",
                         str(self.servers.pid))
        for ns, last in zip(self.both, (1, 2)):
            ns.run("ip", "addr", "add", f"10.77.0.{last}/24", "dev", "eth0")
            ns.run("ip", "addr", "add", f"fd77::{last}/64", "dev", "eth0", "nodad")
            ns.run("ip", "link", "set", "eth0", "up")
        self.servers.sysctl("net.ipv4.icmp_ratelimit", 0)  # each reject is answered
        loss = f"numgen random mod 100 < {LOSS_PERCENT} counter drop"
        self.servers.nft(f"tcp dport {programs.DROPPED} drop", f"udp dport {programs.UDP_DROPPED} drop",
                         f"tcp dport {programs.REJECTED} reject with icmpx type admin-prohibited",
                         f"tcp dport {programs.LOSSY} {loss}")
        self.clients.nft(f"tcp sport {programs.LOSSY} {loss}")
        wait_until(lambda: all("state UP" in ns.run("ip", "link", "show", "eth0").stdout for ns in self.both), "the wire")

    def randomly_lost(self):
        return sum(ns.dropped() for ns in self.both)

    def is_quiet(self):
        """No connection is left but what waits as TIME_WAIT."""
        return not any(ns.run("ss", "-tanH", "exclude", "listening", "exclude", "time-wait").stdout for ns in self.both)

    def close(self):
        for ns in self.both:
            ns.close()


class Tcpdump:
    def __init__(self, ns, path):
        self.path = path
        self.process = ns.popen("tcpdump", "-i", "eth0", "-w", path, "-s", "128", "-B", "65536", "-Z", "root",
                                "--time-stamp-precision=nano", stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        while "listening on" not in line:
            if not line:
                sys.exit("tcpdump did not start")
            line = self.process.stderr.readline()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        said = self.process.communicate()[1]
        missed = int(re.search(r"(\d+) packets? dropped by kernel", said)[1])
        if missed:
            print(f"{self.path}: the capture missed {missed} packets: its rows say less")


def start(ns, log, program, name, **arguments):
    command = [sys.executable, os.path.join(HERE, "programs.py"), program, json.dumps({"log": log, "name": name, **arguments})]
    return ns.popen(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def start_servers(hosts, log, which):
    servers = [start(hosts.servers, log, program, name, port=port) for program, name, port in which]
    for s in servers:
        if s.stdout.readline() != "ready\n":
            sys.exit(f"{s.args} did not start")
    return servers


def make_traffic(hosts, log, options):
    """Until every client has ended and every connection is closed."""
    clients = [start(hosts.clients, log, program, f"{name}{i}" if count > 1 else name, seconds=options.seconds,
                     seed=options.seed + 100 * k + i)
               for k, (program, name, count) in enumerate(CLIENTS) for i in range(count)]
    end = time.monotonic() + options.seconds + 60
    for client in clients:
        try:
            status = client.wait(max(1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            client.kill()
            status = client.wait()
        if status:
            print(f"{client.args[-2]} ended with status {status}: the table says less")
    try:
        wait_until(hosts.is_quiet, "the last connections to close", 40)
    except AssertionError as e:
        print(e)


def run(hosts, folder, options):
    log = os.path.join(folder, "log")
    dumps = [Tcpdump(ns, os.path.join(folder, f"{name}.pcap")) for ns, name in zip(hosts.both, ("clients", "servers"))]
    servers = start_servers(hosts, log, SERVERS[:2])  # older than the trace
    with Plumb("tcpconnect", "--role", "both", "--life", keys=tcpconnect.KEYS, settle=0.2) as connects, \
            Plumb("drops", keys=drops.KEYS, settle=0.2) as lost:
        servers += start_servers(hosts, log, SERVERS[2:])
        make_traffic(hosts, log, options)
        for s in servers:
            s.communicate()
    for dump in dumps:
        dump.stop()
    with open(log, encoding="utf-8") as f:
        facts = [json.loads(line) for line in f]
    for plumb, name in ((connects, "tcpconnect"), (lost, "drops")):
        with open(os.path.join(folder, f"{name}.json"), "wb") as f:
            f.write(plumb.output)
    return facts, here(hosts, connects.lines), here(hosts, lost.lines)


def here(hosts, lines):
    """The lines of these namespaces, and losses."""
    inodes = [ns.inode for ns in hosts.both]
    told = [e for e in lines if e["type"] == "lost" or e["netns"] in inodes]
    for e in told:
        e["ns"] = parse_time_ns(e["time"])
    return told


def report(judge, options):
    print(f"{HEADING}")
    for row in judge.rows():
        print(row.text())
    for what, examples in sorted(judge.examples.items()):
        print(f"\n{what} ({len(examples)}):")
        for line, fact in examples[:options.examples]:
            told = {k: v for k, v in (line or {}).items() if v is not None and k not in ("hint", "exe", "parent_comm")}
            print(f"  {json.dumps(told) if line else 'nothing told'}\n    truth: {fact}")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=600)
    options.add_argument("--seed", type=int, default=random.randrange(10**6))
    options.add_argument("--keep", help="keep logs, lines and captures here")
    options.add_argument("--examples", type=int, default=3, help="of each kind that does not fit")
    options = options.parse_args()
    folder = options.keep or tempfile.mkdtemp(prefix="plumb-mixed-")
    os.makedirs(folder, exist_ok=True)
    hosts = Hosts()
    try:
        facts, connects, lost = run(hosts, folder, options)
        captures = [Capture(os.path.join(folder, f"{name}.pcap"), own)
                    for name, own in zip(("clients", "servers"), ADDRESSES)]
        kinds = collections.Counter(f["fact"] for f in facts)
        print(f"{options.seconds:.0f} s, seed {options.seed}: {dict(kinds)}; {sum(c.count for c in captures)} packets captured; "
              f"{sum(e['count'] for e in connects + lost if e['type'] == 'lost')} events told as lost; "
              f"{sum(e['count'] for e in lost if e['type'] == 'drop' and e['count'] > 1)} drops folded")
        lines = [[e for e in told if e["type"] not in ("lost", "counter")] for told in (connects, lost)]
        report(Judge(facts, *lines, captures, [ns.inode for ns in hosts.both], hosts.randomly_lost()), options)
    finally:
        hosts.close()
        if not options.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
