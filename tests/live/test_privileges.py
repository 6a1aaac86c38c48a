"""An ordinary user with file capabilities: plumb says which are missing, the line that it prints grants them, and with
them it traces."""
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile

from harness import PLUMB, Plumb, needs, run_plumb
from tcpconnect import COMM, TcpTest

NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


@needs("setpriv", "setcap")
class FileCapabilities(TcpTest):
    def setUp(self):
        super().setUp()
        directory = tempfile.mkdtemp(prefix="plumb-caps-")
        self.addCleanup(shutil.rmtree, directory)
        os.chmod(directory, 0o755)
        self.copy = shutil.copy(PLUMB, directory)

    def as_nobody(self, *args, **env):
        return run_plumb(*args, prefix=AS_NOBODY, executable=self.copy, env=env)

    def grant(self, line):
        """Runs a setcap line exactly as plumb printed it."""
        words = shlex.split(line)
        self.assertEqual((words[0], words[-1], len(words)), ("setcap", self.copy, 3))
        subprocess.run(words, check=True)

    def trace(self, tool, *args, keep):
        """One run as nobody; `keep`: the capabilities that --stats has to name as kept."""
        plumb = Plumb(tool, "--stats", *args, prefix=AS_NOBODY, executable=self.copy)
        os.chmod(plumb.directory, 0o777)  # for its ready file
        with plumb:
            with open(f"/proc/{plumb.process.pid}/status") as f:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
            self.assertEqual(status["Uid"].split(), [str(NOBODY)] * 4)
            self.socket().connect_ex(("127.0.0.1", self.port))
            with self.ns.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.sendto(b"x", ("127.0.0.1", 9))
        self.assertIn("not counted, which takes CAP_SYS_ADMIN", plumb.stderr)
        self.assertEqual(re.findall(r"capabilities kept: (.*)", plumb.stderr), [keep])
        return plumb.lines

    def test_none(self):
        result = self.as_nobody("tcpconnect", "-d", "1s")
        self.assertEqual((result.returncode, result.stdout), (1, b""))
        self.assertIn(b"missing: CAP_BPF and CAP_PERFMON", result.stderr)
        self.assertLessEqual(len(result.stderr.splitlines()), 3)
        doctor = json.loads(self.as_nobody("doctor", "--json").stdout)
        self.assertEqual(doctor["privileges"]["missing"], ["CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_SYSLOG"])
        self.assertEqual([tool["can_run"] for tool in doctor["tools"]], [False] * len(doctor["tools"]))

    def test_one_is_not_enough_and_the_other_is_named(self):
        subprocess.run(["setcap", "cap_bpf+ep", self.copy], check=True)
        result = self.as_nobody("tcpconnect", "-d", "1s")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"missing: CAP_PERFMON\n", result.stderr)

    def test_the_line_of_the_error_is_enough_to_trace(self):
        error = self.as_nobody("tcpconnect", "-d", "1s").stderr.decode()
        self.grant(re.search(r"setcap .*", error)[0])
        self.assertEqual(subprocess.run(["getcap", self.copy], capture_output=True, text=True).stdout.split()[1:],
                         ["cap_perfmon,cap_bpf=ep"])
        self.port = self.listener().getsockname()[1]
        line = self.one(self.trace("tcpconnect", keep="cap_bpf"), remote_port=self.port)
        self.assertEqual((line["outcome"], line["pid"], line["comm"]), ("established", os.getpid(), COMM))
        line = self.one(self.trace("drops", keep="cap_bpf"), type="drop", dst_port=9)
        self.assertEqual((line["protocol"], line["dst"]), ("udp", "127.0.0.1"))

    def test_the_line_of_doctor_is_enough_for_all(self):
        text = self.as_nobody("doctor").stdout.decode()
        self.grant(re.search(r"(?m)^ +(setcap .*)$", text)[1])
        doctor = json.loads(self.as_nobody("doctor", "--json").stdout)
        self.assertEqual((doctor["privileges"]["missing"], doctor["privileges"]["setcap"]), ([], None))
        self.assertEqual([tool["can_run"] for tool in doctor["tools"]], [True] * len(doctor["tools"]))
        self.port = self.closed_port()
        # Another user's namespace is found through /proc, which takes CAP_SYS_PTRACE.
        line = self.one(self.trace("tcpconnect", "--netns", self.ns.path, keep="cap_dac_read_search,cap_sys_ptrace,cap_bpf"))
        self.assertEqual((line["outcome"], line["pid"], line["comm"]), ("refused", os.getpid(), COMM))
        lines = self.trace("drops", "--netns", self.ns.path, keep="cap_dac_read_search,cap_sys_ptrace,cap_bpf")
        self.assertEqual(self.one(lines, type="reset", direction="in")["src_port"], self.port)

    def test_only_root_asks_who_called_sudo(self):
        """Anybody can set the variables; who is not root keeps the ids that he has."""
        subprocess.run(["setcap", "cap_bpf,cap_perfmon,cap_setuid,cap_setgid+ep", self.copy], check=True)
        for uid in ("0", "1", "abc"):
            result = self.as_nobody("tcpconnect", "-o", "/dev/null", "--", "id", "-u", SUDO_UID=uid, SUDO_GID=uid)
            self.assertEqual((result.returncode, result.stdout), (0, f"{NOBODY}\n".encode()), result)

    def test_owners_of_other_users_sockets(self):
        everything = self.as_nobody("doctor").stdout.decode()
        self.grant(re.search(r"(?m)^ +(setcap .*)$", everything)[1])
        self.port = self.closed_port()
        lines = self.trace("drops", keep="cap_dac_read_search,cap_sys_ptrace,cap_bpf")
        line = self.one(lines, type="reset", direction="in")
        self.assertEqual((line["pid"], line["comm"]), (os.getpid(), COMM), line)
