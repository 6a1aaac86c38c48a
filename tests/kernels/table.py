#!/usr/bin/env python3
"""Turns the logs of inside.py, one for each kernel, into tables with a column a kernel, and a tally.

table.py [--all] LOGS KERNEL...    --all: these are all kernels there are, so that what runs on none of them fails

    tool                        5.10                    6.1
    tcpconnect                  ok 27 fentry,fexit,...  FAIL 2/27      tests passed, variants that plumb chose

    forced                      5.10                    6.1
    tcpconnect accept=fentry    ok                      not there

    programs                    5.10                    6.1
    tcpconnect                  ok 10, 2 absent         FAIL 1/11      accepted by the verifier; nothing to attach to

    fields                      5.10                    6.1
    tcpconnect                  ok 334                  FAIL 1/334     relocations that match the kernel's types
"""
import json
import os
import re
import shutil
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


def fields_of(path):
    """(object, relocations, mistakes) as match_fields wrote them, nothing being a mistake, too; and {question: yes}."""
    found, answers = [], {}
    with open(path, errors="replace") as f:
        for line in f:
            if m := re.match(r"(has|lacks) (.*)$", line):
                answers[m[2]] = answers.get(m[2], False) or m[1] == "has"
            elif m := re.match(r"(\w+) (?:ok|FAIL) (\d+) relocations$", line):
                found.append((m[1], m[2], []))
            elif found:
                found[-1][2].append(line.strip())
            else:
                found.append(("-", 0, [line.strip()]))
    return found or [("-", 0, ["match_fields said nothing"])], answers


def read_if_there(path):
    if not os.path.exists(path):
        return ""
    with open(path) as f:
        return f.read().strip()


def keep(logs, kernel):
    """Of a kernel that nothing failed on, for runs in which nothing is different (tests/kernels/run)."""
    where = read_if_there(os.path.join(logs, f"{kernel}.key"))
    for ending in (".fields", ".log") if where else ():
        shutil.copyfile(os.path.join(logs, kernel + ending), where + ending + ".new")
        os.rename(where + ending + ".new", where + ending)


def conclusion(tables, problems, tally):
    for table in tables:
        table.print()
    print()
    for problem in problems:
        print(problem)
    print(f"{tally['passed']} passed, {tally['failed']} failed, {tally['skipped']} skipped")
    return 1 if tally["failed"] or not tally["passed"] else 0


def put_facts(facts, kernel, log, tables, tally, count):
    """What inside.py found on a kernel, as cells and in the tally."""
    tools, forced, programs = tables
    for f in facts:
        if "tests" in f:
            total = f["passed"] + len(f["failed"])
            tools.put(f["tests"], kernel, f"FAIL {len(f['failed'])}/{total}" if f["failed"] else
                      f"ok {total} {','.join(f['variants'])}".strip())
            tally.update(passed=f["passed"], skipped=f["skipped"])
            for name in f["failed"]:
                count("failed", f"{kernel}: {name} failed (log: {log})")
        elif "forced" in f:
            row = f"{f['tool']} {f['forced']}"
            forced.put(row, kernel, f["outcome"])
            count({"FAIL": "failed", "skipped": "skipped"}.get(f["outcome"], "passed"),
                  f"{kernel}: {row}: {f['why']} (log: {log})")
        elif "verified" in f:
            accepted, refused, absent = f["accepted"], f["refused"], f["absent"]
            tally["passed"] += accepted
            programs.put(f["verified"], kernel,
                         f"FAIL {len(refused)}/{accepted + len(refused)}" if refused or not accepted else
                         f"ok {accepted}" + (f", {absent} absent" if absent else ""))
            for text in refused:
                count("failed", f"{kernel}: the verifier refuses {text}")
            if not refused and not accepted:
                count("failed", f"{kernel}: no program of {f['verified']} was tried (log: {log})")


def main():
    everything = sys.argv[1] == "--all"
    logs, *kernels = sys.argv[1 + everything:]
    tools, forced = Table("tool", kernels), Table("forced", kernels)
    programs, fields = Table("programs", kernels), Table("fields", kernels)
    tally, problems, unsteady, asked, kept = Counter(), [], [], {}, []

    def count(outcome, problem=None):
        tally[outcome] += 1
        if outcome == "failed":
            problems.append(problem)

    for kernel in kernels:
        before = tally["failed"], len(unsteady)
        log = os.path.join(logs, f"{kernel}.log")
        facts, text = facts_of(log)
        for part in [f["part"] for f in facts if "part" in f] or ["everything"]:
            if {"end": part} not in facts:
                count("failed", f"{kernel}: {part} came to no end (log: {log})")
        unsteady.extend(f"{line} ({kernel})" for line in text.splitlines() if line.startswith("UNSTEADY: "))
        put_facts(facts, kernel, log, (tools, forced, programs), tally, count)
        matched, answers = fields_of(os.path.join(logs, f"{kernel}.fields"))
        for question, yes in answers.items():
            asked[question] = asked.get(question, False) or yes
        for name, total, mistakes in matched:
            fields.put(name, kernel, f"FAIL {len(mistakes)}/{total}" if mistakes else f"ok {total}")
            tally["passed"] += not mistakes
            for mistake in mistakes:
                count("failed", f"{kernel}: {name}: {mistake}")
        if since := read_if_there(os.path.join(logs, f"{kernel}.kept")):
            kept.append(f"kept: {kernel} ran at {since}, and nothing that its results depend on is different now "
                        "(--fresh: all run)")
        elif before == (tally["failed"], len(unsteady)) and "it ended with status" not in text:
            keep(logs, kernel)
    if everything:
        for row, cells in forced.rows.items():
            if "ok" not in cells.values():
                count("failed", f"{row}: no kernel can run it, so nothing shows that it works")
        for question in (q for q, yes in asked.items() if not yes):
            count("failed", f"no kernel has {question}, which a program asks for: nothing shows that it is read right")
    return conclusion((tools, forced, programs, fields), kept + unsteady + problems, tally)


if __name__ == "__main__":
    sys.exit(main())
