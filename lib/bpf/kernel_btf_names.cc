#include "bpf/kernel_btf_names.h"

#include <fcntl.h>
#include <linux/btf.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/fd.h"

namespace plumb {
namespace {

constexpr std::size_t kMaxBtf = std::size_t{256} << 20;  // kernels have 4 to 10 MB

Error no_kernel_btf(std::string why) {
  return Error{"this kernel's type information (BTF) cannot be read", std::move(why),
               "it takes a kernel built with CONFIG_DEBUG_INFO_BTF=y: most distributions' since 2021"};
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

Result<KernelBtfNames> KernelBtfNames::load(const char* path) {
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

void KernelBtfNames::Unmap::operator()(const char* bytes) const {
  ::munmap(const_cast<char*>(bytes), size);
}

Result<KernelBtfNames> KernelBtfNames::parse(std::vector<char> bytes) {
  auto names = view(bytes.data(), bytes.size());
  if (names) names->read_ = std::move(bytes);  // a moved vector keeps its storage
  return names;
}

Result<KernelBtfNames> KernelBtfNames::view(const char* bytes, std::size_t size) {
  btf_header head{};
  if (size < sizeof head) return no_kernel_btf("it is cut short");
  std::memcpy(&head, bytes, sizeof head);
  if (head.magic != BTF_MAGIC || head.hdr_len < sizeof head)
    return no_kernel_btf("it is not in a form that we know");
  KernelBtfNames names;
  names.types_ = std::size_t{head.hdr_len} + head.type_off;
  names.types_end_ = names.types_ + head.type_len;
  names.strings_ = std::size_t{head.hdr_len} + head.str_off;
  names.strings_end_ = names.strings_ + head.str_len;
  if (std::max(names.types_end_, names.strings_end_) > size) return no_kernel_btf("it is cut short");
  names.bytes_ = bytes;
  return names;
}

std::uint32_t KernelBtfNames::find(std::string_view name, std::uint32_t kind) const {
  // The name as it stands among the strings: whole, between two NULs.
  std::string needle(1, '\0');
  needle += name;
  needle += '\0';
  const char* strings = bytes_ + strings_;
  const void* hit = ::memmem(strings, strings_end_ - strings_, needle.data(), needle.size());
  if (name.empty() || hit == nullptr) return 0;
  const auto offset = static_cast<std::uint32_t>(static_cast<const char*>(hit) + 1 - strings);
  std::uint32_t id = 1;  // 0 is void
  btf_type type;
  for (std::size_t at = types_; types_end_ - at >= sizeof type; ++id) {
    std::memcpy(&type, bytes_ + at, sizeof type);
    if (type.name_off == offset && BTF_INFO_KIND(type.info) == kind) return id;
    std::size_t extra = 0;
    if (!extra_bytes(type, extra) || extra > types_end_ - at - sizeof type) break;
    at += sizeof type + extra;
  }
  return 0;
}

}  // namespace plumb
