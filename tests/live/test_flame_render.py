"""plumb flame render and diff: saved stacks in, pictures and verdicts out. Needs no privileges; a browser judges the graphs."""
import gzip
import json
import os
import re
import subprocess
import tempfile
import unittest
import xml.dom.minidom

from flame_formats import firefox_faults, speedscope_faults
from harness import PLUMB, needs, run_plumb

STACKS = ("web;main;parse;strlen 300\nweb;main;parse 200\nweb;main;send;tcp_sendmsg_[k];copy_from_user_[k] 100\n"
          "web;main;eval;LazyCompile:~f app.js_[j] 150\nweb;main;eval;handler_[p] 50\n[idle] 200\n")

# Put at the end of a graph: real events, and what they did, as text that --dump-dom shows.
DRIVER = """<script><![CDATA[
const say = (name, value) => { const t = document.createElementNS("http://www.w3.org/2000/svg", "text");
  t.id = "said-" + name; t.textContent = JSON.stringify(value); t.setAttribute("class", "hidden"); root.append(t); };
const shown = () => frames.filter(f => !f.g.classList.contains("hidden"));
const named = name => frames.find(f => f.name === name);
const box = e => e.getBoundingClientRect();
const over = (a, b) => a.left < b.right - 0.5 && b.left < a.right - 0.5 && a.top < b.bottom - 0.5 && b.top < a.bottom - 0.5;
const layout_faults = () => {
  const faults = [];
  for (const f of shown()) {
    if (f.label && f.label.textContent && f.label.getComputedTextLength() > box(f.rect).width) faults.push("text of " + f.name);
  }
  const rects = shown().filter(f => box(f.rect).width > 2);
  for (let i = 0; i < rects.length && i < 400; i++)
    for (let j = i + 1; j < rects.length && j < 400; j++)
      if (over(box(rects[i].rect), box(rects[j].rect))) faults.push(rects[i].name + " over " + rects[j].name);
  const others = [...document.querySelectorAll("#title, .head, #search, .key")];
  if (!back.classList.contains("hidden")) others.push(back);
  for (let i = 0; i < others.length; i++)
    for (let j = i + 1; j < others.length; j++)
      if (over(box(others[i]), box(others[j]))) faults.push(others[i].textContent + " over " + others[j].textContent);
  const visible = window.innerHeight < height ? root.clientWidth : window.innerWidth;
  if (root.scrollWidth > visible + 1) faults.push("wider than the window");
  for (const e of others) if (box(e).right > visible + 1) faults.push(e.textContent + " beyond the edge");
  return faults;
};
say("faults", layout_faults());
const target = named("parse");
if (target) {
  target.rect.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
  say("details", details.textContent);
  target.rect.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  say("zoomed", { width: box(target.rect).width / (window.innerWidth - 20), shown: shown().map(f => f.name),
                  hash: location.hash, faults: layout_faults() });
  back.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  say("back", { shown: shown().length, width: box(target.rect).width / (window.innerWidth - 20) });
  window.dispatchEvent(new KeyboardEvent("keydown", { key: "/", bubbles: true }));
  say("focused", document.activeElement === input);
  input.value = "strlen|send";
  input.dispatchEvent(new Event("input"));
  say("found", { matched: matched.textContent, hits: frames.filter(f => f.g.classList.contains("hit")).map(f => f.name) });
  input.value = "(";
  input.dispatchEvent(new Event("input"));
  say("bad", matched.textContent);
  window.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  say("escaped", { matched: matched.textContent, hits: document.querySelectorAll("g.hit").length, hash: location.hash });
}
]]></script>
</svg>
"""


