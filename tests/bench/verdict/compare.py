#!/usr/bin/env python3
"""How often base(...) is right about real runs: pairs of runs of one program over loopback, traced by httptrace.

    compare.py [--pairs N] [--rows N] [--check]

1. Both runs of a pair are the same program: how many pairs are "worse" at p99 > 1.2 x base. By chance, 4 of 200 at most.
2. The second run is 1.5 times slower: how many are found when the report is followed, which says how many rows would do where it
   is inconclusive. 95 of 100 at least.

service.c is the program; its pauses are random, and the machine's noise is on top. One trace watches runs after one another in a
network namespace of the bench's own; their lines are told apart by process. The verdicts are those of `plumb httptrace --from
RUN --baseline RUN --fail-if ... --report`.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../live"))
from harness import Namespace  # noqa: E402

PLUMB = os.path.abspath(os.environ.get("PLUMB", os.path.join(HERE, "../../../build/plumb")))
WORSE = "p99(latency) > 1.2 * base(p99(latency))"
SLOWER = 1.5
FOLLOWED = 3  # times that the report's number of rows is run
MOST_ROWS = 60_000


class Runs:
    """Runs of the service, traced."""

    def __init__(self, folder):
        self.folder, self.namespace = folder, Namespace()
        self.service = os.path.join(folder, "service")
        subprocess.run(["cc", "-O2", "-Wall", "-o", self.service, os.path.join(HERE, "service.c"), "-lm", "-pthread"], check=True)
        self.lines, ready = os.path.join(folder, "all.json"), os.path.join(folder, "ready")
        self.plumb = subprocess.Popen([PLUMB, "httptrace", "--netns", self.namespace.path, "--role", "client", "-q", "-o", self.lines,
                                       "--columns", "pid,latency_ms,status", "--ready-file", ready])
        while not os.path.exists(ready):
            if self.plumb.poll() is not None:
                raise RuntimeError("plumb ended before it was ready")
            time.sleep(0.01)
        self.read, self.number = 0, 0

    def run(self, rows, factor=1.0):
        """The file of a run's lines. One of which events were lost, because plumb had no processor, is run again."""
        for _ in range(5):
            path = self.run_once(rows, factor)
            if path:
                return path
        raise RuntimeError("five runs in a row lost events")

    def run_once(self, rows, factor):
        process = self.namespace.popen(self.service, str(rows), str(factor))
        if process.wait(300) != 0:
            raise RuntimeError("the service failed")
        self.number += 1
        path = os.path.join(self.folder, f"{self.number}.json")
        kept, wanted = [], f'"pid":{process.pid},'.encode()
        end = time.monotonic() + 60
        with open(self.lines, "rb") as f, open(path, "wb") as out:
            while len(kept) < rows:
                f.seek(self.read)
                data = f.read()
                whole = data[:data.rfind(b"\n") + 1]
                self.read += len(whole)
                kept += [line for line in whole.splitlines(keepends=True) if wanted in line]
                if b'"lost"' in whole:
                    return None
                if time.monotonic() > end:
                    raise RuntimeError(f"{len(kept)} of {rows} requests were traced")
                if len(kept) < rows:
                    time.sleep(0.02)
            out.writelines(kept)
        return path

    def verdict(self, now, before):
        report = os.path.join(self.folder, "report.json")
        done = subprocess.run([PLUMB, "httptrace", "--from", now, "--baseline", before, "--fail-if", WORSE, "--report", report,
                               "-o", "/dev/null", "-f", "csv"], stderr=subprocess.PIPE, text=True)
        with open(report, encoding="utf-8") as f:
            verdict = json.load(f)["verdicts"][0]
        if done.returncode != (3 if verdict["verdict"] == "failed" else 0):
            raise RuntimeError(done.stderr)
        return verdict

    def pair(self, rows, factor=1.0):
        before = self.run(rows)
        now = self.run(rows, factor)
        verdict = self.verdict(now, before)
        os.unlink(before)
        os.unlink(now)
        return verdict

    def close(self):
        self.plumb.send_signal(signal.SIGINT)
        self.plumb.wait(60)
        self.namespace.close()


def count_worse(runs, pairs, rows):
    said = [runs.pair(rows)["verdict"] for _ in range(pairs)]
    worse = said.count("failed")
    print(f"verdict: {pairs} pairs of the same program, {rows} requests each: worse {worse}, the same {said.count('passed')}, "
          f"inconclusive {said.count('inconclusive')}", flush=True)
    return worse


def count_found(runs, pairs, rows):
    found, asked = 0, []
    for _ in range(pairs):
        verdict = runs.pair(rows, SLOWER)
        for _ in range(FOLLOWED):
            if verdict["verdict"] != "inconclusive" or not verdict["rows_needed"]:
                break
            asked.append(min(verdict["rows_needed"], MOST_ROWS))
            verdict = runs.pair(asked[-1], SLOWER)
        found += verdict["verdict"] == "failed"
    asked.sort()
    often = f"asked for more {len(asked)} times, median {asked[len(asked) // 2]}, most {asked[-1]}" if asked else "never asked for more"
    print(f"verdict: {pairs} pairs of a program and one {SLOWER} times slower, {rows} requests each at first: found {found}; the report "
          f"{often}", flush=True)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=0, help="of the same program; half as many of a slower one")
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    pairs = options.pairs or (200 if options.check else 10 * options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(folder)
        try:
            worse = count_worse(runs, pairs, options.rows)
            found = count_found(runs, pairs // 2, options.rows)
        finally:
            runs.close()
    return 1 if options.check and (worse > pairs // 50 or found < pairs // 2 * 0.95) else 0


if __name__ == "__main__":
    raise SystemExit(main())
