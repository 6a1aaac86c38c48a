"""One executable in roots with another C library, or none: live, with users by name, and with mounts missing."""
import os
import socket
import subprocess
import threading
import unittest

from harness import PLUMB, Namespace, Plumb, needs
from roots import Root, debian, empty_directory

INSIDE = "/usr/bin/plumb"


@unittest.skipIf(os.geteuid() != 0, "needs root")
class RootTest:
    """What holds in every root. A class below says which, and how to connect in it."""
    mounts = ("proc", "sys")

    def setUp(self):
        self.root = self.make(self.mounts)
        self.addCleanup(self.root.close)
        self.root.add_program(PLUMB, INSIDE)

    def plumb(self, tool, *args, **options):
        return Plumb(tool, *args, executable=INSIDE, prefix=self.root.prefix, **options)

    def listener(self):
        """The port of a server that hangs up at once."""
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
        return server.getsockname()[1]

    def test_a_connection_made_inside_is_traced(self):
        port = self.listener()
        with self.plumb("tcpconnect", "--", *self.connect(port)) as plumb:
            lines = plumb.finish()
        self.assertEqual(len(lines), 1, lines)
        line = lines[0]
        self.assertEqual((line["type"], line["role"], line["outcome"], line["remote_addr"], line["remote_port"],
                          line["uid"], line["error"]),
                         ("connect", "client", "established", "127.0.0.1", port, 0, None))
        self.assertEqual(line["comm"], os.path.basename(self.connect(port)[0]))
        self.assertGreater(line["latency_ms"], 0)

    def test_a_packet_to_a_closed_port_is_a_drop(self):
        ns = Namespace()  # where nobody else may take the port
        self.addCleanup(ns.close)
        with self.plumb("drops", "--type", "drop", "--where", f"netns == {ns.inode}") as plumb:
            with ns.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x", ("127.0.0.1", 9))
            plumb.wait_for(bool, "the drop")
        self.assertEqual((plumb.lines[0]["protocol"], plumb.lines[0]["dst"], plumb.lines[0]["dst_port"]),
                         ("udp", "127.0.0.1", 9))

    def test_doctor_says_that_all_tools_can_run(self):
        self.assertIn("can run", self.root.run(INSIDE, "doctor").stdout)

    def test_users_are_found_by_name_without_the_c_library_of_the_root(self):
        for path in ("etc/nsswitch.conf", "etc/passwd", "etc/group"):
            if os.path.exists(self.root.inside(path)):
                os.unlink(self.root.inside(path))
        os.makedirs(self.root.inside("etc"), exist_ok=True)
        unknown = self.root.run(INSIDE, "tcpconnect", "-u", "alice", status=2).stderr
        self.assertIn("no such user: alice", unknown)
        for path, text in (("etc/passwd", "# a comment\nbroken:line\nalice:x:4711:4712::/home/alice:/bin/sh\n"),
                           ("etc/group", "broken\nwheel:x:4713:bob,alice\n"),
                           ("etc/nsswitch.conf", "passwd: compat ldap\ngroup: files sss\n")):
            with open(self.root.inside(path), "w") as file:
                file.write(text)
        self.root.run(INSIDE, "tcpconnect", "-u", "alice", "-d", "100ms")
        # Under sudo the command runs as the user who called it, with that user's groups.
        sudo = {"SUDO_UID": "4711", "SUDO_GID": "4712", "SUDO_USER": "alice"}
        done = self.root.run(INSIDE, "tcpconnect", "--json", "--", *self.show_user(), env=sudo)
        self.assertRegex(done.stdout, r"uid=4711(\(alice\))? gid=4712 groups=4712,4713(\(wheel\))?\n")


class UnmountedTest:
    """Without /proc or /sys, what to do is said, by tools and by doctor."""

    def test_the_missing_mount_is_named(self):
        root = self.make(())
        self.addCleanup(root.close)
        root.add_program(PLUMB, INSIDE)
        for missing, command in (("proc", "mount -t proc proc /proc"), ("sys", "mount -t sysfs sysfs /sys")):
            for args in (("tcpconnect",), ("drops",), ("doctor",), ("tcpconnect", "--", *self.show_user())):
                error = root.run(INSIDE, *args, status=1).stderr
                self.assertIn(f"/{missing} is not mounted", error)
                self.assertIn(command, error)
                self.assertLessEqual(error.count("\n"), 3)
            root.run(INSIDE, "tcpconnect", "--list-fields")
            root.mount_system(missing)
        root.run(INSIDE, "tcpconnect", "-d", "1ms")


class Debian:
    def make(self, mounts):
        return Root(debian(self.suite, "essential"), mounts)

    def connect(self, port):
        return ["/bin/bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"]

    def show_user(self):
        return ["/usr/bin/id"]


class Bullseye(Debian, RootTest, UnmountedTest, unittest.TestCase):
    suite = "bullseye"


class Trixie(Debian, RootTest, UnmountedTest, unittest.TestCase):
    suite = "trixie"


@needs("busybox")
class Busybox(RootTest, UnmountedTest, unittest.TestCase):
    """Nothing but busybox, which is static as plumb is."""

    def make(self, mounts):
        lower = self.enterContext(empty_directory())
        root = Root(lower, mounts)
        busybox = subprocess.run(["sh", "-c", "command -v busybox"], capture_output=True, text=True).stdout.strip()
        root.add_program(busybox, "/bin/busybox")
        for name in ("nc", "id"):
            os.symlink("busybox", root.inside(f"/bin/{name}"))
        return root

    def connect(self, port):
        return ["/bin/nc", "127.0.0.1", str(port)]

    def show_user(self):
        return ["/bin/id"]
