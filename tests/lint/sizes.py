#!/usr/bin/env python3
"""No file of code over 600 lines, no function over 60: what is longer wants a new name and a new file.

C and C++ are read by their layout, which clang-format keeps: a function begins in a line that ends with ") {" or its like
and ends with the first "}" at the same indentation. Test cases of unit tests may be tables, as long as they like.
"""
import ast
import re
import subprocess
import sys

FILE_LINES = 600
FUNCTION_LINES = 60
# Tables that are functions only since their types or some cells are parameters.
TABLES = {"shared_fields", "socket_owner_hooks"}
BEGINS = re.compile(r"^(\s*)(?!\s|if\b|for\b|while\b|switch\b|else\b|do\b|\}|return\b|namespace\b|catch\b)\S.*"
                    r"\)\s*(?:const|noexcept|override|final|mutable|\s)*(?:->\s*[\w:<>*& ,]+)?\s*\{$")


def functions_of_c(lines):
    """(line, name, lines) of each; a lambda in an argument counts to the function around it."""
    at = 0
    while at < len(lines):
        begins = BEGINS.match(lines[at])
        if not begins and lines[at] == "{" and at and not lines[at - 1].startswith(("#", "struct", "enum")):
            begins = re.match("()", "")  # kernel style: the brace stands alone
        if begins and "[" not in lines[at].split("(")[0]:
            indent = begins[1]
            first = at
            while first and lines[first - 1].endswith(",") and lines[first].startswith("      "):
                first -= 1
            if lines[first].lstrip().startswith(":"):  # what a constructor initializes: four columns further in
                indent = lines[first][:lines[first].index(":") - 4]
            end = next((i for i in range(at, len(lines)) if re.match(rf"^{indent}\}}[;,)]*\s*(?://.*)?$", lines[i])), at)
            name = re.search(r"([\w~]+)\(", lines[at] if lines[at] != "{" else lines[at - 1])
            yield at + 1, name[1] if name else "", end - at + 1
            at = end
        at += 1


def functions_of_python(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.name, node.end_lineno - node.lineno + 1


def main():
    files = subprocess.run(["git", "ls-files", "-z", "*.cc", "*.h", "*.c", "*.py"], check=True,
                           capture_output=True, text=True).stdout.split("\0")
    found = 0
    for path in filter(None, files):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        lines = text.splitlines()
        if len(lines) > FILE_LINES:
            print(f"{path}: {len(lines)} lines, at most {FILE_LINES}")
            found += 1
        functions = functions_of_python(text) if path.endswith(".py") else functions_of_c(lines)
        if path.startswith(("tests/unit/", "tests/golden/")):
            continue
        for line, name, length in functions:
            if length > FUNCTION_LINES and name not in TABLES:
                print(f"{path}:{line}: {name} has {length} lines, at most {FUNCTION_LINES}")
                found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
