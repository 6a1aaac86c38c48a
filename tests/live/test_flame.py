"""Stacks of real programs: that they reach the root, whose names they have, and that times are right."""

import collections
import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from flame_formats import firefox_faults, speedscope_faults
from harness import EMULATED, HERE, PLUMB, compiled, core, hook, needs, run_plumb, _programs

SYSCALL = "entry_SYSCALL" if os.uname().machine == "x86_64" else "el0t_64_sync"  # the kernel's way in, on arm64

GO = """package main
import ("os"; "sort"; "strconv"; "time")
func recurse(n int) int { if n < 2 { return n }; return recurse(n-1) + recurse(n-2) }
func sortSome() int { v := make([]int, 50000); x := 1; for i := range v { x = x*1103515245 + 12345; v[i] = x & 0xffff }; sort.Ints(v); return v[7] }
func main() { n, _ := strconv.Atoi(os.Args[1]); t := time.Now(); for time.Since(t) < time.Duration(n)*time.Second { recurse(30); sortSome() } }
"""
RUST = """use std::time::{Duration, Instant};
#[inline(never)] fn sort_some(n: u64) -> u64 { let mut v: Vec<u64> = (0..n).map(|i| i.wrapping_mul(6364136223846793005)).collect(); v.sort(); v[3] }
#[inline(never)] fn recurse(n: u64) -> u64 { if n < 2 { n } else { recurse(n - 1) + recurse(n - 2) } }
fn main() { let s: u64 = std::env::args().nth(1).unwrap().parse().unwrap(); let t = Instant::now(); let mut a = 0; while t.elapsed() < Duration::from_secs(s) { a += sort_some(20000) + recurse(31); } std::process::exit((a == 1) as i32) }
"""
PYTHON = """import json, re, time
end = time.time() + 3
def recurse(n): return n if n < 2 else recurse(n - 1) + recurse(n - 2)
while time.time() < end:
    recurse(14); text = json.dumps({"a": list(range(500))}); json.loads(text); re.findall(r"([0-9]+),", text)
"""
NODE = """function recurse(n) { return n < 2 ? n : recurse(n - 1) + recurse(n - 2) }
const end = Date.now() + 3000; let s = 0;
while (Date.now() < end) { s += recurse(20); s += JSON.stringify([...Array(500).keys()].sort()).length }
"""


@functools.cache
def built(name, text, *command):
    """The path of a program made from this text by a compiler."""
    source = os.path.join(_programs(), name)
    with open(source, "w") as f:
        f.write(text)
    if not command:
        return source
    path = source.rpartition(".")[0]
    done = subprocess.run([*command, path, source], capture_output=True, text=True, cwd=_programs(),
                          env={**os.environ, "GOCACHE": os.path.join(_programs(), "go"), "GO111MODULE": "off"})
    if done.returncode != 0:
        raise AssertionError(f"{name} does not compile:\n{done.stderr}")
    return path


@functools.cache
def spin(stripped=False):
    path = os.path.join(_programs(), "spin_stripped" if stripped else "spin")
    flags = ["-s"] if stripped else []
    subprocess.run(["c++", "-O2", "-std=c++20", "-fomit-frame-pointer", *flags, "-o", path,
                    os.path.join(HERE, "clients", "spin.cc")], check=True)
    return path


def disk_writes():
    """Milliseconds that all requests of all block devices took, by /proc/diskstats, in reads and writes."""
    with open("/proc/diskstats") as f:
        return sum(int(line.split()[6]) + int(line.split()[10]) for line in f)


class Taken:
    """A capture: its folded stacks and what plumb said of their quality."""

    def __init__(self, *arguments, status=0):
        done = run_plumb("flame", "-f", "folded", *arguments, timeout=120)
        self.stderr = done.stderr.decode()
        if done.returncode != status:
            raise AssertionError(f"exit status {done.returncode}: {self.stderr}")
        self.stacks = []
        for line in done.stdout.decode().splitlines():
            stack, _, weight = line.rpartition(" ")
            if ";" in stack or weight.isdigit():
                self.stacks.append((re.sub(r"_\[[a-z]\]", "", stack).split(";"), int(weight)))
        self.total = sum(w for _, w in self.stacks)
        rooted = re.search(r"([0-9.]+) % rooted", self.stderr)
        self.rooted = float(rooted[1]) if rooted else None

    def share(self, function):
        """Percent of the weight that has the function anywhere in its stack."""
        return 100.0 * self.weight(function) / max(self.total, 1)

    def weight(self, function):
        return sum(w for stack, w in self.stacks if any(f.startswith(function) for f in stack[1:]))

    def self_shares(self):
        shares = collections.Counter()
        for stack, weight in self.stacks:
            shares[stack[-1]] += weight
        return {f: 100.0 * w / self.total for f, w in shares.items()}


