// A protobuf message, field by field: what describes one of OTLP's messages once (describe.cc) is written in either
// encoding by one of the two writers. Zeros are written as they are given: whoever describes leaves them out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace plumb::otlp {

// Field number, and lowerCamelCase name of the JSON mapping.
struct Key {
  std::uint32_t number;
  std::string_view name;
};

class MessageWriter {
 public:
  virtual ~MessageWriter() = default;

  virtual void text(Key key, std::string_view v) = 0;  // not UTF-8: U+FFFD in its place
  virtual void identity(Key key,
                        std::span<const std::byte> bytes) = 0;  // of a trace or span: hexadecimal in JSON
  virtual void boolean(Key key, bool v) = 0;
  virtual void small(Key key, std::uint32_t v) = 0;  // uint32 and enumerations
  virtual void integer(Key key, std::int64_t v) = 0;
  virtual void wide(Key key, std::uint64_t v) = 0;  // uint64
  virtual void fixed32(Key key, std::uint32_t v) = 0;
  virtual void fixed64(Key key, std::uint64_t v) = 0;
  virtual void signed_fixed64(Key key, std::int64_t v) = 0;
  virtual void number(Key key, double v) = 0;
  virtual void all_fixed64(Key key, std::span<const std::uint64_t> v) = 0;  // repeated, packed
  virtual void all_numbers(Key key, std::span<const double> v) = 0;         // repeated, packed

  virtual void all_small(Key key, std::span<const std::int64_t> v) = 0;     // repeated int32, packed
  virtual void all_integers(Key key, std::span<const std::int64_t> v) = 0;  // repeated int64, packed
  virtual void all_texts(Key key, std::span<const std::string> v) = 0;      // repeated

  // A message within; its fields until close(). open_list() and close_list() stand around the messages of a repeated
  // field, each opened with the list's key.
  virtual void open(Key key) = 0;
  virtual void close() = 0;
  virtual void open_list(Key key) = 0;
  virtual void close_list() = 0;
};

// A message within, for as long as it lives.
class Within {
 public:
  Within(MessageWriter& out, Key key) : out_(out) { out_.open(key); }
  Within(const Within&) = delete;
  Within& operator=(const Within&) = delete;
  ~Within() { out_.close(); }

 private:
  MessageWriter& out_;
};

}  // namespace plumb::otlp
