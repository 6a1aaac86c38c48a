#include "dns/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "dns/names.h"
#include "dns/rdata.h"
#include "dns/reader.h"

namespace plumb::dns {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::optional<std::uint16_t> id_of(std::span<const std::byte> bytes) {
  if (bytes.size() < 2) return std::nullopt;
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[0]) << 8U |
                                    std::to_integer<unsigned>(bytes[1]));
}

// FNV-1a.
std::uint64_t hash_name(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<std::uint8_t>(lower(c))) * 0x100000001b3;
  return hash;
}

void Message::swap(Message& other) {
  std::swap(id_, other.id_);
  std::swap(flags_, other.flags_);
  std::swap(rcode_, other.rcode_);
  std::swap(type_, other.type_);
  std::swap(class_, other.class_);
  std::swap(answer_count_, other.answer_count_);
  std::swap(has_question_, other.has_question_);
  std::swap(cut_, other.cut_);
  std::swap(answers_question_, other.answers_question_);
  std::swap(edns_udp_bytes_, other.edns_udp_bytes_);
  name_.swap(other.name_);
  text_.swap(other.text_);
  pieces_.swap(other.pieces_);
  // A short text lies inside the string itself, so that the views have to be made anew.
  make_views();
  other.make_views();
}

void Message::clear() {
  id_ = flags_ = rcode_ = type_ = class_ = answer_count_ = 0;
  has_question_ = cut_ = answers_question_ = false;
  edns_udp_bytes_.reset();
  name_.clear();
  text_.clear();
  pieces_.clear();
  answers_.clear();
  ttls_.clear();
}

Decoded Message::decode(std::span<const std::byte> bytes) {
  clear();
  Reader in(bytes);
  id_ = in.u16();
  flags_ = in.u16();
  const std::uint16_t questions = in.u16();
  answer_count_ = in.u16();
  const std::uint32_t others = in.u16();
  const std::uint32_t additional = in.u16();
  if (in.failed()) return Decoded::bad;
  rcode_ = flags_ & 0xfU;
  bool good = true;
  for (std::uint32_t i = 0; good && i < questions; ++i) good = read_question(in);
  // A message whose first question cannot be read is none: its port was used for something else.
  cut_ = true;
  if (questions > 0 && !has_question_) return Decoded::bad;
  for (std::uint32_t i = 0; good && i < answer_count_; ++i) good = read_record(in, true);
  for (std::uint32_t i = 0; good && i < others + additional; ++i) good = read_record(in, false);
  cut_ = !good;
  make_views();
  return good ? Decoded::whole : Decoded::cut;
}

bool Message::read_question(Reader& in) {
  scratch_.clear();
  in.name(scratch_);
  const std::uint16_t type = in.u16();
  const std::uint16_t its_class = in.u16();
  if (in.failed()) return false;
  if (!has_question_) {
    name_.swap(scratch_);
    type_ = type;
    class_ = its_class;
    has_question_ = true;
  }
  return true;
}

bool Message::read_record(Reader& in, bool answer) {
  scratch_.clear();
  in.name(scratch_);
  const std::uint16_t type = in.u16();
  const std::uint16_t its_class = in.u16();
  const std::uint32_t ttl = in.u32();
  const std::uint16_t length = in.u16();
  const Reader data = in.within(length);
  in.skip(length);
  if (in.failed()) return false;
  if (type == kOpt) {
    if (!answer) read_options(its_class, ttl);
    return true;
  }
  if (!answer) return true;
  if (text_.size() >= kMaxText) return false;
  // 251 to 255 ask for more than one type: transfers, ANY.
  if (type == type_ || (type_ >= 251 && type_ <= 255)) answers_question_ = true;
  const auto begin = static_cast<std::uint32_t>(text_.size());
  if (type != kA && type != kAaaa) {
    NumberText room;
    text_ += type_name(type, room);
    text_ += ' ';
  }
  append_rdata(text_, type, data);
  const auto middle = static_cast<std::uint32_t>(text_.size());
  fmt::format_to(std::back_inserter(text_), "{}", ttl);
  pieces_.push_back({begin, middle});
  pieces_.push_back({middle, static_cast<std::uint32_t>(text_.size())});
  return true;
}

// RFC 6891, section 6.1.2: the class is the sender's UDP size, the TTL's first byte the upper bits of the
// code.
void Message::read_options(std::uint16_t record_class, std::uint32_t ttl) {
  edns_udp_bytes_ = record_class;
  rcode_ = static_cast<std::uint16_t>((ttl >> 24U) << 4U | (flags_ & 0xfU));
}

void Message::make_views() {
  answers_.clear();
  ttls_.clear();
  const std::string_view all = text_;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    auto& list = i % 2 == 0 ? answers_ : ttls_;
    list.push_back(all.substr(pieces_[i].begin, pieces_[i].end - pieces_[i].begin));
  }
}

}  // namespace plumb::dns
