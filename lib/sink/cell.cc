#include "sink/cell.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <iterator>

#include "base/text.h"

namespace plumb {
namespace {

constexpr std::string_view kUnknown = "-";
constexpr std::string_view kEllipsis = "\u2026";

template <class Integer>
void append_integer(std::string& out, Integer v) {
  const fmt::format_int digits(v);
  out.append(digits.data(), digits.size());
}

// v / 10^decimals with all its decimals.
void append_fixed(std::string& out, std::uint64_t v, unsigned decimals) {
  const fmt::format_int digits(v);
  const std::string_view text(digits.data(), digits.size());
  if (decimals == 0) {
    out.append(text);
    return;
  }
  const std::size_t whole = text.size() > decimals ? text.size() - decimals : 0;
  if (whole == 0) {
    out += "0.";
    out.append(decimals - text.size(), '0');
    out.append(text);
    return;
  }
  out.append(text.substr(0, whole));
  out += '.';
  out.append(text.substr(whole));
}

// Two units of a long time: 16m40s.
void append_long_duration(std::string& out, std::uint64_t seconds) {
  struct Unit {
    std::uint64_t seconds;
    char name;
  };
  static constexpr std::array<Unit, 4> kUnits{{{86'400, 'd'}, {3'600, 'h'}, {60, 'm'}, {1, 's'}}};
  std::size_t i = 0;
  while (seconds < kUnits[i].seconds) ++i;
  const std::uint64_t first = seconds / kUnits[i].seconds;
  const std::uint64_t second = seconds % kUnits[i].seconds / kUnits[i + 1].seconds;
  append_integer(out, first);
  out += kUnits[i].name;
  if (second < 10) out += '0';
  append_integer(out, second);
  out += kUnits[i + 1].name;
}

void append_list(std::string& out, TextList list, std::size_t& columns) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i != 0) {
      out += ',';
      ++columns;
    }
    columns += append_printable(out, list[i]);
  }
}

}  // namespace

void append_human_duration(std::string& out, Duration d) {
  struct Unit {
    std::uint64_t ns;
    std::string_view name;
  };
  static constexpr std::array<Unit, 3> kUnits{{{1'000, "us"}, {1'000'000, "ms"}, {1'000'000'000, "s"}}};
  auto ns = static_cast<std::uint64_t>(d.ns);
  if (d.ns < 0) {
    out += '-';
    ns = 0 - ns;
  }
  if (ns < 1'000) {
    append_integer(out, ns);
    out += "ns";
    return;
  }
  for (const Unit& unit : kUnits) {
    for (unsigned decimals = 2; decimals <= 2; --decimals) {  // 9.99 99.9 999
      const std::uint64_t step = unit.ns / (decimals == 2 ? 100 : decimals == 1 ? 10 : 1);
      const std::uint64_t rounded = ns / step + (ns % step * 2 >= step ? 1 : 0);
      if (rounded < 1'000) {
        append_fixed(out, rounded, decimals);
        out.append(unit.name);
        return;
      }
    }
  }
  append_long_duration(out, ns / 1'000'000'000 + (ns % 1'000'000'000 >= 500'000'000 ? 1 : 0));
}

void append_human_bytes(std::string& out, std::uint64_t bytes) {
  if (bytes < 1024) {
    append_integer(out, bytes);
    return;
  }
  static constexpr std::string_view kUnits = "KMGTPE";
  std::size_t unit = 0;
  unsigned shift = 10;
  // Rounded, a value may reach 1024 and belong to the next unit.
  while (unit + 1 < kUnits.size() && (bytes >> shift) + (bytes >> (shift - 1) & 1) >= 1024) {
    ++unit;
    shift += 10;
  }
  const std::uint64_t whole = bytes >> shift;
  const std::uint64_t rest = (bytes >> (shift - 10) & 1023) * 10;  // tenths, times 1024
  const std::uint64_t tenths = whole * 10 + rest / 1024 + (rest % 1024 >= 512 ? 1 : 0);
  if (tenths < 100) {
    append_fixed(out, tenths, 1);
  } else {
    append_integer(out, whole + (bytes >> (shift - 1) & 1));
  }
  out += kUnits[unit];
}

namespace {

// Bytes of the UTF-8 character that `text` begins with.
std::size_t character(std::string_view text) {
  std::size_t n = 1;
  while (n < text.size() && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) ++n;
  return n;
}

// Bytes at the front of `text` that take at most `columns`.
std::size_t front(std::string_view text, std::size_t columns) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t n = character(text.substr(at));
    const std::size_t width = display_width(text.substr(at, n));
    if (width > columns) break;
    columns -= width;
    at += n;
  }
  return at;
}

}  // namespace

void shorten(std::string& text, std::size_t columns) {
  if (front(text, columns) == text.size()) return;
  if (columns == 0) return text.clear();
  text.resize(front(text, columns - 1));
  text += kEllipsis;
}

