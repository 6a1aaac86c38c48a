#include "probe/kernel_btf.h"

#include <fcntl.h>
#include <linux/btf.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <unordered_map>

#include "base/fd.h"

namespace plumb {
namespace {

constexpr std::size_t kMaxBtf = std::size_t{256} << 20;  // kernels have 4 to 10 MB

Error no_kernel_btf(const std::string& why) {
  return Error{"cannot read this kernel's types", "no usable BTF: " + why,
               "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y"};
}

// Bytes of a type's record after its head (Documentation/bpf/btf.rst). A kind that we do not know ends the
// walk: its length is unknown.
bool extra_bytes(const btf_type& type, std::size_t& bytes) {
  const std::size_t n = BTF_INFO_VLEN(type.info);
  switch (BTF_INFO_KIND(type.info)) {
    case BTF_KIND_INT:
    case BTF_KIND_VAR:
    case BTF_KIND_DECL_TAG:
      bytes = 4;
      return true;
    case BTF_KIND_ARRAY:
      bytes = sizeof(btf_array);
      return true;
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
      bytes = n * sizeof(btf_member);
      return true;
    case BTF_KIND_ENUM:
      bytes = n * sizeof(btf_enum);
      return true;
    case BTF_KIND_FUNC_PROTO:
      bytes = n * sizeof(btf_param);
      return true;
    case BTF_KIND_DATASEC:
      bytes = n * sizeof(btf_var_secinfo);
      return true;
    case BTF_KIND_ENUM64:
      bytes = n * sizeof(btf_enum64);
      return true;
    case BTF_KIND_PTR:
    case BTF_KIND_FWD:
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_VOLATILE:
    case BTF_KIND_CONST:
    case BTF_KIND_RESTRICT:
    case BTF_KIND_FUNC:
    case BTF_KIND_FLOAT:
    case BTF_KIND_TYPE_TAG:
      bytes = 0;
      return true;
    default:
      return false;
  }
}

}  // namespace

Result<KernelBtf> KernelBtf::load(const char* path) {
  const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0)
    return no_kernel_btf(std::string(path) + ": " + errno_text(errno));
  const auto size = static_cast<std::size_t>(info.st_size);
  if (info.st_size <= 0 || size > kMaxBtf) return no_kernel_btf(std::string(path) + " has no plausible size");
  // Kernels since 6.16 let it be mapped; before, it is copied.
  void* map = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (map != MAP_FAILED) {
    std::unique_ptr<const char, Unmap> mapped(static_cast<const char*>(map), Unmap(size));
    auto names = view(mapped.get(), size);
    if (names) names->mapped_ = std::move(mapped);
    return names;
  }
  std::vector<char> bytes(size);
  std::size_t used = 0;
  while (used < size) {
    const ssize_t n = ::read(fd.get(), bytes.data() + used, size - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return no_kernel_btf(std::string(path) + ": " + errno_text(errno));
    if (n == 0) break;
    used += static_cast<std::size_t>(n);
  }
  bytes.resize(used);
  return parse(std::move(bytes));
}

void KernelBtf::Unmap::operator()(const char* bytes) const {
  ::munmap(const_cast<char*>(bytes), size);
}

Result<KernelBtf> KernelBtf::parse(std::vector<char> bytes) {
  auto names = view(bytes.data(), bytes.size());
  if (names) names->read_ = std::move(bytes);  // a moved vector keeps its storage
  return names;
}

Result<KernelBtf> KernelBtf::view(const char* bytes, std::size_t size) {
  btf_header head{};
  if (size < sizeof head) return no_kernel_btf("it is cut short");
  std::memcpy(&head, bytes, sizeof head);
  if (head.magic != BTF_MAGIC || head.hdr_len < sizeof head)
    return no_kernel_btf("it is not in a form that we know");
  KernelBtf names;
  names.types_ = std::size_t{head.hdr_len} + head.type_off;
  names.types_end_ = names.types_ + head.type_len;
  names.strings_ = std::size_t{head.hdr_len} + head.str_off;
  names.strings_end_ = names.strings_ + head.str_len;
  if (std::max(names.types_end_, names.strings_end_) > size) return no_kernel_btf("it is cut short");
  names.bytes_ = bytes;
  if (!names.index())
    return no_kernel_btf("it has a kind of type that this plumb does not know: a newer one may");
  return names;
}

// False when there is a record that it cannot step over: what comes after would be taken for missing.
bool KernelBtf::index() {
  constexpr std::size_t kUsualBytesOfType = 24;
  names_.reserve((types_end_ - types_) / kUsualBytesOfType);
  records_.reserve(names_.capacity() / kEvery + 1);
  names_.push_back(0);
  btf_type type;
  for (std::size_t at = types_; at < types_end_;) {
    if (types_end_ - at < sizeof type) return false;
    std::memcpy(&type, bytes_ + at, sizeof type);
    std::size_t extra = 0;
    if (!extra_bytes(type, extra) || extra > types_end_ - at - sizeof type) return false;
    if ((names_.size() - 1) % kEvery == 0) records_.push_back(static_cast<std::uint32_t>(at));
    names_.push_back(type.name_off);
    at += sizeof type + extra;
  }
  return true;
}

std::size_t KernelBtf::record(std::uint32_t id) const {
  std::size_t at = records_[(id - 1) / kEvery];
  for (std::uint32_t steps = (id - 1) % kEvery; steps > 0; --steps) at = next(at);
  return at;
}

std::size_t KernelBtf::next(std::size_t record) const {
  btf_type type;
  std::memcpy(&type, bytes_ + record, sizeof type);
  std::size_t extra = 0;
  extra_bytes(type, extra);  // index() has seen that it is known
  return record + sizeof type + extra;
}

btf_type KernelBtf::type(std::uint32_t id) const {
  btf_type out{};
  std::memcpy(&out, bytes_ + record(id), sizeof out);
  return out;
}

std::string_view KernelBtf::text(std::uint32_t offset) const {
  if (offset >= strings_end_ - strings_) return {};
  const char* start = bytes_ + strings_ + offset;
  return {start, ::strnlen(start, strings_end_ - strings_ - offset)};
}

std::uint32_t KernelBtf::find(std::string_view name, std::uint32_t kind) const {
  // The name as it stands among the strings: whole, between two NULs.
  std::string needle(1, '\0');
  needle += name;
  needle += '\0';
  const char* strings = bytes_ + strings_;
  const void* hit = ::memmem(strings, strings_end_ - strings_, needle.data(), needle.size());
  if (name.empty() || hit == nullptr) return 0;
  const auto offset = static_cast<std::uint32_t>(static_cast<const char*>(hit) + 1 - strings);
  for (auto at = std::ranges::find(names_, offset); at != names_.end();
       at = std::find(at + 1, names_.end(), offset)) {
    const auto id = static_cast<std::uint32_t>(at - names_.begin());
    if (BTF_INFO_KIND(type(id).info) == kind) return id;
  }
  return 0;
}

std::uint32_t KernelBtf::find_target(bpf_attach_type attach, std::string_view target) const {
  // include/linux/tracepoint.h and bpf.h: the types that the kernel declares for the verifier's sake
  const std::string name(target);
  switch (attach) {
    case BPF_TRACE_RAW_TP:
      return find("btf_trace_" + name, BTF_KIND_TYPEDEF);
    case BPF_TRACE_ITER:
      return find("bpf_iter_" + name, BTF_KIND_FUNC);
    default:
      return find(name, BTF_KIND_FUNC);
  }
}

// typedef void (*btf_trace_NAME)(void *, ...): the first argument is the tracepoint's own.
std::optional<unsigned> KernelBtf::tracepoint_arguments(std::string_view name) const {
  std::uint32_t id = find_target(BPF_TRACE_RAW_TP, name);
  for (const std::uint32_t kind : {BTF_KIND_TYPEDEF, BTF_KIND_PTR}) {
    if (id == 0 || id >= names_.size() || BTF_INFO_KIND(type(id).info) != kind) return std::nullopt;
    id = type(id).type;
  }
  if (id == 0 || id >= names_.size()) return std::nullopt;
  const std::uint32_t prototype = type(id).info;
  if (BTF_INFO_KIND(prototype) != BTF_KIND_FUNC_PROTO || BTF_INFO_VLEN(prototype) == 0) return std::nullopt;
  return BTF_INFO_VLEN(prototype) - 1;
}

std::string_view without_flavour(std::string_view name) {
  constexpr std::string_view kMark = "___";
  for (std::size_t at = name.rfind(kMark); at != std::string_view::npos && at > 0;
       at = name.rfind(kMark, at - 1)) {
    const std::size_t after = at + kMark.size();
    if (name[at - 1] != '_' && after < name.size() && name[after] != '_') return name.substr(0, at);
  }
  return name;
}

// Copies types into a BTF of their own. Each id of the kernel's gets a new one when it is first met, and is
// copied in the order of the new ones.
class BtfSubset {
 public:
  explicit BtfSubset(const KernelBtf& kernel) : kernel_(kernel) {}

