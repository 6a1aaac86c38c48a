#!/usr/bin/env python3
"""What a flame graph costs: `plumb flame` beside perf record, perf script and a stackcollapse.

    tests/bench/flame/compare.py [SECONDS]

Runs a load of C++ without frame pointers, xz and python on all CPUs, takes it once by each, and prints CPU seconds (of
the tool and all its children), the time from the end of the capture to the finished file, and peak memory. perf's last
step, the drawing, is left out: it only adds to perf's side.
"""
import collections
import os
import re
import resource
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../../..")
PLUMB = os.path.abspath(os.environ.get("PLUMB", os.path.join(ROOT, "build/plumb")))


def loads(folder):
    spin = os.path.join(folder, "spin")
    subprocess.run(["c++", "-O2", "-std=c++20", "-fomit-frame-pointer", "-o", spin,
                    os.path.join(ROOT, "tests/live/clients/spin.cc")], check=True)
    commands = [[spin, "600"], ["sh", "-c", "while :; do head -c 20000000 /dev/urandom | xz -1 >/dev/null; done"],
                ["/usr/bin/python3", "-c", "import json\nwhile True: json.dumps(json.loads(json.dumps(list(range(999)))))"]]
    return [subprocess.Popen(c, start_new_session=True) for c in commands]


def cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(command, **options):
    before = cpu()
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=True, **options)
    return cpu() - before, time.monotonic() - start, done


def collapse(text):
    """What stackcollapse-perf.pl does, in its simplest form."""
    counts = collections.Counter()
    for sample in text.split("\n\n"):
        lines = sample.splitlines()
        if lines:
            counts[";".join(m[1] for m in (re.match(r"\s+[0-9a-f]+ (.+?)(\+0x[0-9a-f]+)? \(", x) for x in lines[:0:-1]) if m)] += 1
    return counts


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    with tempfile.TemporaryDirectory() as folder:
        children = loads(folder)
        try:
            svg = os.path.join(folder, "cpu.svg")
            used, wall, done = run([PLUMB, "flame", "-d", f"{seconds}s", "--stats", "-o", svg])
            print(done.stderr, end="")
            print(f"plumb flame: {used:.2f} s CPU, {wall - seconds:.2f} s beside the capture, "
                  f"{os.path.getsize(svg) / 1e6:.2f} MB of SVG")
            data = os.path.join(folder, "perf.data")
            record, record_wall, _ = run(["perf", "record", "-q", "-a", "-e", "cpu-clock", "-F", "99", "--call-graph",
                                          "dwarf", "-o", data, "--", "sleep", str(seconds)])
            script, script_wall, done = run(["perf", "script", "-i", data])
            before = time.process_time()
            stacks = collapse(done.stdout)
            folding = time.process_time() - before
            print(f"perf record | script | collapse: {record:.2f} + {script:.2f} + {folding:.2f} s CPU, "
                  f"{record_wall - seconds + script_wall + folding:.2f} s beside the capture, "
                  f"{os.path.getsize(data) / 1e6:.1f} MB of perf.data, {len(stacks)} stacks")
            print(f"plumb's CPU is {used / (record + script + folding):.3f} of perf's")
        finally:
            for child in children:
                os.killpg(child.pid, 9)


if __name__ == "__main__":
    main()
