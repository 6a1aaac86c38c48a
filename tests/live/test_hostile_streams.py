"""Standard output and standard error that cannot be written, or whose reader hangs: the run goes on, ends in time, and
its status, its verdicts and COMMAND are as they would have been."""
import contextlib
import fcntl
import os
import resource
import signal
import socket
import subprocess
import tempfile
import time

from harness import PLUMB, Plumb, heed_signals, wait_until
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


class StandardOutput(TcpTest):
    def traffic(self, count=3):
        listener = self.listener(backlog=4096)
        self.program("connect", address="127.0.0.1", port=listener.getsockname()[1], count=count).rest()

    def test_a_reader_that_stalls(self):
        """The trace ends in time with its own status, and says what was not written."""
        for stalled in (full_pipe, full_socket):
            for args, status in ((["--fail-if", "count > 0"], 3), (["--stats"], 0), (["--summary"], 0)):
                with self.subTest(stdout=stalled.__name__, args=args), stalled() as fd:
                    with Plumb("tcpconnect", "--netns", self.ns.path, *args, stdout=fd, expect_status=status) as plumb:
                        self.traffic()
                        started = time.monotonic()
                        plumb.finish(signal.SIGTERM)
                        self.assertLess(time.monotonic() - started, 4)
                    self.assertRegex(plumb.stderr, r"lines? not written to standard output: the reader stalled")

    def test_a_duration_ends_although_the_reader_stalls(self):
        with full_pipe() as fd:
            with Plumb("tcpconnect", "--netns", self.ns.path, "-d", "2s", stdout=fd) as plumb:
                self.traffic(3000)
                plumb.finish()
        self.assertIn("lines not written to standard output: the reader stalled", plumb.stderr)

    def test_command_is_told(self):
        with full_pipe() as fd:
            with Plumb("tcpconnect", "--", "sleep", "300", stdout=fd, expect_status=143) as plumb:
                plumb.finish(signal.SIGTERM)

    def test_command_that_outlives_the_duration_is_told(self):
        with Plumb("tcpconnect", "--summary", "--role", "client", "-d", "300ms", "--", "sleep", "300",
                   expect_status=143) as plumb:
            wait_until(lambda: plumb.so_far() is not None and not probes_of(plumb.process.pid), "the end of the trace")
            plumb.finish(signal.SIGTERM)

    def test_file_size_limit_is_an_error(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "out.json")
            with Plumb("tcpconnect", "--netns", self.ns.path, "-o", path, expect_status=1, json_lines=False) as plumb:
                resource.prlimit(plumb.process.pid, resource.RLIMIT_FSIZE, (600, 600))
                self.traffic(30)
                plumb.finish()
        self.assertIn("EFBIG", plumb.stderr)


def probes_of(pid):
    """Whether a process still holds BPF links."""
    found = 0
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(f"/proc/{pid}/fdinfo"):
            with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/fdinfo/{name}") as f:
                found += "link_id:" in f.read()
    return found


class Files(TcpTest):
    def test_a_pipe_that_nobody_reads(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "fifo")
            os.mkfifo(path)
            process = subprocess.Popen([PLUMB, "tcpconnect", "-o", path], stderr=subprocess.PIPE,
                                       preexec_fn=heed_signals)
            wait_until(lambda: blocked(process.pid), "the signals to be blocked")
            process.send_signal(signal.SIGTERM)
            _, stderr = process.communicate(timeout=10)
            self.assertEqual(process.returncode, -signal.SIGTERM)  # no trace had begun
            self.assertIn(b"nobody reads it", stderr)
            done = subprocess.run([PLUMB, "tcpconnect", "-d", "1s", "--ready-file", path], stderr=subprocess.PIPE,
                                  timeout=10)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"no regular file", done.stderr)

    def test_a_stale_ready_file_goes_first(self):
        with tempfile.TemporaryDirectory() as directory:
            path, victim = os.path.join(directory, "ready"), os.path.join(directory, "victim")
            for stale in ("file", "link"):
                with self.subTest(stale=stale):
                    if stale == "file":
                        with open(path, "w") as f:
                            f.write("from an earlier run")
                    else:
                        os.symlink(victim, path)
                    process = subprocess.Popen([PLUMB, "tcpconnect", "-d", "30s", "--ready-file", path],
                                               stdout=subprocess.DEVNULL, preexec_fn=heed_signals)
                    wait_until(lambda: os.path.lexists(path) and not os.path.islink(path) and os.path.getsize(path) == 0,
                               "the new ready file")
                    self.assertTrue(probes_of(process.pid))
                    process.send_signal(signal.SIGINT)
                    self.assertEqual(process.wait(10), 0)
                    self.assertFalse(os.path.exists(victim))
                    os.unlink(path)

    def test_the_ready_file_of_another_users_directory(self):
        """As under sudo in one's home: without CAP_DAC_OVERRIDE root may not write there."""
        with tempfile.TemporaryDirectory() as directory:
            os.chown(directory, 12345, 12345)
            os.chmod(directory, 0o755)
            path = os.path.join(directory, "ready")
            done = subprocess.run([PLUMB, "tcpconnect", "-d", "100ms", "--ready-file", path], stderr=subprocess.PIPE,
                                  stdout=subprocess.DEVNULL, timeout=20)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertTrue(os.path.exists(path))


def blocked(pid):
    with open(f"/proc/{pid}/comm") as f:
        if f.read().strip() != "plumb":
            return False
    with open(f"/proc/{pid}/status") as f:
        mask = int(next(line for line in f if line.startswith("SigBlk")).split()[1], 16)
    return mask >> signal.SIGTERM - 1 & 1


class Terminal(TcpTest):
    def start(self, *args):
        leader, follower = os.openpty()
        self.addCleanup(os.close, leader)
        ready = os.path.join(tempfile.mkdtemp(prefix="plumb-top-"), "ready")
        process = subprocess.Popen([PLUMB, "tcpconnect", "--top", "--interval", "100ms", "--netns", self.ns.path,
                                    "--ready-file", ready, *args], stdin=follower, stdout=follower,
                                   stderr=subprocess.DEVNULL, env={**os.environ, "TERM": "xterm"},
                                   preexec_fn=heed_signals)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        os.close(follower)
        wait_until(lambda: os.path.exists(ready) or process.poll() is not None, "the ready file")
        return process, leader

    def test_that_takes_no_output(self):
        process, _ = self.start("-d", "3s")  # nobody reads its other side: it is full after some frames
        self.assertEqual(process.wait(20), 0)
        process, _ = self.start()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(20), 0)
