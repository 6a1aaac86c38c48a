"""dnsx --libc: what applications ask their C library for, joined with the lookups on the wire."""
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from dnsx import DnsTest, dnsx
from harness import HERE, compiled, core, hook, needs, wait_until

ROOT = os.path.abspath(os.path.join(HERE, "../.."))
PYTHON = "/usr/bin/python3"
QUIETLY = ["sh", "-c", "exec \"$@\" >/dev/null", "sh"]  # a command under trace shares plumb's output
# Prints its pid, then a line for each name: the addresses, or the error's number.
ASK = ("import os, socket, sys\n"
       "print(os.getpid(), flush=True)\n"
       "for name in sys.argv[1:]:\n"
       "    try: print(*sorted({a[4][0] for a in socket.getaddrinfo(name, 80)}))\n"
       "    except OSError as e: print('error', e.errno)\n")


def descriptors(pid):
    return [os.path.join(f"/proc/{pid}/fd", fd) for fd in os.listdir(f"/proc/{pid}/fd")]


def target(descriptor):
    """What it is open for; empty where it was closed meanwhile."""
    try:
        return os.readlink(descriptor)
    except FileNotFoundError:
        return ""


class LibcTest(DnsTest):
    def calls(self, plumb, count=1, **fields):
        """The lines of calls of this test, once there are so many."""
        return self.told(plumb, count, type="call", **fields)

    def python(self, prefix, *names):
        done = subprocess.run([*prefix, PYTHON, "-c", ASK, *names], check=True, capture_output=True, text=True)
        pid, *said = done.stdout.splitlines()
        return int(pid), said

    def of_one_process(self, prefix):
        """A process that asks for a.example, and a run about it alone, while another one asks for other.example."""
        child = subprocess.Popen([*prefix, PYTHON, "-c", "import sys; sys.stdin.readline()\n" + ASK, "a.example"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(lambda: (child.kill(), child.wait(), child.stdin.close(), child.stdout.close()))
        wait_until(lambda: os.path.basename(os.readlink(f"/proc/{child.pid}/exe")).startswith("python"), "the child")
        wait_until(lambda: b"libc.so" in open(f"/proc/{child.pid}/maps", "rb").read(), "its C library")
        with dnsx("--libc", "-p", str(child.pid)) as plumb:
            self.python(prefix, "other.example")
            child.stdin.write(b"\n")
            child.stdin.flush()
            plumb.finish()  # it ends with the process
        return child, plumb


class Calls(LibcTest):
    @core
    def test_a_call_and_its_lookups(self):
        self.server()
        prefix = self.resolver()
        with dnsx("--libc") as plumb:
            pid, said = self.python(prefix, "a.example")
            self.calls(plumb)
            self.told(plumb, 2, type="query")
        call = self.one(plumb.lines, type="call")
        self.assertNothingLost(plumb.lines)
        self.assertEqual((call["name"], call["function"], call["pid"], call["tid"], call["comm"], call["uid"]),
                         ("a.example", "getaddrinfo", pid, pid, "python3", 0))
        self.assertEqual((call["outcome"], call["error"], call["cached"], call["attempts"]),
                         ("answered", None, False, 2))
        self.assertEqual((sorted(call["answers"]), call["answer_count"]), (said[0].split(), 2))
        lookups = self.mine(plumb.lines, type="query")
        self.assertEqual({e["qtype"] for e in lookups}, {"A", "AAAA"})
        for lookup in lookups:
            self.assertEqual((lookup["caller_pid"], lookup["caller_comm"]), (pid, "python3"))
            self.assertGreaterEqual(call["call_ms"], lookup["latency_ms"])

    def test_limits_may_be_about_calls(self):
        """Live as from saved lines; what counts lookups does not count calls."""
        self.server()
        prefix = self.resolver()
        for limit, status in (("max(call_ms) > 0ms", 3), ("count(type == call) != 1", 0), ("count != 2", 0)):
            with dnsx("--libc", "--netns", self.ns.path, "--fail-if", limit, expect_status=status) as plumb:
                self.python(prefix, "a.example")
                self.calls(plumb)
                self.told(plumb, 2, type="query")
            self.assertEqual("FAILED: " in plumb.stderr, status == 3, limit)

    @core
    def test_what_is_not_there(self):
        self.server()
        prefix = self.resolver()
        with dnsx("--libc") as plumb:
            _, said = self.python(prefix, "nxdomain.example")
            self.calls(plumb)
        call = self.one(plumb.lines, type="call")
        self.assertEqual(said, ["error -2"])
        self.assertEqual((call["outcome"], call["error"], call["answers"], call["cached"]),
                         ("nodata", "EAI_NONAME", None, False))

    @core
    def test_the_hosts_file_answers(self):
        """Nothing goes over the wire then, nor for addresses, which are no names."""
        self.server()
        prefix = self.resolver()
        hosts = os.path.join(tempfile.mkdtemp(prefix="plumb-hosts-"), "hosts")
        self.addCleanup(shutil.rmtree, os.path.dirname(hosts))
        with open(hosts, "w") as f:
            f.write("192.0.2.77 printer.example\n")
        prefix = [*prefix, "sh", "-c", f"mount --bind {hosts} /etc/hosts && exec \"$@\"", "sh"]
        with dnsx("--libc") as plumb:
            _, said = self.python(prefix, "192.0.2.5", "::1", "printer.example")
            self.calls(plumb)
        call = self.one(plumb.lines)
        self.assertEqual(said, ["192.0.2.5", "::1", "192.0.2.77"])
        self.assertEqual((call["name"], call["cached"], call["attempts"], call["answers"]),
                         ("printer.example", True, 0, ["192.0.2.77"]))

    @core
    def test_no_server_is_no_knowledge(self):
        prefix = self.resolver()
        with dnsx("--libc") as plumb:
            _, said = self.python(prefix, "a.example")
            self.calls(plumb)
            self.told(plumb, 2, type="query")
        call = self.one(plumb.lines, type="call")
        self.assertEqual((said, call["outcome"], call["error"]), (["error -3"], "failed", "EAI_AGAIN"))
        self.assertGreaterEqual(call["attempts"], 2)
        self.assertEqual({e["outcome"] for e in self.mine(plumb.lines, type="query")}, {"unreachable"})

    @core
    def test_every_function(self):
        self.server()
        prefix = self.resolver()
        program = compiled("resolve.c")
        asked = {"gethostbyname": "192.0.2.1", "gethostbyname_r": "192.0.2.1", "gethostbyname2": "2001:db8::1",
                 "gethostbyname2_r": "2001:db8::1", "getaddrinfo": "192.0.2.1"}
        with dnsx("--libc") as plumb:
            for function, answer in asked.items():
                done = subprocess.run([*prefix, program, function, f"{function}.example"], check=True,
                                      capture_output=True, text=True)
                self.assertIn(answer, done.stdout.split())
            self.calls(plumb, len(asked))
        for function, answer in asked.items():
            with self.subTest(function=function):
                call = self.one(plumb.lines, type="call", name=f"{function}.example")
                self.assertIn(answer, call["answers"])
                self.assertEqual((call["function"], call["cached"]), (function.split("2")[0].split("_")[0], False))
                if "host" in function:
                    self.assertEqual((call["qtype"], call["attempts"]), ("AAAA" if "2" in function else "A", 1))

    def test_gethostbyname_says_why(self):
        self.server()
        prefix = self.resolver()
        with dnsx("--libc") as plumb:
            subprocess.run([*prefix, compiled("resolve.c"), "gethostbyname", "nxdomain.example", "nodata.example"],
                           check=True, capture_output=True)
            calls = self.calls(plumb, 2)
        self.assertEqual([(e["error"], e["outcome"]) for e in calls],
                         [("HOST_NOT_FOUND", "nodata"), ("NO_DATA", "nodata")])

    def test_a_buffer_that_stays_too_small(self):
        self.server()
        prefix = self.resolver()
        with dnsx("--libc") as plumb:
            subprocess.run([*prefix, compiled("resolve.c"), "gethostbyname_r_once", "a.example"], check=True,
                           capture_output=True)
            call, = self.calls(plumb)
        self.assertEqual((call["error"], call["outcome"], call["answers"]), ("NETDB_INTERNAL", "failed", None))

    @hook("libc-exit")
    @core
    def test_a_process_that_is_killed_while_it_waits(self):
        """It is told at once, and what is asked for that name later is not for it."""
        self.server()
        prefix = self.resolver()
        with dnsx("--libc") as plumb:
            child = subprocess.Popen([*prefix, PYTHON, "-c", ASK, "silent.example"], stdout=subprocess.PIPE, text=True)
            pid = int(child.stdout.readline())
            wait_until(lambda: any("socket:" in target(fd) for fd in descriptors(pid)), "its query")
            os.kill(pid, signal.SIGKILL)
            child.communicate()
            call, = self.calls(plumb)
        self.assertEqual((call["pid"], call["name"], call["outcome"], call["call_ms"], call["answers"], call["cached"]),
                         (pid, "silent.example", "pending", None, None, None if call["attempts"] == 0 else False))

    def test_a_call_that_was_left_by_a_jump(self):
        self.server()
        prefix = self.resolver()
        with dnsx("--libc") as plumb:
            subprocess.run([*prefix, compiled("resolve.c"), "jumps", "silent.example", "a.example"], check=True,
                           capture_output=True)
            calls = self.calls(plumb, 2)
        self.assertEqual([(e["name"], e["outcome"]) for e in calls],
                         [("silent.example", "pending"), ("a.example", "answered")])
        self.assertEqual(calls[1]["attempts"], 2)

    def test_libraries_that_are_gone_lose_their_probes(self):
        """A C library of its own for each process, unlinked when that ends."""
        self.server()
        prefix = self.resolver()
        folder = tempfile.mkdtemp(prefix="plumb-libc-")
        self.addCleanup(shutil.rmtree, folder)
        with open("/proc/self/maps") as f:
            library = next(line.split()[-1] for line in f if "/libc.so.6" in line or "/libc-2." in line)
        own, end, times, open_files = os.path.join(folder, "libc.so.6"), os.path.join(folder, "end"), 40, {}
        script = (f"for i in $(seq {times}); do cp {library} {own}; "
                  f"LD_LIBRARY_PATH={folder} {compiled('resolve.c')} getaddrinfo n$i.example; rm {own}; done; "
                  f"until [ -e {end} ]; do sleep 0.05; done")
        with dnsx("--libc", "--", *QUIETLY, *prefix, "sh", "-c", script) as plumb:
            for count in range(5, times + 1, 5):  # each waits for itself: probes come off slowly where much else runs
                self.calls(plumb, count)
                open_files[count] = len(descriptors(plumb.process.pid))
            with open(end, "w"):
                pass
            plumb.finish()
        # Four probes or more in each; those of a few wait for their sweep.
        self.assertLess(open_files[times], open_files[10] + 2 * times)

    def test_a_search_list_is_one_call(self):
        self.server()
        prefix = self.resolver("search nxdomain.one.example nxdomain.two.example\noptions ndots:3\n")
        with dnsx("--libc") as plumb:
            self.python(prefix, "nxdomain")
            self.told(plumb, 6, type="query")
            self.calls(plumb)
        call = self.one(plumb.lines, type="call")
        self.assertEqual((call["name"], call["attempts"]), ("nxdomain", 6))
        self.assertEqual({e["caller_pid"] for e in self.mine(plumb.lines, type="query")}, {call["pid"]})

    @core
    def test_a_command_of_its_own(self):
        """Its first call is seen, since it is held until its C library has probes."""
        self.server()
        prefix = self.resolver()
        with dnsx("--libc", "--", *QUIETLY, *prefix, PYTHON, "-c", ASK, "a.example") as plumb:
            plumb.finish()
        call = self.one(plumb.lines, type="call")
        self.assertEqual((call["name"], call["attempts"], call["cached"]), ("a.example", 2, False))

    @core
    def test_only_one_process(self):
        """Others' calls are left out, but not what a resolver of another process asks for it."""
        self.server()
        prefix = self.resolver()
        child, plumb = self.of_one_process(prefix)
        self.assertEqual({(e["name"], e["pid"]) for e in self.mine(plumb.lines)}, {("a.example", child.pid)})

    @needs("curl")
    def test_curl_asks_in_another_thread(self):
        self.server()
        prefix = self.resolver()
        with dnsx("--libc") as plumb:
            subprocess.run([*prefix, "curl", "-s", "-m", "5", "http://a.example:9/"], check=False)
            self.calls(plumb)
            self.told(plumb, 2, type="query")
        call = self.one(plumb.lines, type="call")
        self.assertEqual((call["comm"], call["name"], call["attempts"]), ("curl", "a.example", 2))


class Roots(LibcTest):
    """A program with a root of its own, as in a container, that brings its C library with it."""

    def root(self, *flags):
        root = tempfile.mkdtemp(prefix="plumb-root-")
        self.addCleanup(shutil.rmtree, root)
        os.mkdir(os.path.join(root, "etc"))
        with open(os.path.join(root, "etc/resolv.conf"), "w") as f:
            f.write("nameserver 127.0.0.53\nsearch nxdomain.one.example two.example\n")
        source = os.path.join(HERE, "clients/resolve.c")
        subprocess.run(["musl-gcc", "-O1", *flags, "-o", os.path.join(root, "resolve"), source], check=True)
        return root

    def resolves(self, root):
        self.server()
        with dnsx("--libc", "--", *QUIETLY, *self.ns.prefix(), "unshare", "--mount", "chroot", root, "/resolve",
                  "getaddrinfo", "nxdomain.example", "a.example") as plumb:
            plumb.finish()
        calls = self.mine(plumb.lines, type="call")
        self.assertEqual([(e["comm"], e["name"], e["cached"], e["outcome"]) for e in calls],
                         [("resolve", "nxdomain.example", False, "nodata"),
                          ("resolve", "a.example", False, "answered")])
        self.assertEqual(sorted(calls[1]["answers"]), ["192.0.2.1", "2001:db8::1"])
        lookups = self.mine(plumb.lines, type="query")
        self.assertEqual({(e["pid"], e["caller_pid"]) for e in lookups}, {(calls[0]["pid"], calls[0]["pid"])})
        self.assertEqual(sum(e["attempts"] for e in calls), sum(e["attempts"] for e in lookups))

    @hook("libc-exec")
    @needs("musl-gcc")
    def test_linked_statically(self):
        self.resolves(self.root("-static"))

    @needs("musl-gcc")
    def test_a_library_of_its_own(self):
        root = self.root()
        linker = "/lib/ld-musl-x86_64.so.1"
        os.mkdir(os.path.join(root, "lib"))
        shutil.copy(os.path.realpath(linker), root + linker)
        self.resolves(root)


def unpacked(*packages):
    """A folder with the files of Debian packages that are not installed: systemd-resolved's would take over the machine's
    own name resolution. Fetched once and kept beside the build."""
    folder = os.path.join(ROOT, "build", "unpacked", "+".join(packages))
    if not os.path.isdir(folder):
        with tempfile.TemporaryDirectory() as directory:
            done = subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *packages], cwd=directory,
                                  capture_output=True, text=True)
            if done.returncode != 0:
                raise unittest.SkipTest(f"cannot download {', '.join(packages)}: {done.stderr.strip()[-200:]}")
            os.makedirs(folder + ".new", exist_ok=True)
            for name in os.listdir(directory):
                subprocess.run(["dpkg", "-x", os.path.join(directory, name), folder + ".new"], check=True)
        os.rename(folder + ".new", folder)
    return folder


