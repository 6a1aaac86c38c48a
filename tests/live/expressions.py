"""Random expressions, for comparing what plumb keeps with what jq selects."""
import json
import random
import subprocess


class Expressions:
    """Random expressions over a tool's fields, each as plumb and as jq write it. jq's null does what plumb's unknown does:
    here by hand, since jq orders null below all numbers."""

    ORDERS = ("==", "!=", "<", "<=", ">", ">=")

    def __init__(self, lines, seed, without=lambda key: False):
        self.random = random.Random(seed)
        self.values = {}
        for line in lines:
            for key, value in line.items():
                self.values.setdefault(key, []).append(value)
        self.keys = sorted(k for k in self.values if k != "time" and not without(k))

    def test(self):
        key = self.random.choice(self.keys)
        known = [v for v in self.values[key] if v is not None]
        if not known or self.random.random() < 0.1:
            order = self.random.choice(("==", "!="))
            return f"{key} {order} null", f"(.{key} {order} null)"
        value = self.random.choice(known)
        if isinstance(value, bool):
            return key, f"(.{key} == true)"
        if isinstance(value, (int, float)):
            value = self.random.choice((value, value, round(value * 2, 3), 0, 7))
            order = self.random.choice(self.ORDERS)
            return f"{key} {order} {value}", f'((.{key} | type == "number") and .{key} {order} {value})'
        if isinstance(value, list):
            if not value or not plain(value[0]):
                return f"{key} != null", f"(.{key} != null)"
            return f'"{value[0]}" in {key}', f'any(.{key} // [] | .[]; . == "{value[0]}")'
        if not plain(value):
            return f"{key} == null", f"(.{key} == null)"
        if key.endswith(("_addr", "server", "src", "dst")) or "addr" in key:
            order = self.random.choice(("==", "!="))
            return f"{key} {order} {value}", f'((.{key} | type == "string") and .{key} {order} "{value}")'
        if self.random.random() < 0.3:
            return f'{key} == "{value}"', f'(.{key} == "{value}")'
        return f'{key} != "{value}"', f'((.{key} | type == "string") and .{key} != "{value}")'

    def make(self, depth=0):
        kind = self.random.random()
        if depth > 3 or kind < 0.4:
            return self.test()
        left, right = self.make(depth + 1), self.make(depth + 1)
        if kind < 0.6:
            return f"!({left[0]})", f"({left[1]} | not)"
        word, jq = ("&&", "and") if kind < 0.8 else ("||", "or")
        return f"({left[0]}) {word} ({right[0]})", f"({left[1]} {jq} {right[1]})"


def plain(text):
    return bool(text) and all(c.isalnum() or c in "./:-_ " for c in text) and text.isascii()


def chosen_by_jq(raw, programs):
    """For each of jq's expressions the numbers of the lines that it selects, in order."""
    program = "[inputs] as $l | " + ", ".join(f"[range($l | length) as $i | select($l[$i] | {jq}) | $i]" for jq in programs)
    done = subprocess.run(["jq", "-nc", program], input=b"\n".join(raw), capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]
