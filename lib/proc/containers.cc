// Which containers there are, and which of them somebody means.
#include <algorithm>
#include <set>

#include "base/text.h"
#include "proc/cgroup_path.h"
#include "proc/cgroup_tree.h"
#include "proc/container_names.h"
#include "proc/mounts.h"
#include "proc/process.h"

namespace plumb {
namespace {

constexpr std::size_t kMinIdDigits = 3;

void collect(const ProcFs& procfs, const std::string& mount, bool v2, std::vector<Container>& out) {
  walk_cgroups(procfs, mount, [&](const std::string& path) {
    const auto found = container_of_cgroup(path);
    if (!found || found->length != path.size()) return;  // none, or a cgroup inside of a container
    OwnedNames names = container_names(procfs, *found);
    out.push_back(Container{found->id, std::move(names.container), std::string(found->runtime), mount + path,
                            std::move(names.pod), std::move(names.namespace_), v2});
  });
}

std::string full_name(const Container& c) {
  return c.namespace_ + "/" + c.pod + "/" + c.name;
}

bool has_name(const Container& c, std::string_view wanted) {
  if (c.name == wanted) return true;
  return !c.pod.empty() && (c.pod + "/" + c.name == wanted || full_name(c) == wanted);
}

std::string shown(const Container& c) {
  const std::string id = c.id.substr(0, 12);
  const std::string name = c.pod.empty() ? c.name : full_name(c);
  return name == id || name == c.id ? name : name + " (" + id + ")";
}

// "a, b, c and 4 more"
std::string some_of(const std::vector<std::string>& items) {
  constexpr std::size_t kMost = 4;
  std::string out;
  for (std::size_t i = 0; i < std::min(items.size(), kMost); ++i) {
    if (i != 0) out += ", ";
    out += items[i];
  }
  if (items.size() > kMost) out += " and " + std::to_string(items.size() - kMost) + " more";
  return out;
}

constexpr const char* kListHint = "`plumb doctor -v` lists the containers found";

Error unknown_container(std::string_view wanted, const std::vector<Container>& all) {
  Error e{"no container '" + std::string(wanted) + "'", "no container was found at all", kListHint};
  if (all.empty()) return e;
  std::vector<std::string_view> names;
  for (const Container& c : all) {
    for (const std::string* s : {&c.name, &c.pod, &c.id}) {
      if (!s->empty() && std::ranges::find(names, *s) == names.end()) names.push_back(*s);
    }
  }
  const auto near = suggestions(wanted, names);
  if (near.empty()) {
    e.why = "none of the " + std::to_string(all.size()) + " containers found has that name or id";
  } else {
    e.why = "there is " + some_of({near.begin(), near.end()});
  }
  return e;
}

}  // namespace

std::vector<Container> list_containers(const ProcFs& procfs) {
  std::vector<Container> all;
  const auto mounts = cgroup_mounts(procfs);
  if (!mounts) return all;
  if (!mounts->v2.empty()) collect(procfs, mounts->v2, true, all);
  if (!mounts->v1.empty()) {
    std::vector<Container> v1;
    collect(procfs, mounts->v1, false, v1);
    std::set<std::string> known;
    for (const Container& c : all) known.insert(c.id);
    for (Container& c : v1) {
      if (!known.contains(c.id)) all.push_back(std::move(c));
    }
  }
  std::ranges::sort(
      all, {}, [](const Container& c) { return std::tie(c.runtime, c.namespace_, c.pod, c.name, c.cgroup); });
  return all;
}

Result<std::vector<std::string>> container_cgroups(std::string_view name_or_id, const ProcFs& procfs) {
  if (auto mount = cgroup2_mount(procfs); !mount) return std::move(mount).error();
  const std::vector<Container> all = list_containers(procfs);
  std::vector<const Container*> found;
  for (const Container& c : all) {
    if (has_name(c, name_or_id) || c.id == name_or_id) found.push_back(&c);
  }
  if (found.empty() && name_or_id.size() >= kMinIdDigits) {
    for (const Container& c : all) {
      if (c.id.starts_with(name_or_id)) found.push_back(&c);
    }
  }
  if (found.empty()) return unknown_container(name_or_id, all);
  std::vector<std::string> meant;
  std::set<std::string_view> ids;
  for (const Container* c : found) {
    if (ids.insert(c->id).second) meant.push_back(shown(*c));
  }
  if (meant.size() > 1) {
    return Error{"container '" + std::string(name_or_id) + "' is ambiguous", "it means " + some_of(meant),
                 "give more digits of the id, or NAMESPACE/POD/NAME"};
  }
  if (!found.front()->v2) {
    return Error{"cannot filter by container '" + std::string(name_or_id) + "'",
                 "it is in a cgroup of version 1 only: " + found.front()->cgroup,
                 "filter by its processes instead: -p PID, or --netns PID for its network namespace"};
  }
  std::vector<std::string> cgroups;
  for (const Container* c : found) cgroups.push_back(c->cgroup);
  return cgroups;
}

}  // namespace plumb
