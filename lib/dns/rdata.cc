#include "dns/rdata.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "base/ip.h"
#include "dns/names.h"

namespace plumb::dns {
namespace {

void append_address(std::string& out, std::span<const std::byte> bytes) {
  std::uint8_t raw[16];
  std::ranges::transform(bytes, raw, [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
  char text[IpAddress::kMaxText];
  // A AAAA record may hold a v4-mapped address; it stays what it is on the wire.
  if (bytes.size() == 16 &&
      std::ranges::equal(bytes.first(12),
                         std::to_array<std::uint8_t>({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255}), {},
                         [](std::byte b) { return std::to_integer<std::uint8_t>(b); })) {
    out += "::ffff:";
    out.append(text, IpAddress::v4(raw + 12).format(text));
    return;
  }
  const IpAddress address = bytes.size() == 4 ? IpAddress::v4(raw) : IpAddress::v6(raw);
  out.append(text, address.format(text));
}

// A character string (RFC 1035, section 3.3), in quotes, of what is a run of bytes.
void append_quoted(std::string& out, std::span<const std::byte> bytes) {
  out += '"';
  for (const std::byte b : bytes) {
    const auto byte = std::to_integer<std::uint8_t>(b);
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += static_cast<char>(byte);
    } else if (byte == ' ') {
      out += ' ';
    } else {
      append_escaped(out, byte);
    }
  }
  out += '"';
}

void append_hex(std::string& out, std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const std::byte b : bytes) {
    out += kDigits[std::to_integer<std::size_t>(b >> 4)];
    out += kDigits[std::to_integer<std::size_t>(b & std::byte{15})];
  }
}

void append_number(std::string& out, std::uint32_t n) {
  fmt::format_to(std::back_inserter(out), "{} ", n);
}

void append_soa(std::string& out, Reader& in) {
  in.name(out);
  out += ' ';
  in.name(out);
  for (int i = 0; i < 5; ++i) fmt::format_to(std::back_inserter(out), " {}", in.u32());
}

void append_texts(std::string& out, Reader& in) {
  bool first = true;
  while (in.left() > 0) {
    if (!first) out += ' ';
    first = false;
    append_quoted(out, in.bytes(in.u8()));
  }
}

void append_caa(std::string& out, Reader& in) {
  append_number(out, in.u8());
  for (const std::byte b : in.bytes(in.u8())) append_escaped(out, std::to_integer<std::uint8_t>(b));
  out += ' ';
  append_quoted(out, in.bytes(in.left()));
}

// RFC 9460, section 14.3.2.
enum SvcKey : std::uint16_t { kMandatory, kAlpn, kNoDefaultAlpn, kPort, kIpv4Hint, kEch, kIpv6Hint };
constexpr std::string_view kSvcKeys[] = {"mandatory", "alpn", "no-default-alpn", "port",
                                         "ipv4hint",  "ech",  "ipv6hint"};

void append_svc_key(std::string& out, std::uint16_t key) {
  if (key < std::size(kSvcKeys)) {
    out += kSvcKeys[key];
  } else {
    fmt::format_to(std::back_inserter(out), "key{}", key);
  }
}

void append_addresses(std::string& out, Reader& value, std::size_t size) {
  for (bool first = true; value.left() > 0; first = false) {
    const auto bytes = value.bytes(size);
    if (bytes.empty()) return;
    if (!first) out += ',';
    append_address(out, bytes);
  }
}

void append_alpn(std::string& out, Reader& value) {
  for (bool first = true; value.left() > 0; first = false) {
    if (!first) out += ',';
    for (const std::byte b : value.bytes(value.u8())) {
      const auto byte = std::to_integer<std::uint8_t>(b);
      if (byte == ',' || byte == '\\' || byte == '"') out += '\\';
      append_escaped(out, byte);
    }
  }
}

bool append_svc_value(std::string& out, std::uint16_t key, Reader value) {
  switch (key) {
    case kMandatory:
      for (bool first = true; value.left() > 0; first = false) {
        if (!first) out += ',';
        append_svc_key(out, value.u16());
      }
      break;
    case kAlpn:
      append_alpn(out, value);
      break;
    case kPort:
      fmt::format_to(std::back_inserter(out), "{}", value.u16());
      break;
    case kIpv4Hint:
      append_addresses(out, value, 4);
      break;
    case kIpv6Hint:
      append_addresses(out, value, 16);
      break;
    default: {
      append_quoted(out, value.bytes(value.left()));
    }
  }
  return !value.failed() && value.left() == 0;
}

void append_svcb(std::string& out, Reader& in) {
  append_number(out, in.u16());
  in.name(out);
  while (in.left() > 0) {
    const std::uint16_t key = in.u16();
    const std::uint16_t length = in.u16();
    out += ' ';
    append_svc_key(out, key);
    const Reader value = in.within(length);
    in.skip(length);
    if (in.failed()) return;
    if (length == 0) continue;
    out += '=';
    if (!append_svc_value(out, key, value)) {
      in.skip(in.left() + 1);  // fails: what does not fit its type is shown as bytes
      return;
    }
  }
}

// False: not a type that this knows.
bool append_known(std::string& out, std::uint16_t type, Reader& in) {
  switch (type) {
    case kA:
      if (in.left() != 4) return false;
      append_address(out, in.bytes(4));
      return true;
    case kAaaa:
      if (in.left() != 16) return false;
      append_address(out, in.bytes(16));
      return true;
    case kNs:
    case kCname:
    case kPtr:
    case kDname:
      in.name(out);
      return true;
    case kMx:
      append_number(out, in.u16());
      in.name(out);
      return true;
    case kSrv:
      for (int i = 0; i < 3; ++i) append_number(out, in.u16());
      in.name(out);
      return true;
    case kSoa:
      append_soa(out, in);
      return true;
    case kTxt:
      append_texts(out, in);
      return true;
    case kCaa:
      append_caa(out, in);
      return true;
    case kSvcb:
    case kHttps:
      append_svcb(out, in);
      return true;
    default:
      return false;
  }
}

}  // namespace

void append_rdata(std::string& out, std::uint16_t type, Reader in) {
  const std::size_t begin = out.size();
  Reader known = in;
  if (append_known(out, type, known) && !known.failed() && known.left() == 0) return;
  out.resize(begin);
  const auto bytes = in.bytes(in.left());
  fmt::format_to(std::back_inserter(out), "\\# {}", bytes.size());
  if (bytes.empty()) return;
  out += ' ';
  append_hex(out, bytes);
}

}  // namespace plumb::dns
