// The report of a run: its verdicts, and the certificate that says what they rest on. Plain data, and three writers of it.
//
// Names in it are hostile: groups are named by processes and by what came over the wire. Each writer escapes what its
// format gives a meaning to, and all of them what would reorder or colour a terminal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/sketch.h"

namespace plumb::report {

// One aggregate of an expression.
struct Measured {
  std::string text;              // "p99(latency)"
  std::string value;             // "12.3 ms", or "null"
  std::optional<double> number;  // in ms, bytes, a fraction of 1, or as the field counts; nothing for null
  std::string limit;             // what it is compared with, as `value`; empty: with nothing
  std::optional<double> limit_number;
  std::uint64_t n = 0;  // rows that it is of
  // Beside a baseline: where the value lies with 95 % confidence; nothing: no bound.
  std::optional<double> low, high;
  std::string interval;  // "10.1 ms to 19.0 ms"; empty: none was asked for
};

struct Verdict {
  std::string expression;
  std::string group;  // "remote_addr 192.0.2.1"; empty: all rows
  bool failed = false;
  bool inconclusive = false;  // the rows are too few or too unsteady to tell; with --strict failed, too
  std::optional<std::uint64_t> rows_needed;
  std::vector<Measured> measured;
};

struct Loss {
  std::uint64_t count = 0;
  std::string why;
};

struct Hook {
  std::string name;
  std::string variant;  // empty: none works here
};

// A BPF program's own time.
struct Program {
  std::string name;
  std::uint64_t runs = 0;
  std::uint64_t ns = 0;
};

struct Report {
  std::string tool, version, kernel;
  std::vector<std::string> command;  // as it was started
  std::string source;                // of saved lines: where from; empty: the kernel
  UnixTime started;
  Duration duration;
  std::string error;  // why the run ended early; empty: it did not

  std::vector<Verdict> verdicts;
  // For a later run whose baseline this is: the rows that it is about, and what the verdicts are computed from.
  std::vector<std::string> where, by;
  std::vector<Sketch> sketches;

  std::uint64_t seen = 0;      // by the hooks, or read
  std::uint64_t kept = 0;      // after all filters
  std::uint64_t filtered = 0;  // by --where
  std::optional<std::uint64_t>
      without_owner;  // kept, and nobody knows whose; nothing: the tool has no owners
  std::optional<std::uint64_t>
      unpaired;  // halves whose other half was not seen; nothing: the tool pairs nothing
  std::vector<Loss> losses;
  std::vector<Hook> hooks;
  std::vector<Program> programs;  // empty: not counted
  double cpu_seconds = 0;         // of plumb itself
  double memory_bytes = 0;        // at most

  bool failed() const;
  std::uint64_t lost() const;
};

std::string to_json(const Report& report);
// JUnit's XML: each verdict a test case, the certificate as properties of the suite.
std::string to_junit(const Report& report);
std::string to_markdown(const Report& report);

// JSON Schema (2020-12) of to_json().
std::string json_report_schema();

// Lines for the log of a GitHub Actions job, one for each failure (workflow commands).
std::string to_github_errors(const Report& report);

}  // namespace plumb::report
