// CONTRACT's lines of type `stack`: the same keys in each, null where nothing is known.

#include <fmt/format.h>

#include <ctime>
#include <iterator>

#include "base/text.h"
#include "profile/write.h"

namespace plumb::profile {
namespace {

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_json_escaped(out, text);
  out += '"';
}

void append_text_or_null(std::string& out, std::string_view text) {
  if (text.empty())
    out += "null";
  else
    append_quoted(out, text);
}

void append_number_or_null(std::string& out, std::uint32_t number) {
  if (number == 0)
    out += "null";
  else
    fmt::format_to(std::back_inserter(out), "{}", number);
}

// RFC 3339 in UTC with nanoseconds, or null.
std::string time_text(UnixTime t) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  if (t.ns <= 0) return "null";
  const std::time_t seconds = t.ns / kSecond;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("\"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z\"", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, t.ns % kSecond);
}

std::string_view unit_of(const Description& d) {
  if (d.unit == Unit::nanoseconds) return "ns";
  return d.unit == Unit::bytes ? "bytes" : std::string_view(d.counted);
}

}  // namespace

Result<void> write_json(const Profile& profile, Bytes& out) {
  const Description& d = profile.description();
  const std::string time = time_text(d.start);
  for (const std::size_t i : by_weight(profile)) {
    const Sample s = profile.sample(i);
    std::string& line = out.buffer();
    fmt::format_to(std::back_inserter(line), R"({{"time":{},"type":"stack","pid":)", time);
    append_number_or_null(line, s.pid);
    line += ",\"tid\":";
    append_number_or_null(line, s.tid);
    line += ",\"comm\":";
    append_text_or_null(line, s.comm);
    line += ",\"stack\":[";
    for (std::size_t f = 0; f < s.frames.size(); ++f) {
      if (f != 0) line += ',';
      append_quoted(line, display_name(profile, profile.frame_of(s.frames[f])));
    }
    fmt::format_to(std::back_inserter(line), R"(],"count":{},"value":{},"unit":)", s.count, s.value);
    append_quoted(line, unit_of(d));
    line += ",\"event\":";
    append_text_or_null(line, d.event);
    line += "}\n";
    if (auto r = out.maybe_drain(); !r) return r;
  }
  if (profile.quality().lost > 0) {
    fmt::format_to(std::back_inserter(out.buffer()), "{{\"type\":\"lost\",\"time\":{},\"count\":{}}}\n", time,
                   profile.quality().lost);
  }
  return out.drain();
}

}  // namespace plumb::profile
