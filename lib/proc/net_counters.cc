#include "proc/net_counters.h"

#include <algorithm>
#include <charconv>

#include "proc/process_ids.h"

namespace plumb {
namespace {

std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(" \t"));
  text.remove_prefix(word.size());
  return word;
}

// A few counters may be -1 (Tcp: MaxConn): no loss, left out.
bool parse_number(std::string_view text, std::uint64_t& value, int base = 10) {
  const char* end = text.data() + text.size();
  const auto [rest, status] = std::from_chars(text.data(), end, value, base);
  return status == std::errc{} && rest == end && !text.empty();
}

void read_file(const ProcFs& procfs, const std::string& path, void (*parse)(std::string_view, Counters&),
               Counters& out) {
  if (auto text = procfs.read(path)) parse(*text, out);
}

}  // namespace

void parse_netstat(std::string_view text, Counters& out) {
  while (!text.empty()) {
    std::string_view names = take_line(text);
    std::string_view numbers = take_line(text);
    std::string_view group = take_word(names);
    if (!group.ends_with(':') || take_word(numbers) != group) continue;
    group.remove_suffix(1);
    while (true) {
      const std::string_view name = take_word(names);
      const std::string_view number = take_word(numbers);
      if (name.empty() || number.empty()) break;
      std::uint64_t value = 0;
      if (parse_number(number, value)) out[{std::string(group).append(name), {}}] = value;
    }
  }
}

void parse_snmp6(std::string_view text, Counters& out) {
  while (!text.empty()) {
    std::string_view line = take_line(text);
    const std::string_view name = take_word(line);
    std::uint64_t value = 0;
    if (parse_number(take_word(line), value)) out[{std::string(name), {}}] = value;
  }
}

// net/core/net-procfs.c, softnet_seq_show: processed, dropped, time_squeeze, ...
void parse_softnet(std::string_view text, Counters& out) {
  while (!text.empty()) {
    std::string_view line = take_line(text);
    std::uint64_t processed = 0, dropped = 0, squeezed = 0;
    if (!parse_number(take_word(line), processed, 16) || !parse_number(take_word(line), dropped, 16) ||
        !parse_number(take_word(line), squeezed, 16)) {
      continue;
    }
    out[{"softnet_dropped", {}}] += dropped;
    out[{"softnet_squeezed", {}}] += squeezed;
  }
}

// Columns: rx bytes packets errs drop fifo frame compressed multicast, tx bytes packets errs drop fifo colls
// carrier compressed.
void parse_net_dev(std::string_view text, Counters& out) {
  constexpr std::string_view kColumns[] = {"",
                                           "",
                                           "rx_errors",
                                           "rx_dropped",
                                           "rx_fifo_errors",
                                           "rx_frame_errors",
                                           "",
                                           "",
                                           "",
                                           "",
                                           "tx_errors",
                                           "tx_dropped",
                                           "tx_fifo_errors",
                                           "",
                                           "tx_carrier_errors"};
  while (!text.empty()) {
    std::string_view line = take_line(text);
    const std::size_t colon = line.rfind(':');  // alias names hold colons themselves
    if (colon == std::string_view::npos) continue;
    std::string_view name = line.substr(0, colon);
    const std::string dev(take_word(name));
    line.remove_prefix(colon + 1);
    for (const std::string_view column : kColumns) {
      std::uint64_t value = 0;
      if (!parse_number(take_word(line), value)) break;
      if (!column.empty()) out[{std::string(column), dev}] = value;
    }
  }
}

// The fourth field of such a mount is "net:[4026532000]" (proc_pid_mountinfo(5)).
std::vector<std::uint32_t> mounted_namespaces(const ProcFs& procfs) {
  std::vector<std::uint32_t> out;
  auto text = procfs.read("/proc/self/mountinfo");
  if (!text) return out;
  std::string_view rest = *text;
  while (!rest.empty()) {
    std::string_view line = take_line(rest);
    for (int field = 1; field < 4; ++field) take_word(line);
    const std::string_view root = take_word(line);
    std::uint64_t inode = 0;
    if (root.starts_with("net:[") && root.ends_with(']') &&
        parse_number(root.substr(5, root.size() - 6), inode)) {
      out.push_back(static_cast<std::uint32_t>(inode));
    }
  }
  return out;
}

std::vector<std::pair<std::uint32_t, std::uint32_t>> net_namespaces(const ProcFs& procfs) {
  std::map<std::uint32_t, std::uint32_t> found;
  for (const std::uint32_t pid : process_ids(procfs)) {
    const auto inode = procfs.inode("/proc/" + std::to_string(pid) + "/ns/net");
    if (!inode) continue;
    auto [at, fresh] = found.emplace(static_cast<std::uint32_t>(*inode), pid);
    if (!fresh) at->second = std::min(at->second, pid);
  }
  return {found.begin(), found.end()};
}

Counters read_counters(std::uint32_t pid, const ProcFs& procfs) {
  Counters out;
  const std::string directory = "/proc/" + std::to_string(pid) + "/net/";
  read_file(procfs, directory + "snmp", parse_netstat, out);
  read_file(procfs, directory + "netstat", parse_netstat, out);
  read_file(procfs, directory + "snmp6", parse_snmp6, out);
  read_file(procfs, directory + "dev", parse_net_dev, out);
  return out;
}

namespace {

// Whether a process lives whose namespace cannot be asked for: another user's, without CAP_SYS_PTRACE.
bool some_are_hidden(const ProcFs& procfs) {
  const auto entries = procfs.list("/proc");
  return !entries || std::ranges::any_of(*entries, [&](const std::string& name) {
    std::uint64_t pid = 0;
    if (!parse_number(name, pid) || procfs.inode("/proc/" + name + "/ns/net")) return false;
    const auto stat = procfs.read("/proc/" + name + "/stat");
    const std::size_t state = stat ? stat->rfind(')') + 2 : 0;
    return stat && state < stat->size() && (*stat)[state] != 'Z' && (*stat)[state] != 'X';
  });
}

}  // namespace

std::optional<bool> has_device(std::string_view name, std::uint32_t only, const ProcFs& procfs) {
  const auto namespaces = net_namespaces(procfs);
  for (const auto& [inode, pid] : namespaces) {
    if (only != 0 && inode != only) continue;
    Counters counters;
    read_file(procfs, "/proc/" + std::to_string(pid) + "/net/dev", parse_net_dev, counters);
    for (const auto& [key, value] : counters) {
      if (key.dev == name) return true;
    }
  }
  for (const std::uint32_t inode : mounted_namespaces(procfs)) {
    const bool seen =
        std::ranges::find(namespaces, inode, [](const auto& n) { return n.first; }) != namespaces.end();
    if (!seen && (only == 0 || inode == only)) return std::nullopt;
  }
  if (only == 0 && some_are_hidden(procfs)) return std::nullopt;
  return false;
}

Counters read_host_counters(const ProcFs& procfs) {
  Counters out;
  read_file(procfs, "/proc/net/softnet_stat", parse_softnet, out);
  return out;
}

}  // namespace plumb
