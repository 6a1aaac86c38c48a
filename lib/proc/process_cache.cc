// The way from a process to its container, cheapest and surest first:
//
//   1. (pid, start) -> slot            one hash look-up; almost every event ends here
//   2. cgroup id -> container          another process of a cgroup that is known already
//   3. cgroup id -> its directory      by file handle, where privileges allow
//   4. /proc/PID/cgroup                while the process lives and is the one that is meant
//   5. a walk over the cgroup tree     the process is gone and 3 was refused; rationed, since a walk costs
//                                      tens of microseconds a directory
//
// Cgroup ids are never used twice while the kernel runs (kernfs counts generations), so 2 needs no expiry.
#include <unistd.h>

#include <bit>
#include <charconv>
#include <unordered_map>

#include "base/clock.h"
#include "proc/cgroup_path.h"
#include "proc/cgroup_tree.h"
#include "proc/container_names.h"
#include "proc/mounts.h"
#include "proc/otel_context.h"
#include "proc/process.h"

namespace plumb {
namespace {

// A container that some process was seen in. Shared by slots and tables; its names may become known later.
struct Known {
  CgroupContainer container;
  OwnedNames names;
  unsigned attempts = 0;
};
using KnownPtr = std::shared_ptr<Known>;

constexpr unsigned kMaxNameAttempts = 8;
constexpr std::size_t kMaxCgroups = 16384;
constexpr std::size_t kWalkRation = 16;  // directories walked for each process that could not be placed

struct KeyHash {
  std::size_t operator()(const ProcessKey& key) const {
    std::uint64_t h = key.start_ns * 0x9e3779b97f4a7c15U;  // 2^64 / golden ratio (Knuth, 6.4)
    h ^= key.pid * 0xff51afd7ed558ccdU;
    return static_cast<std::size_t>(h ^ (h >> 32));
  }
};

// Field 22 of /proc/PID/stat: clock ticks from boot to the start. The name in field 2 may hold blanks and
// parentheses.
std::optional<std::uint64_t> start_ticks(std::string_view stat) {
  std::size_t at = stat.rfind(')');
  if (at == std::string_view::npos) return std::nullopt;
  for (int field = 2; field < 22; ++field) {
    at = stat.find(' ', at + 1);
    if (at == std::string_view::npos) return std::nullopt;
  }
  std::uint64_t ticks = 0;
  const char* begin = stat.data() + at + 1;
  const auto [end, error] = std::from_chars(begin, stat.data() + stat.size(), ticks);
  return error == std::errc{} && end != begin ? std::optional(ticks) : std::nullopt;
}

// Whether a start in nanoseconds is the one that the kernel rounded down to `ticks`; one tick to either side
// for kernels that rounded otherwise. What /proc says is as the reader's time namespace has it.
bool same_start(std::uint64_t start_ns, std::uint64_t ticks) {
  static const auto per_second = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_CLK_TCK)));
  const auto start = start_ns + static_cast<std::uint64_t>(time_offsets().boot_ns);
  const std::uint64_t wanted = start / (1'000'000'000 / per_second);
  return ticks + 1 >= wanted && ticks <= wanted + 1;
}

}  // namespace

struct ProcessCache::State {
  struct Slot {
    ProcessKey key;
    std::uint64_t cgroup_id = 0;
    KnownPtr known;  // null: in no container, or not known
    std::string exe;
    ProcessResource resource;
    std::uint64_t asked = 0;  // how often
    bool recent = false;      // asked for since the hand passed
  };

  State(const ProcFs& procfs, std::size_t max) : fs(procfs), max_entries(std::max<std::size_t>(max, 1)) {}

  Slot& slot_for(const ProcessKey& key);
  KnownPtr resolve(const ProcessKey& key, std::uint64_t cgroup_id);
  KnownPtr by_proc(const ProcessKey& key, std::uint64_t cgroup_id);
  KnownPtr by_walk(std::uint64_t cgroup_id);
  bool still_there(const ProcessKey& key) const;
  std::string exe_of(const ProcessKey& key) const;
  void read_resource(Slot& slot) const;
  KnownPtr known_container(CgroupContainer container);
  KnownPtr with_names(const KnownPtr& known);
  void remember(std::uint64_t cgroup_id, const KnownPtr& known);
  const CgroupMounts& mounts();

