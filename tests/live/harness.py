#!/usr/bin/env python3
"""Live tests: real programs make real traffic, plumb traces it, and its lines are compared with what the programs know.

Run as a program, it finds and runs every test_*.py beside it (arguments: parts of test names; --core: only those marked
so; --in FOLDER: those of another suite) and ends with "N passed, N failed, N skipped". PLUMB names the executable under
test.

Each file runs in a process of its own, several side by side: tests mostly wait, and what they make is in namespaces of
their own. Tests that others would disturb, because they look at the whole machine or fill what all share, are marked
with @alone and run when the others are through.
"""
import argparse
import atexit
import collections
import concurrent.futures
import contextlib
import ctypes
import datetime
import fcntl
import functools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import typing
import unittest
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
PLUMB = os.path.abspath(os.environ.get("PLUMB", os.path.join(HERE, "../../build/plumb")))
# How far two clocks' views of one moment may lie apart, in ms. In an emulated machine a probe takes a hundred times as
# long, and truth is tested there, not speed.
EMULATED = bool(os.environ.get("PLUMB_TEST_EMULATED"))
APART_MS = 200.0 if EMULATED else 1.0
DEADLINE = 30.0  # seconds that nothing here may take; generous, because the machine may be busy or emulated
os.environ["PATH"] += ":/usr/sbin:/sbin"
libc = ctypes.CDLL(None, use_errno=True)

SHARED_KEYS = {"time", "type", "pid", "tid", "comm", "exe", "parent_pid", "parent_comm", "uid", "container", "pod", "namespace", "netns"}


def sanitized():
    """Whether the plumb under test is built with the address sanitizer."""
    with open(PLUMB, "rb") as f:
        return b"__asan_init" in f.read()


def wait_until(condition, what, deadline=DEADLINE):
    """Polls until condition() is true and returns its value; fails by name when it does not come."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline} s for {what}")
        time.sleep(0.02 if EMULATED else 0.002)  # to look takes long there, and what is waited for runs on the same thread


def needs(*programs):
    """Skips a test where a program is missing."""
    missing = [p for p in programs if shutil.which(p) is None]
    return unittest.skipIf(missing, f"not installed: {', '.join(missing)}")


def core(test):
    """Marks what has to hold on every kernel: the tests that tests/kernels/run repeats under emulation (--core)."""
    test.core = True
    return test


def alone(why):
    """Marks a test, or a class of tests, that others would disturb."""
    def mark(test):
        test.alone = why
        return test
    return mark


def hook(name):
    """Marks a core test that fails when this hook of its tool is blind, and that leans on as few others as can be:
    tests/kernels/run repeats it with each variant of the hook forced."""
    def mark(test):
        test.hook = name
        return core(test)
    return mark


class Variant(typing.NamedTuple):
    """One way to hook, as `plumb doctor` lists it."""
    tool: str
    hook: str
    name: str
    works: bool
    chosen: bool
    why: str  # it does not work; empty: it does


@functools.cache
def hook_variants():
    """Every variant of every hook of every tool."""
    report = json.loads(run_plumb("doctor", "--json").stdout)
    return [Variant(tool["name"], hook["name"], v["name"], v["works"] is True, hook["chosen"] == v["name"],
                    v["why"] or "")
            for tool in report["tools"] for hook in tool["hooks"] for v in hook["variants"]]


def forced(*hooks):
    """An environment in which the tool takes these variants ("accept=sys_exit") beside those already forced."""
    return {"PLUMB_HOOKS": ",".join(filter(None, [os.environ.get("PLUMB_HOOKS"), *hooks]))}


def parse_time_ns(text):
    """RFC 3339 in UTC with nine digits, to nanoseconds since 1970."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z", text)
    if not match:
        raise AssertionError(f"not RFC 3339 UTC with nanoseconds: {text!r}")
    seconds = datetime.datetime.fromisoformat(match[1]).replace(tzinfo=datetime.timezone.utc).timestamp()
    return int(seconds) * 10**9 + int(match[2])


