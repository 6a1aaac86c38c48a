// What a process publishes of itself, any bytes: the mapping's name, the header and the payload. What is read comes to an end, and
// what is kept is bounded. The first byte says how much is the table of mappings; the rest is the process's memory.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proc/otel_context.h"
#include "run/otlp_owner.h"

namespace {

using namespace plumb;

struct Bytes final : ProcFs {
  std::string maps;
  mutable std::string memory;

  Result<std::string> read(const std::string&) const override { return maps; }
  Result<std::string> read_memory(std::uint32_t, std::uint64_t address, std::size_t size) const override {
    if (address > memory.size() || size > memory.size() - address) return Error{"none"};
    std::string bytes = memory.substr(address, size);
    if (size % 3 == 0) ++memory[address];  // it is being written meanwhile
    return bytes;
  }
  Result<std::string> read_link(const std::string&) const override { return Error{"none"}; }
  Result<std::vector<std::string>> list(const std::string&) const override { return Error{"none"}; }
  Result<std::vector<std::string>> list_directories(const std::string&) const override {
    return Error{"none"};
  }
  Result<std::uint64_t> inode(const std::string&) const override { return Error{"none"}; }
};

void check(const ProcessResource& resource) {
  std::size_t bytes = 0;
  for (const ResourceAttribute& a : resource) {
    if (a.key.empty() || a.value.empty() || a.key.starts_with("host.")) std::abort();
    bytes += a.key.size() + a.value.size();
  }
  if (resource.size() > 32 || bytes > 4096) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Bytes process;
  process.maps = text.substr(1, data[0]);
  process.memory = text.substr(std::min<std::size_t>(size, 1U + data[0]));
  check(resource_of_context(read_otel_context(process, 1)));
  check(resource_of_context(text));
  check(resource_of_environment(text));
  return 0;
}