  const ProcFs& fs;
  std::size_t max_entries;
  ResourceReaders readers;
  ExeOfGone exe_of_gone = [](const ProcessKey&) { return std::string{}; };
  std::vector<Slot> slots;  // grows to max_entries, then the hand goes round
  std::size_t hand = 0;
  std::unordered_map<ProcessKey, std::size_t, KeyHash> index;  // into slots
  // Emptied when full: what lives is found again.
  std::unordered_map<std::uint64_t, KnownPtr> cgroups;
  std::unordered_map<std::string, KnownPtr> containers;  // by id: cgroups inside of one container share it
  KnownPtr last;  // keeps the views alive that the last find() gave for a process that has no slot
  std::optional<CgroupMounts> mounts_;
  std::size_t unplaced = 0;    // since the last walk
  std::size_t walk_price = 0;  // how many unplaced processes pay for the next walk
};

// A slot for a new key: the next free one, or the first that was not asked for since the hand last passed.
// Reusing the index's node, a full cache allocates nothing.
ProcessCache::State::Slot& ProcessCache::State::slot_for(const ProcessKey& key) {
  if (slots.size() < max_entries) {
    index.emplace(key, slots.size());
    return slots.emplace_back(Slot{.key = key});
  }
  while (slots[hand].recent) {
    slots[hand].recent = false;
    hand = (hand + 1) % slots.size();
  }
  Slot& slot = slots[hand];
  auto node = index.extract(slot.key);
  node.key() = key;
  node.mapped() = hand;
  index.insert(std::move(node));
  hand = (hand + 1) % slots.size();
  slot = Slot{.key = key};
  return slot;
}

const CgroupMounts& ProcessCache::State::mounts() {
  if (!mounts_) {
    auto found = cgroup_mounts(fs);
    mounts_ = found ? *std::move(found) : CgroupMounts{};
  }
  return *mounts_;
}

void ProcessCache::State::remember(std::uint64_t cgroup_id, const KnownPtr& known) {
  if (cgroup_id == 0) return;
  if (cgroups.size() >= kMaxCgroups) cgroups.clear();
  cgroups[cgroup_id] = known;
}

KnownPtr ProcessCache::State::known_container(CgroupContainer container) {
  if (const auto it = containers.find(container.id); it != containers.end()) return it->second;
  if (containers.size() >= kMaxCgroups) containers.clear();
  auto known = std::make_shared<Known>();
  known->names.container = container.id_is_name() ? container.id : container.id.substr(0, 12);
  known->container = std::move(container);
  containers.emplace(known->container.id, known);
  return known;
}

// Asks for the names until they are complete, at most kMaxNameAttempts times: once for each new process.
KnownPtr ProcessCache::State::with_names(const KnownPtr& known) {
  if (known != nullptr && !known->names.complete && known->attempts < kMaxNameAttempts) {
    ++known->attempts;
    known->names = container_names(fs, known->container);
  }
  return known;
}

KnownPtr ProcessCache::State::by_proc(const ProcessKey& key, std::uint64_t cgroup_id) {
  if (key.pid == 0 || key.start_ns == 0) return nullptr;
  const std::string directory = "/proc/" + std::to_string(key.pid);
  const auto text = fs.read(directory + "/cgroup");
  if (!text) return nullptr;
  // After the cgroup: had the pid changed hands before, this start would be another one.
  const auto stat = fs.read(directory + "/stat");
  const auto ticks = stat ? start_ticks(*stat) : std::nullopt;
  if (!ticks || !same_start(key.start_ns, *ticks)) return nullptr;
  auto container = container_of_proc_cgroup(*text);
  const bool only_v2 = mounts().v1.empty() && !mounts().v2.empty();
  const std::string_view path = v2_path_of_proc_cgroup(*text);
  // With v1 about, processes of one v2 cgroup may be in different containers. A path outside of our cgroup
  // namespace
  // ("/../x") leads nowhere from our mount.
  if (cgroup_id == 0 || !only_v2 || path.starts_with("/..")) {
    return container ? known_container(*std::move(container)) : nullptr;
  }
  const auto inode = fs.inode(mounts().v2 + std::string(path));
  if (inode && *inode != cgroup_id) return nullptr;  // it moved since the event
  KnownPtr known = container ? known_container(*std::move(container)) : nullptr;
  if (inode) remember(cgroup_id, known);
  return known;
}

