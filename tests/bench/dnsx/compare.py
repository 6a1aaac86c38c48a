#!/usr/bin/env python3
"""Whether dnsx sees every lookup of a load, what it costs beside tshark, and what it costs packets that are no DNS.

    sudo tests/bench/dnsx/compare.py [--rounds 3] [--seconds 5] [--check]

dnsperf asks dnsmasq in a network namespace of their own. Each round runs the load under dnsx and under tshark (which
prints names, codes and answers, as dnsx does); compared are the CPU seconds of each, all its processes included, for each
lookup that the load completed. Then `flood` sends packets that are no DNS with dnsx and without, by turns; of each the
quickest counts, since what else a busy machine does only ever adds. --check fails when a
promise is broken: all lookups told or counted as lost, a fifth of tshark's CPU, 60 ns a packet, 25 ms until ready.
PLUMB names the executable.
"""
import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
PLUMB = os.environ.get("PLUMB", os.path.join(ROOT, "build/plumb"))
os.environ["PATH"] += ":/usr/sbin:/sbin"
NAMES = 1000


class Load:
    def __init__(self, directory):
        self.directory = directory
        self.ns = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.ns.pid}/ns/net") == own:
            time.sleep(0.001)
        self.prefix = ["nsenter", f"--net=/proc/{self.ns.pid}/ns/net"]
        subprocess.run([*self.prefix, "ip", "link", "set", "lo", "up"], check=True)
        hosts, self.queries = (os.path.join(directory, name) for name in ("hosts", "queries"))
        with open(hosts, "w") as f:
            f.writelines(f"10.1.{i // 250}.{i % 250 + 1} n{i}.test\n" for i in range(NAMES))
        with open(self.queries, "w") as f:
            f.writelines(f"n{i}.test A\n" for i in range(NAMES))
        self.server = subprocess.Popen(
            [*self.prefix, "dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", f"--addn-hosts={hosts}", "--user=root",
             "--conf-file=/dev/null", "--pid-file=", "--listen-address=127.0.0.1", "--bind-interfaces", "--local=/test/"],
            stderr=subprocess.DEVNULL)
        while subprocess.run([*self.prefix, "dig", "+tries=1", "+time=1", "@127.0.0.1", "n1.test"],
                             capture_output=True).returncode != 0:
            time.sleep(0.05)

    def run(self, seconds):
        """Lookups completed, and a second."""
        text = subprocess.run([*self.prefix, "dnsperf", "-s", "127.0.0.1", "-d", self.queries, "-l", str(seconds), "-c",
                               "4", "-q", "50"], check=True, capture_output=True, text=True).stdout
        done = int(re.search(r"Queries completed:\s+(\d+)", text)[1])
        sent = int(re.search(r"Queries sent:\s+(\d+)", text)[1])
        return sent, done, float(re.search(r"Queries per second:\s+([\d.]+)", text)[1])

    def close(self):
        self.server.terminate()
        self.server.wait()
        self.ns.stdin.close()
        self.ns.wait()


def ended(process, sig=signal.SIGINT):
    """Ends it; CPU seconds of it and its children."""
    process.send_signal(sig)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    return usage.ru_utime + usage.ru_stime


def start(command, directory, out):
    ready = os.path.join(directory, "ready")
    if os.path.exists(ready):
        os.unlink(ready)
    began = time.perf_counter()
    with open(out, "wb") as stdout, open(out + ".err", "wb") as stderr:
        process = subprocess.Popen([*command, "--ready-file", ready], stdout=stdout, stderr=stderr)
    while not os.path.exists(ready):
        if process.poll() is not None:
            sys.exit(f"{command} ended: {open(out + '.err').read()}")
        time.sleep(0.0005)
    return process, time.perf_counter() - began


def under_dnsx(load, seconds):
    out = os.path.join(load.directory, "dnsx.json")
    process, ready = start([PLUMB, "dnsx", "--json", "--stats"], load.directory, out)
    sent, done, rate = load.run(seconds)
    time.sleep(0.3)
    cpu = ended(process)
    told = lost = answered = 0
    with open(out) as f:
        for line in f:
            if '"type":"lost"' in line:
                lost += int(re.search(r'"count":(\d+)', line)[1])
            elif '"comm":"dnsperf"' in line:
                told += 1
                answered += '"outcome":"answered"' in line
    return dict(sent=sent, done=done, rate=rate, told=told, answered=answered, lost=lost, ready=ready,
                cpu=cpu / done * 1e6, stats=open(out + ".err").read())


