// What a user reads when an expression is wrong: the sentence, and the carets under the place.
#include <doctest/doctest.h>

#include <string>

#include "query/predicate.h"
#include "sample_event.h"

using namespace plumb;

namespace {

Error error_of(std::string_view expression) {
  auto p = Predicate::compile(expression, sample::kSchema);
  if (p.ok()) FAIL("compiles: " << std::string(expression));
  return p.ok() ? Error{} : p.error();
}

std::string carets(const Error& e) {
  const std::size_t line = e.excerpt.find('\n');
  return line == std::string::npos ? "" : e.excerpt.substr(line + 1);
}

struct Two {};
std::size_t type_of(const Two&) {
  return 0;
}
constexpr std::string_view kTwoTypes[] = {"t"};
constexpr auto kTwo = std::to_array<Field<Two>>({
    {{.key = "body_ms", .heading = "A", .type = FieldType::duration, .help = "h"},
     [](const Two&) -> Value { return None{}; }},
    {{.key = "body_bytes", .heading = "B", .type = FieldType::bytes, .help = "h"},
     [](const Two&) -> Value { return None{}; }},
});
constexpr Schema kTwoSchema = Schema::of<Two, type_of>(kTwo, kTwoTypes);

bool printable(std::string_view s) {
  for (const char c : s) {
    if (c != '\n' && (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f))
      return false;
  }
  return true;
}

}  // namespace

