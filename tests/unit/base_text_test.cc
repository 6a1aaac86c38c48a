#include "base/text.h"

#include <doctest/doctest.h>

#include <string>

using namespace plumb;
using namespace std::literals;

namespace {

std::string printable(std::string_view text) {
  std::string out;
  const std::size_t columns = append_printable(out, text);
  CHECK(columns == display_width(text));
  return out;
}

std::string json(std::string_view text) {
  std::string out;
  append_json_escaped(out, text);
  return out;
}

}  // namespace

TEST_CASE("plain text passes whole, at every length around a machine word") {
  const std::string text = "abcdefghijklmnopqrstuvwxyz ~!";
  for (std::size_t n = 0; n <= text.size(); ++n) {
    CHECK(printable(text.substr(0, n)) == text.substr(0, n));
    CHECK(json(text.substr(0, n)) == text.substr(0, n));
  }
}

TEST_CASE("a special byte is found at every position") {
  for (std::size_t at = 0; at < 24; ++at) {
    std::string text(24, 'x');
    text[at] = '\x1b';
    std::string expected(24, 'x');
    CHECK(printable(text) == std::string(expected).replace(at, 1, "\\x1b"));
    CHECK(json(text) == std::string(expected).replace(at, 1, "\\u001b"));
    text[at] = '"';
    CHECK(printable(text) == text);
    CHECK(json(text) == std::string(expected).replace(at, 1, "\\\""));
  }
}

TEST_CASE("printable: every single byte") {
  for (int b = 0; b < 256; ++b) {
    const std::string text(1, static_cast<char>(b));
    const std::string out = printable(text);
    CAPTURE(b);
    if (b >= 0x20 && b < 0x7f) {
      CHECK(out == text);
    } else if (b == '\n') {
      CHECK(out == "\\n");
    } else if (b == '\t') {
      CHECK(out == "\\t");
    } else {
      const char* hex = "0123456789abcdef";
      CHECK(out == std::string("\\x") + hex[b >> 4] + hex[b & 15]);
    }
  }
}

TEST_CASE("printable: C1 controls and bidirectional overrides cannot reach a terminal") {
  CHECK(printable("a\u009b31mb") == "a\\xc2\\x9b31mb");
  CHECK(printable("gpj.\u202eexe") == "gpj.\\u{202e}exe");
  CHECK(printable("\u202a\u2066\u2069") == "\\u{202a}\\u{2066}\\u{2069}");
  CHECK(printable("ng\u200binx") == "ng\\u{200b}inx");  // looks like nginx otherwise
  CHECK(printable("a\u2028b\ufeff\u061c") == "a\\u{2028}b\\u{feff}\\u{061c}");
  CHECK(printable("x\U000e0041") == "x\\u{e0041}");
  CHECK(display_width("x\U000e0041") == 10);
  CHECK(printable("\u2027\u205f\u2070") == "\u2027\u205f\u2070");
  CHECK(printable("\u00a0") == "\u00a0");
}

