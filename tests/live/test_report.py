"""--report: the verdicts and what they rest on, as Markdown, JUnit and JSON. From saved lines, but for one live run."""

import html.parser
import json
import os
import random
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

import jsonschema

from harness import HERE, PLUMB, Plumb, needs, run_plumb
from tcpconnect import TcpTest

GOLDEN = os.path.join(HERE, "../golden/expected/tcpconnect.json")
HOSTILE = '</failure><script>alert(1)</script>| **x** `y` <!-- ]]> &amp; "\x1b[2J\u202e@all ![i](http://e)'


def valid_json(text):
    schema = json.loads(run_plumb("tcpconnect", "--report", "x.json", "--json-schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    report = json.loads(text)
    jsonschema.validate(report, schema)
    return report


def valid_junit(path):
    done = subprocess.run(["xmllint", "--noout", "--schema", os.path.join(HERE, "junit.xsd"), path], capture_output=True)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return xml.etree.ElementTree.parse(path).getroot()


class Page(html.parser.HTMLParser):
    """Which elements a page has, and the texts of its tables' cells, row by row."""

    def __init__(self):
        super().__init__()
        self.tags, self.rows, self.cell = set(), [], False

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self.cell = self.cell and tag not in ("td", "th")

    def handle_data(self, data):
        if self.cell:
            self.rows[-1][-1] += data


class ReportTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def text(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            return f.read()

    def reports(self, *args, status=0, text=None, env=None):
        files = [a for name in ("r.md", "r.xml", "r.json") for a in ("--report", self.path(name))]
        done = subprocess.run([PLUMB, "tcpconnect", "--from", "-" if text is not None else GOLDEN, *args, *files], input=text,
                              capture_output=True, timeout=60, env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, status, done.stderr.decode())
        return done.stderr.decode()


@needs("xmllint")
class FromSavedLines(ReportTest):
    def test_all_three_say_the_same(self):
        self.reports("--fail-if", "count > 3", "--fail-if", "p99(latency) > 1h && count > 0", status=3)
        report = valid_json(self.text("r.json"))
        self.assertTrue(report["failed"])
        self.assertEqual([v["verdict"] for v in report["verdicts"]], ["failed", "passed"])
        self.assertEqual(report["verdicts"][0]["measured"],
                         [{"aggregate": "count", "value": 9, "text": "9", "limit": 3, "n": 9, "low": None, "high": None}])  # closes do not count
        self.assertEqual(report["verdicts"][1]["measured"][0]["limit"], 3600000)
        self.assertEqual(report["certificate"]["lost"], 18)
        self.assertEqual(report["certificate"]["losses"], [{"count": 18, "why": "when the lines were saved"}])
        self.assertEqual((report["certificate"]["seen"], report["certificate"]["kept"]), (11, 11))
        suite = valid_junit(self.path("r.xml")).find("testsuite")
        self.assertEqual((suite.get("tests"), suite.get("failures"), suite.get("errors")), ("2", "1", "0"))
        failed, passed = suite.findall("testcase")
        self.assertEqual(failed.find("failure").get("message"), "count = 9 (limit 3, n 9)")
        self.assertIsNone(passed.find("failure"))
        markdown = self.text("r.md")
        self.assertIn("## plumb tcpconnect: 1 of 2 failed", markdown)
        self.assertIn("| **FAILED** | <code>count &#62; 3</code> |", markdown)
        self.assertIn("**18 events were lost**", markdown)

    def test_filters_and_unknown_owners_are_counted(self):
        text = b'{"type":"connect","pid":7}\n{"type":"connect","pid":null}\n{"type":"connect","pid":8}\n'
        self.reports("--where", "!(pid == 8)", "--fail-if", "count > 5", text=text)
        certificate = valid_json(self.text("r.json"))["certificate"]
        self.assertEqual([certificate[k] for k in ("seen", "kept", "filtered", "without_owner", "unpaired")], [3, 2, 1, 1, 0])

    def test_halves_are_counted(self):
        text = b'{"type":"close","role":null}\n{"type":"close","role":"client"}\n{"type":"connect","role":null}\n'
        self.reports("--fail-if", "count > 5", text=text)
        self.assertEqual(valid_json(self.text("r.json"))["certificate"]["unpaired"], 1)
        self.assertIn("| unpaired | 1 |", self.text("r.md"))
        self.assertIsNotNone(valid_junit(self.path("r.xml")).find('testsuite/properties/property[@name="unpaired"]'))

    def test_each_group_is_a_verdict(self):
        self.reports("--by", "outcome", "--fail-if", "count > 2", status=3)
        report = valid_json(self.text("r.json"))
        groups = {v["group"]: v for v in report["verdicts"]}
        self.assertIn("outcome refused", groups)
        self.assertEqual(sum(v["measured"][0]["value"] for v in report["verdicts"]), 9)
        suite = valid_junit(self.path("r.xml")).find("testsuite")
        self.assertEqual(len(suite.findall("testcase")), len(groups))

    def test_hostile_names(self):
        line = json.dumps({"type": "connect", "comm": HOSTILE}).encode()
        self.reports("--by", "comm", "--fail-if", "count > 0", text=line + b"\n", status=3)
        report = valid_json(self.text("r.json"))
        self.assertIn("<script>", report["verdicts"][0]["group"])
        case = valid_junit(self.path("r.xml")).find("testsuite/testcase")
        self.assertIn("</failure><script>", case.get("name"))
        for name in ("r.md", "r.xml", "r.json"):
            self.assertFalse({"\x1b", "\u202e"} & set(self.text(name)), name)
        row = next(line for line in self.text("r.md").splitlines() if "FAILED" in line)
        self.assertEqual(row.count("|"), 7)
        for meant in ("<script", "**x", "`", "![", "<!--", "](", "@"):
            self.assertNotIn(meant, row)

    @needs("cmark-gfm")
    def test_rendered(self):
        """Markdown as GitHub renders it, raw HTML let through: the elements that a report is made of and no others, and a hostile
        name is the text of its cell, nothing more."""
        names = [HOSTILE, "| a | b |", "<td>x</td>", "#1 [x](http://e) ~~y~~ :+1: www.e.example", "\\| *y* \\`", "- x\n\n# y"]
        lines = [json.dumps({"type": "connect", "comm": name, "latency_ms": 1}) for name in names]
        self.reports("--by", "comm", "--fail-if", "count > 0", "--fail-if", "p50(latency) > 1h", text="\n".join(lines).encode(), status=3)
        done = subprocess.run(["cmark-gfm", "--unsafe", "-e", "table", "-e", "strikethrough", "-e", "autolink", self.path("r.md")],
                              capture_output=True, check=True, text=True)
        page = Page()
        page.feed(done.stdout)
        self.assertLessEqual(page.tags, set("h2 p strong code br details summary table thead tbody tr th td".split()))
        verdicts = [row for row in page.rows if len(row) == 6]
        self.assertEqual(len(verdicts), 1 + 2 * len(names))
        self.assertEqual([row[0] for row in verdicts[1:]], ["FAILED"] * len(names) + ["passed"] * len(names))
        groups = {v["group"] for v in valid_json(self.text("r.json"))["verdicts"]}
        self.assertEqual({row[2] for row in verdicts[1:]}, groups)
        self.assertIn(["events kept", str(len(names))], page.rows)

    def test_github(self):
        summary = self.path("summary.md")
        with open(summary, "w", encoding="utf-8") as f:
            f.write("before\n")
        env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": summary}
        err = self.reports("--fail-if", "share(outcome == refused) > 0%", status=3, env=env)
        commands = [line for line in err.splitlines() if line.startswith("::error")]
        self.assertEqual(len(commands), 1)
        self.assertTrue(commands[0].startswith("::error title=plumb tcpconnect::share(outcome == refused) > 0%25: "))
        self.assertTrue(self.text("summary.md").startswith("before\n## plumb tcpconnect: 1 of 1 failed"))
        done = run_plumb("tcpconnect", "--from", GOLDEN, env=env)  # no verdict, no report
        self.assertNotIn(b"::error", done.stderr)

    def test_an_early_end_is_an_error_in_the_report(self):
        self.reports("--fail-if", "count > 0", text=b'{"type":"query"}\n', status=1)
        self.assertIn("no line of tcpconnect", valid_json(self.text("r.json"))["error"])
        suite = valid_junit(self.path("r.xml")).find("testsuite")
        self.assertEqual(suite.get("errors"), "1")

    def test_other_endings_are_refused(self):
        done = run_plumb("tcpconnect", "--from", GOLDEN, "--report", self.path("r.html"))
        self.assertEqual(done.returncode, 2)
        self.assertIn(b".md, .xml or .json", done.stderr)
        done = run_plumb("tcpconnect", "--from", GOLDEN, "--report", self.path("none/r.md"))
        self.assertEqual(done.returncode, 1)

    def test_no_credentials(self):
        self.reports("--where", 'comm != "http://me:secret@127.0.0.1/"')
        for name in ("r.md", "r.xml", "r.json"):
            self.assertNotIn("secret", self.text(name))


@needs("xmllint")
class Baseline(ReportTest):
    WORSE = "p99(latency) > 1.2 * base(p99(latency))"

    def lines(self, name, count, times, comm="curl"):
        generator = random.Random(name)
        with open(self.path(name), "w", encoding="utf-8") as f:
            for _ in range(count):
                latency = round(generator.lognormvariate(1, 0.6) * times, 6)
                line = {"time": "2026-11-21T06:49:26Z", "type": "connect", "comm": comm, "outcome": "established", "latency_ms": latency}
                f.write(json.dumps(line) + "\n")
        return self.path(name)

    def compare(self, now, before, *args, status=0):
        with open(now, "rb") as f:
            return self.reports("--baseline", before, "--fail-if", self.WORSE, *args, text=f.read(), status=status)

    def test_worse_the_same_and_too_few(self):
        before = self.lines("before", 20000, 1)
        err = self.compare(self.lines("slow", 20000, 1.6), before, status=3)
        self.assertRegex(err, r"FAILED: p99.*base\(p99\(latency\)\) = [\d.]+ ms \([\d.]+ ms to [\d.]+ ms, n 20000\)")
        measured = valid_json(self.text("r.json"))["verdicts"][0]["measured"]
        self.assertEqual([m["aggregate"] for m in measured], ["p99(latency)", "base(p99(latency))"])
        for m in measured:
            self.assertLess(m["low"], m["value"])
            self.assertLess(m["value"], m["high"])
        self.assertIn("passed", self.compare(self.lines("same", 20000, 1), before))
        few = self.lines("few", 50, 1.6)
        self.assertRegex(self.compare(few, before), r"inconclusive: .*; about \d+ rows in each run would tell")
        verdict = valid_json(self.text("r.json"))["verdicts"][0]
        self.assertEqual((verdict["verdict"], verdict["failed"]), ("inconclusive", False))
        self.assertGreater(verdict["rows_needed"], 300)
        suite = valid_junit(self.path("r.xml")).find("testsuite")
        self.assertEqual((suite.get("skipped"), suite.get("failures")), ("1", "0"))
        self.assertIn("| inconclusive |", self.text("r.md"))
        err = self.compare(few, before, "--strict", status=3)
        self.assertIn("plumb: FAILED (inconclusive): p99", err)
        suite = valid_junit(self.path("r.xml")).find("testsuite")
        self.assertEqual((suite.get("skipped"), suite.get("failures")), ("0", "1"))
        failure = suite.find("testcase/failure")
        self.assertEqual(failure.get("type"), "inconclusive")
        self.assertTrue(failure.get("message").startswith("inconclusive: p99"))
        self.assertIn("1 of 1 failed, 1 inconclusive", self.text("r.md"))
        self.assertIn("| **FAILED (inconclusive)** |", self.text("r.md"))
        verdict = valid_json(self.text("r.json"))["verdicts"][0]
        self.assertEqual((verdict["verdict"], verdict["failed"]), ("inconclusive", True))

    def test_each_group_has_its_own(self):
        before = self.lines("before", 20000, 1, "a")
        with open(self.lines("more", 20000, 3, "b"), "rb") as more, open(before, "ab") as f:
            f.write(more.read())
        now = self.lines("now", 20000, 1, "a")
        with open(self.lines("then", 20000, 3, "b"), "rb") as more, open(now, "ab") as f:
            f.write(more.read())
        err = self.compare(now, before, "--by", "comm")
        self.assertIn("in 0 of 2 groups", err)
        self.assertNotIn("inconclusive", err)

    def test_where_is_about_both(self):
        before = self.lines("before", 20000, 1)
        now = self.lines("now", 20000, 1)
        slow = self.lines("slow", 20000, 9, "wget")
        with open(now, "rb") as one, open(slow, "rb") as other:
            mixed = [line for pair in zip(one, other) for line in pair]
        with open(now, "wb") as f:
            f.writelines(mixed)
        self.compare(now, before, status=3)
        # A run whose second half alone is slow is no sample of one thing.
        with open(now, "wb") as f:
            f.writelines(sorted(mixed, key=lambda line: b"wget" in line))
        self.assertIn("inconclusive", self.compare(now, before))
        self.compare(now, before, "--where", 'comm == "curl"')

    def test_a_report_as_baseline(self):
        """As its lines, though those are gone; and what it cannot tell is an error."""
        before, now = self.lines("before", 5000, 1), self.lines("slow", 5000, 1.6)
        asked = ["--fail-if", "p50(latency) > 1h", "--fail-if", "share(outcome != established) > 50%", "--fail-if", "count > 1000000"]
        worse = ["--fail-if", "share(outcome != established) > base(share(outcome!=established)) || count != base(count)"]
        for by in ([], ["--by", "comm,outcome"]):
            kept = self.path("kept.json")
            self.assertEqual(run_plumb("tcpconnect", "--from", before, "-o", "/dev/null", "-f", "csv", "--report", kept, *asked, *by).returncode, 0)
            with open(kept, encoding="utf-8") as f:
                valid_json(f.read())
            beside_lines = self.compare(now, before, *worse, *by, status=3).replace(before, kept)
            beside_report = self.compare(now, kept, *worse, *by, status=3)
            said = [line for line in beside_report.splitlines() if ": base(" in line or "FAILED" in line]
            self.assertTrue(said)
            self.assertEqual(said, [line for line in beside_lines.splitlines() if line in said])
        for args, why in ((["--where", "pid == 1"], "another --where"), (["--by", "outcome"], "another --by"),
                          (["--by", "comm,outcome", "--fail-if", "p9(duration_ms) > base(p9(duration_ms))"], "keeps nothing of duration_ms")):
            self.assertIn(why, self.compare(now, kept, *args, status=1))
        with open(kept, encoding="utf-8") as f:
            text = f.read()
        for broken in (text[:-100], text.replace('"buckets": "', '"buckets": "9999999:1 '), text.replace('"tool": "tcpconnect"', '"tool": "dnsx"')):
            with open(kept, "w", encoding="utf-8") as f:
                f.write(broken)
            self.assertRegex(self.compare(now, kept, "--by", "comm,outcome", status=1), "a broken report|no report of tcpconnect")

    def test_what_has_no_effect_or_cannot_be_read(self):
        for status, args in ((2, ["--baseline", GOLDEN]), (2, ["--strict", "--fail-if", "count > 100"]),
                             (2, ["--fail-if", self.WORSE]), (1, ["--baseline", "/nonexistent", "--fail-if", self.WORSE])):
            self.assertEqual(run_plumb("tcpconnect", "--from", GOLDEN, *args).returncode, status, args)
        done = run_plumb("tcpconnect", "--from", GOLDEN, "--baseline", GOLDEN.replace("tcpconnect", "dnsx"), "--fail-if", self.WORSE)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"no line of tcpconnect", done.stderr)


class Errors(unittest.TestCase):
    def test_a_program_can_read_why_plumb_ended(self):
        for status, args in ((1, ["--from", "/nonexistent", "--json"]), (2, ["--whre", "x", "-j"]),
                             (2, ["-f", "json", "--where", 'comm == "\x1b'])):
            done = run_plumb("tcpconnect", *args)
            self.assertEqual(done.returncode, status)
            error = json.loads(done.stderr.splitlines()[-1])
            self.assertEqual((error["type"], error["exit"]), ("error", status))
            self.assertEqual(set(error), {"type", "what", "why", "hint", "exit"})
            self.assertTrue(error["what"])
            self.assertFalse(done.stdout)
        done = run_plumb("tcpconnect", "--from", "/nonexistent", "--", "curl", "--json")
        self.assertNotIn(b"{", done.stderr)


class OfARun(TcpTest):
    def test_beside_a_baseline(self):
        """A run beside the lines of the run before, by a field that live events and saved lines tell in different ways."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "before.json")
            for args, status in ((("-o", path), 0),
                                 (("--baseline", path, "--by", "error,outcome", "--fail-if", "count != base(count)"), 0),
                                 (("--baseline", path, "--fail-if", "count >= base(count)"), 3)):
                with Plumb("tcpconnect", "--netns", self.ns.path, *args, expect_status=status) as plumb:
                    listener, closed = self.listener(), self.closed_port()
                    for target in (listener.getsockname()[1], closed) * 5:
                        with self.socket() as s:
                            s.connect_ex(("127.0.0.1", target))
                if "--by" in args:
                    self.assertIn("in 0 of 2 groups", plumb.stderr)
                    self.assertNotIn("inconclusive", plumb.stderr)

    def test_certificate(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "r.json")
            with Plumb("tcpconnect", "--netns", self.ns.path, "--fail-if", "count != 5", "--report", path) as plumb:
                listener = self.listener()
                for _ in range(5):
                    with self.socket() as s:
                        s.connect(listener.getsockname())
            with open(path, encoding="utf-8") as f:
                report = valid_json(f.read())
        self.assertEqual(len(self.mine(plumb.lines)), 5)
        self.assertEqual(report["certificate"]["kept"], 5)
        self.assertEqual(report["verdicts"][0]["verdict"], "passed")
        self.assertTrue(any(h["variant"] for h in report["certificate"]["hooks"]))
        self.assertIn("--report", report["command"])
        self.assertGreater(report["duration_ms"], 0)
        self.assertEqual(report["kernel"], os.uname().release)


if __name__ == "__main__":
    unittest.main()
