// The two formats for aggregated stacks.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sink/formats.h"

using namespace plumb;

namespace {

struct Sample {
  std::vector<std::string_view> frames;
  std::uint64_t value = 1;
};

std::string written(std::unique_ptr<Sink> (*make)(Output&), const std::vector<Sample>& samples) {
  Output output = Output::memory();
  const auto sink = make(output);
  for (const Sample& s : samples) REQUIRE(sink->stack({s.frames, s.value, s.value, "packets", "x", {}, 0}));
  REQUIRE(sink->end());
  return output.buffer();
}

std::unique_ptr<Sink> flame(Output& o) {
  return make_svg_sink(o, {.title = "Title <&>", .subtitle = "sub"});
}
std::unique_ptr<Sink> icicle(Output& o) {
  return make_svg_sink(o, {.icicle = true});
}

// The y of the frame with this name.
double top_of(const std::string& svg, const std::string& name) {
  std::size_t at = svg.find("data-n=\"" + name + "\"");
  REQUIRE(at != std::string::npos);
  at = svg.find(" y=\"", at);
  return std::stod(svg.substr(at + 4));
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("folded: the same stacks are added up, lines are sorted") {
  CHECK(written(make_folded_sink, {{{"b"}, 1}, {{"a", "c"}, 2}, {{"a", "c"}, 3}, {{"a"}, 4}}) ==
        "a 4\na;c 5\nb 1\n");
  CHECK(written(make_folded_sink, {}).empty());
}

TEST_CASE("folded: a hostile name forges neither a frame nor a line") {
  const std::string out = written(make_folded_sink, {{{"a;b", "c\nd 7", "e\x1b[31m"}, 1}});
  CHECK(count(out, "\n") == 1);
  CHECK(count(out, ";") == 2);
  CHECK(out.find('\x1b') == std::string::npos);
}

TEST_CASE("svg: widths are shares, the root is full") {
  const std::string svg = written(flame, {{{"a", "b"}, 3}, {{"a", "c"}, 1}});
  CHECK(svg.find("data-x=\"0\" data-w=\"1\" data-d=\"0\" data-n=\"all\"") != std::string::npos);
  CHECK(svg.find("data-x=\"0\" data-w=\"0.75\" data-d=\"2\" data-n=\"b\"") != std::string::npos);
  CHECK(svg.find("data-x=\"0.75\" data-w=\"0.25\" data-d=\"2\" data-n=\"c\"") != std::string::npos);
  CHECK(svg.find("<title>b (3 packets, 75.00 %)</title>") != std::string::npos);
}

TEST_CASE("svg: flames grow up, icicles down") {
  const std::vector<Sample> samples{{{"root", "leaf"}, 1}};
  const std::string up = written(flame, samples), down = written(icicle, samples);
  CHECK(top_of(up, "leaf") < top_of(up, "root"));
  CHECK(top_of(down, "leaf") > top_of(down, "root"));
}

TEST_CASE("svg: the same stacks in another order give the same bytes") {
  const std::vector<Sample> one{{{"a", "b"}, 3}, {{"a", "c"}, 1}, {{"d"}, 9}};
  std::vector<Sample> other(one.rbegin(), one.rend());
  CHECK(written(flame, one) == written(flame, other));
}

TEST_CASE("svg: hostile names are text") {
  const std::string svg = written(
      flame,
      {{{"<script>alert(1)</script>", "\"/><x y='", "]]>", "a\x1b\n\xff\x01", "&amp;", "\xEF\xBF\xBF"}, 1}});
  CHECK(count(svg, "<script>") == 1);  // ours
  CHECK(svg.find("&lt;script&gt;alert(1)") != std::string::npos);
  CHECK(svg.find("<x y") == std::string::npos);
  CHECK(svg.find("&amp;amp;") != std::string::npos);
  CHECK(count(svg, "]]>") == 1);
  CHECK(svg.find("\xEF\xBF\xBF") == std::string::npos);
  CHECK(svg.find("Title &lt;&amp;&gt;") != std::string::npos);
  CHECK(std::ranges::none_of(svg, [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; }));
}

TEST_CASE("svg: nothing from outside, and nothing at all is still a graph") {
  const std::string svg = written(flame, {});
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(count(svg, "http") == 1);  // the namespace's name
  CHECK(svg.find("data-n=\"all\"") != std::string::npos);
}

TEST_CASE("svg: ten thousand frames deep, and a name of a megabyte") {
  const std::string name(1'000'000, 'x');
  std::vector<std::string_view> deep(10'000, "f");
  deep.push_back(name);
  const std::string svg = written(flame, {{deep, 1}});
  CHECK(count(svg, "<g class=\"f\"") == 10'002);
  CHECK(svg.size() < 4'000'000);
}
