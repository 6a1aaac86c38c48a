#!/usr/bin/env python3
"""Whether the verdicts of `plumb flame diff` hold, over real captures of one program.

    sudo tests/bench/flame/diff.py [--runs 100] [--seconds 2] [--frequency 9999] [--check]

Each run takes three captures of its own of work.cc: two of the same program, which should give no "more", and one with a
function 10 % slower, which should be found beside the second: by `self("hot") > 0%`, and without naming it. No capture
serves in two runs, so that the runs are independent. 2 seconds of CPU time at 9,999 Hz are 20,000 samples. --check fails
with more than 5 of 100 wrong "more", or fewer than 95 of 100 found either way. A line a run tells how it stands.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PLUMB = os.path.abspath(os.environ.get("PLUMB", os.path.join(HERE, "../../../build/plumb")))


def capture(path, program, options, factor):
    subprocess.run([PLUMB, "flame", "-q", "--user", "-F", str(options.frequency), "-o", path, "--", program,
                    str(options.seconds), str(factor)], check=True)
    return path


def samples_in(path):
    with open(path) as f:
        return sum(int(line.rpartition(" ")[2]) for line in f if not line.startswith("#"))


def more(base, new, *arguments):
    """Whether some function is said to take more; with --fail-if, whether it holds."""
    done = subprocess.run([PLUMB, "flame", "diff", *arguments, base, new], capture_output=True, text=True)
    if arguments:
        return done.returncode == 3
    return int(re.search(r"own time: (\d+) functions? more", done.stderr)[1]) > 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--frequency", type=int, default=9999)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "work")
        subprocess.run(["c++", "-O2", "-std=c++20", "-o", program, os.path.join(HERE, "work.cc")], check=True)
        samples, wrong, found, found_unnamed = [], 0, 0, 0
        for i in range(1, options.runs + 1):
            base, again, slow = (capture(os.path.join(folder, f"{name}.folded"), program, options, factor)
                                 for name, factor in (("base", 1.0), ("again", 1.0), ("slow", 1.1)))
            samples += map(samples_in, (base, again, slow))
            wrong += more(base, again)
            found += more(again, slow, "--fail-if", 'self("hot") > 0%')
            found_unnamed += more(again, slow)
            print(f"{i}: {wrong} wrong, {found} found by name, {found_unnamed} without", flush=True)
    print(f"{options.runs} runs of captures with {statistics.median(samples):.0f} samples each: of the same program {wrong} give "
          f'a "more"; hot(), 10 % slower, is found in {found} when --fail-if names it, in {found_unnamed} when nothing does')
    return 1 if options.check and (wrong > 0.05 * options.runs or min(found, found_unnamed) < 0.95 * options.runs) else 0


if __name__ == "__main__":
    sys.exit(main())
