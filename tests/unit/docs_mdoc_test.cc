#include "docs/mdoc.h"

#include <doctest/doctest.h>

#include <string>

using namespace plumb;

namespace {

std::string text(std::string_view t) {
  std::string out;
  mdoc::append_text(out, t);
  return out;
}

}  // namespace

TEST_CASE("mdoc: running text keeps hyphens and apostrophes, and escapes what roff would read") {
  CHECK(mdoc::escape_text("round-trip time") == "round-trip time");
  CHECK(mdoc::escape_text("the process's own") == "the process's own");
  CHECK(mdoc::escape_text("a\\b") == "a\\eb");
  CHECK(mdoc::escape_text("`ps` ~ ^") == "\\(gaps\\(ga \\(ti \\(ha");
  CHECK(mdoc::escape_text("[!]PORT \"x\" $1") == "[!]PORT \"x\" $1");
}

TEST_CASE("mdoc: a heading keeps its double quotes") {
  CHECK(mdoc::escape_heading("the \"q\" - it's") == "the \\(dqq\\(dq - it's");
}

TEST_CASE("mdoc: literal text can be copied into a shell") {
  CHECK(mdoc::escape_literal("-p 'a-b'") == "\\-p \\(aqa\\-b\\(aq");
  CHECK(mdoc::escape_literal("a\\-b") == "a\\e\\-b");
  CHECK(mdoc::escape_literal("~/x^2") == "\\(ti/x\\(ha2");
}

TEST_CASE("mdoc: characters beyond ASCII by number, bytes that are none and control bytes not at all") {
  CHECK(mdoc::escape_text("é → \U0001f600") == "\\[u00E9] \\[u2192] \\[u1F600]");
  CHECK(mdoc::escape_text("a\xff"
                          "b") == "a?b");
  CHECK(mdoc::escape_text("a\x1b[1mb\x7f\xc2\x9b") == "a[1mb");
  CHECK(mdoc::escape_text("a\nb") == "ab");
}

TEST_CASE("mdoc: an argument is one argument, never a macro or a delimiter") {
  CHECK(mdoc::argument("--pid") == "\\-\\-pid");
  CHECK(mdoc::argument("PID[,PID...]") == "PID[,PID...]");
  CHECK(mdoc::argument("plumb -j") == "\"plumb \\-j\"");
  CHECK(mdoc::argument("say \"hi\"") == "\"say \\(dqhi\\(dq\"");
  CHECK(mdoc::argument("a\"b") == "a\\(dqb");
  CHECK(mdoc::argument("Ar") == "\\&Ar");
  CHECK(mdoc::argument("N") == "\\&N");
  CHECK(mdoc::argument("|") == "\\&|");
  CHECK(mdoc::argument("Brq") == "\\&Brq");
  CHECK(mdoc::argument("") == "\\&");
}

TEST_CASE("mdoc: a sentence ends its line") {
  CHECK(text("One two. Three! (Four.) Five") == "One two.\nThree!\n(Four.)\nFive\n");
  CHECK(text("Such as e.g. this") == "Such as e.g.\\& this\n");
  CHECK(text("Within 6.25 %.") == "Within 6.25 %.\n");
}

TEST_CASE("mdoc: no line is read as a request") {
  CHECK(text(".Sh EVIL") == "\\&.Sh EVIL\n");
  CHECK(text("One. 'quoted'") == "One.\n\\&'quoted'\n");
  CHECK(text("Sent. .de X") == "Sent.\n\\&.de X\n");
  const std::string word(77, 'x');  // pushes the next word to the front of a line
  CHECK(text(word + " .Sh") == word + "\n\\&.Sh\n");
}

TEST_CASE("mdoc: options in running text get minus signs") {
  CHECK(text("with --no-color (-v) or `--role both`, round-trip") ==
        "with \\-\\-no\\-color (\\-v) or \\(ga\\-\\-role both\\(ga, round-trip\n");
  CHECK(text("a - b") == "a - b\n");
}

TEST_CASE("mdoc: references to other pages") {
  CHECK(text("as ip-netns(8) shows") == "as\n.Xr ip-netns 8\nshows\n");
  CHECK(text("see ss(8), lsns(8).") == "see\n.Xr ss 8 ,\n.Xr lsns 8 .\n");
  CHECK(text("it (see ss(8)).") == "it (see\n.Xr ss 8 ) .\n");
  CHECK(text("it (ss(8)).") == "it\n.Pq Xr ss 8 .\n");
  CHECK(text("(nothing beside connect()), and poll()") ==
        "(nothing beside\n.Fn connect ) ,\nand\n.Fn poll\n");
  CHECK(text("() x( f()g") == "() x( f()g\n");
  CHECK(text("p50(f) share(9x) (8) x(8)y") == "p50(f) share(9x) (8) x(8)y\n");
}

TEST_CASE("mdoc: lines stay within 80 bytes and paragraphs apart") {
  std::string words;
  for (int i = 0; i < 60; ++i) words += "word ";
  std::string_view rest = words;
  const std::string out = text(words);
  for (std::size_t at = 0, end = 0; at < out.size(); at = end + 1) {
    end = out.find('\n', at);
    CHECK(end - at <= 80);
  }
  CHECK(rest.size() == out.size());  // every blank became a blank or a new line
  CHECK(text("One\n\nTwo\n \nThree") == "One\n.Pp\nTwo Three\n");
  CHECK(text("\n\nOne\n\n") == "One\n");
  CHECK(text("") == "");
}
