#include "symbol/cfi_entry.h"

#include "symbol/bytes_reader.h"

namespace plumb {
namespace {

constexpr std::uint32_t kLong = 0xffff'ffff;  // a 64-bit length follows

// LSB 10.5: DWARF Exception Header Encoding.
enum : std::uint8_t {
  kAbsolute = 0x00,
  kUleb = 0x01,
  kUdata2 = 0x02,
  kUdata4 = 0x03,
  kUdata8 = 0x04,
  kSleb = 0x09,
  kSdata2 = 0x0a,
  kSdata4 = 0x0b,
  kSdata8 = 0x0c,
  kFormat = 0x0f,
  kPcRelative = 0x10,
  kApplication = 0x70,
  kOmit = 0xff,
};

struct Head {
  std::size_t id_at = 0;  // offset of the id field, from which an FDE of .eh_frame counts back to its CIE
  std::uint64_t id = 0;
  bool wide = false;
  std::size_t body = 0, end = 0;
};

std::optional<Head> head_at(const CfiSection& section, std::size_t offset) {
  BytesReader reader(section.bytes, offset);
  Head head;
  std::uint64_t length = reader.take<std::uint32_t>();
  if (length == kLong) {
    length = reader.take<std::uint64_t>();
    head.wide = true;
  }
  if (!reader.ok() || length > reader.left()) return std::nullopt;
  head.id_at = reader.position();
  head.end = head.id_at + static_cast<std::size_t>(length);
  if (length == 0) return head;
  // .eh_frame keeps 4 bytes of id even behind a 64-bit length.
  const bool wide_id = head.wide && section.debug_frame;
  head.id = wide_id ? reader.take<std::uint64_t>() : reader.take<std::uint32_t>();
  head.body = reader.position();
  if (head.body > head.end) return std::nullopt;
  return head;
}

bool is_cie(const CfiSection& section, const Head& head) {
  if (!section.debug_frame) return head.id == 0;
  return head.id == (head.wide ? ~std::uint64_t{0} : std::uint64_t{kLong});
}

// A pointer by its encoding. Those relative to anything but their own place do not occur on the machines of machine.h
// and make the reader's caller give up.
std::optional<std::uint64_t> take_pointer(BytesReader& reader, std::uint8_t encoding, std::uint64_t address) {
  const std::uint64_t place = address + reader.position();
  std::uint64_t value = 0;
  switch (encoding & kFormat) {
    case kAbsolute:
    case kUdata8:
    case kSdata8:
      value = reader.take<std::uint64_t>();
      break;
    case kUdata4:
      value = reader.take<std::uint32_t>();
      break;
    case kSdata4:
      value = static_cast<std::uint64_t>(std::int64_t{reader.take<std::int32_t>()});
      break;
    case kUdata2:
      value = reader.take<std::uint16_t>();
      break;
    case kSdata2:
      value = static_cast<std::uint64_t>(std::int64_t{reader.take<std::int16_t>()});
      break;
    case kUleb:
      value = reader.take_uleb();
      break;
    case kSleb:
      value = static_cast<std::uint64_t>(reader.take_sleb());
      break;
    default:
      return std::nullopt;
  }
  switch (encoding & kApplication) {
    case 0:
      break;
    case kPcRelative:
      value += place;
      break;
    default:
      return std::nullopt;
  }
  if (!reader.ok()) return std::nullopt;
  return value;
}

// The letters of the augmentation, each with its data (LSB 10.6.1.1.1). False: one that is not known.
bool take_augmentation(BytesReader& reader, std::string_view letters, std::uint64_t address, CfiCie& cie) {
  if (letters.empty()) return true;
  if (letters[0] != 'z') return false;
  cie.augmented = true;
  const std::uint64_t size = reader.take_uleb();
  if (!reader.ok() || size > reader.left()) return false;
  const std::size_t end = reader.position() + static_cast<std::size_t>(size);
  for (const char letter : letters.substr(1)) {
    if (letter == 'R') {
      cie.pointer_encoding = reader.take<std::uint8_t>();
    } else if (letter == 'L') {
      reader.take<std::uint8_t>();
    } else if (letter == 'P') {
      const auto encoding = reader.take<std::uint8_t>();
      // Only skipped: where it points does not matter.
      if (!take_pointer(reader, encoding & kFormat, address)) return false;
    } else if (letter == 'S') {
      cie.signal_frame = true;
    } else {
      break;  // unknown: the length says where the data ends
    }
  }
  if (!reader.ok() || reader.position() > end) return false;
  reader.take_bytes(end - reader.position());
  return true;
}

std::optional<CfiCie> cie_at(const CfiSection& section, std::size_t offset) {
  const auto head = head_at(section, offset);
  if (!head || head->body == 0 || !is_cie(section, *head)) return std::nullopt;
  BytesReader reader(section.bytes.first(head->end), head->body);
  CfiCie cie;
  const auto version = reader.take<std::uint8_t>();
  if (version != 1 && version != 3 && version != 4) return std::nullopt;
  const std::string_view letters = reader.take_string();
  if (version == 4) {
    const auto address_size = reader.take<std::uint8_t>();
    const auto segment_size = reader.take<std::uint8_t>();
    if (address_size != 8 || segment_size != 0) return std::nullopt;
  }
  cie.code_align = reader.take_uleb();
  cie.data_align = reader.take_sleb();
  cie.return_register = version == 1 ? reader.take<std::uint8_t>() : reader.take_uleb();
  if (!take_augmentation(reader, letters, section.address, cie) || !reader.ok()) return std::nullopt;
  cie.program = reader.take_bytes(reader.left());
  return cie;
}

}  // namespace

std::optional<CfiEntry> cfi_entry_at(const CfiSection& section, std::size_t offset) {
  const auto head = head_at(section, offset);
  if (!head) return std::nullopt;
  // A zero length ends .eh_frame of one object file; those of others may follow (crtend.o stands last, but
  // not after what linker scripts add).
  return CfiEntry{.next = head->end, .is_fde = head->body != 0 && !is_cie(section, *head)};
}

std::optional<CfiFde> cfi_fde_at(const CfiSection& section, std::size_t offset) {
  const auto head = head_at(section, offset);
  if (!head || head->body == 0 || is_cie(section, *head)) return std::nullopt;
  if (!section.debug_frame && head->id > head->id_at) return std::nullopt;
  const std::uint64_t cie_offset = section.debug_frame ? head->id : head->id_at - head->id;
  if (cie_offset >= section.bytes.size()) return std::nullopt;
  const auto cie = cie_at(section, static_cast<std::size_t>(cie_offset));
  if (!cie || cie->pointer_encoding == kOmit) return std::nullopt;
  BytesReader reader(section.bytes.first(head->end), head->body);
  const auto start = take_pointer(reader, cie->pointer_encoding, section.address);
  const auto size = take_pointer(reader, cie->pointer_encoding & kFormat, section.address);
  if (!start || !size) return std::nullopt;
  if (cie->augmented) reader.take_bytes(reader.take_uleb());
  if (!reader.ok()) return std::nullopt;
  return CfiFde{*start, *size, *cie, reader.take_bytes(reader.left())};
}

}  // namespace plumb
