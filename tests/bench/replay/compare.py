#!/usr/bin/env python3
"""How long a million saved lines take to read again (--from): as lines, as a summary, as a verdict.

    compare.py [--rounds N] [--check]

The lines are as tcpconnect and dnsx write them, with varied values. Best of the rounds; --check fails over 2 s of CPU (one thread: on a
quiet machine that is the time it takes).
"""
import argparse
import json
import os
import random
import resource
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PLUMB = os.environ.get("PLUMB", os.path.join(HERE, "../../../build/plumb"))
LINES = 1_000_000
MOST_S = 2.0
ASKED = {
    "json": ["--json"],
    "where": ["--json", "--where", "latency > 900ms && comm =~ 'curl'"],
    "summary": ["--summary", "--by", "comm"],
    "verdict": ["-f", "csv", "--where", "pid == 1", "--fail-if", "p99(latency) > 10s"],
}


def write_lines(tool, path):
    with open(os.path.join(HERE, f"../../golden/expected/{tool}.json"), encoding="utf-8") as f:
        models = [line for line in map(json.loads, f) if line["type"] in ("connect", "query")]
    generator = random.Random(1)
    block = []
    for _ in range(10_000):
        line = dict(generator.choice(models))
        line["pid"] = generator.randrange(1, 100_000)
        line["latency_ms"] = round(generator.expovariate(1 / 50), 6)
        block.append(json.dumps(line, separators=(",", ":"), ensure_ascii=False))
    text = "\n".join(block) + "\n"
    with open(path, "w", encoding="utf-8") as f:
        for _ in range(LINES // len(block)):
            f.write(text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    slow = False
    with tempfile.TemporaryDirectory() as folder:
        for tool in ("tcpconnect", "dnsx"):
            path = os.path.join(folder, f"{tool}.json")
            write_lines(tool, path)
            megabytes = os.path.getsize(path) / 1e6
            for name, args in ASKED.items():
                wall = cpu = float("inf")
                for _ in range(options.rounds):
                    begin, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
                    subprocess.run([PLUMB, tool, "--from", path, "-o", "/dev/null", *args], check=True,
                                   stderr=subprocess.DEVNULL)
                    after = resource.getrusage(resource.RUSAGE_CHILDREN)
                    wall = min(wall, time.monotonic() - begin)
                    cpu = min(cpu, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
                print(f"replay: {tool} {name}: {LINES} lines, {megabytes:.0f} MB: {wall:.2f} s, of which CPU {cpu:.2f} s")
                slow = slow or cpu > MOST_S
            os.unlink(path)
    return 1 if slow and options.check else 0


if __name__ == "__main__":
    raise SystemExit(main())
