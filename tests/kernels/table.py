#!/usr/bin/env python3
"""Turns the logs of inside.py, one for each kernel, into tables with a column a kernel, and a tally.

table.py [--all] LOGS KERNEL...    --all: these are all kernels there are, so that what runs on none of them fails

    tool                        5.10                    6.1
    tcpconnect                  ok 27 fentry,fexit,...  FAIL 2/27      tests passed, variants that plumb chose

    forced                      5.10                    6.1
    tcpconnect accept=fentry    ok                      not there
"""
import json
import os
import sys
from collections import Counter


class Table:
    """Rows by name and columns by kernel, in the order in which they came."""

    def __init__(self, title, kernels):
        self.title, self.kernels, self.rows = title, kernels, {}

    def put(self, row, kernel, text):
        self.rows.setdefault(row, {})[kernel] = text

    def print(self):
        first = max(map(len, [self.title, *self.rows])) + 2
        widths = {k: max([len(k)] + [len(row.get(k, "-")) for row in self.rows.values()]) + 2 for k in self.kernels}
        print("\n" + (self.title.ljust(first) + "".join(k.ljust(widths[k]) for k in self.kernels)).rstrip())
        for name, row in self.rows.items():
            print((name.ljust(first) + "".join(row.get(k, "-").ljust(widths[k]) for k in self.kernels)).rstrip())


def facts_of(path):
    with open(path, errors="replace") as f:
        text = f.read()
    return [json.loads(line[5:]) for line in text.splitlines() if line.startswith("fact {")], text


def main():
    everything = sys.argv[1] == "--all"
    logs, *kernels = sys.argv[1 + everything:]
    tools, forced = Table("tool", kernels), Table("forced", kernels)
    tally, problems = Counter(), []

    def count(outcome, problem=None):
        tally[outcome] += 1
        if outcome == "failed":
            problems.append(problem)

    for kernel in kernels:
        log = os.path.join(logs, f"{kernel}.log")
        facts, text = facts_of(log)
        if {"end": True} not in facts:
            count("failed", f"{kernel}: it came to no end; its log ({log}) ends with\n" +
                  "\n".join("    " + line for line in text.splitlines()[-15:]))
        for f in facts:
            if "core" in f:
                total = f["passed"] + len(f["failed"])
                tools.put(f["core"], kernel, f"FAIL {len(f['failed'])}/{total}" if f["failed"] else
                          f"ok {total} {','.join(f['variants'])}".strip())
                tally.update(passed=f["passed"], skipped=f["skipped"])
                for name in f["failed"]:
                    count("failed", f"{kernel}: {name} failed (log: {log})")
            elif "forced" in f:
                row = f"{f['tool']} {f['forced']}"
                forced.put(row, kernel, f["outcome"])
                count({"FAIL": "failed", "skipped": "skipped"}.get(f["outcome"], "passed"),
                      f"{kernel}: {row}: {f['why']} (log: {log})")
    if everything:
        for row, cells in forced.rows.items():
            if "ok" not in cells.values():
                count("failed", f"{row}: no kernel can run it, so nothing shows that it works")
    for table in (tools, forced):
        table.print()
    print()
    for problem in problems:
        print(problem)
    print(f"{tally['passed']} passed, {tally['failed']} failed, {tally['skipped']} skipped")
    return 1 if tally["failed"] or not tally["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
