// The fields of pprof's profile.proto (github.com/google/pprof, proto/profile.proto), for its writer and its reader.
#pragma once

#include <protozero/types.hpp>

namespace plumb::profile::pprof {

enum class ProfileTag : protozero::pbf_tag_type {
  sample_type = 1,
  sample = 2,
  mapping = 3,
  location = 4,
  function = 5,
  string_table = 6,
  time_nanos = 9,
  duration_nanos = 10,
  period_type = 11,
  period = 12,
  comment = 13,
  default_sample_type = 14,
};
enum class ValueTypeTag : protozero::pbf_tag_type { type = 1, unit = 2 };
enum class SampleTag : protozero::pbf_tag_type { location_id = 1, value = 2, label = 3 };
enum class LabelTag : protozero::pbf_tag_type { key = 1, str = 2, num = 3 };
enum class MappingTag : protozero::pbf_tag_type {
  id = 1,
  memory_start = 2,
  memory_limit = 3,
  file_offset = 4,
  filename = 5,
  build_id = 6,
  has_functions = 7,
  has_filenames = 8,
  has_line_numbers = 9,
  has_inline_frames = 10,
};
enum class LocationTag : protozero::pbf_tag_type { id = 1, mapping_id = 2, address = 3, line = 4 };
enum class LineTag : protozero::pbf_tag_type { function_id = 1, line = 2 };
enum class FunctionTag : protozero::pbf_tag_type { id = 1, name = 2, system_name = 3, filename = 4 };

// Kinds that pprof has no word for are told by the mapping of frames that have none of their own.
inline constexpr std::string_view kKernelMapping = "[kernel.kallsyms]";
inline constexpr std::string_view kJitMapping = "[jit]";
inline constexpr std::string_view kPythonMapping = "[python]";

// What a comment begins with that tells the rest of Description and Quality.
inline constexpr std::string_view kHost = "host: ";
inline constexpr std::string_view kCommand = "command: ";
inline constexpr std::string_view kEvent = "event: ";
inline constexpr std::string_view kLost = "samples lost: ";
inline constexpr std::string_view kRooted = "samples rooted: ";
inline constexpr std::string_view kTruncated = "samples truncated: ";

}  // namespace plumb::profile::pprof
