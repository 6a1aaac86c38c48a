"""The Debian package, in a Debian that has never seen plumb."""
import glob
import gzip
import os
import subprocess
import unittest

from harness import needs
from roots import PROJECT, Root, debian

PACKAGES = os.path.join(PROJECT, "build/package")


def deb():
    found = glob.glob(os.path.join(PACKAGES, "*.deb"))
    if len(found) != 1:
        raise AssertionError(f"one .deb is expected in {PACKAGES}: {found}")
    return found[0]


@needs("lintian")
class Lint(unittest.TestCase):
    def test_lintian_finds_nothing(self):
        done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0", deb()],
                              capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)


@unittest.skipIf(os.geteuid() != 0, "needs root")
class Installed(unittest.TestCase):
    """`minbase` has apt and dpkg and little else."""

    # What dpkg keeps of its own: it never forgets that it once worked.
    OF_DPKG = ("var/lib/dpkg/", "var/log/dpkg.log", "var/cache/")

    def setUp(self):
        self.root = Root(debian("bookworm", "minbase"))
        self.addCleanup(self.root.close)
        self.before = self.root.files()
        self.deb = "/tmp/" + os.path.basename(deb())
        subprocess.run(["cp", deb(), self.deb], check=True)  # /tmp is shared
        self.addCleanup(os.unlink, self.deb)
        self.root.run("dpkg", "--install", self.deb)

    def test_it_installs_traces_and_leaves_nothing(self):
        root = self.root
        self.assertEqual(root.run("dpkg", "--verify", "plumb").stdout, "")
        self.assertRegex(root.run("plumb", "tcpconnect", "--version").stdout, r"^plumb \d+\.\d+\.\d+")
        self.assertIn("can run", root.run("plumb", "doctor").stdout)
        root.run("plumb", "tcpconnect", "--", "true")
        self.assertEqual(root.run("plumb", "tcpconnect", "--", "false", status=None).returncode, 1)
        self.assertNotEqual(root.files(), self.before)
        root.run("dpkg", "--purge", "plumb")
        left = {f for f in root.files() - self.before if not f.startswith(self.OF_DPKG)}
        self.assertEqual(left, set())
        self.assertEqual(self.before - root.files(), set())

    def test_nothing_is_missing_for_it(self):
        self.assertEqual(self.root.run("dpkg-query", "-W", "-f", "${Depends}", "plumb").stdout, "")
        self.root.run("apt-get", "check")

    def test_documents_lie_where_their_readers_look(self):
        pages = sorted(os.path.basename(p) for p in glob.glob(os.path.join(PROJECT, "man/*.1")))
        for page in pages:
            with gzip.open(self.root.inside(f"usr/share/man/man1/{page}.gz"), "rb") as there, \
                    open(os.path.join(PROJECT, "man", page), "rb") as here:
                self.assertEqual(there.read(), here.read())
        self.assertIn("plumb-tcpconnect.1", pages)
        for path in ("bash-completion/completions/plumb", "zsh/vendor-completions/_plumb",
                     "fish/vendor_completions.d/plumb.fish", "doc/plumb/copyright", "doc/plumb/changelog.Debian.gz",
                     "doc/plumb/README.md", "doc/plumb/containers.md", "doc/plumb/examples/daemonset.yaml"):
            self.assertTrue(os.path.getsize(self.root.inside("usr/share/" + path)) > 0, path)
        with gzip.open(self.root.inside("usr/share/doc/plumb/linked-libraries.gz"), "rt") as file:
            licences = file.read()
        for package in ("libc6-dev", "libbpf-dev", "libelf-dev", "zlib1g-dev"):
            self.assertIn(f"======== {package}\n", licences)
