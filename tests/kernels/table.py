#!/usr/bin/env python3
"""Turns the logs of the core tests, one for each kernel, into a table tool x kernel and a tally.

table.py LOGS KERNEL...   A cell is "ok 14 tp_btf,fexit" (tests passed, variants that ran) or "FAIL 2/14".
"""
import os
import re
import sys
from collections import defaultdict

# "test_refused (test_tcpconnect.CoreClient.test_refused) ... ok", as unittest prints it at verbosity 2
TEST = re.compile(r"test_([a-z]+)\w*\.(\w+)\.(\w+)\b.*?\.\.\. (ok|FAIL|ERROR|SKIP.*|skipped.*)$")
VARIANT = re.compile(r"^variant (\w+) (\S+) (\S+)$")  # "variant tcpconnect accept fexit"


def main():
    logs, kernels = sys.argv[1], sys.argv[2:]
    cells = {}
    tools = []
    passed = failed = skipped = 0
    for kernel in kernels:
        results, variants = defaultdict(list), defaultdict(dict)
        with open(os.path.join(logs, f"{kernel}.log"), errors="replace") as f:
            text = f.read()
        for line in text.splitlines():
            if m := TEST.search(line):
                results[m[1]].append((m[4].split(":")[0], f"{m[2]}.{m[3]}"))
            elif m := VARIANT.match(line):
                variants[m[1]][m[2]] = m[3]
        if not results:
            failed += 1
            print(f"{kernel}: no test ran; the end of its log:")
            print("\n".join("    " + line for line in text.splitlines()[-15:]))
        for tool, outcomes in results.items():
            tools += [tool] if tool not in tools else []
            bad = [name for outcome, name in outcomes if outcome in ("FAIL", "ERROR")]
            good = sum(outcome == "ok" for outcome, _ in outcomes)
            passed, failed = passed + good, failed + len(bad)
            skipped += len(outcomes) - good - len(bad)
            chosen = ",".join(sorted(set(variants[tool].values())))
            cells[tool, kernel] = f"FAIL {len(bad)}/{len(outcomes)}" if bad else f"ok {good} {chosen}".strip()
            for name in bad:
                print(f"{kernel}: {tool}: {name} failed (log: {os.path.join(logs, kernel)}.log)")
    width = max([len(c) for c in cells.values()] + [len(k) for k in kernels] + [4]) + 2
    print("".join([f"{'tool':12}"] + [f"{k:{width}}" for k in kernels]).rstrip())
    for tool in tools:
        print("".join([f"{tool:12}"] + [f"{cells.get((tool, k), 'none'):{width}}" for k in kernels]).rstrip())
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
