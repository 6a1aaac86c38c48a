// One DNS message (RFC 1035, section 4), decoded for people to read. A pure decoder of hostile bytes: bounded
// in time and memory, and a Message that is used again keeps its buffers, so that in the steady state nothing
// is allocated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace plumb::dns {

// The bits of the header's second word (RFC 1035, section 4.1.1; AD and CD: RFC 4035, section 3).
enum Flag : std::uint16_t {
  kQr = 0x8000,
  kAa = 0x0400,
  kTc = 0x0200,
  kRd = 0x0100,
  kRa = 0x0080,
  kAd = 0x0020,
  kCd = 0x0010,
};

inline constexpr std::size_t kHeaderBytes = 12;

enum class Decoded : std::uint8_t {
  bad,  // no DNS message; nothing in the Message means anything but the header, if there are kHeaderBytes
  cut,  // the bytes end, or stop making sense, before the message does: what stands before is there
  whole,
};

class Message {
 public:
  Message() = default;
  Message(const Message&) = delete;  // its views point into itself
  Message& operator=(const Message&) = delete;
  void swap(Message& other);

  // `bytes` is the message without the length that TCP puts in front.
  Decoded decode(std::span<const std::byte> bytes);

  std::uint16_t id() const { return id_; }
  std::uint16_t flags() const { return flags_; }
  bool is_response() const { return (flags_ & kQr) != 0; }
  bool has(Flag flag) const { return (flags_ & flag) != 0; }
  std::uint8_t opcode() const { return static_cast<std::uint8_t>(flags_ >> 11U & 0xfU); }
  // 12 bits, with the upper 8 of an OPT record (RFC 6891, section 6.1.3).
  std::uint16_t rcode() const { return rcode_; }
  bool cut() const { return cut_; }
  // It is cut, but not because it has more text than is kept.
  bool broken() const { return cut_ && text_.size() < kMaxText; }

  // The first question; more than one is not in use. name() is empty without one, "." for the root.
  bool has_question() const { return has_question_; }
  std::string_view name() const { return name_; }
  std::uint16_t type() const { return type_; }
  std::uint16_t question_class() const { return class_; }

  // The size that the sender of an OPT record can take over UDP; nothing without one.
  std::optional<std::uint16_t> edns_udp_bytes() const { return edns_udp_bytes_; }

  // The answer section, in the message's order: an address as it is, any other record as its type and its
  // data as a master file has them ("CNAME web.example.com", "MX 10 mail.example.com", RFC 3597's "TYPE99 \#
  // 2 0102").
  std::span<const std::string_view> answers() const { return answers_; }
  // In seconds, as decimal text; one for each answer.
  std::span<const std::string_view> ttls() const { return ttls_; }
  // What the header says; more than answers() when the message is cut, or has more than kMaxText of them.
  std::uint16_t answer_count() const { return answer_count_; }
  // Whether an answer is of the type that was asked for. Without one, NOERROR means that the name has no such data.
  bool answers_question() const { return answers_question_; }

  // The most text that is kept of the answers of one message, in bytes.
  static constexpr std::size_t kMaxText = 65536;

 private:
  struct Piece {
    std::uint32_t begin;
    std::uint32_t end;
  };
  void clear();
  bool read_question(class Reader& in);
  bool read_record(class Reader& in, bool answer);
  void read_options(std::uint16_t record_class, std::uint32_t ttl);
  void make_views();

  std::uint16_t id_ = 0;
  std::uint16_t flags_ = 0;
  std::uint16_t rcode_ = 0;
  std::uint16_t type_ = 0;
  std::uint16_t class_ = 0;
  std::uint16_t answer_count_ = 0;
  bool has_question_ = false;
  bool cut_ = false;
  bool answers_question_ = false;
  std::optional<std::uint16_t> edns_udp_bytes_;
  std::string name_;
  std::string text_;  // of all answers and TTLs
  std::string scratch_;
  std::vector<Piece> pieces_;  // an answer, its TTL, the next answer, ...
  std::vector<std::string_view> answers_;
  std::vector<std::string_view> ttls_;
};

// The transaction id alone, of a message that may be cut short.
std::optional<std::uint16_t> id_of(std::span<const std::byte> bytes);

// A name without regard to letter case, as DNS compares them (RFC 4343). Escapes hold digits only.
bool same_name(std::string_view a, std::string_view b);
std::uint64_t hash_name(std::string_view name);

}  // namespace plumb::dns
