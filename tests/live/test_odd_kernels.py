"""Machines that cannot be traced: every tool and doctor say in three lines what is missing and what to do."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import EMULATED, PLUMB, core, hook_variants, needs, run_plumb


class Odd(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        self.directory = tempfile.mkdtemp(prefix="plumb-odd-")
        self.addCleanup(shutil.rmtree, self.directory)
        os.chmod(self.directory, 0o755)

    def assertAllSay(self, *words, prefix=(), executable=PLUMB):
        """All of `words` stand in what each tool says as it ends, and in doctor's verdict on it."""
        options = {"prefix": prefix, "executable": executable}
        verdicts = run_plumb("doctor", **options)
        self.assertEqual(verdicts.returncode, 1)
        verdicts = verdicts.stdout.decode().partition("\nVerdict\n")[2]
        report = json.loads(run_plumb("doctor", "--json", **options).stdout)
        for tool in dict.fromkeys(v.tool for v in hook_variants()):
            with self.subTest(tool=tool):
                ended = run_plumb(tool, "-d", "1ms", **options)
                self.assertEqual((ended.returncode, ended.stdout), (1, b""))
                verdict = re.search(rf"(?m)^  {tool} .*\n(?:    .*\n)*", verdicts)[0]
                for text in (ended.stderr.decode(), verdict):
                    self.assertLessEqual(len(text.splitlines()), 3, text)
                    for word in words:
                        self.assertIn(word, " ".join(text.split()))
                self.assertFalse(next(t for t in report["tools"] if t["name"] == tool)["can_run"])

    @core
    @needs("unshare")
    def test_without_btf(self):
        self.assertAllSay("/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF=y",
                          prefix=["unshare", "--mount", "sh", "-c",
                                  f'mount --bind {self.directory} /sys/kernel/btf && exec "$@"', "sh"])

    @core
    @needs("setpriv")
    def test_unprivileged(self):
        copy = shutil.copy(PLUMB, self.directory)
        switch = "/proc/sys/kernel/unprivileged_bpf_disabled"
        with open(switch) as f:
            was = f.read()
        for value in ("0", "2") if EMULATED and was != "1\n" else (was,):  # not this machine's; 1 cannot be undone
            with self.subTest(unprivileged_bpf_disabled=value):
                if value != was:
                    with open(switch, "w") as f:
                        f.write(value)
                self.assertAllSay("missing: CAP_BPF and CAP_PERFMON", "setcap cap_bpf,cap_perfmon+ep", executable=copy,
                                  prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])

    def lock_down(self):
        """No test of the live suite, since it cannot be undone: tests/kernels/inside.py runs it in its machines."""
        security = "/sys/kernel/security"
        if not os.path.exists(f"{security}/lockdown"):
            subprocess.run(["mount", "-t", "securityfs", "securityfs", security], check=True)
        with open(f"{security}/lockdown", "w") as f:
            f.write("confidentiality")
        self.assertAllSay("locked down (confidentiality)", "lockdown=integrity")


if __name__ == "__main__":
    unittest.main()
