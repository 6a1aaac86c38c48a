#!/usr/bin/python3
"""Completion in real shells: each runs interactively on a terminal of its own, types what a user types and presses Tab.

bash and zsh show what stands on the line afterwards (a key dumps the line into a file); fish answers `complete -C`.
Needs the packages bash, zsh and fish; plumb itself is not needed, nor are privileges. A shell that is missing: SKIP.
"""

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMPLETIONS = os.path.join(ROOT, "completions")
DEADLINE_S = 60  # for a machine that is busy; nothing waits this long when all is well


class TerminalShell:
    """An interactive shell behind a pseudo-terminal. `complete` types a line, presses a key and reads the line back."""

    def __init__(self, argv, directory, setup, ready_line):
        self.directory = directory
        self.dump = os.path.join(directory, "line")
        ready = os.path.join(directory, "ready")
        environment = {"PATH": os.environ["PATH"], "HOME": directory, "TERM": "dumb", "LC_ALL": "C.UTF-8",
                       "HISTFILE": "/dev/null", "DUMP": self.dump, "READY": ready}
        with open(os.path.join(directory, "setup"), "w", encoding="utf-8") as file:
            file.write(setup)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(os.path.join(directory, "cwd"))
            os.execvpe(argv[0], argv, environment)
        self.seen = b""
        self.type(ready_line)
        self.wait_for(ready)

    def type(self, text):
        data = text.encode()
        while data:
            # Never more than the terminal's input queue takes while nobody reads the echo.
            data = data[os.write(self.fd, data[:512]):]
            self.swallow(0)

    def swallow(self, timeout):
        while select.select([self.fd], [], [], timeout)[0]:
            try:
                self.seen += os.read(self.fd, 65536)
            except OSError:
                raise AssertionError("the shell has ended: " + repr(self.seen[-2000:])) from None
            timeout = 0

    def wait_for(self, path):
        end = time.monotonic() + DEADLINE_S
        while not os.path.exists(path):
            if time.monotonic() > end:
                raise AssertionError("no answer from the shell: " + repr(self.seen[-2000:]))
            self.swallow(0.01)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        os.unlink(path)
        return text

    def complete(self, line, key):
        # Ctrl-A Ctrl-K empties the line; Ctrl-X d dumps it. The dump is renamed into place, so it is never half.
        self.type("\x01\x0b" + line + key + "\x18d")
        return self.wait_for(self.dump)

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def start_bash(directory):
    setup = f"""
PS1='> '
bind 'set bell-style none'
bind 'set enable-bracketed-paste off'
bind 'set completion-query-items 0'
bind 'set page-completions off'
bind 'set show-all-if-ambiguous off'
dump() {{ printf %s "$READLINE_LINE" > "$DUMP.new"; mv "$DUMP.new" "$DUMP"; }}
bind -x '"\\C-xd": dump'
bind '"\\C-xa": insert-completions'
source {shlex.quote(COMPLETIONS)}/plumb.bash
: > "$READY"
"""
    return TerminalShell(["bash", "--norc", "--noprofile", "-i"], directory, setup, "source ../setup\n")


def start_zsh(directory):
    setup = f"""
PROMPT='> '
setopt no_beep
unsetopt prompt_sp
fpath=({shlex.quote(COMPLETIONS)} $fpath)
autoload -Uz compinit
compinit -u -D
zstyle ':completion:*' list-prompt ''
zstyle ':completion:*' insert-tab false
dump() {{ print -rn -- "$BUFFER" > $DUMP.new; command mv $DUMP.new $DUMP }}
zle -N dump
bindkey -e
bindkey '^Xd' dump
bindkey '^I' complete-word
zstyle ':completion:all-matches:*' completer _all_matches _complete
zstyle ':completion:all-matches:*' insert true
zle -C all-matches complete-word _generic
bindkey '^Xa' all-matches
: > $READY
"""
    return TerminalShell(["zsh", "-f", "-i"], directory, setup, "source ../setup\n")


