#include "flame/modules.h"

#include <elf.h>
#include <sys/auxv.h>

#include <algorithm>
#include <cstring>

#include "symbol/bytes_reader.h"

namespace plumb {
namespace {

constexpr std::size_t kMaxModules = 16'384;
constexpr std::size_t kVdsoBytes = 8'192;

bool is_vdso(const CodeMapping& mapping) {
  return mapping.path == "[vdso]";
}

}  // namespace

// The kernel gives it one or two pages; its section headers stand at its end.
std::vector<std::byte> own_vdso() {
  const unsigned long address = ::getauxval(AT_SYSINFO_EHDR);
  if (address == 0) return {};
  const auto* begin = reinterpret_cast<const std::byte*>(address);  // NOLINT(performance-no-int-to-ptr)
  const auto header = load<Elf64_Ehdr>({begin, sizeof(Elf64_Ehdr)}, 0);
  const std::uint64_t end = header.e_shoff + std::uint64_t{header.e_shnum} * header.e_shentsize;
  return {begin, begin + std::min<std::uint64_t>(end, kVdsoBytes * 2)};
}

void Modules::load(Module& module, std::unique_ptr<ElfBytes> bytes) {
  auto elf = ElfFile::open(std::move(bytes));
  if (!elf) return;
  module.elf.emplace(*std::move(elf));
  module.cfi = UnwindTable::of(*module.elf);
  module.go = GoTable::of(*module.elf);
  if (is_python_path(module.path)) module.python = find_python(*module.elf);
}

std::int32_t Modules::add(const ProcessCode& process, const CodeMapping& mapping) {
  Module module{.path = mapping.path, .pid = process.pid};
  if (is_vdso(mapping)) {
    load(module, elf_bytes(own_vdso()));
  } else {
    UniqueFd fd = files_.open_mapped({process.pid, mapping.start, mapping.end, mapping.path, mapping.inode});
    if (fd) load(module, elf_bytes(std::move(fd)));
  }
  profile::Mapping shown{.path = module.path};
  if (module.elf) {
    shown.build_id = module.elf->build_id();
    shown.start = module.elf->low_address();
    shown.limit = module.elf->end_address();
  }
  module.mapping = profile_.mapping(shown);
  modules_.push_back(std::move(module));
  return static_cast<std::int32_t>(modules_.size() - 1);
}

Module* Modules::of(const ProcessCode& process, CodeMapping& mapping) {
  if (mapping.inode == 0 && !is_vdso(mapping)) return nullptr;
  if (mapping.module < 0) {
    const Key key{mapping.device_major, mapping.device_minor, mapping.inode, mapping.path};
    auto it = known_.find(key);
    if (it == known_.end()) {
      if (modules_.size() >= kMaxModules) return nullptr;
      it = known_.emplace(key, add(process, mapping)).first;
    }
    mapping.module = it->second;
  }
  return at(mapping.module);
}

Module* Modules::with_mapping(profile::MappingId id) {
  const auto found = std::ranges::find(modules_, id, &Module::mapping);
  return id == profile::kNoMapping || found == modules_.end() ? nullptr : &*found;
}

}  // namespace plumb
