// A span as a tool tells it of one of its rows, and as it goes over the wire.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "event/value.h"

namespace plumb::otlp {

struct Attribute {
  std::string_view key;
  Value value;  // not None
};

enum class SpanKind : std::uint8_t { internal = 1, server = 2, client = 3 };  // Span.SpanKind

// What a tool says of a row. Text lives as long as the row, or in `own`.
struct SpanDraft {
  std::string_view name;
  SpanKind kind = SpanKind::client;
  UnixTime start;
  UnixTime end;
  bool failed = false;  // its status is an error
  // Whose child it is, from a traceparent header: hexadecimal digits; empty: it is a root.
  std::string_view trace_id;
  std::string_view parent_id;
  std::uint8_t flags = 0;  // of the header
  std::vector<Attribute> attributes;
  // Of the process that did it, for the resource: service.name and the like; empty: plumb's own resource.
  std::vector<Attribute> owner;
  // Whether spans of clients are to have url.template; clear() leaves it.
  bool url_template = false;

  // Room for text that the row has not: it stays where it is until clear().
  std::string_view keep(std::string text);
  void clear();

 private:
  std::vector<std::unique_ptr<std::string>> own_;
};

using TraceId = std::array<std::byte, 16>;
using SpanId = std::array<std::byte, 8>;

// The low 8 bits are of W3C Trace Context, the others say whether the parent is of another process.
enum SpanFlags : std::uint32_t { kSampled = 0x1, kParentIsTold = 0x100, kParentIsRemote = 0x200 };

struct Span {
  TraceId trace_id{};
  SpanId span_id{};
  SpanId parent_id{};  // all zeros: a root
  std::uint32_t flags = 0;
  std::string_view name;
  SpanKind kind = SpanKind::client;
  UnixTime start;
  UnixTime end;
  bool failed = false;
  std::span<const Attribute> attributes;
};

}  // namespace plumb::otlp
