#include "http/hpack.h"

#include <nghttp2/nghttp2.h>

#include <array>

namespace plumb::http {
namespace {

// The largest table that a peer may announce and still be decoded. Only what is in it takes memory.
constexpr std::size_t kMaxTable = 65536;
// A table of at most this size is filled with unknown entries: four times the default, which most peers keep.
constexpr std::size_t kPrimedTable = 16384;
// An entry takes 32 bytes and its texts (RFC 7541, section 4.1).
constexpr std::size_t kUnknownEntry = 33;

void ignore(void*, std::string_view, std::string_view) {}

}  // namespace

void Hpack::Free::operator()(nghttp2_hd_inflater* inflater) const {
  nghttp2_hd_inflate_del(inflater);
}

bool Hpack::start() {
  nghttp2_hd_inflater* raw = nullptr;
  if (nghttp2_hd_inflate_new(&raw) != 0) return false;
  inflater_.reset(raw);
  nghttp2_hd_inflate_change_table_size(raw, kMaxTable);
  if (!joined_) return true;
  // A size update to kPrimedTable (0x20, 5-bit prefix: 31 + 16353), then literals with indexing: name "?", no
  // value.
  std::array<std::byte, 4 + 4 * (kPrimedTable / kUnknownEntry)> block{};
  std::size_t n = 0;
  const auto put = [&](unsigned byte) { block[n++] = static_cast<std::byte>(byte); };
  put(0x3f);
  put(((kPrimedTable - 31) & 0x7fU) | 0x80U);
  put(((kPrimedTable - 31) >> 7 & 0x7fU) | 0x80U);
  put((kPrimedTable - 31) >> 14);
  while (n < block.size()) {
    put(0x40);
    put(0x01);
    put('?');
    put(0x00);
  }
  return decode_with_table(block, ignore, nullptr);
}

Hpack::~Hpack() = default;
Hpack::Hpack(Hpack&&) noexcept = default;
Hpack& Hpack::operator=(Hpack&&) noexcept = default;

bool Hpack::decode(std::span<const std::byte> block,
                   void (*field)(void* context, std::string_view name, std::string_view value),
                   void* context) {
  if (!broken_ && !inflater_) broken_ = !start();
  broken_ = broken_ || !decode_with_table(block, field, context);
  return !broken_;
}

bool Hpack::decode_with_table(std::span<const std::byte> block,
                              void (*field)(void* context, std::string_view name, std::string_view value),
                              void* context) {
  const auto* in = reinterpret_cast<const std::uint8_t*>(block.data());
  std::size_t left = block.size();
  while (true) {
    nghttp2_nv nv{};
    int flags = 0;
    const auto used = nghttp2_hd_inflate_hd2(inflater_.get(), &nv, &flags, in, left, 1);
    if (used < 0) return false;
    in += used;
    left -= static_cast<std::size_t>(used);
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      field(context, {reinterpret_cast<const char*>(nv.name), nv.namelen},
            {reinterpret_cast<const char*>(nv.value), nv.valuelen});
    }
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && left == 0) break;
  }
  nghttp2_hd_inflate_end_headers(inflater_.get());
  return true;
}

}  // namespace plumb::http
