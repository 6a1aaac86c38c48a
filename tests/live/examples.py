"""The commands that README.md and the manual pages show, and a place where they can be run as printed."""
import glob
import os
import re
import stat
import subprocess

from harness import HERE, PLUMB

ROOT = os.path.join(HERE, "..", "..")
TOOLS = ("tcpconnect", "drops", "dnsx", "httptrace", "flame")


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as f:
        return f.read()


def plain(roff):
    """mdoc(7) text as it is read."""
    for written, meant in ((r"\-", "-"), (r"\(aq", "'"), (r"\(dq", '"'), (r"\e", "\\"), (r"\&", ""), (r"\(ti", "~"), (r"\(ha", "^")):
        roff = roff.replace(written, meant)
    return roff


def typed(text):
    """The lines behind a prompt, and those that continue them; all where there is no prompt. The rest is output."""
    lines = text.strip().splitlines()
    going_on = not any(line.startswith("$ ") for line in lines)
    for line in lines:
        if going_on or line.startswith("$ "):
            yield line.removeprefix("$ ")
            going_on = line.endswith("\\") or not any(l.startswith("$ ") for l in lines)


def of_manual(page):
    for line, block in re.findall(r"^\.Dl (.*)$|^\.Bd .*\n((?:.*\n)*?)\.Ed$", read("man", page), re.MULTILINE):
        text = plain(block or (line[1:-1].replace('""', '"') if line.startswith('"') else line))
        if re.search(r"(?:^\$ |\| )plumb ", text, re.MULTILINE):
            yield "\n".join(typed(text))


def of_readme():
    """Indented lines; what stands behind two blanks and a # is for the reader."""
    for line in re.findall(r"^    (?:\$ )?((?:sudo )?(?:build/)?plumb .*)$", read("README.md"), re.MULTILINE):
        yield re.sub(r"\s{2,}# .*", "", line)


def all_examples():
    """Where it stands, and the command."""
    for page in sorted(glob.glob(os.path.join(ROOT, "man", "*.1"))):
        for command in of_manual(page):
            yield os.path.basename(page), command
    for command in of_readme():
        yield "README.md", command


# The reader's own programs: a web client that reaches our server, builds and tests that end well.
READERS = {
    "sudo": 'exec "$@"',
    "curl": 'exec python3 -c "import urllib.request as r; r.urlopen(\'http://127.0.0.1:8080/users/1\').read()"',
    "make": "sleep 0.2",
    "perf": "echo 'a;b 1'",
    "stackcollapse-perf.pl": "cat",
    "./bench": "sleep 0.2",
    "./script": "python3 -c 'import socket; socket.socket().connect_ex((\"127.0.0.1\", 5432))'",
    "./test": "python3 -c 'import socket; socket.socket().connect_ex((\"127.0.0.1\", 5432))'",
}

# plumb itself, but what has no end, or takes long, takes a moment.
SHORT = f"""
tool=$1
shift
case $tool in
    {"|".join(TOOLS)}) ;;
    *) exec {PLUMB} "$tool" "$@" ;;
esac
case ${{1-}} in render|diff) exec {PLUMB} "$tool" "$@" ;; esac
for word; do
    shift
    case $word in
        --) set -- "$@" -- ; command=1 ;;
        *) [ -n "${{short-}}" ] && word=500ms
           set -- "$@" "$word" ;;
    esac
    short=
    [ -z "${{command-}}" ] && case $word in -d|--duration) short=1; ended=1 ;; esac
done
[ -n "${{ended-}}${{command-}}" ] || set -- -d 500ms "$@"
exec {PLUMB} "$tool" "$@"
"""


def make_place(directory):
    """Fills it with what the examples take for granted; returns the environment to run them in."""
    def program(path, text):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\n" + text + "\n")
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)

    for name, text in READERS.items():
        program(os.path.join(directory, name if name.startswith("./") else "bin/" + name), text)
    program(os.path.join(directory, "bin/plumb"), SHORT)
    program(os.path.join(directory, "build/plumb"), SHORT)
    stacks = "".join(f"main;work;f{i} {40 + i}\n" for i in range(9))
    for name in ("base", "new", "before", "after", "stacks"):
        with open(os.path.join(directory, name + ".folded"), "w", encoding="utf-8") as f:
            f.write(stacks)
    for name in ("before", "after", "cpu"):
        source = "stacks" if name == "cpu" else name
        subprocess.run([PLUMB, "flame", "render", source + ".folded", "-o", name + ".pb.gz"], cwd=directory, check=True)
    return {**os.environ, "PATH": os.path.join(directory, "bin") + ":" + os.environ["PATH"]}
