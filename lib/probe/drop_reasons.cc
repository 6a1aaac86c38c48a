#include "probe/drop_reasons.h"

#include <bpf/btf.h>
#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <memory>

#include "probe/kernel_btf.h"

namespace plumb {
namespace {

constexpr unsigned kSubsystemShift = 16;  // include/net/dropreason.h, SKB_DROP_REASON_SUBSYS_SHIFT
constexpr std::string_view kSubsystemPrefix = "SKB_DROP_REASON_SUBSYS_";

std::string_view name_at(const btf* types, std::uint32_t offset) {
  const char* name = btf__name_by_offset(types, offset);
  return name == nullptr ? std::string_view{} : std::string_view{name};
}

void append_values(const btf* types, const btf_type* t, std::vector<EnumValue>& out) {
  for (std::uint16_t i = 0; i < btf_vlen(t); ++i) {
    if (btf_is_enum(t)) {
      const struct btf_enum& e = btf_enum(t)[i];
      out.push_back({std::string(name_at(types, e.name_off)), static_cast<std::uint32_t>(e.val)});
    } else {
      const struct btf_enum64& e = btf_enum64(t)[i];
      out.push_back({std::string(name_at(types, e.name_off)), e.val_lo32});
    }
  }
}

std::string lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// The values of every enumeration whose name ends in `suffix`; empty when there is none.
std::vector<EnumValue> enum_values(const btf* types, std::string_view suffix) {
  std::vector<EnumValue> out;
  // A module's BTF continues the numbers of the kernel's.
  const btf* base = btf__base_btf(types);
  const std::uint32_t first = base == nullptr ? 1 : btf__type_cnt(base);
  for (std::uint32_t id = first; id < btf__type_cnt(types); ++id) {
    const btf_type* t = btf__type_by_id(types, id);
    if ((btf_is_enum(t) || btf_is_enum64(t)) && name_at(types, t->name_off).ends_with(suffix)) {
      append_values(types, t, out);
    }
  }
  return out;
}

using Btf = std::unique_ptr<btf, void (*)(btf*)>;

Btf kernel_enums(const KernelBtf& kernel, std::string_view suffix) {
  const std::vector<char> bytes =
      kernel.subset([&](std::string_view name) { return without_flavour(name).ends_with(suffix); });
  return {btf__new(bytes.data(), static_cast<std::uint32_t>(bytes.size())), btf__free};
}

std::vector<EnumValue> kernel_enum_values(const KernelBtf& kernel, std::string_view suffix) {
  const Btf types = kernel_enums(kernel, suffix);
  return types == nullptr ? std::vector<EnumValue>{} : enum_values(types.get(), suffix);
}

}  // namespace

std::string_view short_reason(std::string_view name) {
  while (name.starts_with('_')) name.remove_prefix(1);
  for (const std::string_view prefix : {"SKB_DROP_REASON_", "SK_RST_REASON_", "SKB_"}) {
    if (name.starts_with(prefix) && name.size() > prefix.size()) return name.substr(prefix.size());
  }
  return name;
}

void DropReasons::add(const std::vector<EnumValue>& values) {
  for (const EnumValue& v : values) {
    // Bounds and masks are no reasons.
    if (v.name.ends_with("_MAX") || v.name.ends_with("_MASK") || v.name.ends_with("_UNSPEC") ||
        v.name.starts_with("__"))
      continue;
    by_number_.emplace(v.value, texts_.emplace_back(short_reason(v.name)));
  }
}

DropReasons DropReasons::from(const std::vector<EnumValue>& reasons,
                              const std::vector<EnumValue>& subsystems) {
  DropReasons out;
  out.add(reasons);
  for (const EnumValue& s : subsystems) {
    if (!s.name.starts_with(kSubsystemPrefix) || s.name.ends_with("_NUM")) continue;
    out.subsystems_.emplace(s.value, out.texts_.emplace_back(lower(s.name.substr(kSubsystemPrefix.size()))));
  }
  if (!out.by_number_.empty()) out.subsystems_.emplace(0, out.texts_.emplace_back("core"));
  return out;
}

DropReasons DropReasons::of_drops(const KernelBtf& kernel) {
  DropReasons out =
      from(kernel_enum_values(kernel, "drop_reason"), kernel_enum_values(kernel, "skb_drop_reason_subsys"));
  out.modules_loaded_ = false;
  return out;
}

DropReasons DropReasons::of_resets(const KernelBtf& kernel) {
  return from(kernel_enum_values(kernel, "sk_rst_reason"), {});
}

// Each loaded module's own types, in /sys/kernel/btf: those that have drop reasons add theirs. They build on
// the kernel's, which libbpf reads whole for that.
void DropReasons::load_modules() {
  modules_loaded_ = true;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/sys/kernel/btf"), ::closedir);
  const Btf kernel(btf__load_vmlinux_btf(), btf__free);
  if (directory == nullptr || kernel == nullptr) return;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name.starts_with('.') || name == "vmlinux") continue;
    const std::string path = "/sys/kernel/btf/" + std::string(name);
    const Btf types(btf__parse_split(path.c_str(), kernel.get()), btf__free);
    if (types != nullptr) add(enum_values(types.get(), "drop_reason"));
  }
}

ReasonName DropReasons::name(std::uint32_t reason) {
  auto found = by_number_.find(reason);
  if (found == by_number_.end() && reason >> kSubsystemShift != 0 && !modules_loaded_) {
    load_modules();
    found = by_number_.find(reason);
  }
  if (found == by_number_.end()) {
    found = by_number_.emplace(reason, texts_.emplace_back(fmt::format("{:#x}", reason))).first;
  }
  const auto subsystem = subsystems_.find(reason >> kSubsystemShift);
  return {found->second, subsystem == subsystems_.end() ? std::string_view{} : subsystem->second};
}

std::optional<std::uint32_t> DropReasons::number(std::string_view name) const {
  const std::string wanted = lower(short_reason(name));
  for (const auto& [number, text] : by_number_) {
    if (lower(text) == wanted || lower(text) == lower(name)) return number;
  }
  return std::nullopt;
}

std::vector<std::string_view> DropReasons::names() const {
  std::vector<std::string_view> out;
  for (const auto& [number, text] : by_number_) out.push_back(text);
  return out;
}

}  // namespace plumb