@unittest.skipIf(os.geteuid() != 0, "needs root")
class Rooted(unittest.TestCase):
    """Stacks of programs without frame pointers reach the thread's first function."""

    def check(self, least, *command, functions=()):
        taken = Taken("-F", "299", "--", *command)
        self.assertGreater(taken.total, 50)  # a busy machine gives the program part of a core
        # Of the few samples that a busy machine leaves, two are more than a hundredth.
        unrooted = taken.total * (100 - taken.rooted) / 100
        self.assertLessEqual(unrooted, max(2.1, taken.total * (100 - least) / 100), taken.stderr)
        for f in functions:
            self.assertGreater(taken.share(f), 2.0, f"{f}: {taken.stacks[:5]}")
        return taken

    @core
    @needs("c++")
    def test_cxx(self):
        taken = self.check(99, spin(), "3", functions=["sort_some", "recurse", "main"])
        self.assertGreater(taken.share("main"), 95.0)

    @needs("c++")
    def test_stripped_cxx_names_functions_by_their_start(self):
        taken = self.check(99, spin(stripped=True), "3")
        own = {f for stack, _ in taken.stacks for f in stack if f.startswith("spin_stripped+0x")}
        self.assertTrue(3 <= len(own) <= 12, own)  # functions, not instructions

    @needs("xz")
    def test_xz(self):
        self.check(99, "sh", "-c", "head -c 20000000 /dev/urandom | base64 | xz -T1 -1 >/dev/null",
                   functions=["lzma_code"])

    @needs("/usr/bin/python3")
    def test_python(self):
        self.check(97, "/usr/bin/python3", built("load.py", PYTHON), functions=["<module> (load.py)", "recurse (load.py)"])

    @needs("node")
    def test_node(self):
        node = os.path.realpath(shutil.which("node"))
        taken = self.check(99, node, "--perf-basic-prof", "--no-logfile-per-isolate", "--logfile=/dev/null",
                           built("load.js", NODE), functions=["node::Start"])
        named = sum(taken.share(f"{kind}{mark}recurse") for kind in ("LazyCompile:", "Function:", "JS:")
                    for mark in ("*", "~", "^", ""))
        self.assertGreater(named, 5.0)

    @needs("node")
    def test_node_with_a_jit_dump(self):
        node = os.path.realpath(shutil.which("node"))
        with tempfile.TemporaryDirectory() as folder:
            taken = self.check(98, "sh", "-c", f'cd {folder} && exec "$@"', "sh", node, "--perf-prof", "--no-logfile-per-isolate",
                               "--logfile=/dev/null", built("load.js", NODE), functions=["node::Start"])
            self.assertEqual([name.startswith("jit-") for name in os.listdir(folder)], [True])
        named = sum(w for stack, w in taken.stacks if any(re.search(r"\brecurse\b", f) for f in stack))
        self.assertGreater(100 * named / taken.total, 5.0)
        self.assertNotIn("--perf-basic-prof", taken.stderr)

    @needs("node")
    def test_node_without_its_map_is_told_how_to_get_one(self):
        node = os.path.realpath(shutil.which("node"))
        taken = Taken("-F", "299", "--", node, built("load.js", NODE))
        self.assertIn("--perf-basic-prof", taken.stderr)

    @needs("go")
    def test_go(self):
        self.check(99, built("gospin.go", GO, "go", "build", "-o"), "3",
                   functions=["main.recurse", "main.sortSome", "runtime.goexit"])

    @needs("go")
    def test_stripped_go(self):
        self.check(99, built("gostripped.go", GO, "go", "build", "-ldflags=-s -w", "-o"), "3",
                   functions=["main.recurse", "main.sortSome"])

    @needs("/usr/bin/rustc")
    def test_rust(self):
        self.check(99, built("rustspin.rs", RUST, "/usr/bin/rustc", "-O", "-o"), "3",
                   functions=["rustspin::sort_some", "rustspin::recurse", "rustspin::main"])