def heed_signals():
    """As from a terminal: whoever runs the tests may have them ignored, in the background or under nohup."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Plumb:
    """One run of plumb. Entered, every probe is attached; stop() ends it with SIGINT and checks that it ended well.

        with Plumb("tcpconnect", "--role", "both") as plumb:
            ...traffic...
        lines = plumb.lines

    `keys` maps a line's type to the exact set of its keys; each JSON line is checked against it.
    """

    def __init__(self, *args, keys=None, json_lines=True, expect_status=0, env=None, prefix=(), stdout=None,
                 settle=0.0, executable=PLUMB):
        self.keys = keys
        self.json_lines = json_lines
        self.expect_status = expect_status
        self.directory = tempfile.mkdtemp(prefix="plumb-live-")
        self.ready = os.path.join(self.directory, "ready")
        own = ["--ready-file", self.ready] + (["--json"] if json_lines else [])
        self.command = [*prefix, executable, args[0], *own, *args[1:]]
        self.env = {**os.environ, **(env or {})}
        self.stdout_to = stdout
        self.settle = settle
        self.output = b""
        self.stderr = ""
        self.process = None
        self.lines = []

    def __enter__(self):
        self._out = open(os.path.join(self.directory, "out"), "w+b")
        self._err = open(os.path.join(self.directory, "err"), "w+b")
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.stdout_to or self._out,
                                        stderr=self._err, env=self.env, preexec_fn=heed_signals)
        try:
            wait_until(lambda: os.path.exists(self.ready) or self.process.poll() is not None, "the ready file")
            if not os.path.exists(self.ready):
                raise AssertionError(f"plumb ended before it was ready, status {self.process.returncode}")
        except BaseException:
            self._collect()
            self._explain()
            raise
        return self

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                self.finish(signal.SIGINT)
        except BaseException:
            kind = True
            raise
        finally:
            self._collect()
            if kind is not None:
                self._explain()

    def so_far(self):
        """The complete lines written until now, parsed but unchecked."""
        with open(self._out.name, "rb") as f:
            data = f.read()
        return [json.loads(line) for line in data[:data.rfind(b"\n") + 1].splitlines()]

    def wait_for(self, condition, what):
        """Until condition(lines so far) is true."""
        return wait_until(lambda: condition(self.so_far()), f"{what} in plumb's lines")

    def finish(self, sig=None):
        """Ends it with `sig` (None: it ends by itself), checks status and lines."""
        if self.lines or self.process is None:
            return self.lines
        if sig is not None and self.process.poll() is None:
            time.sleep(self.settle)
            self.process.send_signal(sig)
        self.status = self.process.wait(DEADLINE)
        self._collect()
        if self.expect_status is not None and self.status != self.expect_status:
            raise AssertionError(f"exit status {self.status}, expected {self.expect_status}; stderr:\n{self.stderr}")
        if self.json_lines and self.stdout_to is None:
            self.lines = [self._check(line) for line in self.output.splitlines()]
            if self.output and not self.output.endswith(b"\n"):
                raise AssertionError("the last line is cut")
        return self.lines

    def _check(self, raw):
        try:
            line = json.loads(raw.decode("utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError) as e:
            raise AssertionError(f"not a JSON line in UTF-8: {raw!r}: {e}") from None
        pairs = json.loads(raw, object_pairs_hook=list)
        if len(pairs) != len(line):
            raise AssertionError(f"a key stands twice: {raw!r}")
        if line.get("type") == "lost":
            if set(line) != {"type", "time", "count"}:
                raise AssertionError(f"keys of a lost line: {sorted(line)}")
        elif self.keys is not None:
            expected = self.keys.get(line.get("type"))
            if expected is None:
                raise AssertionError(f"unknown type: {raw!r}")
            if set(line) != expected:
                raise AssertionError(f"{line['type']}: missing {sorted(expected - set(line))}, "
                                     f"unexpected {sorted(set(line) - expected)}")
        if "time" in line:
            parse_time_ns(line["time"])
        return line

    def _collect(self):
        if self.process is None or self._out.closed:
            return
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._out.seek(0)
        self._err.seek(0)
        self.output = self._out.read()
        self.stderr = self._err.read().decode(errors="replace")
        self._out.close()
        self._err.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _explain(self):
        print(f"\n--- {' '.join(self.command)}\n--- stderr:\n{self.stderr}\n--- stdout ends:", file=sys.stderr)
        for line in self.output.decode(errors="replace").splitlines()[-12:]:
            print("   ", line, file=sys.stderr)


def run_plumb(*args, env=None, prefix=(), stdout=subprocess.PIPE, timeout=DEADLINE, executable=PLUMB):
    """Runs plumb to its end; for command lines that need no traffic."""
    return subprocess.run([*prefix, executable, *args], stdin=subprocess.DEVNULL, stdout=stdout,
                          stderr=subprocess.PIPE, env={**os.environ, **(env or {})}, timeout=timeout)


class Namespace:
    """A throw-away network namespace with its loopback up. A process holds it; when that is gone, so is everything
    in it. `inside()` moves the calling thread in for a while; `run()` runs a command there."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        own = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != own, "the namespace")
        self.fd = os.open(f"/proc/{self.holder.pid}/ns/net", os.O_RDONLY)
        self.path = f"/proc/{self.holder.pid}/ns/net"
        self.inode = os.fstat(self.fd).st_ino
        self.run("ip", "link", "set", "lo", "up")

    @property
    def pid(self):
        return self.holder.pid

    def prefix(self):
        return ["nsenter", f"--net={self.path}"]

    def run(self, *command, check=True):
        return subprocess.run([*self.prefix(), *command], check=check, capture_output=True, text=True)

    def popen(self, *command, **options):
        return subprocess.Popen([*self.prefix(), *command], **options)

    def sysctl(self, name, value):
        with self.inside(), open("/proc/sys/" + name.replace(".", "/"), "w") as f:
            f.write(str(value))

    def nft(self, *rules, hook="input"):
        """Adds a chain of nftables rules for packets on their way in (or, hook="output", out)."""
        text = f"table inet {hook} {{\nchain c {{\ntype filter hook {hook} priority 0;\n"
        text += "".join(rule + "\n" for rule in rules) + "}\n}\n"
        done = subprocess.run([*self.prefix(), "nft", "-f", "-"], input=text, text=True, capture_output=True)
        if done.returncode != 0:
            raise AssertionError(f"nft refuses\n{text}{done.stderr}")

    def dropped(self):
        """How many packets drop() has dropped."""
        return sum(map(int, re.findall(r"counter packets (\d+)", self.run("nft", "list", "ruleset").stdout)))

    def nft_flush(self):
        self.run("nft", "flush", "ruleset")

    def drop(self, match):
        """Drops what matches on its way in."""
        self.nft(f"{match} counter drop")

    def drop_first_syn(self, port):
        """Drops one SYN to `port` in a minute; what is over that rate passes."""
        syn = f"tcp flags & (syn | ack) == syn tcp dport {port}"
        self.nft(f"{syn} limit rate over 1/minute burst 1 packets accept", f"{syn} drop")

    @contextlib.contextmanager
    def inside(self):
        back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            if libc.setns(self.fd, 0x40000000) != 0:  # CLONE_NEWNET
                raise OSError(ctypes.get_errno(), "setns")
            yield self
        finally:
            libc.setns(back, 0x40000000)
            os.close(back)

    def close(self):
        os.close(self.fd)
        self.holder.stdin.close()
        self.holder.wait()


