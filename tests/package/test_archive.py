"""The archive, `./dev install`, and that one commit gives one package."""
import glob
import hashlib
import os
import subprocess
import tempfile
import unittest

from roots import PROJECT
from harness import PLUMB as EXECUTABLE, alone

BUILD = os.path.join(PROJECT, "build")


def archive():
    return glob.glob(os.path.join(BUILD, "package/*.tar.gz"))[0]


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def tree(folder):
    """Path, mode and contents of every file."""
    found = {}
    for directory, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(directory, name)
            found[os.path.relpath(path, folder)] = (oct(os.stat(path).st_mode), digest(path))
    return found


@alone("makes the package anew")
class Archive(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="plumb-archive-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def unpack(self):
        subprocess.run(["tar", "-xzf", archive(), "-C", self.folder], check=True)
        names = os.listdir(self.folder)
        self.assertEqual(names, [os.path.basename(archive()).removesuffix(".tar.gz")])
        return os.path.join(self.folder, names[0])

    def test_it_runs_where_it_is_unpacked(self):
        top = self.unpack()
        done = subprocess.run([os.path.join(top, "bin/plumb"), "--version"], capture_output=True, text=True, check=True)
        self.assertIn("plumb", done.stdout)
        self.assertEqual(digest(os.path.join(top, "bin/plumb")), digest(EXECUTABLE))

    def test_dev_install_puts_the_same_files(self):
        prefix = os.path.join(self.folder, "prefix")
        subprocess.run([os.path.join(PROJECT, "dev"), "install", prefix], capture_output=True, check=True)
        installed = tree(prefix)
        subprocess.run(["rm", "-r", prefix], check=True)
        self.assertEqual(installed, tree(self.unpack()))

    def test_packed_again_by_somebody_else_the_bytes_are_the_same(self):
        def packages():
            found = [p for pattern in ("*.deb", "*.tar.gz") for p in glob.glob(f"{BUILD}/package/{pattern}")]
            return {os.path.basename(p): (oct(os.stat(p).st_mode), digest(p)) for p in found}

        before = packages()
        self.assertEqual(len(before), 2)
        subprocess.run(["sh", "-c", 'umask 077; exec "$@"', "sh", os.path.join(PROJECT, "dev"), "package"], check=True,
                       capture_output=True, env={**os.environ, "TZ": "Asia/Kathmandu", "LC_ALL": "C"})
        self.assertEqual(packages(), before)

    def test_the_executable_does_not_know_where_it_was_built(self):
        with open(EXECUTABLE, "rb") as file:
            self.assertNotIn(PROJECT.encode(), file.read())
