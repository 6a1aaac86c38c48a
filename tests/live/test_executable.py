"""The field exe, of processes that have ended before plumb hears of them."""
import os
import shutil
import subprocess
import tempfile

from harness import Plumb, core, needs
from tcpconnect import KEYS, TcpTest, tcpconnect

RUNS = 10


@needs("bash")
class ShortLived(TcpTest):
    def setUp(self):
        super().setUp()
        self.port = self.listener().getsockname()[1]
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)

    def connect(self, *shell):
        """RUNS processes, each of which connects and ends."""
        code = f"exec 3<>/dev/tcp/127.0.0.1/{self.port}"
        for _ in range(RUNS):
            subprocess.run([*self.ns.prefix(), *shell, "-c", code], check=True, cwd=self.directory)

    def exes(self, *shell):
        with tcpconnect("--netns", self.ns.path) as plumb:
            self.connect(*shell)
        self.assertEqual(len(plumb.lines), RUNS)
        return {line["exe"] for line in plumb.lines}

    @core
    def test_its_path_is_known(self):
        self.assertEqual(self.exes("/bin/bash"), {os.path.realpath("/bin/bash")})

    def test_links_are_resolved(self):
        link = os.path.join(self.directory, "link")
        os.symlink(shutil.which("bash"), link)
        self.assertEqual(self.exes(link), {os.path.realpath(link)})

    def test_of_a_script_it_is_the_interpreter(self):
        script = os.path.join(self.directory, "script")
        with open(script, "w", encoding="ascii") as f:
            f.write('#!/bin/bash\nshift; eval "$1"\n')
        os.chmod(script, 0o755)
        self.assertEqual(self.exes(script), {os.path.realpath("/bin/bash")})

    def test_command(self):
        code = f"exec 3<>/dev/tcp/127.0.0.1/{self.port}"
        for _ in range(RUNS):
            plumb = Plumb("tcpconnect", "--", "bash", "-c", code, prefix=self.ns.prefix(), keys=KEYS)
            with plumb:
                plumb.finish()
            self.assertEqual([line["exe"] for line in plumb.lines], [os.path.realpath(shutil.which("bash"))])

    def test_relative_path_is_not_made_up(self):
        shutil.copy(shutil.which("bash"), os.path.join(self.directory, "copy"))
        found = self.exes("./copy")
        self.assertLessEqual(found, {None, os.path.join(self.directory, "copy")})
