#include "dns/search_list.h"

#include <algorithm>
#include <charconv>

#include "dns/message.h"

namespace plumb::dns {
namespace {

constexpr std::size_t kMaxSuffix = 253;  // of a name as text, RFC 1035, section 2.3.4
constexpr unsigned kMaxNdots = 15;       // RES_MAXNDOTS
constexpr std::string_view kBlank = " \t\r";

std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.size(), line.find_first_not_of(kBlank)));
  const std::string_view word = line.substr(0, line.find_first_of(kBlank));
  line.remove_prefix(word.size());
  return word;
}

void take_search(std::vector<std::string>& out, std::string_view line, bool only_one) {
  out.clear();
  for (auto word = take_word(line); !word.empty(); word = take_word(line)) {
    while (word.ends_with('.')) word.remove_suffix(1);
    if (!word.empty() && word.size() <= kMaxSuffix && out.size() < kMaxSearch) out.emplace_back(word);
    if (only_one) return;
  }
}

void take_options(ResolvConf& conf, std::string_view line) {
  constexpr std::string_view kNdots = "ndots:";
  for (auto word = take_word(line); !word.empty(); word = take_word(line)) {
    if (!word.starts_with(kNdots)) continue;
    unsigned n = 0;
    const auto r = std::from_chars(word.data() + kNdots.size(), word.data() + word.size(), n);
    if (r.ec == std::errc{}) conf.ndots = std::min(n, kMaxNdots);
  }
}

std::string_view without_suffix(std::string_view name, std::string_view suffix) {
  if (name.size() < suffix.size() + 2) return {};
  const std::size_t dot = name.size() - suffix.size() - 1;
  if (name[dot] != '.' || !same_name(name.substr(dot + 1), suffix)) return {};
  return name.substr(0, dot);
}

}  // namespace

ResolvConf parse_resolv_conf(std::string_view text) {
  ResolvConf conf;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.starts_with('#') || line.starts_with(';')) continue;
    const std::string_view word = take_word(line);
    if (word == "search") take_search(conf.search, line, false);
    if (word == "domain") take_search(conf.search, line, true);
    if (word == "options") take_options(conf, line);
  }
  return conf;
}

void wanted_names(std::string_view name, const ResolvConf& conf, std::vector<std::string_view>& out) {
  out.clear();
  for (const std::string& suffix : conf.search) {
    const std::string_view wanted = without_suffix(name, suffix);
    if (!wanted.empty()) out.push_back(wanted);
  }
  std::ranges::sort(out, {}, &std::string_view::size);
  out.push_back(name);
}

const SearchFolder::Process* SearchFolder::find(std::uint32_t pid) const {
  const auto at = std::ranges::find(processes_, pid, &Process::pid);
  return at == processes_.end() ? nullptr : &*at;
}

SearchFolder::Process& SearchFolder::find_or_add(std::uint32_t pid, BootTime now) {
  auto at = std::ranges::find(processes_, pid, &Process::pid);
  if (at == processes_.end()) {
    if (processes_.size() < kMaxProcesses) {
      at = processes_.insert(processes_.end(), Process{});
    } else {
      at = std::ranges::min_element(processes_, {}, &Process::last);
    }
    at->pid = pid;
    at->used = 0;
  }
  at->last = now;
  return *at;
}

void SearchFolder::missed(std::uint32_t pid, std::string_view name, BootTime now) {
  Process& process = find_or_add(pid, now);
  const auto end = process.misses.begin() + static_cast<std::ptrdiff_t>(process.used);
  auto at = std::find_if(process.misses.begin(), end, [&](const Miss& m) { return same_name(m.name, name); });
  if (at == end) {
    // Twice the patience: the lines of misses that are confirmed late still ask for them.
    at = std::find_if(process.misses.begin(), end, [&](const Miss& m) {
      return static_cast<std::int64_t>(now.ns - m.at.ns) > 2 * kPatienceNs;
    });
    if (at == end) {
      if (process.used == kMaxMisses) {
        at = std::min_element(process.misses.begin(), end,
                              [](const Miss& a, const Miss& b) { return a.at < b.at; });
      } else if (process.used++ == process.misses.size()) {
        at = process.misses.insert(process.misses.end(), Miss{});
      }
    }
    at->name = name;
    at->wanted.clear();
  }
  at->at = now;
}

std::string_view SearchFolder::asked(std::uint32_t pid, std::string_view name, const ResolvConf& conf,
                                     BootTime now) {
  wanted_.clear();
  const Process* known = find(pid);
  if (known == nullptr || conf.search.empty()) return {};
  Process& process = find_or_add(pid, now);
  wanted_names(name, conf, candidates_);
  for (std::size_t i = 0; i < process.used; ++i) {
    Miss& miss = process.misses[i];
    if (static_cast<std::int64_t>(now.ns - miss.at.ns) > kPatienceNs) continue;
    if (same_name(miss.name, name)) {  // the other address family of an attempt that is told already
      if (wanted_.empty()) wanted_ = miss.wanted;
      continue;
    }
    wanted_names(miss.name, conf, others_);
    const auto common = std::ranges::find_if(candidates_, [&](std::string_view candidate) {
      return std::ranges::any_of(others_,
                                 [&](std::string_view other) { return same_name(other, candidate); });
    });
    if (common == candidates_.end()) continue;
    miss.wanted = *common;
    wanted_ = *common;
  }
  return wanted_;
}

std::string_view SearchFolder::wanted(std::uint32_t pid, std::string_view name) const {
  const Process* process = find(pid);
  if (process == nullptr) return {};
  for (std::size_t i = 0; i < process->used; ++i) {
    if (same_name(process->misses[i].name, name)) return process->misses[i].wanted;
  }
  return {};
}

}  // namespace plumb::dns