TEST_CASE("printable: strict UTF-8") {
  CHECK(printable("\xc3\xa9") == "\xc3\xa9");
  CHECK(printable("\xc0\x80") == "\\xc0\\x80");                    // overlong NUL
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");           // surrogate
  CHECK(printable("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
  CHECK(printable("\xf4\x8f\xbf\xbf") == "\xf4\x8f\xbf\xbf");
  CHECK(printable("\xe2\x82") == "\\xe2\\x82");  // cut
  CHECK(printable("\xe2\x82x") == "\\xe2\\x82x");
}

TEST_CASE("JSON: the escapes of RFC 8259") {
  CHECK(json("\"\\/\b\f\n\r\t") == "\\\"\\\\/\\b\\f\\n\\r\\t");
  CHECK(json("\0\x01\x1f"sv) == "\\u0000\\u0001\\u001f");
  CHECK(json("\x7f") == "\\u007f");
  CHECK(json("\u009b") == "\\u009b");
  CHECK(json("\u202e") == "\\u202e");
  CHECK(json("\u2028\ufeff\u200d") == "\\u2028\\ufeff\\u200d");
  CHECK(json("\U000e0041\U0001f600") == "\\udb40\\udc41\U0001f600");
  CHECK(json("h\u00e9 \U0001f600") == "h\u00e9 \U0001f600");
}

TEST_CASE("JSON: each maximal part of a broken sequence becomes one U+FFFD") {
  CHECK(json("\xff") == "\ufffd");
  CHECK(json("\xe2\x82") == "\ufffd");
  CHECK(json("\xe2\x82|") == "\ufffd|");
  CHECK(json("\xf0\x9f\x98\xf0\x9f\x98\x80") == "\ufffd\U0001f600");
  // The sequences of the Unicode Standard, table 3-8.
  CHECK(json("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41") ==
        "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\x41");
}

TEST_CASE("display width") {
  CHECK(display_width("") == 0);
  CHECK(display_width("nginx") == 5);
  CHECK(display_width("caf\u00e9") == 4);
  CHECK(display_width("cafe\u0301") == 4);          // combining acute
  CHECK(display_width("\u65e5\u672c\u8a9e") == 6);  // CJK
  CHECK(display_width("\uff21") == 2);              // fullwidth A
  CHECK(display_width("\uff71") == 1);              // halfwidth katakana
  CHECK(display_width("\U0001f600") == 2);          // emoji
  CHECK(display_width("a\u200bb") == 10);           // zero width space
  CHECK(display_width("\u1112\u1161\u11ab") == 2);  // Hangul by jamo: one syllable
  CHECK(display_width("\x1b[31m") == 8);            // as it is printed, escaped
  CHECK(display_width("\xff") == 4);
}

TEST_CASE("suggestions: near words, best first") {
  const std::vector<std::string_view> tools{"tcpconnect", "httptrace", "flame", "drops", "dnsx", "doctor"};
  using List = std::vector<std::string_view>;
  CHECK(suggestions("flmae", tools) == List{"flame"});  // a swap is one step
  CHECK(suggestions("tcpconect", tools) == List{"tcpconnect"});
  CHECK(suggestions("tcp", tools) == List{"tcpconnect"});  // a prefix
  CHECK(suggestions("DROPS", tools) == List{"drops"});
  CHECK(suggestions("dns", tools) == List{"dnsx"});
  CHECK(suggestions("xyz", tools).empty());
  CHECK(suggestions("", tools).empty());
  CHECK(suggestions("dop", {"drop", "dorp", "stop"}) ==
        List{"drop", "dorp"});                                   // three letters allow one step
  CHECK(suggestions("abcd", {"abxy", "axyz"}) == List{"abxy"});  // four allow two
  CHECK(suggestions("abcd", {"abce", "abcd", "xbcd", "abcf"}) == List{"abcd", "abce", "xbcd"});
  CHECK(suggestions(std::string(100'000, 'a'), tools).empty());
}

TEST_CASE("a padded field ends at its first NUL, whatever stands behind it") {
  for (std::size_t n = 0; n <= 16; ++n) {
    char field[16];
    for (std::size_t i = 0; i < sizeof field; ++i) field[i] = static_cast<char>(i % 3 == 0 ? 1 : 0xff);
    if (n < sizeof field) field[n] = '\0';
    CAPTURE(n);
    CHECK(padded_text(field).size() == n);
    if (n + 1 < sizeof field) field[n + 1] = '\0';
    CHECK(padded_text(field) == std::string_view(field, n));
  }
}

TEST_CASE("what is plain JSON needs no escape") {
  CHECK(is_plain_json(""));
  CHECK(is_plain_json("/usr/bin/python3 ~!"));
  for (const char* text : {"\"", "\\", "a\nb", "\x7f", "\xc3\xa9", "12345678\x01"})
    CHECK_FALSE(is_plain_json(text));
}