class Cases:
    """What both line editors must do. `self.shell` is the shell."""

    TAB, ALL = "\t", "\x18a"

    def one(self, line):
        return self.shell.complete(line, self.TAB)

    def all(self, line):
        """The candidates: what insert-completions puts in place of the last word."""
        text = self.shell.complete(line, self.ALL)
        start = line[:line.rfind(" ") + 1]
        self.assertTrue(text.startswith(start), (line, text))
        return [word.rstrip(",") for word in shlex.split(text[len(start):])]

    def assert_one(self, line, expected):
        self.assertEqual(self.one(line).rstrip(), expected)

    def test_tool_names(self):
        self.assertEqual(self.one("plumb tcpc"), "plumb tcpconnect ")
        self.assertEqual(self.one("plumb doc"), "plumb doctor ")
        self.assertLessEqual({"tcpconnect", "doctor"}, set(self.all("plumb ")))

    def test_no_files_as_tools(self):
        self.assert_one("plumb plain", "plumb plain")

    def test_an_unknown_tool_has_no_options(self):
        self.assert_one("plumb nosuch --form", "plumb nosuch --form")

    def test_options_by_prefix(self):
        self.assertRegex(self.one("plumb tcpconnect --colu"), r"^plumb tcpconnect --columns[ =]$")
        self.assertEqual(self.one("plumb tcpconnect --wid"), "plumb tcpconnect --wide ")
        found = {word.rstrip("=") for word in self.all("plumb tcpconnect --co")}
        self.assertEqual(found, {"--columns", "--comm", "--count", "--color", "--container"})

    def test_a_tools_own_options(self):
        self.assertRegex(self.one("plumb tcpconnect --min-l"), r"^plumb tcpconnect --min-latency[ =]$")
        self.assert_one("plumb doctor --min-l", "plumb doctor --min-l")
        self.assertEqual(self.one("plumb doctor --js"), "plumb doctor --json ")

    def test_values_of_an_option(self):
        self.assert_one("plumb tcpconnect --format js", "plumb tcpconnect --format json")
        self.assert_one("plumb tcpconnect -f js", "plumb tcpconnect -f json")
        self.assert_one("plumb tcpconnect --format=js", "plumb tcpconnect --format=json")
        self.assertEqual(set(self.all("plumb tcpconnect --time ")), {"local", "utc", "iso", "relative", "none"})

    def test_a_value_that_nobody_knows(self):
        self.assert_one("plumb tcpconnect --duration ", "plumb tcpconnect --duration")
        self.assert_one("plumb tcpconnect --port 4", "plumb tcpconnect --port 4")

    def test_pids(self):
        with named_process(self.directory, "plumbtest") as process:
            # zsh opens a menu when several match, so the whole pid is typed.
            self.assertEqual(self.one(f"plumb tcpconnect -p {process.pid}").rstrip(" ,"),
                             f"plumb tcpconnect -p {process.pid}")
            self.assertIn(str(process.pid), self.all("plumb tcpconnect -p "))
            self.assertIn(f"1,{process.pid}", with_list(self.all("plumb tcpconnect --pid 1,"), "1,"))

    def test_comms(self):
        with named_process(self.directory, "plumb:t e'st"):
            line = self.one("plumb tcpconnect --comm plumb:t").rstrip(" ,")
            self.assertEqual(shlex.split(line)[-1], "plumb:t e'st")
            line = self.one("plumb tcpconnect --comm=plumb:t").rstrip(" ,")
            self.assertEqual(shlex.split(line)[-1], "--comm=plumb:t e'st")

    def test_hostile_comms_run_nothing(self):
        with named_process(self.directory, "q7$(>../hit)`id`"):
            line = self.one("plumb tcpconnect --comm q7").rstrip(" ,")
            self.assertEqual(shlex.split(line)[-1], "q7$(>../hit)`id`"[:15])
        self.assertFalse(os.path.exists(os.path.join(self.directory, "hit")))

    def test_users(self):
        self.assert_one("plumb tcpconnect -u nobod", "plumb tcpconnect -u nobody")

    def test_fields_inside_a_list(self):
        self.assertEqual(self.one("plumb tcpconnect --columns time,pi").rstrip(" ,"), "plumb tcpconnect --columns time,pid")
        self.assertEqual(self.one("plumb tcpconnect --columns=time,pi").rstrip(" ,"), "plumb tcpconnect --columns=time,pid")
        self.assertEqual(self.one("plumb tcpconnect --columns remote_n").rstrip(" ,"),
                         "plumb tcpconnect --columns remote_name")
        self.assertEqual(self.one("plumb tcpconnect --columns time,pid,outc").rstrip(" ,"),
                         "plumb tcpconnect --columns time,pid,outcome")
        self.assertNotIn(" ", self.one("plumb tcpconnect --columns time,pi")[len("plumb tcpconnect --columns "):])

    def test_words_that_a_list_may_hold(self):
        self.assertEqual(self.one("plumb drops --type drop,res").rstrip(" ,"), "plumb drops --type drop,reset")
        self.assertEqual(self.one("plumb drops --reason NETF").rstrip(" ,"), "plumb drops --reason NETFILTER_DROP")
        self.assertEqual(self.one("plumb drops --proto ic,ud").rstrip(" ,"), "plumb drops --proto ic,udp")

    def test_devices(self):
        self.assertEqual(self.one("plumb drops --dev l").rstrip(" ,"), "plumb drops --dev lo")
        self.assertEqual(self.one("plumb drops --dev=eth7,l").rstrip(" ,"), "plumb drops --dev=eth7,lo")

    def test_fields_in_an_expression(self):
        self.assertEqual(self.one("plumb tcpconnect --where outc").rstrip(), "plumb tcpconnect --where outcome")
        self.assertEqual(self.one("plumb drops --fail-if reas").rstrip(), "plumb drops --fail-if reason")

    def test_a_list_is_not_offered_twice_the_same(self):
        found = with_list(self.all("plumb tcpconnect --columns pid,remote_"), "pid,")
        self.assertIn("pid,remote_port", found)
        found = with_list(self.all("plumb tcpconnect --columns remote_port,remote_"), "remote_port,")
        self.assertNotIn("remote_port,remote_port", found)
        self.assertIn("remote_port,remote_addr", found)

    def test_fields_of_the_summary(self):
        self.assertEqual(self.one("plumb tcpconnect --summary --columns latency_p9").rstrip(" ,").split("_")[0],
                         "plumb tcpconnect --summary --columns latency")
        self.assertEqual(self.one("plumb tcpconnect --summary --columns esta").rstrip(" ,"),
                         "plumb tcpconnect --summary --columns established")
        self.assert_one("plumb tcpconnect --columns esta", "plumb tcpconnect --columns esta")

    def test_files(self):
        self.assert_one("plumb tcpconnect -o pla", "plumb tcpconnect -o plain.json")
        self.assert_one("plumb tcpconnect --output=pla", "plumb tcpconnect --output=plain.json")
        line = self.one("plumb tcpconnect -o sp")
        self.assertEqual(shlex.split(line)[-1], "spaced name.json")
        self.assert_one("plumb tcpconnect --cgroup pl", "plumb tcpconnect --cgroup pl")  # no directory begins so
        self.assert_one("plumb tcpconnect --cgroup dir", "plumb tcpconnect --cgroup directory/")

    def test_spaces_before_break_nothing(self):
        self.assert_one("plumb tcpconnect -o 'a file' --format js", "plumb tcpconnect -o 'a file' --format json")
        self.assert_one("plumb tcpconnect -o a\\ file --format js", "plumb tcpconnect -o a\\ file --format json")
        self.assertEqual(self.one("plumb   tcpconnect   --wid"), "plumb   tcpconnect   --wide ")

    def test_the_command_under_trace(self):
        self.assert_one("plumb tcpconnect -- ./exec", "plumb tcpconnect -- ./executable")
        self.assert_one("plumb tcpconnect -- cat plai", "plumb tcpconnect -- cat plain.json")
        self.assert_one("plumb tcpconnect -- cat --colu", "plumb tcpconnect -- cat --colu")

    def test_links_named_after_a_tool(self):
        self.assertEqual(self.one("tcpconnect --wid"), "tcpconnect --wide ")
        self.assertEqual(self.one("tcpconnect --columns time,pi").rstrip(" ,"), "tcpconnect --columns time,pid")
        self.assert_one("tcpconnect -- cat plai", "tcpconnect -- cat plain.json")

    def test_by_path(self):
        self.assertEqual(self.one("./plumb tcpc"), "./plumb tcpconnect ")