@unittest.skipIf(os.geteuid() != 0, "needs root")
class Cpu(unittest.TestCase):
    @needs("c++")
    @hook("counter")
    def test_samples_a_process(self):
        with subprocess.Popen([spin(), "20"]) as load:
            try:
                taken = Taken("-p", str(load.pid), "-d", "2s")
            finally:
                load.kill()
        self.assertGreater(taken.total, 10)
        self.assertEqual({stack[0] for stack, _ in taken.stacks}, {"spin"})
        self.assertGreater(taken.share("work"), 80.0)

    def test_viewers_get_whole_files(self):
        """Of the whole machine: kernel, modules, names of all kinds."""
        with tempfile.TemporaryDirectory() as folder:
            names = {"speedscope.json": speedscope_faults, "firefox.json": firefox_faults}
            run_plumb("flame", "-q", "-d", "1s", *(f"-o{folder}/x.{name}" for name in names), timeout=60)
            for name, faults in names.items():
                with open(f"{folder}/x.{name}", encoding="utf-8") as file:
                    self.assertEqual(faults(json.load(file)), [], name)

    @needs("c++")
    def test_processes_that_are_gone_have_names(self):
        taken = Taken("-F", "499", "--", "sh", "-c", f"for i in 1 2 3 4 5 6 7 8 9 10; do {spin()} 0.1; done")
        self.assertGreater(taken.share("work"), 80.0, taken.stderr)
        self.assertGreaterEqual(taken.rooted, 97)

    @needs("c++", "perf")
    def test_agrees_with_perf(self):
        """Self shares of the top functions beside perf's, taken at the same time from the same process. Of user code alone: on a
        busy machine perf's own copying of stacks takes several percent of the process's time in the kernel."""
        data = os.path.join(_programs(), "perf.data")
        with subprocess.Popen([spin(), "60"]) as load:
            try:
                perf = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "999", "--call-graph", "dwarf",
                                         "-o", data, "-p", str(load.pid), "--", "sleep", "8"],
                                        stderr=subprocess.DEVNULL)
                taken = Taken("-F", "999", "--user", "-p", str(load.pid), "-d", "8s")
                perf.wait()
            finally:
                load.kill()
        report = subprocess.run(["perf", "report", "-i", data, "--no-children", "-g", "none", "--stdio", "-F",
                                 "overhead,sym", "--percent-limit", "0"], capture_output=True, text=True, check=True)
        theirs = {}
        for line in report.stdout.splitlines():
            match = re.match(r"\s*([0-9.]+)%\s+\[\.\] (.+?)\s*$", line)
            if match:
                theirs[match[2].split("(")[0]] = float(match[1])
        user = sum(theirs.values())
        theirs = {function: 100.0 * share / user for function, share in theirs.items() if share >= 1}
        ours = collections.Counter()
        for function, share in taken.self_shares().items():
            ours[function.split("(")[0]] += share
        self.assertGreater(len(theirs), 1, report.stdout)
        for function, share in theirs.items():
            self.assertAlmostEqual(ours[function], share, delta=2.5, msg=f"{function}: {ours} {theirs}")


