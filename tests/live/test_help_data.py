"""Help as data (--help --json) and `plumb skill`: for programs and assistants, from the same tables as --help."""
import json
import re
import subprocess
import unittest

from harness import PLUMB, run_plumb

TOOLS = ("tcpconnect", "httptrace", "drops", "flame", "dnsx")


def told(*args):
    done = run_plumb(*args)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return done.stdout.decode()


class HelpAsData(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.help = json.loads(told("--help", "--json"))
        cls.commands = {c["name"]: c for c in cls.help["commands"]}

    def test_every_way_to_ask(self):
        for args in (("help", "--json"), ("--json", "--help"), ("-h", "-j"), ("help", "-j")):
            self.assertEqual(json.loads(told(*args)), self.help, args)
        for args in (("dnsx", "--help", "--json"), ("dnsx", "-j", "-h"), ("help", "dnsx", "--json"), ("dnsx", "--help", "-f", "json")):
            self.assertEqual(json.loads(told(*args))["commands"], [self.commands["dnsx"]], args)
        self.assertEqual(json.loads(told("flame", "diff", "--help", "--json"))["commands"], [self.commands["flame diff"]])

    def test_it_is_what_help_says(self):
        for name, command in self.commands.items():
            text = told(*name.split(), "--help")
            self.assertEqual(sorted(set(re.findall(r"^ {2}(?:-\w, | {4})(--[a-z0-9-]+)", text, re.M))),
                             sorted(o["name"] for o in command["options"]), name)
            flat = " ".join(text.split())
            for option in command["options"]:
                self.assertIn(option["help"], flat)
            for example in command["examples"]:
                self.assertIn(example["command"], text)

    def test_fields_are_those_of_the_schema(self):
        for tool in TOOLS:
            fields = {f["key"]: f for f in self.commands[tool]["fields"]}
            schema = json.loads(told(tool, "--json-schema"))
            keys = set(re.findall(r'"([a-z_0-9]+)": ?\{', json.dumps(schema)))
            self.assertLessEqual(set(fields), keys, tool)
            listed = re.findall(r"^  ([a-z_0-9]+)", told(tool, "--list-fields"), re.M)
            self.assertEqual(list(fields), listed)
            self.assertIn("json", self.commands[tool]["formats"])
        outcome = next(f for f in self.commands["tcpconnect"]["fields"] if f["key"] == "outcome")
        self.assertEqual((outcome["type"], outcome["values"][:2]), ("text", ["established", "refused"]))
        duration = next(f for f in self.commands["tcpconnect"]["fields"] if f["key"] == "duration_ms")
        self.assertEqual((duration["type"], duration["lines"]), ("milliseconds", ["close"]))

    def test_formats_are_taken(self):
        for tool in TOOLS:
            done = run_plumb(tool, "--format", "no")
            for name in self.commands[tool]["formats"]:
                self.assertIn(name, done.stderr.decode())


class Skill(unittest.TestCase):
    def test_what_it_holds(self):
        text = told("skill")
        help_ = json.loads(told("--help", "--json"))
        self.assertTrue(text.startswith("---\nname: plumb\ndescription: "))
        for command in help_["commands"]:
            self.assertIn(f"## plumb {command['name']}: {command['summary']}", text)
            for example in command["examples"]:
                self.assertIn(f"`{example['command']}`", text)
            for option in command["options"]:
                if command["name"] in TOOLS:
                    self.assertIn(f"`{option['name']}", text)
            for field in command["fields"] or []:
                self.assertIn(f"`{field['key']}`", text)
        self.assertLess(len(text), 40_000)

    def test_expressions_that_it_shows_compile(self):
        """Each against the fields of some tool: what is wrong in them ends with status 2."""
        text = told("skill")
        section = text[text.index("## Expressions"):text.index("## Which tool")]
        shown = [e for e in re.findall(r"`([^`]+)`", section) if re.search(r"[<>=]|\bin\b", e) and not e.startswith("--")]
        self.assertGreater(len(shown), 6)
        for expression in shown:
            option = "--fail-if" if re.search(r"\bp\d+\(|share\(|count", expression) else "--where"
            more = ["--baseline", "/dev/null"] if "base(" in expression else []
            statuses = [subprocess.run([PLUMB, tool, "--from", "/dev/null", option, expression, *more], capture_output=True).returncode
                        for tool in ("tcpconnect", "httptrace")]
            self.assertIn(0, statuses, expression)

    def test_nothing_else_is_taken(self):
        for args in (["x"], ["--json"], ["--", "true"]):
            self.assertEqual(run_plumb("skill", *args).returncode, 2, args)


if __name__ == "__main__":
    unittest.main()
