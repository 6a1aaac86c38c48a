#!/usr/bin/env python3
"""Two builds of plumb beside each other in one run: what a change made better or worse.

    sudo tests/bench/versions/two.py OLD/build NEW/build [--rounds 15] [--connections 20000] [--new=--no-names]

Every round runs both, the first one first in even rounds, so that what the machine does meanwhile meets both alike. Given
are medians, the ratio of the medians, and the median of the rounds' own ratios: start (tcpconnect --json, until every
probe is attached), its CPU until then, wall time that it adds to a connection, the kernel's own count of what its programs
took (--stats) and plumb's CPU for one, peak resident memory, ns an event in the pipeline (bench_pipeline of each build, if
built), and the size of the executable. The added wall time is noise on a busy machine; the counts are not.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tcpconnect"))
import compare  # noqa: E402

STAGES = {"decode": r"^decode  ", "decode, enrich, JSON line": r"^decode, enrich, JSON line"}


def tcpconnect(build, *more):
    return compare.on_ready_file([os.path.join(build, "plumb"), "tcpconnect", "--json", *more])


def start(build, figures):
    process, took = tcpconnect(build, *figures.options)
    figures["start, ms"].append(1000 * took)
    figures["CPU of the start, ms"].append(compare.cpu_ns(process.pid) / 1e6)
    compare.stop(process)


def churn(program, connections):
    # A namespace of its own: sockets in TIME_WAIT of earlier runs must not slow later ones.
    out = subprocess.run(["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", program, str(connections)],
                         check=True, capture_output=True, text=True)
    return int(out.stdout.split()[0]) / 1000


def connections(build, figures, program, number, untraced):
    process, _ = tcpconnect(build, *figures.options)
    figures["us added to a connection"].append(churn(program, number) - untraced)
    figures["peak RSS, MB"].append(compare.peak_rss_kb(process.pid) / 1024)
    compare.stop(process)


def counted(build, figures, program, number):
    with tempfile.TemporaryFile("w+") as said:
        stderr = os.dup(2)
        os.dup2(said.fileno(), 2)  # plumb inherits it
        try:
            process, _ = tcpconnect(build, "--stats", *figures.options)
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
        before = compare.cpu_ns(process.pid)
        churn(program, number)
        time.sleep(0.25)  # what still waits in the ring buffer is part of the price
        figures["plumb's CPU, ns a connection"].append((compare.cpu_ns(process.pid) - before) / number)
        compare.stop(process)
        said.seek(0)
        runs = re.findall(r"^ +(state_changed\w*) +(\d+) runs +(\d+) ns", said.read(), re.MULTILINE)
    figures["BPF, ns a connection"].append(sum(int(n) * int(ns) for _, n, ns in runs) / number)


def pipeline(build, figures):
    bench = os.path.join(build, "tests/bench/bench_pipeline")
    if not os.path.exists(bench):
        return
    out = subprocess.run([bench, "300000", "3"], capture_output=True, text=True).stdout
    for name, pattern in STAGES.items():
        line = next(line for line in out.splitlines() if re.search(pattern, line))
        figures[f"ns an event: {name}"].append(float(re.search(r"([\d.]+) ns/event", line)[1]))


class Figures(dict):
    def __init__(self, *options):
        super().__init__()
        self.options = options  # of tcpconnect

    def __missing__(self, name):
        return self.setdefault(name, [])


def alternating(builds, rounds, step):
    for turn in range(rounds):
        for i in (0, 1) if turn % 2 == 0 else (1, 0):
            step(*builds[i])


def main():
    compare.with_tracefs()
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("old")
    options.add_argument("new")
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--connections", type=int, default=20000)
    options.add_argument("--new", action="append", default=[], dest="only_new", metavar="OPTION",
                         help="an option of tcpconnect that only the new build is given, such as --no-names")
    options = options.parse_args()
    builds = [(options.old, Figures()), (options.new, Figures(*options.only_new))]

    alternating(builds, 2 * options.rounds, start)
    with tempfile.TemporaryDirectory(prefix="plumb-bench-") as directory:
        program = os.path.join(directory, "churn")
        subprocess.run(["cc", "-O2", "-o", program, os.path.join(os.path.dirname(compare.__file__), "churn.c")], check=True)
        churn(program, 2000)  # warm up
        for turn in range(options.rounds):
            untraced = churn(program, options.connections)
            alternating(builds if turn % 2 == 0 else builds[::-1], 1,
                        lambda build, figures: connections(build, figures, program, options.connections, untraced))
            alternating(builds if turn % 2 == 0 else builds[::-1], 1,
                        lambda build, figures: counted(build, figures, program, options.connections))
    alternating(builds, min(options.rounds, 5), pipeline)
    for build, figures in builds:
        figures["size, MB"].append(os.path.getsize(os.path.join(build, "plumb")) / 1e6)

    print(f"{options.rounds} interleaved rounds of {options.connections} connections, {2 * options.rounds} starts; medians")
    print(f"{'':40}{'old':>9}{'new':>9}{'ratio':>8}{'by pairs':>10}{'least old':>11}{'least new':>11}")
    for name, old in builds[0][1].items():
        new = builds[1][1][name]
        if not new:
            continue
        pairs = statistics.median(b / a for a, b in zip(old, new) if a > 0)
        print(f"{name:40}{statistics.median(old):9.2f}{statistics.median(new):9.2f}"
              f"{statistics.median(new) / statistics.median(old):8.2f}{pairs:10.2f}{min(old):11.2f}{min(new):11.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
