// Mount tables, cgroup files, state files of container runtimes and the names of directories, any bytes: what is
// searched comes to an end, and no name is longer than a directory's.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "proc/cgroup_path.h"
#include "proc/container_names.h"
#include "proc/mounts.h"
#include "proc/process.h"

namespace {

using namespace plumb;

// The first byte says how the rest is cut; each file and each directory is the next cut.
class Bytes final : public ProcFs {
 public:
  explicit Bytes(std::string_view all) : all_(all) {}

  Result<std::string> read(const std::string& path) const override {
    if (path == "/proc/mounts" && reads_++ % 2 == 0)
      return std::string("none /sys/fs/cgroup cgroup2 rw 0 0\n") + std::string(next());
    const std::string_view text = next();
    if (text.empty()) return Error{"none"};
    return std::string(text);
  }
  Result<std::string> read_link(const std::string&) const override { return std::string(next()); }
  Result<std::vector<std::string>> list(const std::string&) const override {
    std::vector<std::string> names;
    std::string_view text = next();
    while (!text.empty() && names.size() < 16) {
      const std::string_view name = text.substr(0, text.find('\0'));
      text.remove_prefix(std::min(text.size(), name.size() + 1));
      if (!name.empty()) names.emplace_back(name.substr(0, 255));
    }
    return names;
  }
  Result<std::vector<std::string>> list_directories(const std::string& d) const override { return list(d); }
  Result<std::uint64_t> inode(const std::string& path) const override {
    return static_cast<std::uint64_t>(path.size());
  }
  Result<std::string> cgroup_path(const std::string&, std::uint64_t id) const override {
    if (id % 2 == 0) return Error{"unknown"};
    return std::string(next());
  }

 private:
  std::string_view next() const {
    if (all_.size() < 2) return {};
    const std::size_t n = std::min<std::size_t>(static_cast<unsigned char>(all_[0]) * 2U, all_.size() - 1);
    const std::string_view piece = all_.substr(1, n);
    all_.remove_prefix(1 + n);
    return piece;
  }
  mutable std::string_view all_;
  mutable int reads_ = 0;
};

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& found : {container_of_cgroup(text), container_of_proc_cgroup(text)}) {
    if (!found) continue;
    require(!found->id.empty() && found->id.size() <= 255 && found->length <= size);
    const OwnedNames names = container_names(Bytes(text), *found);
    require(!names.container.empty() && names.container.size() <= 255 && names.pod.size() <= 255);
  }
  (void)mount_point_of(Bytes(text), "tracefs");
  (void)cgroup_mounts(Bytes(text));
  for (const Container& c : list_containers(Bytes(text))) require(!c.name.empty());
  (void)container_cgroups("web", Bytes(text));
  const Bytes files(text);
  ProcessCache cache(files, 4);
  for (std::uint32_t pid = 1; pid < 8; ++pid) (void)cache.find({pid, pid}, pid % 3);
  require(cache.size() <= 4);
  return 0;
}