@unittest.skipIf(os.geteuid() != 0, "needs root")
class Top(unittest.TestCase):
    """--top --once: the hottest functions in one table. (In a terminal: test_top.)"""

    def rows(self, *arguments, status=0):
        done = run_plumb("flame", "--top", "--once", *arguments, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr)
        self.about, *table = done.stdout.decode().rstrip("\n").split("\n")
        rows = [re.fullmatch(r" *([\d.]+) +([\d.]+) +(?:([\d.]+) +)?(\S+(?: [a-z]*s)?) +(\S+) +(\S.*)", line) for line in table[1:]]
        self.assertNotIn(None, rows, table)
        return {r[6].partition("(")[0]: r for r in rows}, table[0]

    @needs("c++")
    def test_functions_by_their_own_share(self):
        rows, heading = self.rows("-F", "299", "--", spin(), "2")
        self.assertEqual(heading.split(), ["SELF%\u2193", "TOTAL%", "NOW%", "SAMPLES", "MODULE", "FUNCTION"])
        own = [float(r[1]) for r in rows.values()]
        self.assertEqual(own, sorted(own, reverse=True))
        self.assertGreater(float(rows["main"][2]), 95)
        self.assertLess(float(rows["main"][1]), 5)
        self.assertGreater(float(rows["recurse"][1]), 10)
        self.assertEqual(rows["recurse"][5], "spin")
        self.assertRegex(self.about, r"flame  \d+\.\d s  (cpu-clock|cycles) 299 Hz  \d+ samples, \d+ lost, [\d.]+ % rooted")

    def test_waits_have_times(self):
        rows, heading = self.rows("--event", "offcpu", "--", "sleep", "1")
        self.assertIn("TIME", heading)
        self.assertIn("__schedule", rows)
        self.assertRegex(rows["__schedule"][4], r"^1\.0\d s$|^\d+ ms$")

    def test_of_saved_stacks(self):
        with tempfile.TemporaryDirectory() as folder:
            saved = os.path.join(folder, "saved.json")
            run_plumb("flame", "-o", saved, "--event", "offcpu", "--", "sleep", "1", timeout=60)
            rows, heading = self.rows("--from", saved)
        self.assertIn("__schedule", rows)
        self.assertNotIn("NOW%", heading)

    def test_by_process(self):
        with tempfile.TemporaryDirectory() as folder:
            saved = os.path.join(folder, "saved.json")
            run_plumb("flame", "-o", saved, "--event", "offcpu", "--", "sh", "-c", "sleep 0.3 & sleep 0.2; wait", timeout=60)
            table = run_plumb("flame", "--top", "--once", "--by", "comm,pid", "--from", saved).stdout.decode()
        self.assertRegex(table, r"PID +COMM +MODULE +FUNCTION")
        rows = re.findall(r"(?m) (\d+) (\S+) +\S+ +__schedule$", table)
        self.assertEqual(len(rows), len(set(rows)))
        self.assertEqual(sorted(comm for _, comm in rows if comm == "sleep"), ["sleep", "sleep"])
        live = run_plumb("flame", "--top", "--once", "--by", "comm", "--event", "offcpu", "--", "sleep", "0.3", timeout=60).stdout
        self.assertRegex(live, rb"(?m)^ .* sleep .*__schedule$")

    def test_options_of_rows_are_refused(self):
        self.assertIn(b"comm, pid", run_plumb("flame", "--top", "--by", "count", "-d", "1s").stderr)
        self.assertEqual(run_plumb("flame", "--top", "--where", "count > 1", "-d", "1s").returncode, 2)


@functools.cache
def inlined(compiler="c++"):
    """A program with debug information, in a folder of its own."""
    folder = os.path.join(_programs(), f"inlined-{compiler}")
    os.makedirs(folder)
    path = os.path.join(folder, "inlined")
    subprocess.run([compiler, "-O2", "-g", "-std=c++20", "-o", path, os.path.join(HERE, "clients", "inlined.cc")], check=True)
    return path


