#include <fmt/format.h>
#include <zlib.h>

#include "profile/read.h"

namespace plumb::profile {
namespace {

struct Inflater {
  z_stream stream{};
  ~Inflater() { ::inflateEnd(&stream); }
};

Error broken(std::string_view why) {
  return {"cannot unpack the gzip file", std::string(why), "was it copied whole?"};
}

}  // namespace

bool is_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

// RFC 1952; a file may be several members one after the other. zlib's 32-bit counters are fed in pieces.
Result<std::string> gunzip(std::span<const std::byte> bytes, std::size_t most) {
  constexpr int kGzip = 15 + 16;
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  std::string out;
  Inflater inflater;
  z_stream& z = inflater.stream;
  if (::inflateInit2(&z, kGzip) != Z_OK) return broken("zlib does not start");
  std::vector<char> room(kPiece);
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min(bytes.size(), kPiece));
    z.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(piece.data()));
    z.avail_in = static_cast<uInt>(piece.size());
    z.next_out = reinterpret_cast<Bytef*>(room.data());
    z.avail_out = static_cast<uInt>(room.size());
    const int status = ::inflate(&z, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
      return broken(z.msg != nullptr ? z.msg : "bad data");
    const std::size_t taken = piece.size() - z.avail_in, made = room.size() - z.avail_out;
    if (made > most - out.size()) {
      return Error{fmt::format("the file unpacks to more than {} MB", most >> 20), "that much is not read",
                   ""};
    }
    out.append(room.data(), made);
    bytes = bytes.subspan(taken);
    if (status == Z_STREAM_END) {
      if (!is_gzip(bytes)) return out;  // what follows is padding
      ::inflateReset(&z);
    } else if (taken == 0 && made == 0) {
      return broken("bad data");
    }
  }
  // All input is taken; what zlib still holds back comes now, and the end must be among it.
  for (;;) {
    z.next_out = reinterpret_cast<Bytef*>(room.data());
    z.avail_out = static_cast<uInt>(room.size());
    const int status = ::inflate(&z, Z_NO_FLUSH);
    const std::size_t made = room.size() - z.avail_out;
    if (made > most - out.size()) {
      return Error{fmt::format("the file unpacks to more than {} MB", most >> 20), "that much is not read",
                   ""};
    }
    out.append(room.data(), made);
    if (status == Z_STREAM_END) return out;
    if (status != Z_OK || made == 0) return broken("it ends too early");
  }
}

}  // namespace plumb::profile
