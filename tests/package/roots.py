"""Roots to run plumb in that are not this machine's: other Debian releases, and one with busybox alone."""
import contextlib
import os
import shutil
import subprocess
import tempfile
import unittest

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.environ.get("PLUMB_ROOTS", os.path.join(PROJECT, "build/roots"))


def mirror():
    """Where apt gets Debian from on this machine."""
    done = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages",
                           "Origin: Debian", "Label: Debian"], capture_output=True, text=True)
    if done.returncode != 0 or not done.stdout:
        raise unittest.SkipTest("apt has no Debian mirror on this machine")
    return done.stdout.split()[0]


def debian(suite, variant):
    """The cached root of a Debian release, never to be written to."""
    path = os.path.join(CACHE, suite)
    if os.path.isdir(path):
        return path
    if shutil.which("mmdebstrap") is None:
        raise unittest.SkipTest("not installed: mmdebstrap")
    os.makedirs(CACHE, exist_ok=True)
    new = path + ".new"
    shutil.rmtree(new, ignore_errors=True)
    done = subprocess.run(["mmdebstrap", "--quiet", f"--variant={variant}", suite, new, mirror()],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"mmdebstrap {suite}: {done.stderr[-2000:]}")
    os.rename(new, path)
    return path


class Root:
    """A root of its own to change at will: an overlay over `lower`, with /tmp shared with this machine and, where
    wanted, /proc and /sys. Its mounts are the test's: the caller is in a mount namespace."""

    def __init__(self, lower, mounts=("proc", "sys")):
        self.base = tempfile.mkdtemp(prefix="plumb-root-")
        self.path = os.path.join(self.base, "root")
        self.mount("-t", "tmpfs", "tmpfs", self.base)
        for name in ("upper", "work", "root"):
            os.mkdir(os.path.join(self.base, name))
        self.mount("-t", "overlay", "-o", f"lowerdir={lower},upperdir={self.base}/upper,workdir={self.base}/work",
                   "overlay", self.path)
        os.makedirs(self.inside("tmp"), exist_ok=True)
        self.mount("--bind", "/tmp", self.inside("tmp"))
        for name in mounts:
            self.mount_system(name)

    @staticmethod
    def mount(*args):
        subprocess.run(["mount", *args], check=True)

    def mount_system(self, name):
        """A /proc or /sys as a container has it: without what this machine has mounted below its own."""
        os.makedirs(self.inside(name), exist_ok=True)
        self.mount("-t", {"proc": "proc", "sys": "sysfs"}[name], name, self.inside(name))

    def inside(self, path):
        return os.path.join(self.path, path.lstrip("/"))

    @property
    def prefix(self):
        return ["chroot", self.path]

    def run(self, *command, env=None, status=0):
        done = subprocess.run([*self.prefix, *command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", **(env or {})})
        if status is not None and done.returncode != status:
            raise AssertionError(f"{command}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def add_program(self, source, path):
        os.makedirs(os.path.dirname(self.inside(path)), exist_ok=True)
        shutil.copy2(source, self.inside(path))

    def files(self):
        """Every path that belongs to the root itself."""
        found = set()
        for directory, folders, names in os.walk(self.path):
            if directory == self.path:
                folders[:] = [f for f in folders if f not in ("tmp", "proc", "sys")]
            found.update(os.path.relpath(os.path.join(directory, n), self.path) for n in (*folders, *names))
        return found

    def close(self):
        subprocess.run(["umount", "--recursive", "--lazy", self.base], check=True)
        os.rmdir(self.base)


@contextlib.contextmanager
def empty_directory():
    path = tempfile.mkdtemp(prefix="plumb-empty-")
    try:
        yield path
    finally:
        shutil.rmtree(path)
