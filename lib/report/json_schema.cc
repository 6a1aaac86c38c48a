// The schema of a report in JSON. It is text: built of values it would take 60 KB of the executable. That it describes what
// to_json() writes, key by key, is tests/live/test_report.py's to check: no other keys are allowed.
#include "report/report.h"

namespace plumb::report {
namespace {

constexpr std::string_view kSchema = R"json({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "plumb report",
  "type": "object",
  "properties": {
    "type": {"const": "report"},
    "tool": {"type": "string", "description": "Which tool."},
    "version": {"type": "string", "description": "Of plumb."},
    "kernel": {"type": "string", "description": "Release of the kernel that plumb ran on."},
    "command": {"type": "array", "items": {"type": "string"}},
    "source": {"type": ["string", "null"], "description": "Saved lines: where from; null: the kernel."},
    "started": {"type": "string", "format": "date-time"},
    "duration_ms": {"type": "number", "description": "How long; of saved lines, from the first to the last."},
    "error": {"type": ["string", "null"], "description": "Why the run ended early."},
    "failed": {"type": "boolean", "description": "Whether a verdict is failed."},
    "verdicts": {
      "type": "array",
      "items": {
        "type": "object",
        "properties": {
          "expression": {"type": "string", "description": "As written."},
          "group": {"type": ["string", "null"], "description": "With --by: whose rows; null: all."},
          "verdict": {"enum": ["passed", "failed", "inconclusive"]},
          "failed": {
            "type": "boolean",
            "description": "Whether it made the run fail: with --strict an inconclusive one, too."
          },
          "rows_needed": {
            "type": ["integer", "null"],
            "description": "Inconclusive: about how many rows each run would need."
          },
          "measured": {
            "type": "array",
            "items": {
              "type": "object",
              "properties": {
                "aggregate": {"type": "string", "description": "As written."},
                "value": {
                  "type": ["number", "null"],
                  "description": "In milliseconds, bytes or a fraction of 1; null: nothing seen."
                },
                "text": {"type": "string", "description": "The value as people read it."},
                "limit": {
                  "type": ["number", "null"],
                  "description": "What it is compared with, in the same unit."
                },
                "n": {"type": "integer", "minimum": 0, "description": "Rows that it is of."},
                "low": {
                  "type": ["number", "null"],
                  "description": "Beside a baseline: the value is at least this, with 95 % confidence on both sides; null: no bound."
                },
                "high": {"type": ["number", "null"], "description": "And at most this."}
              },
              "required": ["aggregate", "value", "text", "limit", "n", "low", "high"],
              "additionalProperties": false
            }
          }
        },
        "required": ["expression", "group", "verdict", "failed", "rows_needed", "measured"],
        "additionalProperties": false
      }
    },
    "certificate": {
      "type": "object",
      "properties": {
        "seen": {
          "type": "integer",
          "minimum": 0,
          "description": "Events that the hooks saw, or lines read."
        },
        "kept": {"type": "integer", "minimum": 0, "description": "After all filters."},
        "filtered": {"type": "integer", "minimum": 0, "description": "Left out by --where."},
        "lost": {"type": "integer", "minimum": 0, "description": "In all."},
        "losses": {
          "type": "array",
          "items": {
            "type": "object",
            "properties": {
              "count": {"type": "integer", "minimum": 0, "description": "Events."},
              "why": {"type": "string", "description": "Where they were lost."}
            },
            "required": ["count", "why"],
            "additionalProperties": false
          }
        },
        "without_owner": {"type": ["integer", "null"], "description": "Kept, and nobody knows whose."},
        "unpaired": {
          "type": ["integer", "null"],
          "description": "Halves whose other half was not seen: requests or queries without an answer, answers without their request, closes of connections older than the trace; null: the tool pairs nothing."
        },
        "hooks": {
          "type": "array",
          "items": {
            "type": "object",
            "properties": {
              "name": {"type": "string", "description": "As `plumb doctor` names it."},
              "variant": {
                "type": ["string", "null"],
                "description": "The one that ran; null: none works here."
              }
            },
            "required": ["name", "variant"],
            "additionalProperties": false
          }
        },
        "programs": {
          "type": "array",
          "items": {
            "type": "object",
            "properties": {
              "name": {"type": "string", "description": "The BPF program."},
              "runs": {"type": "integer", "minimum": 0, "description": "How often it ran."},
              "ns": {"type": "integer", "minimum": 0, "description": "Its time in all, in nanoseconds."}
            },
            "required": ["name", "runs", "ns"],
            "additionalProperties": false
          }
        },
        "cpu_seconds": {"type": "number", "description": "Of plumb itself."},
        "memory_bytes": {"type": "number", "description": "Its peak."}
      },
      "required": [
        "seen", "kept", "filtered", "lost", "losses", "without_owner", "unpaired", "hooks", "programs", "cpu_seconds",
        "memory_bytes"
      ],
      "additionalProperties": false
    },
    "where": {"type": "array", "items": {"type": "string"}, "description": "The expressions of --where."},
    "by": {"type": "array", "items": {"type": "string"}, "description": "The fields of --by."},
    "sketches": {
      "type": "array",
      "description": "What the verdicts are computed from, for a run whose --baseline this report is.",
      "items": {
        "type": "object",
        "properties": {
          "group": {"type": ["string", "null"]},
          "of": {"type": "string", "description": "A field, count, or a condition."},
          "rows": {"type": "integer", "minimum": 0, "description": "Of count or a condition: how many could have counted."},
          "held": {"type": "integer", "minimum": 0, "description": "Of a condition: for how many it held."},
          "count": {"type": "integer", "minimum": 0, "description": "Of a field: how many values; durations in nanoseconds."},
          "zeros": {"type": "integer", "minimum": 0},
          "whole": {"type": "boolean", "description": "Whether all are whole numbers."},
          "min": {"type": "number"},
          "max": {"type": "number"},
          "sum": {"type": "number"},
          "buckets": {
            "type": "string",
            "pattern": "^([0-9]+:[0-9]+( [0-9]+:[0-9]+)*)?$",
            "description": "Of the others, NUMBER:COUNT of each bucket: 128 to a power of two, by rising value."
          },
          "parts": {
            "type": "array",
            "maxItems": 16,
            "items": {"type": "string", "pattern": "^[0-9]+:[0-9]+( [0-9]+:[0-9]+)*$"},
            "description": "The values again, cut into parts in the order in which they came."
          }
        },
        "required": [
          "group", "of", "rows", "held", "count", "zeros", "whole", "min", "max", "sum", "buckets", "parts"
        ],
        "additionalProperties": false
      }
    }
  },
  "required": [
    "type", "tool", "version", "kernel", "command", "source", "started", "duration_ms", "error", "failed",
    "verdicts", "certificate", "where", "by", "sketches"
  ],
  "additionalProperties": false
}
)json";

}  // namespace

std::string json_report_schema() {
  return std::string(kSchema);
}

}  // namespace plumb::report
