#include "proc/container_names.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace plumb {
namespace {

using nlohmann::json;

constexpr std::size_t kShortId = 12;   // what `docker ps` shows
constexpr std::size_t kMaxName = 255;  // longer is no name that a runtime gives

// Refuses text that nests deeper than any runtime's state does: the parser's own recursion is on the heap,
// but a value nested a million deep is destroyed recursively.
json parse_json(const std::string& text) {
  constexpr int kMaxDepth = 64;
  const json::parser_callback_t shallow = [](int depth, json::parse_event_t, json&) {
    return depth < kMaxDepth;
  };
  return json::parse(text, shallow, /*allow_exceptions=*/false);
}

// The member's text, or empty where it is missing, not text, or too long.
std::string text_of(const json& value) {
  const auto* text = value.get_ptr<const json::string_t*>();
  return text != nullptr && text->size() <= kMaxName ? *text : std::string{};
}
std::string member_text(const json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto it = object.find(key);
  return it == object.end() ? std::string{} : text_of(*it);
}

// Runtimes keep their state in the host's file system. In a container that shares the host's process ids,
// process 1 leads there (it takes CAP_SYS_PTRACE); a mount of the same path comes first.
constexpr const char* kHostRoots[] = {"", "/proc/1/root"};

Result<std::string> read_host(const ProcFs& procfs, const std::string& path) {
  Result<std::string> text = Error{};
  for (const char* root : kHostRoots) {
    text = procfs.read(root + path);
    if (text) break;
  }
  return text;
}

std::vector<std::string> list_host(const ProcFs& procfs, const std::string& directory) {
  for (const char* root : kHostRoots) {
    if (auto names = procfs.list(root + directory); names && !names->empty()) return *std::move(names);
  }
  return {};
}

std::string docker_name(const ProcFs& procfs, const std::string& id) {
  const auto text = read_host(procfs, "/var/lib/docker/containers/" + id + "/config.v2.json");
  if (!text) return {};
  std::string name = member_text(parse_json(*text), "Name");
  if (name.starts_with('/')) name.erase(0, 1);
  return name;
}

// volatile-containers.json holds those of `podman run --rm`, since containers/storage 1.44.
std::string podman_name(const ProcFs& procfs, const std::string& id) {
  for (const char* file : {"containers.json", "volatile-containers.json"}) {
    const auto text =
        read_host(procfs, std::string("/var/lib/containers/storage/overlay-containers/") + file);
    if (!text) continue;
    const json all = parse_json(*text);
    if (!all.is_array()) continue;
    for (const json& one : all) {
      if (member_text(one, "id") != id) continue;
      const auto names = one.find("names");
      return names != one.end() && names->is_array() && !names->empty() ? text_of(names->front())
                                                                        : std::string{};
    }
  }
  return {};
}

// Splits "a_b_rest" at its first two underscores. Pod and namespace names hold none (RFC 1123 labels).
bool split_underscores(std::string_view s, std::string_view& a, std::string_view& b, std::string_view& rest) {
  const std::size_t first = s.find('_');
  if (first == std::string_view::npos || first == 0) return false;
  const std::size_t second = s.find('_', first + 1);
  if (second == std::string_view::npos || second == first + 1 || second + 1 == s.size()) return false;
  a = s.substr(0, first);
  b = s.substr(first + 1, second - first - 1);
  rest = s.substr(second + 1);
  return true;
}

bool kubernetes_log_link(const ProcFs& procfs, const std::string& id, OwnedNames& names) {
  const std::string ending = "-" + id + ".log";
  for (const std::string& link : list_host(procfs, "/var/log/containers")) {
    if (!link.ends_with(ending)) continue;
    std::string_view pod, ns, container;
    if (!split_underscores(std::string_view(link).substr(0, link.size() - ending.size()), pod, ns, container))
      continue;
    names.container = container;
    names.pod = pod;
    names.namespace_ = ns;
    return true;
  }
  return false;
}

// Also finds the pod of its sandbox (the pause container), which writes no log.
bool kubernetes_pod_directory(const ProcFs& procfs, const std::string& uid, OwnedNames& names) {
  if (uid.empty()) return false;
  for (const std::string& entry : list_host(procfs, "/var/log/pods")) {
    std::string_view ns, pod, rest;
    if (!split_underscores(entry, ns, pod, rest) || rest != uid) continue;
    names.pod = pod;
    names.namespace_ = ns;
    return true;
  }
  return false;
}

}  // namespace

OwnedNames container_names(const ProcFs& procfs, const CgroupContainer& container) {
  OwnedNames names;
  if (container.id_is_name()) {
    names.container = container.id;
    names.complete = true;
    return names;
  }
  names.container = container.id.substr(0, kShortId);
  const bool may_be_kubernetes =
      !container.pod_uid.empty() || container.runtime == "containerd" || container.runtime == "cri-o";
  if (may_be_kubernetes) {
    names.complete = kubernetes_log_link(procfs, container.id, names);
    if (!names.complete) kubernetes_pod_directory(procfs, container.pod_uid, names);
    return names;
  }
  std::string name;
  if (container.runtime != "podman") name = docker_name(procfs, container.id);
  if (name.empty() && container.runtime != "docker") name = podman_name(procfs, container.id);
  names.complete = !name.empty();
  if (names.complete) names.container = std::move(name);
  return names;
}

}  // namespace plumb
