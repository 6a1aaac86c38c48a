#!/usr/bin/env python3
"""clang-tidy over every file of the compilation database (or those named), as many at once as there are processors.

A file that was clean is not checked again until it, its command, a header of the project that it includes, the
configuration or clang-tidy changes: build/tidy/ keeps a mark for each clean state.
"""
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.path.join(ROOT, "build")
MARKS = os.path.join(BUILD, "tidy")
INCLUDE = re.compile(rb'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
# Where the project's own headers stand: the layers, the tools and tests, the BPF side.
HEADER_ROOTS = ("lib", "", "bpf", "tests", "build/generated")


def collect(path, seen):
    """The contents of a file and of all project headers that it reaches."""
    if path in seen:
        return
    with open(path, "rb") as f:
        seen[path] = f.read()
    for name in INCLUDE.findall(seen[path]):
        for folder in (os.path.dirname(path), *(os.path.join(ROOT, r) for r in HEADER_ROOTS)):
            header = os.path.normpath(os.path.join(folder, name.decode()))
            if os.path.isfile(header):
                collect(header, seen)
                break


def state_of(entry, common):
    seen = {}
    collect(entry["file"], seen)
    digest = hashlib.sha256(common + entry["command"].encode())
    for path in sorted(seen):
        digest.update(path.encode() + b"\0" + seen[path] + b"\0")
    return digest.hexdigest()


def check(entry, common):
    """None when the file was clean before, else clang-tidy's (status, output)."""
    mark = os.path.join(MARKS, state_of(entry, common))
    if os.path.exists(mark):
        return None
    done = subprocess.run(["clang-tidy", "--quiet", "-p", BUILD, entry["file"]], capture_output=True, text=True)
    if done.returncode == 0:
        open(mark, "w").close()
    return done.returncode, done.stdout + (done.stderr if done.returncode else "")


def main():
    with open(os.path.join(BUILD, "compile_commands.json")) as f:
        entries = {e["file"]: e for e in json.load(f) if not e["file"].startswith(BUILD)}
    wanted = [os.path.abspath(a) for a in sys.argv[1:]]
    chosen = [e for path, e in sorted(entries.items()) if not wanted or path in wanted]
    os.makedirs(MARKS, exist_ok=True)
    with open(os.path.join(ROOT, ".clang-tidy"), "rb") as f:
        common = f.read() + subprocess.run(["clang-tidy", "--version"], capture_output=True).stdout
    bad = remembered = 0
    shown = set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(lambda e: check(e, common), chosen):
            if result is None:
                remembered += 1
            elif result[0] != 0:
                bad += 1
                # A header's finding comes once for each file that includes it; it is shown once.
                findings = re.split(r"(?m)^(?=\S+:\d+:\d+: (?:error|warning))", result[1])
                print("".join(dict.fromkeys(f for f in findings if f not in shown)), end="", flush=True)
                shown.update(findings)
    print(f"clang-tidy: {len(chosen)} files, {remembered} unchanged since they were clean, {bad} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
