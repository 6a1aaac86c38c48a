#!/usr/bin/env python3
"""Whether plumb's figures are right: the 20 functions with the largest shares, beside perf record --call-graph dwarf.

    sudo tests/bench/flame/shares.py [--seconds 15] [--check] [PROGRAM...]

PROGRAM: c++ xz python3 node go rust (default: all that are installed), each without frame pointers as distributions and
compilers make it by themselves. Both tools look at one process at the same time, so that they differ by chance and error
alone. --check fails when a share differs by more than 2 points or less is rooted than promised.
"""
import argparse
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../../..")
sys.path.insert(0, os.path.join(ROOT, "tests/live"))
os.environ.setdefault("PLUMB", os.path.join(ROOT, "build/plumb"))
import test_flame as live  # noqa: E402

MARGIN = 2.0  # points


def program(name, folder):
    """A command that runs for long enough, or nothing where it cannot be had."""
    seconds = "600"
    if name == "c++":
        return [live.spin(), seconds]
    if name == "xz":
        with open(os.path.join(folder, "data"), "wb") as f:
            for _ in range(64):
                f.write(os.urandom(500_000).hex().encode())
        return ["sh", "-c", f"exec xz -T1 -9e -c {folder}/data >/dev/null"]
    if name == "python3":
        return ["/usr/bin/python3", live.built("load.py", live.PYTHON.replace("+ 3", "+ 600"))]
    if name == "node" and shutil.which("node"):
        return [os.path.realpath(shutil.which("node")), "--perf-basic-prof", "--no-logfile-per-isolate",
                "--logfile=/dev/null", live.built("load.js", live.NODE.replace("3000", "600000"))]
    if name == "go" and shutil.which("go"):
        return [live.built("gospin.go", live.GO, "go", "build", "-o"), seconds]
    if name == "rust" and shutil.which("/usr/bin/rustc"):
        return [live.built("rustspin.rs", live.RUST, "/usr/bin/rustc", "-O", "-o"), seconds]
    return None


def plain(name):
    """A name as both have it: without arguments, template arguments, return type and Rust's hash."""
    if re.match(r"(LazyCompile|Function|JS|Builtin|BytecodeHandler|Eval|Script)\b", name):
        return name
    nameless = re.fullmatch(r"(.+)\+0x[0-9a-f]+", name)
    if nameless:
        return "in " + nameless[1]
    name = re.sub(r"::h[0-9a-f]{16}$", "", name)
    while (shorter := re.sub(r"<[^<>]*>", "", name)) != name:
        name = shorter
    return re.sub(r"(?<!^)\(.*", "", name).strip().rpartition(" ")[2]


def by_perf(data):
    report = subprocess.run(["perf", "report", "-i", data, "--no-children", "-g", "none", "--stdio", "-F",
                             "overhead,dso,sym", "-w", "0,200,0", "--percent-limit", "0"], capture_output=True, text=True,
                            check=True)
    shares = collections.Counter()
    for line in report.stdout.splitlines():
        match = re.match(r"\s*([0-9.]+)%\s+(\S+(?: tid [0-9]+)?)\s+\[[.k]\] (.+?)\s*$", line)
        if match and match[3].startswith("0x"):  # no symbol: perf has the instruction, plumb the function's start
            shares["in " + os.path.basename(match[2])] += float(match[1])
        elif match:
            shares[plain(match[3])] += float(match[1])
    return shares


def compare(name, command, folder, seconds):
    """The largest difference, in points, of the top 20; what plumb rooted."""
    data = os.path.join(folder, "perf.data")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as load:
        try:
            perf = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "499", "--call-graph", "dwarf,4096", "-o",
                                     data, "-p", str(load.pid), "--", "sleep", str(seconds)], stderr=subprocess.DEVNULL)
            taken = live.Taken("-F", "499", "-p", str(load.pid), "-d", f"{seconds}s")
            perf.wait()
        finally:
            load.kill()
    theirs = by_perf(data)
    ours = collections.Counter()
    for function, share in taken.self_shares().items():
        ours[plain(function)] += share
    top = [f for f, _ in theirs.most_common(20)]
    differences = {f: ours[f] - theirs[f] for f in top}
    worst = max(differences, key=lambda f: abs(differences[f]), default=None)
    print(f"{name:8} {taken.total:6} samples, {taken.rooted:5} % rooted, {len(top):2} functions with "
          f"{sum(theirs[f] for f in top):5.1f} % of perf's; largest difference "
          f"{differences.get(worst, 0):+.2f} points ({worst}: perf {theirs[worst]:.2f} %)", flush=True)
    return abs(differences.get(worst, 0)), taken.rooted


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("programs", nargs="*", default=["c++", "xz", "python3", "node", "go", "rust"])
    options = parser.parse_args()
    bad = False
    with tempfile.TemporaryDirectory() as folder:
        for name in options.programs:
            command = program(name, folder)
            if command is None:
                print(f"{name}: not installed")
                continue
            difference, rooted = compare(name, command, folder, options.seconds)
            bad = bad or difference > MARGIN or rooted < (97 if name == "python3" else 99)
    return 1 if bad and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