def said(svg, width=1200):
    """What the driver said of a graph in a browser window of that width."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "graph.svg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(svg.removesuffix("</svg>\n") + DRIVER)
        result = subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             f"--user-data-dir={folder}/profile", f"--window-size={width},700", "--dump-dom", "file://" + path],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=True)
    dom = xml.dom.minidom.parseString(result.stdout.decode())
    return {t.getAttribute("id")[5:]: json.loads(t.firstChild.data)
            for t in dom.getElementsByTagName("text") if t.getAttribute("id").startswith("said-")}


class Saved(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name, content=None):
        path = os.path.join(self.folder, name)
        if content is not None:
            with open(path, "wb") as file:
                file.write(content if isinstance(content, bytes) else content.encode())
        return path

    def text(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()

    def plumb(self, *args, status=0, stdin=b""):
        result = subprocess.run([PLUMB, "flame", *args], input=stdin, capture_output=True, timeout=60, check=False)
        self.assertEqual(result.returncode, status, result.stderr)
        return result.stdout.decode(), result.stderr.decode()


class Render(Saved):
    def test_svg_is_the_default_and_well_formed(self):
        out, err = self.plumb("render", self.path("a.folded", STACKS))
        xml.dom.minidom.parseString(out)
        self.assertIn("<title>strlen\n", out)
        self.assertIn("1,000 samples", err)

    def test_several_files_of_one_input_from_a_pipe(self):
        names = ["x.svg", "x.folded", "x.pb.gz", "x.speedscope.json", "x.json"]
        self.plumb("render", "-", *(f"-o{self.path(n)}" for n in names), "-q", stdin=STACKS.encode())
        self.assertEqual(sorted(self.text("x.folded").splitlines()), sorted(STACKS.splitlines()))
        again, _ = self.plumb("render", self.path("x.pb.gz"), "-f", "folded")
        self.assertEqual(again, self.text("x.folded"))
        self.assertEqual(json.loads(self.text("x.speedscope.json"))["profiles"][0]["endValue"], 1000)
        lines = [json.loads(line) for line in self.text("x.json").splitlines()]
        self.assertEqual(lines[0]["stack"], ["web", "main", "parse", "strlen"])

    def test_speedscope_keeps_the_rules_of_its_format(self):
        self.plumb("render", self.path("a.folded", STACKS), "-q", "-o", self.path("x.speedscope.json"))
        file = json.loads(self.text("x.speedscope.json"))
        self.assertEqual(speedscope_faults(file), [])
        self.assertEqual(sum(file["profiles"][0]["weights"]), 1000)

    def test_firefox_profile_keeps_the_rules_of_its_format(self):
        self.plumb("render", self.path("a.folded", STACKS), "-q", "-o", self.path("x.firefox.json"))
        file = json.loads(self.text("x.firefox.json"))
        self.assertEqual(firefox_faults(file), [])
        self.assertEqual(sum(sum(thread["samples"]["weight"]) for thread in file["threads"]), 1000)

    def test_the_rules_of_the_formats_can_be_broken(self):
        """What judges the files above sees faults."""
        for name, faults, damage in (
                ("x.speedscope.json", speedscope_faults, lambda f: f["profiles"][0]["samples"][0].append(10**6)),
                ("x.speedscope.json", speedscope_faults, lambda f: f["shared"]["frames"][0].pop("name") and None),
                ("x.firefox.json", firefox_faults, lambda f: f["threads"][0]["stackTable"]["frame"].append(0)),
                ("x.firefox.json", firefox_faults, lambda f: f["threads"][0]["funcTable"]["name"].__setitem__(0, 10**6))):
            self.plumb("render", self.path("a.folded", STACKS), "-q", "-o", self.path(name))
            file = json.loads(self.text(name))
            damage(file)
            with self.subTest(name=name):
                try:
                    self.assertNotEqual(faults(file), [])
                except KeyError:
                    pass  # it stumbled over what is missing

    def test_gzip_of_folded_stacks(self):
        out, _ = self.plumb("render", self.path("a.gz", gzip.compress(STACKS.encode())), "-f", "folded")
        self.assertEqual(sorted(out.splitlines()), sorted(STACKS.splitlines()))

    @needs("go")
    def test_pprof_opens_in_go_tool_pprof(self):
        self.plumb("render", self.path("a.folded", STACKS), "-o", self.path("a.pb.gz"))
        result = subprocess.run(["go", "tool", "pprof", "-top", self.path("a.pb.gz")], capture_output=True, timeout=60,
                                check=True, env={**os.environ, "HOME": self.folder})
        self.assertRegex(result.stdout.decode(), r"(?m)^\s*300 30\.00% .* strlen$")

    def test_what_is_no_stack_is_an_error(self):
        for content, message in (("", "has no stacks"), ("a;b 1\nnonsense\n", "line 2 is no folded stack"),
                                 (b"\x1f\x8bcut", "gzip"), (b"\x0a\x04\x08\x01\x10\x02\xff", "pprof")):
            with self.subTest(content=content):
                self.assertIn(message, self.plumb("render", self.path("bad", content), status=1)[1])
        self.assertIn("ENOENT", self.plumb("render", "/nonexistent", status=1)[1])
        self.assertIn("EISDIR", self.plumb("render", self.folder, status=1)[1])

    def test_wrong_command_lines(self):
        for args in (["render"], ["render", "a", "b"], ["render", "a", "-o", "x.csv"], ["render", "a", "-f", "table"],
                     ["render", "a", "--", "ls"], ["diff", "a"], ["diff", "a", "b", "c"],
                     ["diff", "a", "b", "--fail-if", "count > 1"], ["diff", "a", "b", "--fail-if", "self(x) > 5%"]):
            with self.subTest(args=args):
                self.plumb(*args, status=2)

    def test_help_knows_the_commands(self):
        for words in (["flame", "render", "--help"], ["help", "flame", "diff"]):
            result = run_plumb(*words)
            self.assertEqual(result.returncode, 0)
            self.assertIn(b"--output", result.stdout)
        self.assertIn(b"flame diff", run_plumb("--help").stdout)


class Browser(Saved):
    @needs("chromium")
    def test_zoom_search_and_layout(self):
        graph, _ = self.plumb("render", self.path("a.folded", STACKS))
        for width in (1200, 640):
            with self.subTest(width=width):
                got = said(graph, width)
                self.assertEqual(got["faults"], [])
                self.assertEqual(got["details"], "parse  user  500 samples, 50.00 %, self 20.00 %")
                self.assertAlmostEqual(got["zoomed"]["width"], 1, places=2)
                self.assertEqual(sorted(got["zoomed"]["shown"]), ["all", "main", "parse", "strlen", "web"])
                self.assertRegex(got["zoomed"]["hash"], r"^#z=\d+,3$")
                self.assertEqual(got["zoomed"]["faults"], [])
                self.assertEqual(got["back"]["shown"], 12)
                self.assertAlmostEqual(got["back"]["width"], 0.5, places=2)
                self.assertTrue(got["focused"])
                self.assertEqual(got["found"]["matched"], "matched 40.0 %")
                self.assertEqual(sorted(got["found"]["hits"]), ["send", "strlen", "tcp_sendmsg"])
                self.assertEqual(got["bad"], "not a regular expression")
                self.assertEqual(got["escaped"], {"matched": "", "hits": 0, "hash": ""})

    @needs("chromium")
    def test_hostile_names_and_wide_letters_keep_the_layout(self):
        stacks = ("web;</title><script>alert(1)</script>;\u65e5\u672c\u8a9e\u306e\u95a2\u6570 40\nweb;]]>;&lt; 30\n"
                  f"web;{'x' * 3000};\U0001f525 30\n")
        graph, _ = self.plumb("render", self.path("a.folded", stacks), "--title", "<b>\u00e4</b>" * 40)
        got = said(graph, 900)
        self.assertEqual(got["faults"], [])

    @needs("chromium")
    def test_a_tall_graph_is_no_wider_than_the_window_beside_its_scroll_bar(self):
        stacks = ";".join(f"f{i}" for i in range(100)) + " 10\n" + STACKS
        graph, _ = self.plumb("render", self.path("a.folded", stacks))
        got = said(graph, 900)
        self.assertEqual(got["faults"], [])
        self.assertEqual(got["zoomed"]["faults"], [])

    @needs("chromium")
    def test_difference(self):
        self.path("a", STACKS)
        self.path("b", STACKS.replace("strlen 300", "strlen 900").replace("handler", "other"))
        self.plumb("diff", self.path("a"), self.path("b"), "-o", self.path("d.svg"))
        graph = self.text("d.svg")
        self.assertIn("vanished", graph)
        self.assertIn(", new", graph)
        self.assertEqual(said(graph)["faults"], [])


class Diff(Saved):
    BASE = "main;crc32 30000\nmain;copy 60000\nmain;rare 6\n"
    SLOW = "main;crc32 36000\nmain;copy 60000\nmain;rare 7\n"

    def diff(self, *args, status=0, base=BASE, new=SLOW):
        return self.plumb("diff", self.path("base", base), self.path("new", new), *args, status=status)

    def test_table_names_what_takes_more(self):
        out, err = self.diff()
        rows = [line for line in out.splitlines() if line.endswith("crc32")]
        self.assertRegex(rows[0], r"33\.33 %\s+37\.50 %\s+\+20\.0 %\s+\[\+1\d\.\d %, \+2\d\.\d %\]\s+more\s+crc32")
        self.assertRegex(err, r"1 functions more")

    def test_verdicts_are_exit_statuses(self):
        for expression, status, word in (('self("crc32") > +5%', 3, "FAILED"), ('self("crc32") > +50%', 0, "passed"),
                                         ('self("rare") > +5%', 0, "inconclusive"), ("self > +10%", 3, "FAILED"),
                                         ('total("main") > 0%', 0, "passed")):
            with self.subTest(expression=expression):
                self.assertIn(f"plumb: {word}: ", self.diff("--fail-if", expression, status=status)[1])
        self.diff("--fail-if", 'self("rare") > +5%', "--strict", status=3)
        err = self.diff("--fail-if", "self > +10%", "--fail-if", 'self("crc23") > +5%', status=1)[1]
        self.assertIn('no function is named "crc23"', err)
        self.assertIn("did you mean crc32?", err)

    def test_itself_is_not_more(self):
        _, err = self.diff("--fail-if", "self > 0%", new=self.BASE)
        self.assertNotIn("FAILED", err)

    def test_addresses_are_not_compared(self):
        out, _ = self.diff(base="main;f.isra.0;libz.so.1+0x1000 500\n", new="main;f+0x77;libz.so.1+0x2000 500\n")
        self.assertEqual(len(re.findall(r"\[libz\.so\.1\]", out)), 2)
        self.assertNotIn("more  ", out.replace("not more", ""))

    def test_json_lines(self):
        out, _ = self.diff("-f", "json")
        lines = [json.loads(line) for line in out.splitlines()]
        one = next(c for c in lines if c["function"] == "crc32" and c["measure"] == "self")
        self.assertEqual(one["verdict"], "more")
        self.assertAlmostEqual(one["change"], 0.2, places=2)
        self.assertTrue(one["low"] < one["change"] < one["high"])

    def test_weights_without_counts_decide_nothing(self):
        odd = "main;a 123456789\nmain;b 987654321\n"
        self.assertIn("nothing can be decided", self.diff(base=odd, new=odd)[1])


if __name__ == "__main__":
    unittest.main()
