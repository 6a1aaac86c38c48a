#!/usr/bin/env python3
"""What tests/kernels/run asks of one kernel: run in a machine that has booted it, or on this one for its own kernel.

- the core of the live tests, with the variants of hooks that plumb chooses by itself;
- each variant of each hook that `plumb doctor` lists: where it works, the tests marked with the hook pass with it, forced
  or, being the one that plumb chooses, among the core tests; where it does not, plumb says so and does not start;
- the kernel's verifier, on every BPF program of every tool (verify_programs);
- in a machine, its kernel locked down: kernel_lockdown(7) cannot be undone, so this comes last.

inside.py PART...    core, forced, programs or lockdown; core:TOOL and forced:TOOL are one tool's share, core:others what
                     is about no tool with hooks

What is found stands in lines "fact JSON", which table.py reads; all else is for people.
"""
import functools
import glob
import io
import json
import os
import platform
import subprocess
import sys
import unittest
from collections import defaultdict

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../live"))
from harness import hook_variants, run_plumb, run_tests, tests_that, tool_of  # noqa: E402

ENDED = {}  # how each test that ran with the hooks that plumb chooses ended: "ok", "FAIL" or why it was skipped
FOREIGN = platform.machine() != "x86_64"


def fact(**found):
    print("fact", json.dumps(found), flush=True)


def tell_tests(tests, row_of):
    """Runs these tests and tells how they ended, by the row that row_of(test) names."""
    ran = defaultdict(list)
    for test in tests:
        ran[row_of(test)].append(test.id())
    result, failed = run_tests(unittest.TestSuite(tests))
    skipped = {test.id() for test, _ in result.skipped}
    ran["(set-up)"] = sorted(failed - {name for names in ran.values() for name in names})
    for row, names in ran.items():
        if not names:
            continue
        fact(tests=row, failed=[n for n in names if n in failed], skipped=sum(n in skipped for n in names),
             passed=sum(n not in failed and n not in skipped for n in names),
             variants=sorted({v.name for v in hook_variants() if v.tool == row and v.chosen}))
    skips = {test.id(): why for test, why in result.skipped}
    ENDED.update({test.id(): "FAIL" if test.id() in failed else skips.get(test.id(), "ok") for test in tests})


@functools.cache
def cannot_run():
    """Tools that no variant of a hook they need works for, and why. It is so on no kernel of x86-64."""
    if not FOREIGN:
        return {}
    report = json.loads(run_plumb("doctor", "--json").stdout)
    return {tool["name"]: tool["why"] for tool in report["tools"] if not tool["can_run"]}


def of_share(tool, share):
    """Whether the share (a tool, "others", None: everything) has what is about this tool."""
    return share in (None, tool) or (share == "others" and tool not in {v.tool for v in hook_variants()})


def core(share=None):
    for tool, why in cannot_run().items():
        if not of_share(tool, share):
            continue
        done = run_plumb(tool, "--json", "-d", "1ms")
        said = done.returncode == 1 and bool(why) and len(done.stderr.splitlines()) <= 4  # the last is for machines
        fact(tests=tool, failed=[] if said else [f"{tool} ends with {done.returncode}: {done.stderr.decode()}"],
             skipped=0, passed=int(said), variants=["(cannot run, and says why)"])
    tests = tests_that(lambda test, method: getattr(method, "core", False) and tool_of(test) not in cannot_run() and
                       of_share(tool_of(test), share))
    if tests.countTestCases() != 0:
        tell_tests(list(tests), tool_of)


def with_variant(variant):
    """("ok", "") or what went wrong when the tests marked with the hook ran with this variant of it: among the core tests,
    if it is the one that plumb chooses by itself."""
    suite = tests_that(lambda test, method: tool_of(test) == variant.tool and
                       getattr(method, "hook", None) == variant.hook)
    names = {test.id() for test in suite}
    if not names:
        return "FAIL", f"no test is marked @hook(\"{variant.hook}\")"
    if variant.chosen and names <= ENDED.keys():
        failed = sorted(name for name in names if ENDED[name] == "FAIL")
        skips = [ENDED[name] for name in names if ENDED[name] not in ("ok", "FAIL")]
        return ("FAIL", ", ".join(failed)) if failed else ("skipped", skips[0]) if skips else ("ok", "")
    os.environ["PLUMB_HOOKS"] = f"{variant.hook}={variant.name}"
    out = io.StringIO()
    result, failed = run_tests(suite, out)
    if failed:
        print(out.getvalue())
        return "FAIL", ", ".join(sorted(failed))
    if result.skipped:
        return "skipped", result.skipped[0][1]
    return "ok", ""


def refused(variant):
    """Whether plumb says in its three lines that this variant does not work here."""
    os.environ["PLUMB_HOOKS"] = f"{variant.hook}={variant.name}"
    done = run_plumb(variant.tool, "--json", "-d", "1ms")  # shows all that there is, so that each hook is wanted
    text = done.stderr.decode()
    clear = (done.returncode == 1 and f"{variant.hook}={variant.name} does not work here" in text and
             sum(not line.startswith("{") for line in text.splitlines()) <= 3 and variant.why)
    return ("not there", variant.why) if clear else ("FAIL", f"forced, it ends with {done.returncode}: {text}")


def forced_variants(share=None):
    for variant in hook_variants():
        if not of_share(variant.tool, share):
            continue
        if variant.tool in cannot_run():
            fact(tool=variant.tool, forced=f"{variant.hook}={variant.name}", outcome="not there", why=variant.why)
            continue
        outcome, why = with_variant(variant) if variant.works else refused(variant)
        os.environ.pop("PLUMB_HOOKS", None)
        fact(tool=variant.tool, forced=f"{variant.hook}={variant.name}", outcome=outcome, why=why)


def programs():
    build = os.path.join(HERE, "../..", os.environ.get("BUILD", "build"))
    objects = sorted(glob.glob(os.path.join(build, "bpf/*.bpf.o")))
    done = subprocess.run([os.path.join(build, "tests/kernels/verify_programs"), *objects], text=True,
                          stdout=subprocess.PIPE)
    print(done.stdout, end="")
    found = {os.path.basename(o).partition(".")[0]: {"ok": [], "absent": [], "FAIL": []} for o in objects}
    last = None
    for line in done.stdout.splitlines():
        words = line.split(" ", 3)
        if words[0] in found and len(words) > 2 and words[2] in found[words[0]]:
            last = [line]  # and what more is said of the program
            found[words[0]][words[2]].append(last)
        elif last:
            last.append("    " + line)
    for name, by_outcome in found.items():
        fact(verified=name, accepted=len(by_outcome["ok"]), absent=len(by_outcome["absent"]),
             refused=["\n".join(lines) for lines in by_outcome["FAIL"]])


def lock_down():
    from test_odd_kernels import Odd
    tell_tests([Odd("lock_down")], lambda test: "(lockdown)")


def main():
    hook_variants()  # asked before anything is forced
    does = {"core": core, "forced": forced_variants, "programs": programs, "lockdown": lock_down}
    for part in sys.argv[1:]:
        name, *share = part.split(":")
        does[name](*share)
        fact(end=part)


if __name__ == "__main__":
    main()