def under_tshark(load, seconds):
    process = subprocess.Popen(
        [*load.prefix, "tshark", "-i", "lo", "-l", "-n", "-f", "port 53", "-T", "fields", "-e", "dns.qry.name", "-e",
         "dns.flags.rcode", "-e", "dns.a", "-e", "dns.time"],
        stdout=open(os.path.join(load.directory, "tshark"), "wb"), stderr=subprocess.PIPE)
    while b"Capturing" not in process.stderr.readline():
        pass
    time.sleep(1)
    sent, done, rate = load.run(seconds)
    time.sleep(1)
    cpu = ended(process)
    with open(os.path.join(load.directory, "tshark"), "rb") as f:
        told = sum(1 for line in f if line.split(b"\t")[2:3] != [b""])
    return dict(done=done, rate=rate, told=told, cpu=cpu / done * 1e6)


def flood(program, kind, count):
    return float(subprocess.run([program, kind, str(count)], check=True, capture_output=True, text=True).stdout)


def added_by_dnsx(program, kind, count, directory, turns=6):
    """Nanoseconds that dnsx adds to a packet, and those of a packet without it. Short runs: some are never interrupted."""
    quickest = {False: float("inf"), True: float("inf")}
    for turn in range(2 * turns):
        traced = turn % 2 == 1
        if traced:
            process, _ = start([PLUMB, "dnsx", "--json"], directory, os.path.join(directory, "quiet"))
        quickest[traced] = min(quickest[traced], *(flood(program, kind, 5000) for _ in range(max(1, count // turns // 5000))))
        if traced:
            ended(process)
    return quickest[True] - quickest[False], quickest[False]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--packets", type=int, default=300000)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    missing = [p for p in ("dnsperf", "dnsmasq", "tshark", "dig", "cc") if shutil.which(p) is None]
    if missing:
        print(f"dnsx: SKIP: not installed: {', '.join(missing)}")
        return 0
    directory = tempfile.mkdtemp(prefix="plumb-bench-")
    program = os.path.join(directory, "flood")
    subprocess.run(["cc", "-O2", "-o", program, os.path.join(os.path.dirname(__file__), "flood.c")], check=True)
    load = Load(directory)
    ours, theirs, added = [], [], {"udp": [], "tcp": []}
    try:
        for _ in range(options.rounds):
            ours.append(under_dnsx(load, options.seconds))
            theirs.append(under_tshark(load, options.seconds))
            for kind in added:
                added[kind].append(added_by_dnsx(program, kind, options.packets, directory))
    finally:
        load.close()
        shutil.rmtree(directory)
    for r in ours:
        print(f"dnsx    {r['rate']:8.0f}/s  completed {r['done']}  answered {r['answered']}  told {r['told']}  "
              f"lost {r['lost']}  {r['cpu']:.2f} us a lookup  ready {r['ready'] * 1e3:.1f} ms")
    for r in theirs:
        print(f"tshark  {r['rate']:8.0f}/s  completed {r['done']}  told {r['told']}  {r['cpu']:.2f} us a lookup")
    ratio = statistics.median(r["cpu"] for r in ours) / statistics.median(r["cpu"] for r in theirs)
    print(f"CPU of dnsx to tshark's: {ratio:.3f}")
    cost = {}
    for kind, pairs in added.items():
        cost[kind] = statistics.median(a for a, _ in pairs)
        print(f"a {kind} packet that is no DNS: {cost[kind]:+.0f} ns, sent and received, beside "
              f"{statistics.median(w for _, w in pairs):.0f} ns without")
    print(ours[-1]["stats"], end="")
    complete = all(r["answered"] + r["lost"] >= r["done"] for r in ours)
    ready = statistics.median(r["ready"] for r in ours)
    good = complete and ratio <= 0.2 and max(cost.values()) <= 60 and ready <= 0.025
    return 0 if good or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
