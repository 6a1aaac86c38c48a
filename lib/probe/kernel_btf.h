// The running kernel's types (BTF), read without libbpf's index of all of them: that copies 5 to 10 MB and
// takes 5 to 9 ms for a kernel's 130,000 types, and libbpf would build one at each load of an object. Here
// the file is mapped where the kernel allows it and walked once, in 0.5 ms.
#pragma once

#include <bpf/bpf.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"

struct btf_type;

namespace plumb {

class KernelBtf {
 public:
  // /sys/kernel/btf/vmlinux; an Error with a hint where the kernel has none.
  static Result<KernelBtf> load(const char* path = "/sys/kernel/btf/vmlinux");
  // Takes any bytes; what is not BTF of this machine's byte order is an Error.
  static Result<KernelBtf> parse(std::vector<char> bytes);

  // The id of the first type with this name and kind (BTF_KIND_FUNC, ...); 0: there is none.
  std::uint32_t find(std::string_view name, std::uint32_t kind) const;

  // The id that a tracing program attaches to: tp_btf, fentry, fexit or iter on `target`; 0: there is none.
  std::uint32_t find_target(bpf_attach_type attach, std::string_view target) const;

  // How many arguments tp_btf programs see at this tracepoint; nothing when there is no such tracepoint.
  std::optional<unsigned> tracepoint_arguments(std::string_view name) const;

  // The bytes of a BTF with every struct, union, enum and typedef whose name is wanted (asked with its flavour), and
  // what they embed; pointers lead to void. Ids are new. It is all that CO-RE relocations of
  // fields, sizes, existence and enumerators look at; not of type ids, nor of what a pointer points to.
  std::vector<char> subset(const std::function<bool(std::string_view)>& wanted) const;

 private:
  friend class BtfSubset;
  struct Unmap {
    Unmap() : size(0) {}
    explicit Unmap(std::size_t n) : size(n) {}
    std::size_t size;
    void operator()(const char* bytes) const;
  };
  static Result<KernelBtf> view(const char* bytes, std::size_t size);
  bool index();
  // Where the record of an id other than 0 begins, and the one after a record.
  std::size_t record(std::uint32_t id) const;
  std::size_t next(std::size_t record) const;
  btf_type type(std::uint32_t id) const;
  // Empty for an offset out of bounds.
  std::string_view text(std::uint32_t offset) const;

  // One of these two owns what bytes_ points to.
  std::unique_ptr<const char, Unmap> mapped_;
  std::vector<char> read_;
  const char* bytes_ = nullptr;
  std::size_t types_ = 0, types_end_ = 0;
  std::size_t strings_ = 0, strings_end_ = 0;
  // Half a megabyte less than a place for each: of few is it asked where they are.
  static constexpr std::uint32_t kEvery = 16;
  std::vector<std::uint32_t> records_;  // where the records of ids 1, 17, 33, ... begin, from bytes_
  std::vector<std::uint32_t> names_;    // by id, its name's offset among the strings, 0: none
};

// A type's name without its flavour, "task_struct" of "task_struct___old": what CO-RE goes by.
std::string_view without_flavour(std::string_view name);

}  // namespace plumb
