// Finds a type of the running kernel by its name, without building libbpf's index of all types: that takes 5
// to 9 ms for a kernel's 130,000 types, a third of the time that a tool has for its start, and libbpf builds
// one anyway while it loads an object (1.1 takes no ready-made one). Reading the file takes 1 ms, the first
// look-up 0.5 ms.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace plumb {

class KernelBtfNames {
 public:
  // /sys/kernel/btf/vmlinux; an Error with a hint where the kernel has none.
  static Result<KernelBtfNames> load(const char* path = "/sys/kernel/btf/vmlinux");
  // Takes any bytes; what is not BTF of this machine's byte order is an Error.
  static Result<KernelBtfNames> parse(std::vector<char> bytes);

  // The id of the first type with this name and kind (BTF_KIND_FUNC, ...); 0: there is none.
  std::uint32_t find(std::string_view name, std::uint32_t kind) const;

 private:
  struct Unmap {
    Unmap() : size(0) {}
    explicit Unmap(std::size_t n) : size(n) {}
    std::size_t size;
    void operator()(const char* bytes) const;
  };
  static Result<KernelBtfNames> view(const char* bytes, std::size_t size);

  // One of these two owns what bytes_ points to.
  std::unique_ptr<const char, Unmap> mapped_;
  std::vector<char> read_;
  const char* bytes_ = nullptr;
  std::size_t types_ = 0, types_end_ = 0;
  std::size_t strings_ = 0, strings_end_ = 0;
};

}  // namespace plumb