class LiveTest(unittest.TestCase):
    """Gives each test a network namespace of its own, so that rules and sysctls never leak and other traffic of the
    machine is told apart by the `netns` field."""

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        if not os.access(PLUMB, os.X_OK):
            self.fail(f"there is no executable {PLUMB}; run ./dev build")
        self.ns = Namespace()
        self.addCleanup(self.ns.close)

    def mine(self, lines, **fields):
        """The lines of this test's namespace with these field values."""
        return [e for e in lines
                if e.get("netns") == self.ns.inode and all(e.get(k) == v for k, v in fields.items())]

    def needs_hook(self, tool, hook):
        """Skips where no variant of it works."""
        tried = [v for v in hook_variants() if (v.tool, v.hook) == (tool, hook)]
        if not any(v.works for v in tried):
            self.skipTest("; ".join(v.why for v in tried))

    def one(self, lines, **fields):
        found = self.mine(lines, **fields)
        self.assertEqual(len(found), 1, f"lines with {fields}: {found}; all: {self.mine(lines)}")
        return found[0]

    def assertNothingLost(self, lines):
        self.assertEqual([e for e in lines if e["type"] == "lost"], [])

    def with_nothing_lost(self, run):
        """What run() returns, its Plumbs first. An interrupt in the few instructions in which a program cannot be run
        again is told as a loss; they take so long under emulation that a run with many events may be repeated there."""
        for _ in range(3 if EMULATED else 1):
            result = run()
            lost = [e for plumb in result[0] for e in plumb.lines if e["type"] == "lost"]
            if not lost:
                break
        self.assertEqual(lost, [])
        return result


