#include "run/stacks.h"

#include <sys/utsname.h>

#include <fstream>
#include <iterator>
#include <string>

#include "profile/bytes.h"

namespace plumb {
namespace {

bool plain(std::string_view word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,=+@%";
  return !word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos;
}

// As somebody would type it, without the folder of the program.
std::string command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string words{std::istreambuf_iterator<char>(file), {}};
  std::string out;
  for (std::size_t at = 0, end = 0; at < words.size(); at = end + 1) {
    end = std::min(words.find('\0', at), words.size());
    std::string_view word = std::string_view(words).substr(at, end - at);
    if (at == 0) word = profile::module_name(word);
    if (at != 0) out += ' ';
    if (plain(word)) {
      out += word;
      continue;
    }
    out += '\'';
    for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    out += '\'';
  }
  return out;
}

}  // namespace

void complete(profile::Profile& profile, const StackFacts& facts) {
  profile::Description& d = profile.description();
  if (d.command.empty()) d.command = command_line();
  if (utsname machine{}; d.host.empty() && ::uname(&machine) == 0) d.host = machine.nodename;
  if (d.start.ns == 0) d.start = facts.start;
  if (d.duration.ns == 0) d.duration = facts.duration;
  if (profile.quality().lost < 0) profile.quality().lost = static_cast<std::int64_t>(facts.lost);
}

Result<void> write_profile(Format format, const profile::Profile& profile, const profile::SvgStyle& style,
                           Output& output) {
  profile::Bytes out([&output](std::string_view part) {
    output.buffer() += part;
    return output.write_out();
  });
  return write_profile(format, profile, style, out);
}

Result<void> write_profile(Format format, const profile::Profile& profile, const profile::SvgStyle& style,
                           profile::Bytes& out) {
  switch (format) {
    case Format::folded:
      return profile::write_folded(profile, {.root = style.root}, out);
    case Format::svg:
      return profile::write_svg(profile, style, out);
    case Format::pprof:
      return profile::write_pprof(profile, out);
    case Format::speedscope:
      return profile::write_speedscope(profile, out);
    case Format::firefox:
      return profile::write_firefox(profile, out);
    case Format::json:
      return profile::write_json(profile, out);
    case Format::table:
    case Format::csv:
    case Format::tsv:
      break;
  }
  return Error{"stacks have no such format"};
}

}  // namespace plumb
