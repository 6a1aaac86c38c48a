// The kernel's types from any bytes: look-ups end, and the part that CO-RE gets is one that libbpf can read.
#include <linux/btf.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "probe/drop_reasons.h"
#include "probe/kernel_btf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto* bytes = reinterpret_cast<const char*>(data);
  const auto kernel = plumb::KernelBtf::parse(std::vector<char>(bytes, bytes + size));
  if (!kernel) return 0;
  for (const char* name : {"kfree_skb", "sk_buff", "drop_reason", "a"}) {
    for (const std::uint32_t kind : {BTF_KIND_FUNC, BTF_KIND_STRUCT, BTF_KIND_ENUM})
      (void)kernel->find(name, kind);
    (void)kernel->tracepoint_arguments(name);
  }
  const auto some = kernel->subset([](std::string_view name) { return name.size() % 2 == 0; });
  if (!plumb::KernelBtf::parse(some)) std::abort();
  plumb::DropReasons reasons = plumb::DropReasons::of_resets(*kernel);
  (void)reasons.names();
  (void)reasons.name(2);
  return 0;
}
