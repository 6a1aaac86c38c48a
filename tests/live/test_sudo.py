"""`sudo plumb TOOL -- COMMAND`: the command runs as the user who called sudo, with that user's groups and home."""
import os
import shutil
import tempfile
import unittest

from harness import needs, run_plumb

USER = "sudo-caller"
UID, GID = 23456, 34567
GROUPS = {45678: "first", 56789: "second"}
SUDO = {"SUDO_UID": str(UID), "SUDO_GID": str(GID), "SUDO_USER": USER, "HOME": "/root", "USER": "root",
        "LOGNAME": "root"}
# One line a fact, told by the command itself.
TELL = """id -u; id -g; id -G; id -un 2>/dev/null; echo "${HOME-unset}"; echo "${USER-unset}"; echo "${LOGNAME-unset}"
sed -n 's/^Uid:[[:blank:]]*//p; s/^CapEff:[[:blank:]]*//p; s/^NoNewPrivs:[[:blank:]]*//p' /proc/self/status"""


@unittest.skipIf(os.geteuid() != 0, "needs root")
@needs("unshare", "mount")
class Sudo(unittest.TestCase):
    """The machine's own users stay as they are: a mount namespace has an /etc/passwd and an /etc/group of its own."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="plumb-sudo-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.write("passwd", f"root:x:0:0::/root:/bin/sh\n{USER}:x:{UID}:{GID}::/home/of/{USER}:/bin/sh\n")
        self.write("group", f"root:x:0:\nown:x:{GID}:\nother:x:99:someone,{USER}2\n" +
                   "".join(f"{name}:x:{gid}:someone,{USER}\n" for gid, name in GROUPS.items()))

    def write(self, name, text):
        with open(os.path.join(self.directory, name), "w") as f:
            f.write(text)

    def plumb(self, *args, **env):
        inside = f'cd {self.directory} && mount --bind passwd /etc/passwd && mount --bind group /etc/group && exec "$@"'
        return run_plumb("tcpconnect", *args, env=env, prefix=["unshare", "--mount", "sh", "-c", inside, "sh"])

    def told(self, **env):
        result = self.plumb("-o", "/dev/null", "--", "sh", "-c", TELL, **env)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return result.stdout.decode().splitlines()

    def test_ids_groups_and_home_are_the_callers(self):
        uid, gid, groups, name, home, user, logname, uids, capabilities, no_new = self.told(**SUDO)
        self.assertEqual((uid, gid, name), (str(UID), str(GID), USER))
        self.assertEqual(set(map(int, groups.split())), {GID, *GROUPS})
        self.assertEqual((home, user, logname), (f"/home/of/{USER}", USER, USER))
        self.assertEqual(uids.split(), [str(UID)] * 4)  # nothing of root is left to go back to
        self.assertEqual(int(capabilities, 16), 0)
        self.assertEqual(no_new, "0")  # the command may call sudo itself

    def test_a_caller_who_is_not_in_the_files(self):
        """From a directory service: ids are known, the home is not, and root's is not taken for it."""
        uid, gid, groups, _, home, user, *_ = self.told(**{**SUDO, "SUDO_UID": "77777", "SUDO_USER": "remote"})
        self.assertEqual((uid, gid, groups), ("77777", str(GID), str(GID)))
        self.assertEqual((home, user), ("unset", "remote"))

    def test_root_stays_root(self):
        for env in ({}, {"SUDO_UID": "0", "SUDO_GID": "0", "SUDO_USER": "root"}, {"SUDO_UID": ""}):
            with self.subTest(env=env):
                self.assertEqual(self.told(**env)[0], "0")

    def test_what_is_no_id_never_means_root(self):
        for name in ("SUDO_UID", "SUDO_GID"):
            for value in ("abc", "-1", "4294967295", "99999999999", " 1", "1 ", "0x10", "1\x1b[31m"):
                with self.subTest(name=name, value=value):
                    result = self.plumb("--", "id", "-u", **{**SUDO, name: value})
                    self.assertEqual((result.returncode, result.stdout), (1, b""), result)
                    self.assertIn(f"{name} is no id".encode(), result.stderr)
                    self.assertLessEqual(len(result.stderr.splitlines()), 3)
                    self.assertNotIn(b"\x1b", result.stderr)
        result = self.plumb("--", "id", "-u", **{**SUDO, "SUDO_GID": ""})
        self.assertEqual((result.returncode, result.stdout), (1, b""))
        self.assertIn(b"SUDO_GID is missing", result.stderr)

    def test_without_a_command_nobody_asks(self):
        self.assertEqual(self.plumb("-d", "1ms", **{**SUDO, "SUDO_UID": "abc"}).returncode, 0)

    @needs("setpriv")
    def test_becoming_the_caller_can_fail(self):
        result = run_plumb("tcpconnect", "--", "id", env=SUDO,
                           prefix=["setpriv", "--bounding-set=-setuid", "--inh-caps=-setuid"])
        self.assertEqual((result.returncode, result.stdout), (126, b""), result)
        self.assertIn(b"as the user who called sudo", result.stderr)
        self.assertIn(b"CAP_SETUID", result.stderr)
