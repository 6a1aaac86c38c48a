// Values between separators, a line a row behind a line of the keys: csv by RFC 4180, and tsv, where tab, newline,
// carriage return and backslash are written \t \n \r \\. Values read as in JSON; what is unknown is empty. Losses have
// no place in a table of equal lines: they are told on standard error.
#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "base/text.h"
#include "sink/formats.h"
#include "sink/time_text.h"

namespace plumb {
namespace {

void append_csv(std::string& out, std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void append_tsv(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\\':
        out += "\\\\";
        break;
      default:
        out += c;
    }
  }
}

class SeparatedSink final : public Sink {
 public:
  SeparatedSink(const Schema& schema, Output& output, std::vector<std::size_t> columns, char separator)
      : schema_(&schema), output_(&output), columns_(std::move(columns)), separator_(separator) {}

  Result<void> begin() override {
    std::string& out = output_->buffer();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (i != 0) out += separator_;
      out += schema_->spec(columns_[i]).key;
    }
    end_line(out);
    return {};
  }

  Result<void> row(const Row& row) override {
    std::string& out = output_->buffer();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (i != 0) out += separator_;
      if (row.carries(columns_[i])) std::visit([&](const auto& v) { append(out, v); }, row.get(columns_[i]));
    }
    end_line(out);
    return output_->maybe_write();
  }

  Result<void> lost(const Loss&) override { return {}; }
  Result<void> flush() override { return output_->write_out(); }

 private:
  void end_line(std::string& out) const { out += separator_ == ',' ? "\r\n" : "\n"; }

  void append(std::string&, None) const {}
  void append(std::string& out, bool v) const { out += v ? "true" : "false"; }
  void append(std::string& out, std::int64_t v) const { out += fmt::format_int(v).str(); }
  void append(std::string& out, std::uint64_t v) const { out += fmt::format_int(v).str(); }
  void append(std::string& out, double v) const {
    if (!std::isfinite(v)) return;
    char text[32];
    out.append(text, static_cast<std::size_t>(std::to_chars(text, text + sizeof text, v).ptr - text));
  }
  // Other bytes than UTF-8 are replaced as in JSON; control bytes are escaped.
  void append(std::string& out, std::string_view v) {
    text_.clear();
    append_printable(text_, v);
    separator_ == ',' ? append_csv(out, text_) : append_tsv(out, text_);
  }
  void append(std::string& out, Name v) { append(out, v.text); }
  void append(std::string& out, const IpAddress& v) const {
    char text[IpAddress::kMaxText];
    out.append(text, v.format(text));
  }
  void append(std::string& out, UnixTime v) const {
    char text[kRfc3339Size];
    write_rfc3339(text, v);
    out.append(text, sizeof text);
  }
  void append(std::string& out, Duration v) const { append_milliseconds(out, v); }
  // A list's items in one value, behind semicolons.
  void append(std::string& out, TextList v) {
    std::string all;
    for (std::size_t i = 0; i < v.size(); ++i) {
      if (i != 0) all += ';';
      all += v[i];
    }
    append(out, std::string_view(all));
  }

  const Schema* schema_;
  Output* output_;
  std::vector<std::size_t> columns_;
  char separator_;
  std::string text_;
};

}  // namespace

std::unique_ptr<Sink> make_csv_sink(const Schema& schema, Output& output, std::vector<std::size_t> columns) {
  return std::make_unique<SeparatedSink>(schema, output, std::move(columns), ',');
}

std::unique_ptr<Sink> make_tsv_sink(const Schema& schema, Output& output, std::vector<std::size_t> columns) {
  return std::make_unique<SeparatedSink>(schema, output, std::move(columns), '\t');
}

}  // namespace plumb
