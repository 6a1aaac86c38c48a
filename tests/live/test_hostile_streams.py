"""Standard output and standard error that cannot be written, or whose reader hangs: the run goes on, ends in time, and
its status, its verdicts and COMMAND are as they would have been."""
import contextlib
import fcntl
import os
import socket
import subprocess

from harness import PLUMB, heed_signals
from tcpconnect import TcpTest

F_SETPIPE_SZ = 1031


@contextlib.contextmanager
def full_pipe():
    """The write end of a pipe that is full and that nobody reads."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
    os.write(writer, b"x" * 4096)
    try:
        yield writer
    finally:
        os.close(reader)
        os.close(writer)


@contextlib.contextmanager
def full_socket():
    """A socket whose peer reads nothing, as systemd's journal does when it hangs."""
    mine, theirs = socket.socketpair()
    mine.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            mine.send(b"x" * 4096)
    mine.setblocking(True)
    try:
        yield mine.fileno()
    finally:
        mine.close()
        theirs.close()


@contextlib.contextmanager
def closed_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)


@contextlib.contextmanager
def full_disk():
    fd = os.open("/dev/full", os.O_WRONLY)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def hung_up_terminal():
    """A terminal whose other side is gone, as after a lost SSH connection."""
    leader, follower = os.openpty()
    os.close(leader)
    try:
        yield follower
    finally:
        os.close(follower)


BAD = (full_pipe, full_socket, closed_pipe, full_disk, hung_up_terminal)


class StandardError(TcpTest):
    def test_that_cannot_be_written(self):
        """The status is COMMAND's, or that of a --fail-if that holds."""
        for bad in BAD:
            for args, status in ((["--stats", "--", "sh", "-c", "exit 7"], 7),
                                 (["--stats", "--fail-if", "count == 0", "--", "true"], 3),
                                 (["-v", "--stats", "-d", "100ms"], 0),
                                 (["--no-such-option"], 2)):
                with self.subTest(stderr=bad.__name__, args=args), bad() as fd:
                    done = subprocess.run([PLUMB, "tcpconnect", *args], stdin=subprocess.DEVNULL, stderr=fd,
                                          stdout=subprocess.DEVNULL, timeout=20, preexec_fn=heed_signals)
                    self.assertEqual(done.returncode, status)

    def test_of_doctor_and_help(self):
        for bad in BAD:
            for args in (["doctor"], ["help", "nonsense"], []):
                with self.subTest(stderr=bad.__name__, args=args), bad() as fd:
                    done = subprocess.run([PLUMB, *args], stdin=subprocess.DEVNULL, stderr=fd,
                                          stdout=subprocess.DEVNULL, timeout=20, preexec_fn=heed_signals)
                    self.assertIn(done.returncode, (0, 1, 2))

    def test_help_into_a_pipe_that_closes(self):
        with closed_pipe() as fd:
            done = subprocess.run([PLUMB, "--help"], stdout=fd, stderr=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        with full_disk() as fd:
            done = subprocess.run([PLUMB, "--help"], stdout=fd, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"No space left on device", done.stderr)
