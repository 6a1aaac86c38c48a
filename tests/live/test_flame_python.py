"""Python functions in stacks, compared with what the interpreter itself says of its frames."""

import collections
import json
import os
import subprocess
import unittest

from harness import HERE, Plumb, core, needs, run_plumb

PYTHON = "/usr/bin/python3"
SHOWN = 128  # bytes of a name


def client(name):
    return os.path.join(HERE, "clients", name)


def libc_of(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        return next(line.split()[-1] for line in maps if "/libc.so" in line)


def folded(text):
    """Counts of Python stacks, root first, and of all stacks whole."""
    python, whole = collections.Counter(), collections.Counter()
    for line in text.splitlines():
        stack, _, weight = line.rpartition(" ")
        frames = stack.split(";")
        python[tuple(f.removesuffix("_[p]") for f in frames if f.endswith("_[p]"))] += int(weight)
        whole[tuple(frames)] += int(weight)
    return python, whole


def shown(frame):
    """As plumb shows a frame: of a long name the first bytes."""
    name, blank, file = frame.rpartition(" (")
    return frame if len(name.encode()) <= SHOWN else name[:SHOWN] + "\u2026" + blank + file


@needs(PYTHON)
@unittest.skipIf(os.geteuid() != 0, "needs root")
class Python(unittest.TestCase):
    @core
    def test_each_call_has_the_stack_that_the_interpreter_says(self):
        """Recursion, methods, generators, coroutines, calls from C, generated code, threads, a forked child: exactly."""
        with subprocess.Popen([PYTHON, client("stacks.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
            try:
                pids = json.loads(program.stdout.readline())
                with Plumb("flame", "-f", "folded", "--event", f"uprobe:{libc_of(pids[0])}:getppid", "-p", ",".join(map(str, pids)),
                           json_lines=False) as plumb:
                    program.stdin.write(b"go\n")
                    program.stdin.flush()
                    told = [json.loads(program.stdout.readline()) for _ in pids]
            finally:
                program.kill()
        expected = collections.Counter()
        for stack, count in (row for rows in told for row in rows):
            expected[tuple(map(shown, stack))] += count
        ours, whole = folded(plumb.output.decode())
        self.assertGreater(sum(expected.values()), 700)
        self.assertEqual(ours - expected, collections.Counter(), plumb.stderr)
        self.assertEqual(expected - ours, collections.Counter(), plumb.stderr)
        # Between the native frames: what Python calls through C stands between the functions on both sides.
        text = "\n".join(";".join(stack) for stack in whole)
        self.assertRegex(text, r"all_kinds \(stacks\.py\)_\[p\];[^\n]*;(?!all_kinds)[^;\n]*;Thing\.__lt__ \(stacks\.py\)_\[p\];mark \(stacks\.py\)_\[p\];[^\n]*getppid")
        self.assertNotIn("_PyEval_EvalFrameDefault", text)
        self.assertRegex(plumb.stderr, r"plumb: \d+ samples of Python\n")

    def test_shares_of_cpu_time_are_the_threads_own(self):
        with subprocess.Popen([PYTHON, client("burn.py"), "6"], stdout=subprocess.PIPE) as program:
            try:
                program.stdout.readline()
                with Plumb("flame", "-f", "folded", "-F", "999", "-p", str(program.pid), json_lines=False) as plumb:
                    spent = json.loads(program.stdout.readline())
            finally:
                program.kill()
        ours = collections.Counter()
        for stack, weight in folded(plumb.output.decode())[0].items():
            for name in spent:
                if any(frame.startswith(name + " ") for frame in stack):
                    ours[name] += weight
        for name, seconds in spent.items():
            self.assertAlmostEqual(100 * ours[name] / sum(ours.values()), 100 * seconds / sum(spent.values()), delta=3,
                                   msg=f"{ours} {spent}")

    def test_left_alone_it_is_the_interpreter_that_runs(self):
        done = run_plumb("flame", "-f", "folded", "-F", "499", "--no-python", "--", PYTHON, client("burn.py"), "1", timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        python, whole = folded(done.stdout.decode().split("}\n", 1)[-1])
        self.assertEqual(set(python), {()})
        self.assertIn("_PyEval_EvalFrameDefault", {f for stack in whole for f in stack})
        self.assertNotIn(b"samples of Python", done.stderr)


if __name__ == "__main__":
    unittest.main()