class Resolved(LibcTest):
    """systemd-resolved answers without a socket to port 53: only the call says for whom it asked."""
    FILES = {"passwd": "systemd-resolve:x:991:991::/:/usr/sbin/nologin\n", "group": "systemd-resolve:x:991:\n"}

    def resolved(self):
        """A command prefix for programs that ask systemd-resolved, which runs and asks the test's server."""
        root = unpacked("systemd-resolved", "libnss-resolve", "libsystemd-shared")
        directory = tempfile.mkdtemp(prefix="plumb-resolved-")
        self.addCleanup(shutil.rmtree, directory)
        for name, line in self.FILES.items():
            with open(f"/etc/{name}") as f, open(os.path.join(directory, name), "w") as out:
                out.write(f.read() + line)
        with open(os.path.join(directory, "nsswitch.conf"), "w") as f:
            f.write("hosts: resolve [!UNAVAIL=return] dns\n")
        with open(os.path.join(directory, "resolved.conf"), "w") as f:
            f.write("[Resolve]\nDNS=127.0.0.1\nFallbackDNS=\nLLMNR=no\nMulticastDNS=no\nDNSSEC=no\nCache=yes\n"
                    "CacheFromLocalhost=yes\nDNSStubListener=no\n")
        self.server("127.0.0.1")
        for command in ("ip link add a0 type veth peer name b0", "ip addr add 10.9.9.1/24 dev a0",  # a network is up
                        "ip link set a0 up", "ip link set b0 up"):
            self.ns.run(*command.split())
        mounts = "".join(f"mount --bind {directory}/{name} /etc/{name}\n"
                         for name in ("passwd", "group", "nsswitch.conf"))
        script = (f"mount --make-rprivate /\nmount -t tmpfs none /run\n{mounts}"
                  "mkdir -p /run/systemd/resolve /run/systemd/resolved.conf.d\nchown 991:991 /run/systemd/resolve\n"
                  f"cp {directory}/resolved.conf /run/systemd/resolved.conf.d/test.conf\n"
                  f"export LD_LIBRARY_PATH={root}/usr/lib/x86_64-linux-gnu/systemd\n"
                  f"exec {root}/lib/systemd/systemd-resolved")
        process = self.ns.popen("unshare", "--mount", "sh", "-e", "-c", script, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (process.kill(), process.wait()))
        wait_until(lambda: process.poll() is not None or
                   os.path.exists(f"/proc/{process.pid}/root/run/systemd/resolve/io.systemd.Resolve"), "its socket")
        self.assertIsNone(process.poll(), "systemd-resolved ended")
        return process, [*self.ns.prefix(), "nsenter", f"--mount=/proc/{process.pid}/ns/mnt", "env",
                         f"LD_LIBRARY_PATH={root}/usr/lib/x86_64-linux-gnu"]

    def test_the_second_lookup_is_from_its_cache(self):
        process, prefix = self.resolved()
        with dnsx("--libc") as plumb:
            pid, said = self.python(prefix, "a.example", "a.example")
            first, second = self.calls(plumb, 2)
            self.told(plumb, 2, type="query")
        self.assertEqual(said[0].split(), ["192.0.2.1", "2001:db8::1"])
        self.assertEqual(said[0], said[1])
        lookups = self.mine(plumb.lines, type="query")
        self.assertEqual({(e["qtype"], e["pid"], e["comm"], e["caller_pid"], e["caller_comm"]) for e in lookups},
                         {(kind, process.pid, "systemd-resolve", pid, "python3") for kind in ("A", "AAAA")})
        self.assertEqual([(e["pid"], e["cached"]) for e in (first, second)], [(pid, False), (pid, True)])
        self.assertEqual((first["attempts"], second["attempts"]), (len(lookups), 0))

    def test_a_process_is_told_with_the_lookups_that_it_caused(self):
        """-p leaves the resolver out, but not what it asks for that process."""
        process, prefix = self.resolved()
        child, plumb = self.of_one_process(prefix)
        self.assertEqual({(e["type"], e["pid"], e["name"]) for e in self.mine(plumb.lines)},
                         {("call", child.pid, "a.example"), ("query", process.pid, "a.example")})


if __name__ == "__main__":
    unittest.main()
