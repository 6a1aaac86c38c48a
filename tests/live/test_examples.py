"""Every command of README.md and of the manual pages' examples runs as printed and ends well."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid

from examples import all_examples, make_place
from harness import DEADLINE, HERE, Cgroup, needs
from tcpconnect import TcpTest


CONNECTS = """
import socket, time
while True:
    with socket.socket() as s:
        s.connect_ex(("127.0.0.1", 5432))
    time.sleep(0.02)
"""


class Docker:
    """What docker leaves of one running container, for who runs behind `prefix`."""

    def __init__(self, name):
        id = uuid.uuid4().hex * 2
        self.group = Cgroup(f"docker-{id}.scope")
        self.files = tempfile.mkdtemp(prefix="plumb-docker-")
        os.makedirs(f"{self.files}/docker/containers/{id}")
        with open(f"{self.files}/docker/containers/{id}/config.v2.json", "w", encoding="utf-8") as f:
            json.dump({"ID": id, "Name": f"/{name}", "State": {"Running": True}}, f)
        self.prefix = ["unshare", "--mount", "sh", "-c", f'mount --bind {self.files} /var/lib && exec "$@"', "sh"]

    def close(self):
        self.group.close()
        shutil.rmtree(self.files)


@needs("bash", "jq", "less", "unshare", "mount")
class Examples(TcpTest):
    def setUp(self):
        super().setUp()
        self.place = tempfile.mkdtemp(prefix="plumb-examples-")
        self.addCleanup(shutil.rmtree, self.place)
        self.environment = make_place(self.place)
        self.container = Docker("web")
        self.addCleanup(self.container.close)
        inside = self.ns.popen(*self.container.group.prefix(), sys.executable, "-c", CONNECTS)
        self.addCleanup(inside.wait)
        self.addCleanup(inside.kill)
        self.traffic = self.ns.popen(sys.executable, os.path.join(HERE, "recipes_traffic.py"))
        self.addCleanup(self.traffic.wait)
        self.addCleanup(self.traffic.kill)

    def run_as_printed(self, command):
        command = re.sub(r"\b4711\b", str(self.traffic.pid), command)  # a process of the reader's
        inside = self.container.prefix if "--container" in command else []
        return subprocess.run([*self.ns.prefix(), *inside, "bash", "-o", "pipefail", "-c", command + "\nwait"], cwd=self.place,
                              env=self.environment, capture_output=True, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, timeout=2 * DEADLINE, check=False)

    def test_each_command(self):
        found = list(all_examples())
        self.assertGreater(len([c for where, c in found if where == "README.md"]), 20)
        self.assertGreater(len(found), 60)
        for where, command in found:
            with self.subTest(where=where, command=command):
                done = self.run_as_printed(command)
                said = done.stderr + done.stdout[:2000]
                self.assertIn(done.returncode, (0, 3) if "--fail-if" in command or " diff " in command else (0,), said)
                for file in re.findall(r"-o (\S+)", command):
                    if file != "/dev/null":
                        self.assertTrue(os.path.getsize(os.path.join(self.place, file)), file)
                if not re.search(r"-o |\| |--json", command):
                    self.assertTrue(done.stdout, "nothing was written")