class Cgroup:
    """A cgroup of the v2 hierarchy, wherever that is mounted. None there: the test skips."""

    def __init__(self, name=None):
        with open("/proc/mounts") as f:
            mounts = [line.split() for line in f]
        roots = [m[1] for m in mounts if m[2] == "cgroup2"]
        if not roots:
            raise unittest.SkipTest("no cgroup v2 mount")
        self.path = os.path.join(roots[0], name or f"plumb-test-{uuid.uuid4().hex[:8]}")
        os.mkdir(self.path)

    def prefix(self):
        """A command prefix that enters the cgroup."""
        return ["sh", "-c", f'echo $$ > {self.path}/cgroup.procs && exec "$@"', "sh"]

    def child(self, name):
        child = object.__new__(Cgroup)
        child.path = os.path.join(self.path, name)
        os.mkdir(child.path)
        return child

    def close(self):
        wait_until(self._remove, f"{self.path} to become empty")

    def _remove(self):
        try:
            os.rmdir(self.path)
            return True
        except OSError:
            return False


def compiled(source, *flags):
    """The executable of a C program of clients/, built once a run."""
    path = os.path.join(_programs(), source.replace(".c", ""))
    if not os.path.exists(path):
        done = subprocess.run(["cc", "-O1", "-Wall", *flags, "-o", path, os.path.join(HERE, "clients", source)],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"{source} does not compile:\n{done.stderr}")
    return path


