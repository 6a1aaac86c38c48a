// Whose an event is, and when and where it was: what the events of all tools have in common. Each holds an
// Origin as `origin`, and its table of fields begins with those for it:
//
//   constexpr auto kFields = joined(shared_fields<Connect, type_of, kTypes>({.time = "When ...", ...}),
//                                   std::to_array<Field<Connect>>({...}));
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "event/field.h"
#include "proc/process.h"

struct task_identity;  // bpf/task.h

namespace plumb {

struct Origin {
  UnixTime time;
  std::uint32_t netns = 0;  // inode number; 0: not known
  // The process. While pid is 0 it is not known, and nothing else about it.
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;  // 0: not known
  std::uint32_t uid = 0;
  std::string_view comm;
  std::uint32_t parent_pid = 0;  // 0: not known, or none
  std::string_view parent_comm;
  ProcessNames names;
};

// Takes the process that the kernel side saw. comm is a view of `task`.
void set_process(Origin& origin, const task_identity& task);
// Looks up its executable, container, pod and namespace.
void set_container(Origin& origin, const task_identity& task, ProcessCache& processes);

// What differs between tools: the help of some fields, and whether --top groups by process.
struct SharedFieldWords {
  std::string_view time;
  std::string_view type;
  std::string_view pid;
  std::string_view tid;
  std::string_view netns = "The network namespace's inode number, as lsns(8) shows it.";
  std::span<const std::string_view> warnings = {};  // types that a log warns of
  bool group_by_process = true;
  std::uint8_t comm_width = 16;
};

// time, type, pid, tid, comm, exe, parent_pid, parent_comm, uid, container, pod, namespace, netns, in this order. Types are the names that
// "type" takes, TypeOf the event's index among them: the same as for Schema::of.
template <class Event, std::size_t (*TypeOf)(const Event&), const auto& Types>
consteval std::array<Field<Event>, 13> shared_fields(const SharedFieldWords& words) {
  const auto longest = std::ranges::max(Types, {}, [](std::string_view name) { return name.size(); }).size();
  return {{
      {{.key = "time",
        .heading = "TIME",
        .type = FieldType::time,
        .width = 12,
        .shown = true,
        .rank = 3,
        .help = words.time},
       [](const Event& e) -> Value { return e.origin.time; }},
      {{.key = "type",
        .heading = "TYPE",
        .type = FieldType::enumeration,
        .width = static_cast<std::uint8_t>(longest),
        .shown = true,
        .rank = 1,
        .values = Types,
        .warnings = words.warnings,
        .help = words.type},
       [](const Event& e) -> Value { return Name{Types[TypeOf(e)]}; }},
      {{.key = "pid",
        .heading = "PID",
        .type = FieldType::unsigned_integer,
        .width = 7,
        .group = words.group_by_process,
        .shown = true,
        .rank = 7,
        .otlp = "process.pid",
        .help = words.pid},
       [](const Event& e) -> Value { return number_or_none(e.origin.pid); }},
      {{.key = "tid", .heading = "TID", .type = FieldType::unsigned_integer, .width = 7, .help = words.tid},
       [](const Event& e) -> Value { return number_or_none(e.origin.tid); }},
      {{.key = "comm",
        .heading = "COMM",
        .type = FieldType::text,
        .width = words.comm_width,
        .group = words.group_by_process,
        .shown = true,
        .rank = 2,
        .help = "The owner's command name."},
       [](const Event& e) -> Value { return text_or_none(e.origin.comm); }},
      {{.key = "exe",
        .heading = "EXE",
        .type = FieldType::text,
        .width = 20,
        .otlp = "process.executable.path",
        .help =
            "The path of the owner's executable, in its own mount namespace; null when it ended at once and had "
            "started before the trace."},
       [](const Event& e) -> Value { return text_or_none(e.origin.names.exe); }},
      {{.key = "parent_pid",
        .heading = "PPID",
        .type = FieldType::unsigned_integer,
        .width = 7,
        .otlp = "process.parent_pid",
        .help = "The owner's parent when the event happened."},
       [](const Event& e) -> Value { return number_or_none(e.origin.parent_pid); }},
      {{.key = "parent_comm",
        .heading = "PARENT",
        .type = FieldType::text,
        .width = 16,
        .help = "The parent's command name."},
       [](const Event& e) -> Value { return text_or_none(e.origin.parent_comm); }},
      {{.key = "uid",
        .heading = "UID",
        .type = FieldType::unsigned_integer,
        .width = 5,
        .otlp = "process.user.id",
        .help = "The owner's user id."},
       [](const Event& e) -> Value {
         return e.origin.pid == 0 ? Value{None{}} : Value{std::uint64_t{e.origin.uid}};
       }},
      {{.key = "container",
        .heading = "CONTAINER",
        .type = FieldType::text,
        .width = 12,
        .otlp = "container.name",
        .help = "The owner's container: its name, or the start of its id; null outside containers."},
       [](const Event& e) -> Value { return text_or_none(e.origin.names.container); }},
      {{.key = "pod",
        .heading = "POD",
        .type = FieldType::text,
        .width = 20,
        .otlp = "k8s.pod.name",
        .help = "The owner's Kubernetes pod."},
       [](const Event& e) -> Value { return text_or_none(e.origin.names.pod); }},
      {{.key = "namespace",
        .heading = "NAMESPACE",
        .type = FieldType::text,
        .width = 12,
        .otlp = "k8s.namespace.name",
        .help = "The pod's Kubernetes namespace."},
       [](const Event& e) -> Value { return text_or_none(e.origin.names.namespace_); }},
      {{.key = "netns",
        .heading = "NETNS",
        .type = FieldType::unsigned_integer,
        .width = 10,
        .help = words.netns},
       [](const Event& e) -> Value { return number_or_none(e.origin.netns); }},
  }};
}

}  // namespace plumb