void shorten_endpoint(std::string& text, std::size_t columns) {
  std::size_t end = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  if (!bracketed && text.find(':') != end) return shorten(text, columns);  // IPv6 alone
  if (end != std::string::npos && bracketed && end > 0) --end;
  constexpr std::size_t kLeast = 4;
  if (end == std::string::npos || text.size() - end + kLeast > columns) return shorten(text, columns);
  const std::string port = text.substr(end);
  text.resize(end);
  shorten(text, columns - port.size());
  text += port;
}

std::size_t CellWriter::append_endpoint(std::string& out, const Value& address, const Value& port) {
  const std::size_t before = out.size();
  const auto* number = std::get_if<std::uint64_t>(&port);
  const auto* ip = std::get_if<IpAddress>(&address);
  if (ip == nullptr || number == nullptr) {
    append(out, FieldType::address, address);
    if (number == nullptr) return out.size() - before;
    out += ':';
  } else {
    char text[IpAddress::kMaxText];
    const std::string_view shown(text, ip->format(text));
    const bool v6 = shown.find(':') != std::string_view::npos;
    out.append(v6 ? "[" : "").append(shown).append(v6 ? "]:" : ":");
  }
  append_port(out, *number);
  return out.size() - before;
}

void CellWriter::append_port(std::string& out, std::uint64_t port) const {
  const std::string_view name = ports_ == nullptr ? std::string_view{} : ports_->find(port);
  if (name.empty()) return append_integer(out, port);
  out.append(name);
}

std::size_t CellWriter::append_of(std::string& out, const FieldSpec& field, const Value& value) {
  const auto* port = ports_ != nullptr && is_port(field) ? std::get_if<std::uint64_t>(&value) : nullptr;
  if (port == nullptr) return append(out, field.type, value);
  const std::size_t before = out.size();
  append_port(out, *port);
  return out.size() - before;
}

std::size_t CellWriter::time_width() const {
  switch (style_) {
    case TableStyle::Time::iso:
      return kIsoTimeSize;
    case TableStyle::Time::local:
      return kTimeOfDaySize;
    case TableStyle::Time::utc:
      return kTimeOfDaySize + 1;
    case TableStyle::Time::relative:
      return 11;  // 9999.123456
    case TableStyle::Time::none:
      break;
  }
  return 0;
}

void CellWriter::append_time(std::string& out, UnixTime t) {
  if (style_ == TableStyle::Time::relative) {
    const std::int64_t ns = between(started_, t).ns;
    if (ns < 0) out += '-';
    append_fixed(out, (ns < 0 ? 0 - static_cast<std::uint64_t>(ns) : static_cast<std::uint64_t>(ns)) / 1'000,
                 6);
    return;
  }
  if (style_ == TableStyle::Time::iso) {
    char text[kIsoTimeSize];
    write_iso_time(text, t, local_.seconds(t));
    out.append(text, sizeof text);
    return;
  }
  char text[kTimeOfDaySize];
  const bool utc = style_ != TableStyle::Time::local;
  write_time_of_day(text, t, utc ? 0 : local_.seconds(t));
  out.append(text, sizeof text);
  if (utc) out += 'Z';
}

std::size_t CellWriter::append(std::string& out, FieldType type, const Value& value) {
  struct Visitor {
    CellWriter& writer;
    std::string& out;
    FieldType type;
    std::size_t columns = 0;  // of text; everything else is ASCII, one column a byte

    void operator()(None) { out.append(kUnknown); }
    void operator()(bool v) { out.append(v ? "yes" : "no"); }
    void operator()(std::int64_t v) { append_integer(out, v); }
    void operator()(std::uint64_t v) {
      if (type == FieldType::bytes) return append_human_bytes(out, v);
      append_integer(out, v);
    }
    void operator()(double v) {
      if (!std::isfinite(v)) return (*this)(None{});
      fmt::format_to(std::back_inserter(out), "{:.6g}", v);
    }
    void operator()(std::string_view v) {
      if (v.empty()) {
        out.append("\"\"");  // known to be empty, and still a cell
      } else {
        columns = append_printable(out, v);
      }
    }
    void operator()(Name v) { out.append(v.text); }
    void operator()(const IpAddress& v) {
      char text[IpAddress::kMaxText];
      const std::size_t n = v.format(text);
      out.append(n == 0 ? kUnknown : std::string_view(text, n));
    }
    void operator()(UnixTime v) { writer.append_time(out, v); }
    void operator()(Duration v) { append_human_duration(out, v); }
    void operator()(TextList v) {
      if (v.empty()) {
        out.append("[]");
      } else {
        append_list(out, v, columns);
      }
    }
  };
  const std::size_t before = out.size();
  Visitor visitor{*this, out, type};
  std::visit(visitor, value);
  return visitor.columns != 0 ? visitor.columns : out.size() - before;
}

}  // namespace plumb