@functools.cache
def _programs():
    directory = tempfile.mkdtemp(prefix="plumb-clients-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


class Result(unittest.TextTestResult):
    """One line a test, skips with their reason."""

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def getDescription(self, test):
        return test.id()

    def addSkip(self, test, reason):
        unittest.TestResult.addSkip(self, test, reason)
        self.stream.writeln(f"SKIP: {reason}")


def tool_of(test):
    """Which tool a test is about, by its file's name: test_TOOL_topic.py."""
    return re.search(r"\btest_([a-z]+)", test.id())[1]


@functools.cache
def all_tests(folder):
    """Every test of test_*.py in the folder. To find them takes seconds under emulation."""
    found = []

    def add(tests):
        for test in tests:
            if isinstance(test, unittest.TestSuite):
                add(test)
            else:
                found.append(test)

    add(unittest.defaultTestLoader.discover(os.path.abspath(folder), "test_*.py"))
    return found


def tests_that(wanted, folder=HERE):
    """The tests of test_*.py in the folder for which wanted(test, its function) holds. A file that cannot be imported
    fails, whatever was asked for."""
    return unittest.TestSuite(test for test in all_tests(folder) if isinstance(test, unittest.loader._FailedTest) or
                              wanted(test, getattr(test, test.id().rpartition(".")[2], None)))


MOST_AGAIN = 3  # that fail: more is no accident
FAILED = "FAILED: "


def run_once(tests, stream):
    result = unittest.TextTestRunner(stream=stream, verbosity=2, resultclass=Result).run(unittest.TestSuite(tests))
    bad = [t for t, _ in result.failures + result.errors] + result.unexpectedSuccesses
    return result, {getattr(t, "test_case", t).id() for t in bad}  # of a subtest its test


def run_tests(suite, stream=sys.stdout):
    """Runs them, verbosely; the result and the ids of those that failed.

    A few that fail are run once more: this is a busy or an emulated machine. What passes only then is not hidden:
    a line UNSTEADY names it, `./dev test` ends with those lines, and they are a defect to be looked into.
    """
    tests = list(suite)
    result, failed = run_once(tests, stream)
    again = [test for test in tests if test.id() in failed]
    if 0 < len(again) <= MOST_AGAIN and len(again) == len(failed):
        _, failed = run_once(again, stream)
        for test in again:
            if test.id() not in failed:
                print(f"UNSTEADY: {test.id()} failed, then passed", flush=True)
    return result, failed


def file_of(test):
    return test.id().partition(".")[0] if not isinstance(test, unittest.loader._FailedTest) else test._testMethodName


def is_alone(test):
    return bool(getattr(test, "alone", None) or getattr(getattr(test, test._testMethodName), "alone", None))


def run_apart(job, options):
    """Runs the chosen tests of one file, those marked @alone or the others, in a process; its exit status and output."""
    file, apart, names = job
    command = [sys.executable, __file__, "--in", options.folder, "--file", file, "--alone", str(int(apart)), "--once",
               *(["--core"] if options.core else []), *names]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode(errors="replace")


def run_side_by_side(tests, options):
    """Files side by side, the longest first, then what is marked @alone, then once more, by itself, what failed (see
    run_tests); the exit status."""
    count_of = collections.Counter((file_of(test), is_alone(test)) for test in tests)
    jobs = [(*job, options.names) for job, _ in count_of.most_common()]
    total, bad, failed = [0, 0, 0], [], []

    def tell(job, result):
        status, output = result
        *lines, last = output.rstrip("\n").split("\n")
        tally = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", last)
        counts = [int(n) for n in tally.groups()] if tally else [0, 1, 0]  # it died before it could say
        again = [line.removeprefix(FAILED) for line in lines if line.startswith(FAILED)]
        if tally and again and len(again) == counts[1]:
            failed.extend((job[0], job[1], [name]) for name in again)
        elif status != 0 or not tally:
            bad.append(job)  # it ran nothing, or died behind its last line
        print("\n".join(lines if tally else [*lines, last]), flush=True)
        return counts

    def add(counts):
        for i, n in enumerate(counts):
            total[i] += n

    with concurrent.futures.ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        running = {pool.submit(run_apart, job, options): job for job in jobs if not job[1]}
        for done in concurrent.futures.as_completed(running):
            add(tell(running[done], done.result()))
    for job in jobs:
        if job[1]:
            add(tell(job, run_apart(job, options)))
    first, failed = failed, []
    if len(first) > MOST_AGAIN:
        failed = first
    else:
        for job in first:
            passed, again, _ = tell(job, run_apart(job, options))
            if not passed and not again:
                bad.append(job)  # what failed is no test: what prepares a class
            elif not again:
                add([1, -1, 0])
                print(f"UNSTEADY: {job[2][0]} failed, then passed", flush=True)
    print("{} passed, {} failed, {} skipped".format(*total))
    return 1 if bad or failed else 0


def main():
    sys.path.insert(0, HERE)
    sys.modules["harness"] = sys.modules["__main__"]
    parser = argparse.ArgumentParser()
    parser.add_argument("--core", action="store_true")
    parser.add_argument("--in", dest="folder", default=HERE)
    parser.add_argument("--file", help="this test file, in this process")
    parser.add_argument("--alone", type=int, default=0, help="with --file: 1 those marked so, 0 the others")
    parser.add_argument("--once", action="store_true", help="those that fail are named, for another try elsewhere")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    suite = tests_that(
        lambda test, method: (not options.core or getattr(method, "core", False)) and
        (not options.names or any(n in test.id() for n in options.names)) and
        (not options.file or (file_of(test), is_alone(test)) == (options.file, bool(options.alone))), options.folder)
    if not options.file and len({(file_of(test), is_alone(test)) for test in suite}) > 1:
        return run_side_by_side(suite, options)
    if options.once:
        result, failed = run_once(suite, sys.stdout)
        print("".join(f"{FAILED}{test}\n" for test in sorted(failed)), end="")
    else:
        result, failed = run_tests(suite)
    passed = result.testsRun - len(failed) - len(result.skipped)
    print(f"{passed} passed, {len(failed)} failed, {len(result.skipped)} skipped")
    return 1 if failed or result.testsRun == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