TEST_CASE("query errors: place, what and why") {
  struct {
    const char* text;
    const char* carets;
    const char* what;
    const char* why;
  } const cases[] = {
      {"", "^", "the expression is empty", ""},
      {"   ", "   ^", "the expression is empty", ""},
      {"latencyms > 5", "^^^^^^^^^", "there is no field \"latencyms\"", "did you mean latency_ms?"},
      {"pid == 1 && piid == 2", "            ^^^^", "there is no field \"piid\"", "did you mean pid?"},
      {"xyzzy == 2", "^^^^^", "there is no field \"xyzzy\"", "--list-fields shows all of them"},
      {"pid", "^^^", "pid is a number and no condition by itself", "compare it, for example with != null"},
      {"42", "^^", "a value alone is no condition", "compare a field with it"},
      {"true", "^^^^", "a value alone is no condition", "compare a field with it"},
      {"1 == 2", "^^^^^^", "both sides are values", "one of them has to be a field"},
      {"pid == \"a\"", "       ^^^", "pid is a number", "a number belongs here"},
      {"pid == 10.0.0.1", "       ^^^^^^^^", "pid is a number", "a number belongs here"},
      {"pid in 10.0.0.0/8", "       ^^^^^^^^^^", "pid is a number", "a number belongs here"},
      {"pid == true", "       ^^^^", "pid is a number", "a number belongs here"},
      {"pid < null", "    ^", "null compares with == and != only", ""},
      {"pid in (1, null)", "           ^^^^", "pid is a number", "null compares with == and != only"},
      {"pid == nosuch", "       ^^^^^^", "there is no field \"nosuch\"", "--list-fields shows all of them"},
      {"pid > 5ms", "      ^^^", "this is a number, not a duration", ""},
      {"pid > 5KB", "      ^^^", "this is a number, not a size", ""},
      {"latency > 5KB", "          ^^^", "this is a duration, not a size", ""},
      {"size > 5s", "       ^^", "this is a size, not a duration", ""},
      {"ratio > 5%", "        ^^", "a percentage compares with share(...) only", ""},
      {"latency > 5sec", "           ^^^", "unknown unit \"sec\"",
       "units are ns, us, ms, s, m, h, B, KB, MB, GB, KiB, MiB, GiB and %"},
      {"latency > 20 ms", "             ^^", "unexpected \"ms\"",
       "a unit follows its number without a space"},
      {"latency > 1e30h", "          ^^^^^", "number out of range", ""},
      {"ratio > 1e999", "        ^^^^^", "number out of range: \"1e999\"", ""},
      {"comm == curl", "        ^^^^", "comm is text", "text stands in quotes: \"curl\""},
      {"comm == 5", "        ^", "comm is text", "text in quotes belongs here"},
      {"comm < \"a\"", "     ^", "< does not go with comm, which is text", "== != =~ !~ and in do"},
      {"comm =~ \"(\"", "        ^^^", "not a regular expression", "missing ): ("},
      {"comm =~ curl", "        ^^^^", "a regular expression in quotes belongs here", ""},
      {"\"c\" =~ comm", "^^^", "a field belongs on the left of =~", ""},
      {"pid =~ \"4\"", "    ^^", "=~ does not go with pid, which is a number", "== != < <= > >= and in do"},
      {"peer =~ \"4\"", "     ^^", "=~ does not go with peer, which is an address", "== != and in do"},
      {"outcome == refussed", "           ^^^^^^^^", "outcome is never \"refussed\"",
       "did you mean refused?"},
      {"outcome == \"x\"", "           ^^^", "outcome is never \"x\"",
       "it is one of done, refused and timeout"},
      {"outcome in (done, no)", "                  ^^", "outcome is never \"no\"",
       "it is one of done, refused and timeout"},
      {"outcome == 5", "           ^", "outcome is one of a set of words", "text in quotes belongs here"},
      {"cached == 1", "          ^", "cached is true or false", "true, false or null belongs here"},
      {"cached < true", "       ^", "< does not go with cached, which is true or false", "== and != do"},
      {"peer == 10.0.0.0/8", "     ^^", "a prefix is no single address", "write in instead of =="},
      {"peer != 10.0.0.0/8", "     ^^", "a prefix is no single address", "write not in instead of !="},
      {"peer == 10.0.0", "        ^^^^^^", "not an address or prefix: \"10.0.0\"",
       "expected IPv4 or IPv6, such as 10.0.0.1 or fd00::1"},
      {"peer in 10.0.0.0/33", "        ^^^^^^^^^^^", "not an address or prefix: \"10.0.0.0/33\"",
       "expected 0 to 32"},
      {"peer in 10.0.0.0/", "        ^^^^^^^^^", "not an address or prefix: \"10.0.0.0/\"",
       "expected 0 to 32"},
      {"peer == \"ten\"", "        ^^^^^", "not an address or prefix",
       "expected IPv4 or IPv6, such as 10.0.0.1 or fd00::1"},
      {"peer == 5", "        ^", "peer is an address",
       "an address such as 10.0.0.1 or a prefix such as 10.0.0.0/8 belongs here"},
      {"peer < 10.0.0.1", "     ^", "< does not go with peer, which is an address", "== != and in do"},
      {"time > 5", "     ^", "> does not go with time, which is a time", "only null compares with a time"},
      {"tags == \"red\"", "     ^^", "== does not go with tags, which is a list",
       "\"word\" in tags does, and =~ and !~"},
      {"5 in tags", "^", "the items of tags are text", "write it in quotes"},
      {"\"a\" in comm", "       ^^^^", "comm is text", "a value is looked for in a list only"},
      {R"("a" in ("b"))", "^^^", "a field belongs on the left of in", ""},
      {"pid == comm", "^^^^^^^^^^^", "pid is a number, comm is text", "they do not compare"},
      {"latency > size", "^^^^^^^^^^^^^^", "latency_ms is a duration, size_bytes is a size",
       "they do not compare"},
      {"comm < path", "     ^", "< does not go with comm, which is text", "== != =~ !~ and in do"},
      {"pid = 1", "    ^", "unexpected \"=\"", "a comparison is written =="},
      {"cached & cached", "       ^", "unexpected \"&\"", "and is written &&"},
      {"cached | cached", "       ^", "unexpected \"|\"", "or is written ||"},
      {"cached and cached", "       ^^^", "unexpected \"and\"", "and is written &&"},
      {"cached or cached", "       ^^", "unexpected \"or\"", "or is written ||"},
      {"not cached", "^^^", "unexpected \"not\"", "negation is written !"},
      {"in (1)", "^^", "unexpected \"in\"", "a field belongs in front of it"},
      {"pid not 5", "    ^^^", "unexpected \"not\"", "&& or || or the end belongs here"},
      {"pid ==", "      ^", "the expression ends too early", "a field or a value is missing here"},
      {"cached &&", "         ^", "the expression ends too early", "a field or a value is missing here"},
      {"&& cached", "^^", "unexpected \"&&\"", "a field or a value belongs here"},
      {"pid == == 1", "       ^^", "unexpected \"==\"", "a field or a value belongs here"},
      {"pid in ()", "        ^", "unexpected \")\"", "a field or a value belongs here"},
      {"pid in (1,)", "          ^", "unexpected \")\"", "a field or a value belongs here"},
      {"pid in (1 2)", "          ^", "unexpected \"2\"", "&& or || or the end belongs here"},
      {"pid in (1, 2", "       ^", "this parenthesis is not closed", ""},
      {"(cached", "^", "this parenthesis is not closed", ""},
      {"cached && (cached || (cached)", "          ^", "this parenthesis is not closed", ""},
      {"cached)", "      ^", "unexpected \")\"", "no parenthesis is open"},
      {"1 < pid < 3", "        ^", "comparisons do not chain", "join two of them with &&"},
      {"!cached == true", "        ^^", "a condition cannot be compared",
       "write !(a == b) to negate a comparison"},
      {"(cached) == true", "         ^^", "a condition cannot be compared", ""},
      {"comm == \"curl", "        ^", "this quote is not closed", "the text ends without \""},
      {"comm == 'curl\"", "        ^", "this quote is not closed", "the text ends without '"},
      {"comm == \"\\", "        ^", "this quote is not closed", "the text ends without \""},
      {R"(comm == "\xg0")", "         ^^^^", "\\x takes two hexadecimal digits", ""},
      {"p99(latency_ms) > 5", "^^^", "there are no functions here: \"p99\"",
       "aggregates such as p99(latency_ms) belong to --fail-if"},
      {"pid > 0x10", "       ^^^", "unknown unit \"x10\"",
       "units are ns, us, ms, s, m, h, B, KB, MB, GB, KiB, MiB, GiB and %"},
      {"pid @ 1", "    ^", "unexpected \"@\"", ""},
  };
  for (const auto& c : cases) {
    const Error e = error_of(c.text);
    CHECK_MESSAGE(carets(e) == c.carets, c.text << "\n" << e.excerpt);
    CHECK_MESSAGE(e.excerpt.substr(0, e.excerpt.find('\n')) == c.text, c.text);
    CHECK_MESSAGE(e.what == c.what, c.text);
    CHECK_MESSAGE(e.why == c.why, c.text);
  }
}

