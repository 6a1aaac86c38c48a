#!/usr/bin/env python3
"""clang-tidy over every file of the compilation database (or those named), as many at once as there are processors.

Most of what clang-tidy does for one file it does for the standard library's headers: 2 to 3 seconds before it comes to
the file itself. So files with the same compiler flags are checked together, written one after the other into one
file, and each finding's line is counted back. Where files do not compile together, because two of them use one name for
different things, those with the errors become a group of their own.

What was clean is not checked again until its preprocessed text, the text of a file of the project that it consists of
(for comments: NOLINT), its flags, the configuration, clang-tidy or this program change. Marks of clean states stand
in the user's cache folder, where ccache keeps its files, so that they serve every clone.
"""
import bisect
import concurrent.futures
import hashlib
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.path.join(ROOT, "build")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "plumb/tidy")
KEEP_DAYS = 30  # a mark that nobody asked for so long is removed
TOGETHER = 8  # files; more would be slower to check again after a change, and leave a processor idle at the end
# The analyzer gives up on a function after so many states, where its own default is 225000. What it reports it finds
# early; the rest of its time goes into the standard library's strings, over and over.
ANALYZER = ["-Xclang", "-analyzer-config", "-Xclang", "max-nodes=40000"]


def flags_of(entry):
    """What the compiler is told, but for the files, the output, and precompiled headers: those are another compiler's."""
    words = iter(shlex.split(entry["command"]))
    next(word for word in words if re.search(r"(\+\+|cc|clang|gcc)(-\d+)?$", word))
    flags = []
    for word in words:
        if word in ("-o", "-c", "-include"):
            next(words)
        elif word != "-Winvalid-pch":
            flags.append(word)
    return flags


