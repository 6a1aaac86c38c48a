// What a traced process is made of, as any bytes: its maps, its ELF file, its code, its Go table.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "target/go_functions.h"
#include "target/instruction.h"
#include "target/maps.h"
#include "target/program_file.h"
#include "target/tls.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void maps(std::string_view text) {
  const auto mappings = plumb::parse_maps(text);
  for (const auto& m : mappings) require(m.start < m.end);
  require(plumb::code_files(mappings).size() <= mappings.size());
}

void code(std::span<const std::byte> bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const auto instruction = plumb::decode_x86_64(bytes.subspan(at));
    if (!instruction) return;
    require(instruction->length != 0 && instruction->length <= 15 &&
            instruction->length <= bytes.size() - at);
    at += instruction->length;
  }
}

void go(std::span<const std::byte> bytes) {
  const auto functions = plumb::GoFunctions::parse(bytes);
  if (!functions) return;
  if (const auto range = functions->find("crypto/tls.(*Conn).Read")) require(range->size != 0);
  functions->text_start();
}

void elf(std::span<const std::byte> bytes) {
  auto file = plumb::ProgramFile::open(plumb::elf_bytes({bytes.begin(), bytes.end()}));
  if (!file) return;
  file->names_contain("rustls");
  const auto found = plumb::find_tls(*file, "libssl.so.3");
  if (!found) return;
  for (const auto& f : found->functions) {
    const bool ends_object = f.call == plumb::TlsCall::freed || f.call == plumb::TlsCall::go_close;
    require(f.returns.empty() == ends_object && f.returns.size() <= plumb::kMaxReturns);
    for (const std::uint64_t offset : f.returns) require(offset < bytes.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
  switch (data[0] % 4) {
    case 0:
      maps({reinterpret_cast<const char*>(data + 1), size - 1});
      break;
    case 1:
      code(bytes);
      break;
    case 2:
      go(bytes);
      break;
    default:
      elf(bytes);
      break;
  }
  plumb::go_version(bytes);
  return 0;
}
