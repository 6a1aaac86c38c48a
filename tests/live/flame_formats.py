"""What the formats of two viewers demand, as their own descriptions have it: speedscope's file-format-schema.json (each object
with just these properties), and the Firefox Profiler's processed profile format, version 48 (src/types/profile.js). Both
viewers' own importers have read such files: speedscope 1.25.0, and the profiler at df31314e1, which brought them to version 70.
"""

UNITS = ("none", "nanoseconds", "microseconds", "milliseconds", "seconds", "bytes")
COLOURS = {"transparent", "purple", "green", "orange", "yellow", "lightblue", "blue", "brown", "magenta", "red", "lightred",
           "darkgrey", "grey"}
# Columns by table, with what each holds: an index into another table, a number, or any of them or null ("?").
TABLES = {
    "samples": {"stack": "stackTable?", "time": "number", "weight": "number"},
    "stackTable": {"frame": "frameTable", "category": "category", "subcategory": "number", "prefix": "stackTable?"},
    "frameTable": {"address": "number", "inlineDepth": "number", "category": "category?", "subcategory": "number?",
                   "func": "funcTable", "nativeSymbol": "nativeSymbols?", "innerWindowID": "number?", "line": "number?",
                   "column": "number?", "implementation": "string?"},
    "funcTable": {"name": "string", "isJS": "number", "relevantForJS": "number", "resource": "resourceTable or -1",
                  "fileName": "string?", "lineNumber": "number?", "columnNumber": "number?"},
    "resourceTable": {"lib": "libs?", "name": "string", "host": "string?", "type": "number"},
    "nativeSymbols": {"libIndex": "libs", "address": "number", "name": "string", "functionSize": "number?"},
    "markers": {"data": "number?", "name": "string", "startTime": "number?", "endTime": "number?", "phase": "number",
                "category": "category"},
}
THREAD = {"processType", "processStartupTime", "processShutdownTime", "registerTime", "unregisterTime", "pausedRanges", "name",
          "isMainThread", "pid", "tid", "stringArray", *TABLES}
LIB = {"arch", "name", "path", "debugName", "debugPath", "breakpadId", "codeId"}


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def properties(what, value, needed, optional=()):
    lacking, foreign = set(needed) - set(value), set(value) - set(needed) - set(optional)
    return [f"{what}: no {name}" for name in sorted(lacking)] + [f"{what}: {name} is not known" for name in sorted(foreign)]


def speedscope_faults(file):
    faults = properties("file", file, ("$schema", "profiles", "shared"), ("name", "exporter", "activeProfileIndex"))
    if file["$schema"] != "https://www.speedscope.app/file-format-schema.json":
        faults.append("another schema")
    frames = file["shared"]["frames"]
    for frame in frames:
        faults += properties("frame", frame, ("name",), ("file", "line", "col"))
        faults += [f"frame: {frame}"] * (not isinstance(frame["name"], str) or not isinstance(frame.get("file", ""), str) or
                                         not is_number(frame.get("line", 0)))
    for profile in file["profiles"]:
        faults += properties("profile", profile, ("type", "name", "unit", "startValue", "endValue", "samples", "weights"))
        if profile["type"] != "sampled" or profile["unit"] not in UNITS or not isinstance(profile["name"], str):
            faults.append(f"profile: {profile['type']}, {profile['unit']}")
        if len(profile["samples"]) != len(profile["weights"]):
            faults.append("weights are not as many as samples")
        if profile["endValue"] - profile["startValue"] != sum(profile["weights"]):
            faults.append("the weights do not make the whole")
        faults += [f"sample: {s}" for s in profile["samples"] if not all(isinstance(f, int) and 0 <= f < len(frames) for f in s)]
    return faults


def column_faults(place, values, kind, lengths):
    kind, nullable = kind.rstrip("?"), kind.endswith("?")
    kind, lowest = (kind.removesuffix(" or -1"), -1) if kind.endswith(" or -1") else (kind, 0)
    for value in values:
        fine = nullable if value is None else is_number(value) if kind == "number" else (
            isinstance(value, int) and lowest <= value < lengths[kind])
        if not fine:
            return [f"{place}: {value} is no {kind}"]
    return []


def thread_faults(thread, libs, categories):
    faults = properties("thread", thread, THREAD, ("processName", "showMarkersInTimeline"))
    lengths = {name: thread[name]["length"] for name in TABLES}
    lengths |= {"string": len(thread["stringArray"]), "libs": libs, "category": categories}
    for name, columns in TABLES.items():
        table = thread[name]
        faults += properties(name, table, [*columns, "length"], ("weightType",) if name == "samples" else ())
        for column, kind in columns.items():
            if len(table[column]) != table["length"]:
                faults.append(f"{name}.{column} has another length")
            faults += column_faults(f"{name}.{column}", table[column], kind, lengths)
    faults += [f"stack {i} before its prefix" for i, p in enumerate(thread["stackTable"]["prefix"]) if p is not None and p >= i]
    if thread["samples"]["weightType"] not in ("samples", "tracing-ms", "bytes"):
        faults.append("another weight")
    if thread["samples"]["time"] != sorted(thread["samples"]["time"]):
        faults.append("time goes back")
    if not isinstance(thread["pid"], str) or not isinstance(thread["isMainThread"], bool):
        faults.append("pid is a string, isMainThread is true or false")
    return faults + [f"string: {s}" for s in thread["stringArray"] if not isinstance(s, str)]


def firefox_faults(file):
    faults = properties("file", file, ("meta", "libs", "threads"))
    meta = file["meta"]
    for name in ("interval", "startTime", "version", "preprocessedProfileVersion", "processType", "stackwalk"):
        faults += [] if is_number(meta[name]) else [f"meta.{name}: {meta[name]}"]
    if meta["preprocessedProfileVersion"] != 48 or not isinstance(meta["product"], str) or meta["markerSchema"] != []:
        faults.append("meta is of another version")
    for category in meta["categories"]:
        faults += properties("category", category, ("name", "color", "subcategories"))
        faults += [] if category["color"] in COLOURS else [f"colour {category['color']}"]
    for lib in file["libs"]:
        faults += properties("lib", lib, LIB)
        faults += [f"lib: {k}" for k, v in lib.items() if not isinstance(v, str) and (k, v) != ("codeId", None)]
    for thread in file["threads"]:
        faults += thread_faults(thread, len(file["libs"]), len(meta["categories"]))
    return faults
