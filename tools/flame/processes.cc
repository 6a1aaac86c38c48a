#include "flame/processes.h"

#include <algorithm>
#include <iterator>

#include "target/maps.h"

namespace plumb {
namespace {

constexpr std::size_t kMaxProcesses = 65'536;
constexpr std::size_t kMaxCodeMappings = 65'536;  // of one process

bool is_file(std::string_view path) {
  return path.starts_with('/') && !path.starts_with("//");
}

}  // namespace

CodeMapping* ProcessCode::find(std::uint64_t address) {
  const auto after = std::ranges::upper_bound(mappings, address, {}, &CodeMapping::start);
  if (after == mappings.begin()) return nullptr;
  CodeMapping& found = *std::prev(after);
  return address < found.end ? &found : nullptr;
}

void ProcessCode::map(CodeMapping mapping) {
  if (mapping.start >= mapping.end || mappings.size() >= kMaxCodeMappings) return;
  std::vector<CodeMapping> rests;  // of what the new one lies in the middle of
  for (CodeMapping& old : mappings) {
    if (old.end <= mapping.start || old.start >= mapping.end) continue;
    if (old.end > mapping.end) {
      rests.push_back(old);
      rests.back().offset += mapping.end - old.start;
      rests.back().start = mapping.end;
    }
    old.end = std::max(old.start, std::min(old.end, mapping.start));
  }
  std::erase_if(mappings, [](const CodeMapping& m) { return m.start >= m.end; });
  mappings.push_back(std::move(mapping));
  std::ranges::move(rests, std::back_inserter(mappings));
  std::ranges::sort(mappings, {}, &CodeMapping::start);
}

void Processes::on_fork(const MappingEvent& event) {
  if (event.pid == event.parent || processes_.size() >= kMaxProcesses) return;  // a thread
  ProcessCode child;
  if (const auto parent = processes_.find(event.parent); parent != processes_.end()) child = parent->second;
  child.pid = event.pid;
  child.ended = false;
  processes_[event.pid] = std::move(child);
}

void Processes::on_event(const MappingEvent& event) {
  switch (event.kind) {
    case MappingEvent::Kind::fork:
      on_fork(event);
      return;
    case MappingEvent::Kind::exec: {
      if (processes_.size() >= kMaxProcesses && !processes_.contains(event.pid)) return;
      ProcessCode& process = processes_[event.pid];
      process = ProcessCode{.pid = event.pid, .complete = true};
      return;
    }
    case MappingEvent::Kind::exit:
      if (const auto it = processes_.find(event.pid); it != processes_.end() && event.pid == event.tid)
        it->second.ended = true;
      return;
    case MappingEvent::Kind::map:
      break;
  }
  const auto it = processes_.find(event.pid);
  if (it == processes_.end()) return;  // a snapshot will show it
  it->second.map({event.start, event.start + event.size, event.offset, event.device_major, event.device_minor,
                  is_file(event.path) ? event.inode : 0,
                  event.path.starts_with("//") ? std::string{} : std::string(event.path)});
}

void Processes::snapshot(ProcessCode& process) {
  const std::string text = read_(context_, process.pid);
  if (text.empty()) return;
  process.mappings.clear();
  process.complete = true;
  for (Mapping& m : parse_maps(text)) {
    if (!m.executable) continue;
    process.mappings.push_back({m.start, m.end, m.offset, m.device_major, m.device_minor,
                                is_file(m.path) ? m.inode : 0, std::move(m.path)});
  }
}

ProcessCode& Processes::sampled(std::uint32_t pid) {
  ProcessCode& process = processes_[pid];
  process.pid = pid;
  if (!process.complete) snapshot(process);
  return process;
}

void Processes::forget_ended() {
  std::erase_if(processes_, [](const auto& p) { return p.second.ended; });
}

}  // namespace plumb