def with_list(words, before):
    """zsh inserts all matches as `1,a b c`, bash as `1,a 1,b 1,c`."""
    return [word if word.startswith(before) else before + word for word in words]


class named_process:
    """A process that sleeps under a command name of our choice."""

    def __init__(self, directory, name):
        code = ("import ctypes,sys; ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0); "
                "print(flush=True); sys.stdin.read()")
        self.process = subprocess.Popen([sys.executable, "-c", code, name], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, cwd=directory)
        self.process.stdout.readline()

    def __enter__(self):
        return self.process

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def make_directory():
    """A home directory with a current directory in it that holds a few files."""
    directory = tempfile.mkdtemp(prefix="plumb-completions-")
    cwd = os.path.join(directory, "cwd")
    os.makedirs(os.path.join(cwd, "directory"))
    for name in ("plain.json", "spaced name.json", "executable", "plumb"):
        with open(os.path.join(cwd, name), "w", encoding="utf-8"):
            pass
    os.chmod(os.path.join(cwd, "executable"), 0o755)
    os.chmod(os.path.join(cwd, "plumb"), 0o755)
    return directory


def line_editor_tests(name, start):
    class Tests(Cases, unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            if shutil.which(name) is None:
                raise unittest.SkipTest(f"SKIP: {name} is not installed")
            cls.directory = make_directory()
            cls.shell = start(cls.directory)

        @classmethod
        def tearDownClass(cls):
            cls.shell.close()
            shutil.rmtree(cls.directory)

    Tests.__name__ = Tests.__qualname__ = name.capitalize()
    return Tests


Bash = line_editor_tests("bash", start_bash)
Zsh = line_editor_tests("zsh", start_zsh)


@unittest.skipIf(shutil.which("fish") is None, "SKIP: fish is not installed")
class Fish(unittest.TestCase):
    """fish answers `complete -C LINE` with one candidate a line: word, tab, description."""

    @classmethod
    def setUpClass(cls):
        cls.directory = make_directory()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.directory)

    def complete(self, line):
        environment = {"PATH": os.environ["PATH"], "HOME": self.directory, "TERM": "dumb", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            ["fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]",
             os.path.join(COMPLETIONS, "plumb.fish"), line],
            cwd=os.path.join(self.directory, "cwd"), env=environment, capture_output=True, text=True, check=False,
            timeout=DEADLINE_S, stdin=subprocess.DEVNULL)
        self.assertEqual(done.stderr, "")
        return dict((entry + "\t").split("\t")[:2] for entry in done.stdout.splitlines())

    def test_tool_names(self):
        found = self.complete("plumb ")
        self.assertLessEqual({"tcpconnect", "doctor"}, set(found))
        self.assertNotIn("plain.json", found)
        self.assertIn("TCP", found["tcpconnect"])
        self.assertEqual(set(self.complete("plumb tcpc")), {"tcpconnect"})

    def test_options(self):
        found = self.complete("plumb tcpconnect --co")
        self.assertEqual({word.rstrip("=") for word in found},
                         {"--columns", "--comm", "--count", "--color", "--container"})
        self.assertIn("--min-latency", self.complete("plumb tcpconnect --min"))
        self.assertEqual(self.complete("plumb doctor --min"), {})
        self.assertIn("--json", self.complete("plumb doctor --js"))
        self.assertEqual(self.complete("plumb nosuch --form"), {})

    def test_values(self):
        self.assertEqual(set(self.complete("plumb tcpconnect --format js")), {"json"})
        self.assertEqual(set(self.complete("plumb tcpconnect -f js")), {"json"})
        self.assertEqual(set(self.complete("plumb tcpconnect --format=js")), {"--format=json"})
        self.assertEqual(set(self.complete("plumb tcpconnect --time ")), {"local", "utc", "iso", "relative", "none"})
        self.assertEqual(self.complete("plumb tcpconnect --duration "), {})

    def test_pids_with_names(self):
        with named_process(self.directory, "plumb test") as process:
            found = self.complete("plumb tcpconnect -p ")
            self.assertEqual(found[str(process.pid)], "plumb test")
            found = self.complete("plumb tcpconnect -p 1,")
            self.assertEqual(found[f"1,{process.pid}"], "plumb test")
            self.assertNotIn("1,1", found)

    def test_comms(self):
        with named_process(self.directory, "plumb:t e'st"):
            self.assertEqual(set(self.complete("plumb tcpconnect --comm plumb:t")), {"plumb:t e'st"})

    def test_hostile_comms_run_nothing(self):
        with named_process(self.directory, "pl(>../hit)$HOME"):
            self.assertEqual(set(self.complete("plumb tcpconnect --comm 'pl(")), {"pl(>../hit)$HOM"})
        self.assertFalse(os.path.exists(os.path.join(self.directory, "hit")))

    def test_users(self):
        self.assertEqual(set(self.complete("plumb tcpconnect -u nobod")), {"nobody"})

    def test_devices(self):
        self.assertEqual(set(self.complete("plumb drops --dev l")), {"lo"})
        self.assertEqual(set(self.complete("plumb drops --dev eth7,l")), {"eth7,lo"})

    def test_fields_inside_a_list(self):
        found = self.complete("plumb tcpconnect --columns time,pi")
        self.assertEqual(set(found), {"time,pid"})
        self.assertIn("owns the socket", found["time,pid"])
        self.assertEqual(set(self.complete("plumb tcpconnect --columns=time,pi")), {"--columns=time,pid"})
        self.assertIn("pid", self.complete("plumb tcpconnect --columns "))
        found = self.complete("plumb tcpconnect --columns remote_port,remote_")
        self.assertIn("remote_port,remote_addr", found)
        self.assertNotIn("remote_port,remote_port", found)

    def test_fields_of_the_summary(self):
        self.assertEqual(set(self.complete("plumb tcpconnect --summary --columns esta")), {"established"})
        self.assertNotIn("established", self.complete("plumb tcpconnect --columns esta"))

    def test_files(self):
        self.assertEqual(set(self.complete("plumb tcpconnect -o pla")), {"plain.json"})
        self.assertEqual(set(self.complete("plumb tcpconnect -o sp")), {"spaced name.json"})
        self.assertEqual(self.complete("plumb tcpconnect --cgroup pl"), {})
        self.assertEqual(set(self.complete("plumb tcpconnect --cgroup dir")), {"directory/"})

    def test_spaces_before_break_nothing(self):
        self.assertEqual(set(self.complete("plumb tcpconnect -o 'a file' --format js")), {"json"})
        self.assertEqual(set(self.complete("plumb tcpconnect -o a\\ file --format js")), {"json"})

    def test_the_command_under_trace(self):
        self.assertEqual(set(self.complete("plumb tcpconnect -- ./exec")), {"./executable"})
        self.assertEqual(set(self.complete("plumb tcpconnect -- cat plai")), {"plain.json"})
        self.assertNotIn("--columns", self.complete("plumb tcpconnect -- cat --colu"))

    def test_links_named_after_a_tool(self):
        self.assertEqual(set(self.complete("tcpconnect --wid")), {"--wide"})
        self.assertEqual(set(self.complete("tcpconnect --columns time,pi")), {"time,pid"})
        self.assertEqual(set(self.complete("tcpconnect -- cat plai")), {"plain.json"})


if __name__ == "__main__":
    unittest.main()