class Group:
    """Files with the same flags, as one."""

    def __init__(self, flags, files):
        self.flags = flags
        self.files = files
        self.starts = []  # the line on which each begins
        text, line = [], 1
        for name in files:
            with open(name, encoding="utf-8") as f:
                content = f.read()
            self.starts.append(line)
            text.append(content if content.endswith("\n") else content + "\n")
            line += text[-1].count("\n")
        self.text = "".join(text)

    def write(self, folder):
        path = os.path.join(folder, "together.cc")
        with open(path, "w", encoding="utf-8") as f:
            f.write(self.text)
        return path

    def command(self):
        folders = dict.fromkeys(os.path.dirname(name) for name in self.files)
        return [*self.flags, *itertools.chain.from_iterable(("-iquote", folder) for folder in folders)]

    def state(self, path, common):
        """The hash of all that can change the result; None: it does not even preprocess."""
        deps = path + ".d"
        done = subprocess.run(["clang++", *self.command(), "-w", "-E", "-MMD", "-MF", deps, path], capture_output=True)
        if done.returncode != 0:
            return None
        here = os.path.dirname(path).encode()
        digest = hashlib.sha256(common + " ".join(self.command()).replace(ROOT, "").encode())
        digest.update(self.text.encode() + b"\0")
        digest.update(done.stdout.replace(ROOT.encode(), b"").replace(here, b""))
        with open(deps) as f:
            names = shlex.split(f.read().replace("\\\n", " "))[1:]
        for name in sorted(os.path.realpath(n) for n in names):
            if name.startswith(ROOT + os.sep):
                with open(name, "rb") as f:
                    digest.update(name[len(ROOT):].encode() + b"\0" + f.read() + b"\0")
        return digest.hexdigest()

    def index_of(self, line):
        return bisect.bisect_right(self.starts, line) - 1

    def told(self, path, output):
        """clang-tidy's output with the names and lines of the files as they are."""
        def place(match):
            line = int(match[1])
            i = self.index_of(line)
            return f"{os.path.relpath(self.files[i], ROOT)}:{line - self.starts[i] + 1}"
        output = re.sub(re.escape(path) + r":(\d+)", place, output)
        return output.replace(ROOT + os.sep, "")

    def conflicting(self, path):
        """The files that do not compile together with those before them."""
        done = subprocess.run(["clang++", *self.command(), "-w", "-fsyntax-only", path], capture_output=True, text=True)
        if done.returncode == 0:
            return []
        lines = map(int, re.findall(re.escape(path) + r":(\d+):\d+: error", done.stderr))
        late = {self.index_of(line) for line in lines} - {0}
        return sorted(late or range(len(self.files) // 2, len(self.files)))

    def parted(self, late):
        return [Group(self.flags, [f for i, f in enumerate(self.files) if (i in late) == is_late])
                for is_late in (False, True)]


def check(group, common):
    """(files that were clean before, [(files, output of clang-tidy that found something)])"""
    with tempfile.TemporaryDirectory(prefix="plumb-tidy-") as folder:
        path = group.write(folder)
        state = group.state(path, common)
        mark = os.path.join(CACHE, state or "")
        if state and os.path.exists(mark) and not os.environ.get("PLUMB_FRESH"):
            os.utime(mark)
            return len(group.files), []
        late = []
        if state and os.path.exists(mark + ".parts"):
            os.utime(mark + ".parts")
            with open(mark + ".parts") as f:
                late = json.load(f)
        elif len(group.files) > 1:
            late = group.conflicting(path)
            if late and state:
                write_whole(mark + ".parts", json.dumps(late))
        if not late:
            done = subprocess.run(["clang-tidy", "--quiet", f"--config-file={ROOT}/.clang-tidy", path, "--",
                                   *group.command(), *ANALYZER], capture_output=True, text=True)
            findings = split(group.told(path, done.stdout))
            ours = [f for f in findings if not f.startswith("build/")]
            if done.returncode == 0 or (findings and not ours):
                if state:
                    write_whole(mark, "")
                return 0, []
            stderr = re.sub(r"(?m)^\d+ (warnings?|errors?).*\n", "", done.stderr)
            return 0, [(group.files, "".join(ours) + stderr)]
    results = [check(part, common) for part in group.parted(late)]
    return sum(r[0] for r in results), [found for r in results for found in r[1]]


def split(output):
    """clang-tidy's output by findings, each with its notes. Those in build/ are in what bpftool wrote: the analyzer follows
    our calls into a skeleton, system header or not."""
    return [f for f in re.split(r"(?m)^(?=\S+:\d+:\d+: (?:error|warning))", output) if f.strip()]


def write_whole(path, text):
    """So that another run never reads a half."""
    with open(f"{path}.{os.getpid()}", "w") as f:
        f.write(text)
    os.rename(f.name, path)


def groups_of(entries):
    by_flags = {}
    for path, entry in sorted(entries.items()):
        flags = flags_of(entry)
        by_flags.setdefault(tuple(flags), (flags, []))[1].append(path)
    groups = [Group(flags, files[i:i + TOGETHER])
              for flags, files in by_flags.values() for i in range(0, len(files), TOGETHER)]
    return sorted(groups, key=lambda g: len(g.text), reverse=True)  # the longest first: no processor waits at the end


def forget_old():
    for entry in os.scandir(CACHE):
        if entry.stat().st_mtime < time.time() - KEEP_DAYS * 86400:
            os.unlink(entry.path)


def main():
    with open(os.path.join(BUILD, "compile_commands.json")) as f:
        entries = {e["file"]: e for e in json.load(f) if not e["file"].startswith(BUILD)}
    wanted = [os.path.abspath(a) for a in sys.argv[1:]]
    chosen = {path: e for path, e in entries.items() if not wanted or path in wanted}
    os.makedirs(CACHE, exist_ok=True)
    forget_old()
    common = subprocess.run(["clang-tidy", "--version"], capture_output=True).stdout
    for path in (os.path.join(ROOT, ".clang-tidy"), __file__):
        with open(path, "rb") as f:
            common += f.read()
    remembered = bad = 0
    shown = set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for clean, found in pool.map(lambda g: check(g, common), groups_of(chosen)):
            remembered += clean
            for files, output in found:
                bad += len(files)
                # A header's finding comes once for each group that includes it; it is shown once.
                findings = split(output)
                print("".join(dict.fromkeys(f for f in findings if f not in shown)), end="", flush=True)
                shown.update(findings)
    print(f"clang-tidy: {len(chosen)} files, {remembered} unchanged since they were clean, "
          f"{bad} in groups with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