TEST_CASE("query errors: the first mistake is the one told") {
  CHECK(error_of("aaa == 1 && bbb == 2").what == "there is no field \"aaa\"");
  CHECK(error_of("(aaa == 1 || ccc) && !bbb").what == "there is no field \"aaa\"");
}

TEST_CASE("query errors: hostile bytes come out printable") {
  for (const std::string& text :
       {std::string("pid == \x1b[31m"), std::string("\0\0", 2), std::string("\xff\xfe"),
        std::string("comm == \"\x1b]0;x\x07\" && nosuch == 1"), std::string("comm =~ \"\xff(\""),
        std::string("outcome == \"\x1b[2J\""), std::string("peer == \"\x1b[2J\""),
        std::string("pid == 1\n\x7f")}) {
    const Error e = error_of(text);
    CHECK(printable(e.what));
    CHECK(printable(e.why));
    CHECK(printable(e.excerpt));
  }
  CHECK(error_of("\x1b").what == "unexpected \"\\x1b\"");
}

TEST_CASE("query errors: carets stand under wide and escaped characters") {
  const Error wide =
      error_of("comm == \"\xe6\xbc\xa2\xe5\xad\x97\" && nosuch");  // two characters of two columns each
  CHECK(carets(wide) == std::string(18, ' ') + "^^^^^^");
  const Error escaped = error_of("comm == \"\x01\" && nosuch");  // \x01 takes four
  CHECK(carets(escaped) == std::string(18, ' ') + "^^^^^^");
  const Error one = error_of("pid == \xe6\xbc\xa2");
  CHECK(carets(one) == std::string(7, ' ') + "^^");
}

TEST_CASE("query errors: a long expression is shown around the place") {
  const std::string front(500, ' ');
  const Error e = error_of("cached &&" + front + "nosuch && cached && " + std::string(200, '(') + "cached");
  const std::string line = e.excerpt.substr(0, e.excerpt.find('\n'));
  CHECK(line.size() <= 82);
  CHECK(line.starts_with("..."));
  CHECK(line.ends_with("..."));
  CHECK(line.substr(carets(e).find('^'), 6) == "((((((");
}

TEST_CASE("query errors: bytes that are no UTF-8 do not widen what is shown") {
  const std::string stray(3000, '\x9a');
  for (const char* front : {"", "\"", "cached && nosuch ", "nosuch == \"", "outcome == \""}) {
    std::string text = front;
    text.append(stray).append("\" ").append(stray);
    const Error e = error_of(text);
    CHECK(e.excerpt.size() < 800);
    CHECK(e.what.size() < 400);
    CHECK(printable(e.excerpt));
  }
}

TEST_CASE("query errors: nesting and length are bounded") {
  const Error deep = error_of(std::string(65, '(') + "cached" + std::string(65, ')'));
  CHECK(deep.what == "the expression nests too deep");
  CHECK(carets(deep).find('^') == 3 + 48);  // the 65th, after "..."
  CHECK(error_of(std::string(65, '!') + "cached").what == "the expression nests too deep");
  CHECK(error_of(std::string(60'000, '(')).what == "the expression nests too deep");
  std::string calls;
  for (int i = 0; i < 10'000; ++i) calls += "f(";
  CHECK(error_of(calls).what == "the expression nests too deep");
  CHECK(error_of(std::string(70'000, ' ') + "cached").what == "the expression is too long");
  std::string patterns = "comm =~ \"a\"";
  for (int i = 0; i < 64; ++i) patterns += " || comm =~ \"a\"";
  CHECK(error_of(patterns).what == "too many regular expressions");
}

TEST_CASE("query errors: a number alone says no unit") {
  CHECK(error_of("latency > 5").what == "latency is a duration: 5 has no unit");
  CHECK(error_of("latency > 5").why == "write 5ms or 5s");
  CHECK(error_of("comm == \"a\" && 1.5 > size").what == "size is a size: 1.5 has no unit");
  CHECK(error_of("size in (1KB, 7)").why == "write 7B or 7KB");
  for (const char* text :
       {"latency > 0", "latency_ms > 5", "size_bytes in (1, 7KB)", "latency == latency", "pid > 5"})
    CHECK_MESSAGE(Predicate::compile(text, sample::kSchema).ok(), text);
}

TEST_CASE("query errors: a name without its unit must be the only one") {
  const auto p = Predicate::compile("body > 5", kTwoSchema);
  REQUIRE_FALSE(p);
  CHECK(p.error().what == "\"body\" is ambiguous");
  CHECK(p.error().why == "there are body_ms and body_bytes");
  CHECK(Predicate::compile("body_ms > 5 && body_bytes > 5", kTwoSchema).ok());
}