@unittest.skipIf(os.geteuid() != 0, "needs root")
class Inlined(unittest.TestCase):
    """--inline: functions that the compiler put inside others."""

    def check(self, program):
        taken = Taken("--inline", "-F", "299", "--", program, "1")
        chains = collections.Counter()
        for stack, weight in taken.stacks:
            if "outer()" in stack:
                chains[tuple(stack[stack.index("outer()"):])] += weight
        whole = ("outer()", "deep::middle(deep::Mixer&)", "deep::Mixer::mix()")
        self.assertGreater(chains[whole], 0.8 * taken.total, chains)
        return taken

    @needs("c++")
    def test_by_gcc(self):
        self.check(inlined())

    @needs("clang++")
    def test_by_clang(self):
        self.check(inlined("clang++"))

    @needs("c++", "objcopy")
    def test_of_a_separate_debug_file(self):
        program = inlined() + "-stripped"
        subprocess.run(["objcopy", "--only-keep-debug", inlined(), program + ".debug"], check=True)
        subprocess.run(["objcopy", "--strip-all", f"--add-gnu-debuglink={program}.debug", inlined(), program], check=True)
        self.check(program)

    @needs("c++")
    def test_only_when_asked(self):
        taken = Taken("-F", "299", "--", inlined(), "0.5")
        self.assertGreater(taken.share("outer()"), 90)
        self.assertEqual(taken.weight("deep::"), 0, taken.stacks)

    @needs("c++", "objcopy")
    def test_damaged_debug_information_loses_nothing_else(self):
        program = inlined() + "-damaged"
        for section in (".debug_info", ".debug_abbrev", ".debug_str", ".debug_line"):
            noise = os.path.join(_programs(), "noise")
            with open(noise, "wb") as f:
                f.write(bytes((i * 7919 >> 3) & 255 for i in range(3000)))
            subprocess.run(["objcopy", f"--update-section={section}={noise}", inlined(), program], check=True,
                           stderr=subprocess.DEVNULL)
            taken = Taken("--inline", "-F", "299", "--", program, "0.5")
            self.assertGreater(taken.share("outer()"), 50, section)

    @needs("c++", "go")
    def test_pprof_has_lines(self):
        out = os.path.join(_programs(), "inlined.pb.gz")
        done = run_plumb("flame", "--inline", "-F", "299", "-o", out, "--", inlined(), "1", timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        listing = subprocess.run(["go", "tool", "pprof", "-top", "-lines", out], capture_output=True, text=True, check=True)
        self.assertRegex(listing.stdout, r"deep::Mixer::mix .*inlined\.cc:13")


@unittest.skipIf(os.geteuid() != 0, "needs root")
class Offcpu(unittest.TestCase):
    @hook("switch")
    def test_times_are_what_the_program_measured(self):
        out = os.path.join(_programs(), "waits.out")
        taken = Taken("--event", "offcpu", "--", "sh", "-c",
                      f"exec {compiled('waits.c', '-O2', '-fomit-frame-pointer', '-pthread')} >{out}")
        with open(out) as f:
            measured = {name: (float(took), float(queued)) for name, took, queued in (line.split() for line in f)}
        self.assertEqual(set(measured), {"w_sleeps", "w_locks", "w_reads", "w_waits"})
        for function, (took, queued) in measured.items():
            # Who is pushed off its CPU wants to run: that is no wait, and on a busy machine it is some of the time.
            said, most = taken.weight(function) / 1e9, (0.2 if EMULATED else 0.02) * took
            self.assertTrue(took - queued - most <= said <= took + most, (function, said, took, queued, taken.stderr))

    def test_nobody_woke_who_still_waits(self):
        taken = Taken("--event", "offcpu", "--wakers", "-d", "1s", "--", "sleep", "3")
        sleeps = [stack for stack, _ in taken.stacks if any("nanosleep" in f for f in stack)]  # exec may wait for its file
        self.assertEqual(len(sleeps), 1, taken.stacks)
        self.assertNotIn("woken by", sleeps[0])

    def test_dead_threads_do_not_wait(self):
        taken = Taken("--event", "offcpu", "--", "sh", "-c", "for i in 1 2 3; do /bin/true; done; sleep 1")
        self.assertEqual(taken.weight("do_task_dead"), 0, taken.stacks)

    @hook("waker")
    def test_who_ends_a_wait(self):
        taken = Taken("--event", "offcpu", "--wakers", "--", compiled("waits.c", "-O2", "-fomit-frame-pointer", "-pthread"))
        for function, waker, by in (("w_sleeps", "[interrupt]", None), ("w_locks", "waits", "holder"),
                                    ("w_reads", "waits", "writer"), ("w_waits", "waits", "do_exit")):
            known = collections.Counter()
            for stack, weight in taken.stacks:
                if function in stack:
                    self.assertEqual(stack.count("woken by"), 1, stack)
                    waking = stack[stack.index("woken by") + 1:]
                    known[waking[-1] == waker and (by is None or by in waking) and (by is not None or "main" not in waking)] += weight
            self.assertGreater(known[True], 0.9 * taken.weight(function), f"{function}: {taken.stacks}")

    def test_threads_that_still_wait_count(self):
        with subprocess.Popen(["sleep", "60"]) as load:
            try:  # its wait began before the trace: unknown, and so left out
                before = Taken("--event", "offcpu", "-p", str(load.pid), "-d", "300ms")
            finally:
                load.kill()
        self.assertEqual(before.total, 0)
        taken = Taken("--event", "offcpu", "-d", "1s", "--", "sleep", "3")
        self.assertGreater(taken.weight(SYSCALL) / 1e9, 0.7)
        self.assertLess(taken.weight(SYSCALL) / 1e9, 1.3)


@unittest.skipIf(os.geteuid() != 0, "needs root")
class Runq(unittest.TestCase):
    @needs("c++", "taskset")
    @hook("wakeup")
    def test_two_on_one_cpu_wait_for_each_other(self):
        taken = Taken("--event", "runq", "--", "taskset", "-c", "0", "sh", "-c", f"{spin()} 2 & {spin()} 2; wait")
        waited = taken.weight("main") / 1e9  # together: one runs, one waits; others may run there too
        self.assertGreater(waited, 1.5, taken.stderr)

    def test_a_sleep_is_no_wait_for_a_cpu(self):
        taken = Taken("--event", "runq", "--", "sleep", "1")
        self.assertLess(taken.weight(SYSCALL) / 1e9, 0.5)


@unittest.skipIf(os.geteuid() != 0, "needs root")
class Others(unittest.TestCase):
    @needs("c++")
    def test_page_faults(self):
        taken = Taken("--event", "faults", "--", spin(), "0.5")
        self.assertGreater(taken.total, 50)
        self.assertGreater(taken.share("main"), 5.0)

    @hook("tracepoint")
    def test_a_tracepoint_takes_a_stack_each_time(self):
        taken = Taken("--event", "tracepoint:sched:sched_process_exec", "--",
                      "sh", "-c", "for i in 1 2 3 4 5; do /bin/true; done")
        self.assertEqual(sum(w for stack, w in taken.stacks if stack[0] == "true"), 5, taken.stacks)
        self.assertEqual(taken.weight(SYSCALL), taken.total, taken.stacks)

    def test_a_tracepoint_has_user_stacks(self):
        taken = Taken("--event", "tracepoint:sched:sched_switch", "--",
                      compiled("waits.c", "-O2", "-fomit-frame-pointer", "-pthread"))
        for function in ("w_sleeps", "w_reads", "w_waits"):
            self.assertGreaterEqual(taken.weight(function), 1, taken.stacks)

    @hook("uprobe")
    def test_a_function_takes_a_stack_each_call(self):
        program = compiled("calls.c", "-O2", "-fomit-frame-pointer")
        taken = Taken("--event", f"uprobe:{program}:inner", "--", program)
        self.assertEqual(taken.total, 70)
        self.assertEqual({tuple(stack[-3:]) for stack, _ in taken.stacks}, {("main", "outer", "inner")})
        self.assertEqual(taken.rooted, 100)

    def direct_writes(self):
        """A command that writes 8 MiB to a block device, past the page cache."""
        folder = tempfile.mkdtemp(dir=HERE)
        self.addCleanup(shutil.rmtree, folder)
        command = ["dd", "if=/dev/zero", f"of={folder}/file", "bs=1M", "count=8", "oflag=direct", "status=none"]
        done = subprocess.run(command, capture_output=True, text=True)
        before = disk_writes()
        if done.returncode != 0 or subprocess.run(command).returncode != 0 or disk_writes() == before:
            self.skipTest(f"this file system writes to no block device: {done.stderr}")
        return command

    @hook("block")
    def test_block_requests_weigh_their_bytes(self):
        taken = Taken("--event", "block:bytes", "--", *self.direct_writes())
        self.assertAlmostEqual(taken.weight("vfs_write"), 8 << 20, delta=1 << 20, msg=taken.stacks)

    def test_block_requests_weigh_their_time(self):
        command = self.direct_writes()
        before = disk_writes()
        taken = Taken("--event", "block", "--", *command)
        milliseconds = disk_writes() - before  # the kernel's own sum of all requests' times
        self.assertGreater(taken.total, 0)
        self.assertGreater(taken.weight("vfs_write"), 0.5 * taken.total)
        self.assertLess(taken.total / 1e6, milliseconds + 20)

    def test_what_cannot_take_stacks_is_explained(self):
        for event, why in (("tracepoint:sched:nothing", b"no tracepoint sched:nothing"),
                           ("tracepoint:../..:nothing", b"names no tracepoint"),
                           ("uprobe:/bin/true:nothing", b"no function nothing in /bin/true"),
                           ("uprobe:/nothing:main", b"No such file")):
            done = run_plumb("flame", "--event", event, "-d", "100ms")
            self.assertEqual(done.returncode, 1, event)
            self.assertIn(why, done.stderr)
            self.assertLessEqual(len(done.stderr.splitlines()), 3, done.stderr)

    @needs("c++")
    def test_fail_if_judges_the_capture(self):
        taken = Taken("--fail-if", "rooted < 90% || lost > 1000", "--fail-if", 'total("sort_some") > 10%',
                      "-F", "299", "--", spin(), "1", status=3)
        self.assertRegex(taken.stderr, r"plumb: passed: rooted < 90% .*: rooted = \d+\.\d %, lost = \d+")
        self.assertRegex(taken.stderr, r"plumb: FAILED: total.*: total\(\"sort_some\"\) = \d+\.\d %")
        Taken("--fail-if", "count == 0", "--", spin(), "0.3")
        done = run_plumb("flame", "--fail-if", "roted < 95%")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"rooted", done.stderr)

    def test_wrong_events_are_explained(self):
        done = run_plumb("flame", "--event", "tracepoint:nothing")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"uprobe:PATH:SYMBOL", done.stderr)
