// JSON lines. Which keys a line has depends on its type alone, so the text around the values is laid out
// once, when the sink is made; a row is then a few copies and the values.
//
// A line grows on the stack and goes to the output in one piece. Appending some forty pieces to a string, each with its
// look at the room that is left and a copy of a length that the compiler does not know, took a third of the time.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/text.h"
#include "sink/formats.h"
#include "sink/time_text.h"

namespace plumb {
namespace {

// A line as it grows. What does not fit goes to `out` before its end.
class Line {
 public:
  explicit Line(std::string& out) : out_(out) {}
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  ~Line() { out_.append(text_.data(), size()); }

  // Room for kRoom bytes, of which ended_at() tells how many were written.
  static constexpr std::size_t kRoom = 64;
  char* room() {
    if (size() > text_.size() - kRoom) spill();
    return end_;
  }
  void ended_at(char* end) { end_ = end; }

  void append(char c) {
    *room() = c;
    ++end_;
  }
  void append(std::string_view text) {
    if (text.size() > kRoom) {
      spill().append(text);
    } else {
      end_ = std::copy(text.begin(), text.end(), room());
    }
  }
  // What was written so far is in the string that this returns.
  std::string& spill() {
    out_.append(text_.data(), size());
    end_ = text_.data();
    return out_;
  }

 private:
  std::size_t size() const { return static_cast<std::size_t>(end_ - text_.data()); }

  std::string& out_;
  std::array<char, 2048> text_;
  char* end_ = text_.data();
};

// `,"latency_ms":`, and which field's value comes behind it.
class Member {
 public:
  Member(std::size_t field, char first, std::string_view key) : field_(field) {
    std::string before{first, '"'};
    before.append(key).append("\":");
    size_ = std::min(before.size(), start_.size());
    std::copy_n(before.begin(), size_, start_.begin());
    rest_ = before.substr(size_);
  }

  std::size_t field() const { return field_; }
  void append_to(Line& line) const {
    char* text = line.room();
    std::memcpy(text, start_.data(), start_.size());  // of a known size, in two instructions
    line.ended_at(text + size_);
    if (!rest_.empty()) line.append(rest_);
  }

 private:
  std::size_t field_;
  std::size_t size_;
  std::array<char, 32> start_{};
  std::string rest_;  // of a key that is longer than any so far
};

struct JsonValue {
  Line& line;

  void operator()(None) const { line.append("null"); }
  void operator()(bool v) const { line.append(v ? "true" : "false"); }
  void operator()(std::int64_t v) const { number(v); }
  void operator()(std::uint64_t v) const { number(v); }
  void operator()(double v) const {
    if (!std::isfinite(v)) return (*this)(None{});  // JSON has no word for it
    number(v);                                      // the shortest that reads back the same: at most 24
  }
  void operator()(std::string_view v) const {
    if (v.size() > Line::kRoom - 2 || !is_plain_json(v)) {
      std::string& out = line.spill();
      out += '"';
      append_json_escaped(out, v);
      out += '"';
      return;
    }
    quoted(v);
  }
  void operator()(Name v) const { quoted(v.text); }
  void operator()(const IpAddress& v) const {
    char* text = line.room();
    const std::size_t n = v.format(text + 1);
    if (n == 0) return (*this)(None{});
    text[0] = text[n + 1] = '"';
    line.ended_at(text + n + 2);
  }
  void operator()(UnixTime v) const {
    char* text = line.room();
    write_rfc3339(text + 1, v);
    text[0] = text[kRfc3339Size + 1] = '"';
    line.ended_at(text + kRfc3339Size + 2);
  }
  void operator()(Duration v) const { line.ended_at(write_milliseconds(line.room(), v)); }
  void operator()(TextList v) const {
    line.append('[');
    for (std::size_t i = 0; i < v.size(); ++i) {
      if (i != 0) line.append(',');
      (*this)(v[i]);
    }
    line.append(']');
  }

 private:
  template <class Number>
  void number(Number v) const {
    char* text = line.room();
    line.ended_at(std::to_chars(text, text + Line::kRoom, v).ptr);
  }
  void quoted(std::string_view v) const {
    line.append('"');
    line.append(v);
    line.append('"');
  }
};

class JsonSink final : public Sink {
 public:
  JsonSink(const Schema& schema, Output& output, const std::vector<std::size_t>& fields)
      : output_(&output), plans_(schema.types().size()) {
    for (std::size_t type = 0; type < plans_.size(); ++type) {
      for (std::size_t i = 0; i < schema.size(); ++i) {
        const FieldSpec& spec = schema.spec(i);
        const bool asked = fields.empty() || spec.key == "time" || spec.key == "type" ||
                           std::ranges::find(fields, i) != fields.end();
        if ((spec.types >> type & 1U) == 0 || !asked) continue;
        plans_[type].emplace_back(i, plans_[type].empty() ? '{' : ',', spec.key);
      }
    }
  }

  Result<void> row(const Row& row) override {
    {
      Line line(output_->buffer());
      for (const Member& member : plans_[row.type()]) {
        member.append_to(line);
        std::visit(JsonValue{line}, row.get(member.field()));
      }
      line.append("}\n");
    }
    return output_->maybe_write();
  }

  Result<void> lost(const Loss& loss) override {
    {
      Line line(output_->buffer());
      line.append(R"({"type":"lost","time":)");
      JsonValue{line}(loss.time);
      line.append(R"(,"count":)");
      JsonValue{line}(loss.count);
      line.append("}\n");
    }
    return output_->maybe_write();
  }

  Result<void> flush() override { return output_->write_out(); }

 private:
  Output* output_;
  std::vector<std::vector<Member>> plans_;  // for each type of line, its members in order
};

}  // namespace

std::unique_ptr<Sink> make_json_sink(const Schema& schema, Output& output,
                                     const std::vector<std::size_t>& fields) {
  return std::make_unique<JsonSink>(schema, output, fields);
}

}  // namespace plumb