KnownPtr ProcessCache::State::by_walk(std::uint64_t cgroup_id) {
  if (mounts().v2.empty()) return nullptr;
  if (unplaced++ < walk_price) return nullptr;
  unplaced = 0;
  const std::size_t walked = walk_cgroups(fs, mounts().v2, [&](const std::string& path) {
    auto container = container_of_cgroup(path);
    if (!container) return;
    if (const auto id = fs.inode(mounts().v2 + path); id)
      remember(*id, known_container(*std::move(container)));
  });
  walk_price = walked / kWalkRation;
  const auto it = cgroups.find(cgroup_id);
  return it == cgroups.end() ? nullptr : it->second;
}

KnownPtr ProcessCache::State::resolve(const ProcessKey& key, std::uint64_t cgroup_id) {
  if (cgroup_id == 0) return with_names(by_proc(key, 0));
  if (const auto it = cgroups.find(cgroup_id); it != cgroups.end()) return with_names(it->second);
  bool placed = false;
  if (!mounts().v2.empty()) {
    if (const auto path = fs.cgroup_path(mounts().v2, cgroup_id); path) {
      placed = true;
      auto container = container_of_cgroup(*path);
      KnownPtr known = container ? known_container(*std::move(container)) : nullptr;
      if (known != nullptr || mounts().v1.empty()) {
        remember(cgroup_id, known);
        return with_names(known);
      }
    }
  }
  if (KnownPtr known = by_proc(key, cgroup_id); known != nullptr) return with_names(known);
  if (placed || cgroups.contains(cgroup_id)) return nullptr;
  return with_names(by_walk(cgroup_id));
}

static std::string directory_of(const ProcessKey& key) {
  return "/proc/" + std::to_string(key.pid);
}

// To be asked after what was read of it: had the pid changed hands before, this start would be another one.
bool ProcessCache::State::still_there(const ProcessKey& key) const {
  const auto stat = fs.read(directory_of(key) + "/stat");
  const auto ticks = stat ? start_ticks(*stat) : std::nullopt;
  return ticks && same_start(key.start_ns, *ticks);
}

std::string ProcessCache::State::exe_of(const ProcessKey& key) const {
  auto path = fs.read_link(directory_of(key) + "/exe");
  return path && still_there(key) ? *std::move(path) : exe_of_gone(key);
}

// What the process says now; what it said before, where it says nothing any more.
void ProcessCache::State::read_resource(Slot& slot) const {
  if (readers.of_context == nullptr || !std::has_single_bit(++slot.asked)) return;
  const ProcessKey key = slot.key;
  if (const std::string payload = read_otel_context(fs, key.pid); !payload.empty()) {
    if (ProcessResource now = readers.of_context(payload); !now.empty() && still_there(key))
      slot.resource = std::move(now);
  } else if (slot.asked == 1) {
    const auto environment = fs.read(directory_of(key) + "/environ");
    if (environment && still_there(key)) slot.resource = readers.of_environment(*environment);
  }
}

ProcessCache::ProcessCache(const ProcFs& procfs, std::size_t max_entries)
    : state_(std::make_unique<State>(procfs, max_entries)) {}
ProcessCache::~ProcessCache() = default;

void ProcessCache::ask_of_gone(ExeOfGone exe) {
  state_->exe_of_gone = std::move(exe);
}

void ProcessCache::read_resources(ResourceReaders readers) {
  state_->readers = readers;
}

std::size_t ProcessCache::size() const {
  return state_->slots.size();
}

ProcessNames ProcessCache::find(const ProcessKey& key, std::uint64_t cgroup_id) {
  State& s = *state_;
  const auto it = s.index.find(key);
  State::Slot* slot = it == s.index.end() ? nullptr : &s.slots[it->second];
  if (slot == nullptr || (cgroup_id != 0 && slot->cgroup_id != cgroup_id)) {
    s.last = s.resolve(key, cgroup_id);
    if (slot == nullptr && key.pid != 0 && key.start_ns != 0) slot = &s.slot_for(key);
    if (slot == nullptr) return s.last == nullptr ? ProcessNames{} : s.last->names.view();
    slot->known = s.last;
    slot->cgroup_id = cgroup_id;
    slot->exe = s.exe_of(key);
  }
  slot->recent = true;
  s.read_resource(*slot);
  ProcessNames names = slot->known == nullptr ? ProcessNames{} : slot->known->names.view();
  names.exe = slot->exe;
  names.resource = slot->resource;
  return names;
}

}  // namespace plumb