  void add(std::uint32_t id) { renumber(id); }

  std::vector<char> bytes() {
    for (std::size_t next = 0; next < chosen_.size();) copy(chosen_[next++]);  // grows while it is walked
    btf_header head{};
    head.magic = BTF_MAGIC;
    head.version = BTF_VERSION;
    head.hdr_len = sizeof head;
    head.type_len = static_cast<std::uint32_t>(types_.size());
    head.str_off = head.type_len;
    head.str_len = static_cast<std::uint32_t>(strings_.size());
    std::vector<char> out(sizeof head + types_.size() + strings_.size());
    std::memcpy(out.data(), &head, sizeof head);
    std::ranges::copy(types_, out.data() + sizeof head);
    std::ranges::copy(strings_, out.data() + sizeof head + types_.size());
    return out;
  }

 private:
  template <class T>
  void append(const T& value) {
    types_.resize(types_.size() + sizeof value);
    std::memcpy(types_.data() + types_.size() - sizeof value, &value, sizeof value);
  }

  // Functions and variables are void here: only pointers lead to them.
  std::uint32_t renumber(std::uint32_t id) {
    if (id == 0 || id >= kernel_.names_.size()) return 0;
    if (const auto known = new_ids_.find(id); known != new_ids_.end()) return known->second;
    switch (BTF_INFO_KIND(kernel_.type(id).info)) {
      case BTF_KIND_FUNC:
      case BTF_KIND_FUNC_PROTO:
      case BTF_KIND_VAR:
      case BTF_KIND_DATASEC:
      case BTF_KIND_DECL_TAG:
        return 0;
      default:
        break;
    }
    chosen_.push_back(id);
    return new_ids_[id] = static_cast<std::uint32_t>(chosen_.size());
  }

