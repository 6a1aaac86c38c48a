"""Each command of docs/recipes.md as printed, but shorter, beside its traffic: it ends well, and its columns are the page's."""
import os
import re
import shlex
import sys

from harness import HERE, run_plumb
from tcpconnect import TcpTest

PAGE = os.path.join(HERE, "..", "..", "docs", "recipes.md")


def recipes():
    """Heading, arguments behind `plumb`, the printed output's lines."""
    with open(PAGE, encoding="utf-8") as page:
        sections = page.read().split("\n## ")[1:]
    for section in sections:
        block = re.search(r"^```console\n\$ sudo plumb (.*)\n((?:.*\n)*?)```$", section, re.MULTILINE)
        yield section.splitlines()[0], shlex.split(block[1]), block[2].splitlines()


class Recipes(TcpTest):
    def test_each_command(self):
        traffic = self.ns.popen(sys.executable, os.path.join(HERE, "recipes_traffic.py"))
        self.addCleanup(traffic.wait)
        self.addCleanup(traffic.kill)
        count = 0
        for heading, arguments, printed in recipes():
            with self.subTest(heading):
                short = ["1s" if a in ("10s", "2s") else a for a in arguments]
                short[1:1] = ["--netns", self.ns.path]  # what else goes on here changes the columns
                done = run_plumb(*short, prefix=self.ns.prefix())
                self.assertEqual(done.returncode, 0, done.stderr)
                title = next(line for line in printed if line.isupper() or "TOTAL" in line)
                lines = [line.split() for line in done.stdout.decode().splitlines()]
                self.assertIn(title.split(), lines)
                self.assertGreater(len(lines), lines.index(title.split()) + 1, "no row")
                count += 1
        self.assertGreaterEqual(count, 10)
