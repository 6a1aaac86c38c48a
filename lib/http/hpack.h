// HPACK (RFC 7541) of one direction, by nghttp2. Blocks have to be decoded in the order in which they were
// sent.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

struct nghttp2_hd_inflater;

namespace plumb::http {

class Hpack {
 public:
  // `joined`: blocks were sent before the first that is decoded here. Then entries of the dynamic table that
  // nobody saw come out with the name kUnknownName, and all later ones right: the table is filled with such
  // entries first, so that known ones sit in front of them in the true order, and are evicted no earlier than
  // the true ones.
  explicit Hpack(bool joined) : joined_(joined) {}
  ~Hpack();
  Hpack(Hpack&&) noexcept;
  Hpack& operator=(Hpack&&) noexcept;

  static constexpr std::string_view kUnknownName = "?";

  // A whole block. False: it cannot be decoded, and nothing after it can.
  bool decode(std::span<const std::byte> block,
              void (*field)(void* context, std::string_view name, std::string_view value), void* context);

 private:
  struct Free {
    void operator()(nghttp2_hd_inflater* inflater) const;
  };
  bool start();
  bool decode_with_table(std::span<const std::byte> block,
                         void (*field)(void* context, std::string_view name, std::string_view value),
                         void* context);

  bool joined_;
  bool broken_ = false;
  std::unique_ptr<nghttp2_hd_inflater, Free> inflater_;  // from the first block on
};

}  // namespace plumb::http
