#!/usr/bin/env python3
"""What drops costs beside bpftrace's one-liner and beside no tracer, in one table of medians.

    sudo tests/bench/drops/compare.py [--rounds 5] [--drops 400000] [--check]

`flood` sends datagrams to a port where nobody listens, as fast as two senders can; each is one drop. Every round runs
each tracer once, so that what the machine does meanwhile meets all of them alike. "ns/drop" is CPU time of the senders, in
whose context the drops happen (their wall time is other programs', too); "added" what is above the untraced runs of the
same rounds; "BPF ns" is the kernel's own account of the program (bpf_stats), which itself
costs some 20 ns. The tracer's CPU is the scheduler's count of its threads during the flood, as a share of one core; "at
500k/s" is that CPU time a drop, times 500,000. --check fails when plumb misses or invents a drop, when it takes 10 % of
a core or more, or when a drop costs 1 us or more. PLUMB names the executable.
"""
import argparse
import json
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
SENDERS = 2


def cpu_ns(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as f:
            total += int(f.read().split()[0])
    return total


class Plumb:
    def __init__(self, directory, *args):
        self.out, self.err = os.path.join(directory, "out"), os.path.join(directory, "err")
        ready = os.path.join(directory, "ready")
        if os.path.exists(ready):
            os.unlink(ready)
        self.process = subprocess.Popen([PLUMB, "drops", "--json", "--type", "drop", "--port", "9", "--stats", *args,
                                         "--ready-file", ready], stdout=open(self.out, "w"), stderr=open(self.err, "w"))
        while not os.path.exists(ready):
            if self.process.poll() is not None:
                sys.exit(open(self.err).read())
            time.sleep(0.001)

    def stop(self):
        """How many drops it told, and the kernel's ns a run."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        told = sum(e.get("count", 0) for e in map(json.loads, open(self.out)) if e["type"] in ("drop", "summary"))
        ns = re.search(r"on_kfree_skb\s+\d+ runs\s+(\d+) ns", open(self.err).read())
        return told, int(ns[1])


class Bpftrace:
    PROGRAM = 'BEGIN { printf("x\\n"); } tracepoint:skb:kfree_skb { @[args->reason, args->location] = count(); }'

    def __init__(self):
        self.process = subprocess.Popen(["bpftrace", "-B", "none", "-e", self.PROGRAM], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        while self.process.stdout.readline() not in (b"x\n", b""):
            pass
        time.sleep(0.2)  # BEGIN runs before the others are attached

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate()
        return None, None


def tracers(directory):
    found = {
        "none": lambda: None,
        "plumb lines": lambda: Plumb(directory),
        "plumb summary": lambda: Plumb(directory, "--summary"),
    }
    if shutil.which("bpftrace"):
        found["bpftrace"] = Bpftrace
    else:
        print("bpftrace is not installed: left out")
    return found


def with_tracefs():
    """Starts this program anew with tracefs mounted for itself alone; bpftrace needs it, plumb does not."""
    if os.path.exists("/sys/kernel/tracing/events") or os.environ.get("PLUMB_BENCH_MOUNTED"):
        return
    os.environ["PLUMB_BENCH_MOUNTED"] = "1"
    script = 'mount -t tracefs tracefs /sys/kernel/tracing && mount -t debugfs debugfs /sys/kernel/debug; exec "$@"'
    os.execvp("unshare", ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, *sys.argv])


def flood(program, drops):
    """Both senders in a namespace of their own; ns of CPU time a drop, and how long it took in all."""
    command = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", program, str(drops // SENDERS)]
    started = time.perf_counter()
    senders = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(SENDERS)]
    seconds = 0
    for sender in senders:
        _, status, used = os.wait4(sender.pid, 0)
        sender.returncode = os.waitstatus_to_exitcode(status)
        if sender.returncode != 0:
            sys.exit(f"a sender ended with {sender.returncode}")
        seconds += used.ru_utime + used.ru_stime
    return seconds * 1e9 / drops, time.perf_counter() - started


def main():
    with_tracefs()
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--drops", type=int, default=400000)
    options.add_argument("--check", action="store_true")
    options = options.parse_args()
    broken = []
    with tempfile.TemporaryDirectory(prefix="plumb-bench-") as directory:
        program = os.path.join(directory, "flood")
        subprocess.run(["cc", "-O2", "-o", program, os.path.join(os.path.dirname(__file__), "flood.c")], check=True)
        flood(program, 20000)  # warm up
        runs = {name: {"ns": [], "cpu": [], "share": [], "bpf": []} for name in tracers(directory)}
        for _ in range(options.rounds):
            for name, start in tracers(directory).items():
                tracer = start()
                before = cpu_ns(tracer.process.pid) if tracer else 0
                ns, took = flood(program, options.drops)
                runs[name]["ns"].append(ns)
                if not tracer:
                    continue
                cpu = cpu_ns(tracer.process.pid) - before
                runs[name]["cpu"].append(cpu / options.drops)
                runs[name]["share"].append(100 * cpu / (took * 1e9))
                told, bpf = tracer.stop()
                if bpf is not None:
                    runs[name]["bpf"].append(bpf)
                    if told != options.drops:
                        broken.append(f"{name} told {told} of {options.drops} drops")

    print(f"{options.rounds} interleaved rounds of {options.drops} drops by {SENDERS} senders, medians")
    print(f"{'tracer':16}{'ns/drop':>9}{'added ns':>10}{'ratio':>8}{'BPF ns':>8}{'own CPU %':>11}{'at 500k/s %':>13}")
    for name, r in runs.items():
        middle = statistics.median(r["ns"])
        added = statistics.median(a - b for a, b in zip(r["ns"], runs["none"]["ns"]))
        row = f"{name:16}{middle:9.0f}{added:10.0f}{middle / statistics.median(runs['none']['ns']):8.2f}"
        if r["cpu"]:
            at_rate = statistics.median(r["cpu"]) * 500_000 / 1e9 * 100
            row += f"{statistics.median(r['bpf']) if r['bpf'] else 0:8.0f}{statistics.median(r['share']):11.2f}{at_rate:13.2f}"
            if name.startswith("plumb"):
                if statistics.median(r["share"]) >= 10:
                    broken.append(f"{name} takes {statistics.median(r['share']):.1f} % of a core, promised are 10")
                if statistics.median(r["bpf"]) >= 1000:
                    broken.append(f"{name}: a drop costs {statistics.median(r['bpf'])} ns in the kernel, promised is 1 us")
        print(row)
    if options.check:
        print("\n".join(broken) or "promises kept")
    return 1 if broken and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
