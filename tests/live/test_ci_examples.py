"""The commands of docs/ci.md, as a runner of GitHub or GitLab starts them: one after another, in one folder."""
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree

from examples import make_place, read
from harness import DEADLINE, PLUMB, needs
from httptrace import HttpTest

# Requests to a server of its own, and a connection.
TESTS = """
import http.client, http.server, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(int(self.path.rpartition("/")[2]))
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = http.client.HTTPConnection("127.0.0.1", server.server_port)
for i in range(120):
    client.request("GET", "/api/200" if i % 40 else STATUS)
    client.getresponse().read()
client.close()
server.shutdown()
"""


def commands():
    """The page's indented commands with their continuations, by heading."""
    for section in read("docs", "ci.md").split("\n## "):
        for command in re.findall(r"^ +(?:- )?((?:sudo .*\n? +)?plumb [a-z]+ -(?:.*\\\n)*.*)$", section, re.MULTILINE):
            yield section.splitlines()[0], command


@needs("bash")
class CiExamples(HttpTest):
    def setUp(self):
        super().setUp()
        self.environment = make_place(self.directory)
        self.summary = os.path.join(self.directory, "summary.md")
        self.environment.update(GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=self.summary)
        os.remove(os.path.join(self.directory, "bin/plumb"))  # these end by themselves
        os.symlink(PLUMB, os.path.join(self.directory, "bin/plumb"))
        with open(os.path.join(self.directory, "bin/sudo"), "w", encoding="utf-8") as f:  # what sudo would not pass on is gone
            f.write("#!/bin/sh\ncase $1 in --preserve-env=GITHUB_ACTIONS,GITHUB_STEP_SUMMARY) shift ;;\n"
                    "*) unset GITHUB_ACTIONS GITHUB_STEP_SUMMARY ;; esac\nexec \"$@\"\n")
        self.write_tests("/api/503")

    def write_tests(self, odd):
        path = os.path.join(self.directory, "integration-tests")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"#!{sys.executable}\n" + TESTS.replace("STATUS", repr(odd)))
        os.chmod(path, 0o755)

    def as_a_runner(self, command):
        return subprocess.run([*self.ns.prefix(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
                              cwd=self.directory, env=self.environment, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              timeout=3 * DEADLINE, check=False)

    def text(self, name):
        with open(os.path.join(self.directory, name), encoding="utf-8") as f:
            return f.read()

    def test_each_command(self):
        by_heading = {}
        for heading, command in commands():
            by_heading.setdefault(heading, []).append(command)
        self.assertEqual([len(c) for c in by_heading.values()], [1, 1, 1, 2, 3], by_heading)
        intro, github, gitlab, again, worse = by_heading.values()

        for command in (*intro, *gitlab):
            done = self.as_a_runner(command)
            self.assertEqual(done.returncode, 0, done.stderr)
            suite = xml.etree.ElementTree.fromstring(self.text("plumb.xml")).find("testsuite")
            self.assertEqual((suite.get("tests"), suite.get("failures")), ("1", "0"))

        done = self.as_a_runner(github[0])
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("::error title=plumb httptrace::share(status >= 500) > 0%25: share", done.stderr)
        self.assertIn("plumb httptrace: 1 of 2 failed", self.text("summary.md"))
        self.assertEqual(xml.etree.ElementTree.fromstring(self.text("plumb.xml")).find("testsuite").get("failures"), "1")
        self.assertEqual(len(self.text("plumb.json").splitlines()), 240)  # both sides

        for command in again:
            done = self.as_a_runner(command)
            self.assertIn(done.returncode, (0, 3), done.stderr)
            self.assertTrue(done.stdout)
        self.assertIn("read from", self.text("again.md"))

        os.rename(os.path.join(self.directory, "plumb.json"), os.path.join(self.directory, "main.json"))
        for command in worse:
            done = self.as_a_runner(command)
            self.assertIn(done.returncode, (0, 3), done.stderr)
            self.assertRegex(done.stderr, "passed|inconclusive|FAILED")
        self.assertEqual(json.loads(self.text("new.report.json"))["sketches"][0]["of"], "latency_ms")
