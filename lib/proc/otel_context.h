// What a process says of itself for tracers to read: OpenTelemetry's process context (OTEP 4719, Process Context: Sharing
// Resource Attributes with External Readers). Its SDK maps some memory with the name OTEL_CTX, at whose start is a header:
//
//   signature  "OTEL_CTX"            8 bytes
//   version    2                     4
//   size       of the payload        4
//   published  when, ns of boot time 8   0: it is being written
//   payload    its address           8   a protobuf message
//
// All of it is the process's own choice: bounded, and believed in nothing but the names that it calls itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proc/process.h"

namespace plumb {

struct OtelContextHeader {
  std::uint64_t published = 0;
  std::uint64_t payload = 0;
  std::uint32_t size = 0;  // 1 to kLargestOtelContext
};

inline constexpr std::uint32_t kOtelContextHeader = 32;
inline constexpr std::uint32_t kLargestOtelContext = 64 * 1024;

// Where the mapping starts, of /proc/PID/maps; nothing: there is none.
std::optional<std::uint64_t> find_otel_context(std::string_view maps);
// Nothing where it is none, of another version, or just being written.
std::optional<OtelContextHeader> parse_otel_context(std::string_view header);
// Whether these bytes lie in one mapping of /proc/PID/maps that is of no file, or of a context's memfd.
bool is_own_memory(std::string_view maps, std::uint64_t address, std::uint64_t size);
// The payload of a process; empty: it has none, or it cannot be read.
std::string read_otel_context(const ProcFs& procfs, std::uint32_t pid);

}  // namespace plumb