  std::uint32_t name(std::uint32_t offset) {
    const std::string_view text = kernel_.text(offset);
    if (text.empty()) return 0;
    const auto [known, added] = names_.emplace(offset, static_cast<std::uint32_t>(strings_.size()));
    if (added) strings_.append(text).push_back('\0');
    return known->second;
  }

  // The records after a type's head, each passed through `change`.
  template <class Record, class F>
  void copy_records(const char* at, std::size_t n, F change) {
    for (std::size_t i = 0; i < n; ++i) {
      Record record;
      std::memcpy(&record, at + i * sizeof record, sizeof record);
      change(record);
      append(record);
    }
  }

  void copy(std::uint32_t id) {
    btf_type type = kernel_.type(id);
    const char* after = kernel_.bytes_ + kernel_.record(id) + sizeof type;
    const std::size_t n = BTF_INFO_VLEN(type.info);
    const auto renamed = [this](auto& record) { record.name_off = name(record.name_off); };
    renamed(type);
    switch (BTF_INFO_KIND(type.info)) {
      case BTF_KIND_PTR:
        type.type = 0;
        append(type);
        break;
      case BTF_KIND_INT:
        append(type);
        copy_records<std::uint32_t>(after, 1, [](std::uint32_t&) {});
        break;
      case BTF_KIND_ARRAY:
        append(type);
        copy_records<btf_array>(after, 1, [this](btf_array& a) {
          a.type = renumber(a.type);
          a.index_type = renumber(a.index_type);
        });
        break;
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION:
        append(type);
        copy_records<btf_member>(after, n, [&](btf_member& m) {
          renamed(m);
          m.type = renumber(m.type);
        });
        break;
      case BTF_KIND_ENUM:
        append(type);
        copy_records<btf_enum>(after, n, renamed);
        break;
      case BTF_KIND_ENUM64:
        append(type);
        copy_records<btf_enum64>(after, n, renamed);
        break;
      case BTF_KIND_FWD:
      case BTF_KIND_FLOAT:
        append(type);
        break;
      default:  // typedef, const, volatile, restrict, type tag: each stands for one other type
        type.type = renumber(type.type);
        append(type);
        break;
    }
  }

  const KernelBtf& kernel_;
  std::unordered_map<std::uint32_t, std::uint32_t> new_ids_;  // by the kernel's
  std::vector<std::uint32_t> chosen_;  // the kernel's ids, in the order of the new ones from 1
  std::unordered_map<std::uint32_t, std::uint32_t> names_;
  std::vector<char> types_;
  std::string strings_ = std::string(1, '\0');
};

std::vector<char> KernelBtf::subset(const std::function<bool(std::string_view)>& wanted) const {
  BtfSubset out(*this);
  std::size_t at = types_;
  for (std::uint32_t id = 1; id < names_.size(); ++id, at = next(at)) {
    if (names_[id] == 0) continue;
    btf_type type;
    std::memcpy(&type, bytes_ + at, sizeof type);
    switch (BTF_INFO_KIND(type.info)) {
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION:
      case BTF_KIND_ENUM:
      case BTF_KIND_ENUM64:
      case BTF_KIND_TYPEDEF:
        if (wanted(text(names_[id]))) out.add(id);
        break;
      default:
        break;
    }
  }
  return out.bytes();
}

}  // namespace plumb
