// The writers: structure, hostile names, and the same bytes for the same samples.
#include "profile/write.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "sample_profile.h"

using namespace plumb;
using namespace plumb::profile;
using nlohmann::json;

namespace {

std::string folded(const Profile& p, FoldedStyle style = {}) {
  return written([&](Bytes& out) { return write_folded(p, style, out); });
}
std::string svg(const Profile& p, const SvgStyle& style = {}) {
  return written([&](Bytes& out) { return write_svg(p, style, out); });
}
std::string speedscope(const Profile& p) {
  return written([&](Bytes& out) { return write_speedscope(p, out); });
}
std::string firefox(const Profile& p) {
  return written([&](Bytes& out) { return write_firefox(p, out); });
}
std::string json_lines(const Profile& p) {
  return written([&](Bytes& out) { return write_json(p, out); });
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size()) ++n;
  return n;
}
bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}
bool is_utf8(std::string_view text) {
  std::string scratch;
  return valid_utf8(text, scratch).data() == text.data();
}
double top_of(const std::string& graph, const std::string& name) {
  std::size_t at = graph.find("<title>" + name + "\n");
  REQUIRE(at != std::string::npos);
  at = graph.find(" y=\"", at);
  return std::stod(graph.substr(at + 4));
}

// The same samples, added the other way round.
Profile reversed(const Profile& from) {
  Profile to(from.description());
  to.quality() = from.quality();
  for (MappingId m = 1; m < from.mappings(); ++m) to.mapping(from.mapping_of(m));
  for (std::size_t i = from.samples(); i-- > 0;) {
    Sample s = from.sample(i);
    std::vector<FrameId> frames;
    for (const FrameId f : s.frames) frames.push_back(to.frame(from.frame_of(f)));
    s.frames = frames;
    to.add(s);
  }
  return to;
}

}  // namespace

TEST_CASE("folded: the same stacks are added up, lines are sorted") {
  Profile p;
  add_stack(p, {"b"}, 1);
  add_stack(p, {"a", "c"}, 2);
  add_stack(p, {"a", "c"}, 3);
  add_stack(p, {"a"}, 4);
  CHECK(folded(p) == "a 4\na;c 5\nb 1\n");
  CHECK(folded(Profile()).empty());
}

TEST_CASE("folded: process, thread, kinds") {
  const std::string out = folded(everything());
  CHECK(has(out, "xz;_start;main;min<int>_[i] 70707070\n"));
  CHECK(has(out, "xz;_start;main;min<int>_[i];libc.so.6+0x1234;vfs_write_[k] 40404040\n"));
  CHECK(has(out, "node;_start;main_[p];LazyCompile:~fib app.js:1_[j] 50505050\n"));
  CHECK(has(out, "[idle] 20202020\n"));
  CHECK(has(folded(everything(), {.root = Root::thread}), "xz-100/101;_start;main 20202020\n"));
  CHECK(has(folded(everything(), {.root = Root::none, .marks = false}),
            "_start;main;min<int>;libc.so.6+0x1234;vfs_write 40404040\n"));
}

TEST_CASE("folded: a hostile name forges neither a frame nor a line") {
  const std::string out = folded(hostile());
  CHECK(count(out, "\n") == 4);
  CHECK(has(out, "co:mm\\n5;a:b;c\\nd 7;e\\x1b[31m;"));
  CHECK(std::ranges::none_of(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; }));
  CHECK(is_utf8(out));
}

TEST_CASE("svg: widths are shares, the root is full") {
  Profile p;
  add_stack(p, {"a", "b"}, 3);
  add_stack(p, {"a", "c"}, 1);
  const std::string graph = svg(p);
  CHECK(has(graph, R"(data-total="4")"));
  CHECK(has(graph, R"(<g class="f" data-p="0,4,0"><title>all)"));
  CHECK(has(graph, R"(<g class="f" data-p="0,3,2"><title>b)"));
  CHECK(has(graph, R"(<g class="f" data-p="3,1,2"><title>c)"));
  CHECK(has(graph, "3 samples, 75.00 %, self 75.00 %</title>"));
}

TEST_CASE("svg: flames grow up, icicles down") {
  Profile p;
  add_stack(p, {"low", "high"}, 1);
  CHECK(top_of(svg(p), "high") < top_of(svg(p), "low"));
  CHECK(top_of(svg(p), "low") < top_of(svg(p), "all"));
  CHECK(top_of(svg(p, {.icicle = true}), "high") > top_of(svg(p, {.icicle = true}), "low"));
}

TEST_CASE("svg: title, quality, legend") {
  const std::string graph = svg(everything());
  CHECK(has(graph, ">cpu-clock: plumb flame -d 2.5s -- xz -9 &quot;a b&quot; on build-7</text>"));
  CHECK(has(graph, "2.50 s, 99 Hz"));
  CHECK(has(graph, "20 samples, 3 lost, 85.0 % rooted, 5.0 % truncated; without names: libc.so.6 20.0 %"));
  for (const char* kind : {"user", "kernel", "JIT", "inlined", "python", "process or remark"}) {
    CHECK(has(graph, std::string(" class=\"key\">") + kind + "</text>"));
  }
}

TEST_CASE("svg: hostile names are text") {
  const std::string graph = svg(hostile());
  CHECK(count(graph, "<script>") == 1);  // ours
  CHECK(has(graph, "&lt;script&gt;alert(1)"));
  CHECK(count(graph, "]]>") == 1);
  CHECK(!has(graph, "\xEF\xBF\xBF"));
  CHECK(count(graph, "http://") == 3);  // names of name spaces, nothing that is fetched
  CHECK(!has(graph, "href"));
  CHECK(
      std::ranges::none_of(graph, [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; }));
  CHECK(is_utf8(graph));
}

TEST_CASE("svg: nothing at all is still a graph") {
  const std::string graph = svg(Profile());
  CHECK(graph.ends_with("</svg>\n"));
  CHECK(has(graph, "<title>all"));
}

TEST_CASE("svg: ten thousand frames deep, and a name of a megabyte") {
  Profile p;
  std::vector<std::string> deep(10'000, "f");
  deep.emplace_back(1'000'000, 'x');
  add_stack(p, deep, 1);
  const std::string graph = svg(p);
  CHECK(count(graph, "<g class=\"f\"") == 10'002);
  CHECK(graph.size() < 5'000'000);
}

TEST_CASE("svg: so many frames that the thinnest are left out, and said so") {
  Profile p;
  for (int i = 0; i < 500; ++i) add_stack(p, {"wide", "f" + std::to_string(i)}, i < 50 ? 100 : 1);
  const std::string graph = svg(p, {.most_frames = 100});
  CHECK(count(graph, "<g class=\"f\"") == 52);
  CHECK(has(graph, "450 frames thinner than "));
}

TEST_CASE("svg: weights beyond what a script counts exactly") {
  Profile p({.unit = Unit::nanoseconds});
  add_stack(p, {"a"}, std::uint64_t{1} << 62);
  add_stack(p, {"b"}, std::uint64_t{1} << 60);
  const std::string graph = svg(p);
  const std::size_t at = graph.find("data-total=\"");
  REQUIRE(at != std::string::npos);
  CHECK(std::stoull(graph.substr(at + 12)) < (std::uint64_t{1} << 53));
  CHECK(has(graph, "80.00 %"));
}

TEST_CASE("every writer: the order of samples does not show") {
  for (const Profile& p : {everything(), hostile()}) {
    const Profile other = reversed(p);
    CHECK(folded(p) == folded(other));
    CHECK(svg(p) == svg(other));
    CHECK(json_lines(p) == json_lines(other));
  }
}

TEST_CASE("every writer: an error of the file is told") {
  const Profile p = everything();
  Bytes full([](std::string_view) -> Result<void> { return Error{"the disk is full"}; });
  CHECK(!write_folded(p, {}, full));
  CHECK(!write_svg(p, {}, full));
  CHECK(!write_pprof(p, full));
  CHECK(!write_speedscope(p, full));
  CHECK(!write_firefox(p, full));
  CHECK(!write_json(p, full));
}

TEST_CASE("speedscope: frames, weights, unit") {
  const json file = json::parse(speedscope(everything()));
  const json& profile = file["profiles"][0];
  CHECK(profile["type"] == "sampled");
  CHECK(profile["unit"] == "nanoseconds");
  REQUIRE(profile["samples"].size() == profile["weights"].size());
  std::uint64_t sum = 0;
  for (const auto& w : profile["weights"]) sum += w.get<std::uint64_t>();
  CHECK(profile["endValue"] == sum);
  for (const auto& sample : profile["samples"]) {
    for (const auto& frame : sample) CHECK(frame.get<std::size_t>() < file["shared"]["frames"].size());
  }
  const auto name = [&](std::size_t sample, std::size_t depth) {
    return file["shared"]["frames"][profile["samples"][sample][depth].get<std::size_t>()]["name"];
  };
  CHECK(name(0, 0) == "xz");
  CHECK(name(0, 3) == "min<int>");
  CHECK(json::parse(speedscope(Profile()))["profiles"][0]["samples"].empty());
  CHECK(json::accept(speedscope(hostile())));
  CHECK(is_utf8(speedscope(hostile())));
}

TEST_CASE("firefox: threads, and tables whose indexes fit") {
  const json file = json::parse(firefox(everything()));
  CHECK(file["meta"]["categories"].size() == kFrameKinds);
  CHECK(file["libs"].size() == 3);
  REQUIRE(file["threads"].size() == 4);
  for (const json& t : file["threads"]) {
    const auto fits = [&](const json& column, std::size_t size) {
      return std::ranges::all_of(
          column, [&](const json& v) { return v.is_null() || v == -1 || v.get<std::size_t>() < size; });
    };
    for (const char* table : {"samples", "stackTable", "frameTable", "funcTable", "resourceTable"}) {
      for (const auto& [key, column] : t[table].items()) {
        if (column.is_array()) CHECK(column.size() == t[table]["length"]);
      }
    }
    CHECK(fits(t["samples"]["stack"], t["stackTable"]["length"]));
    CHECK(fits(t["stackTable"]["frame"], t["frameTable"]["length"]));
    CHECK(fits(t["stackTable"]["prefix"], t["stackTable"]["length"]));
    CHECK(fits(t["frameTable"]["func"], t["funcTable"]["length"]));
    CHECK(fits(t["funcTable"]["name"], t["stringArray"].size()));
    CHECK(fits(t["funcTable"]["resource"], t["resourceTable"]["length"]));
    CHECK(fits(t["resourceTable"]["lib"], file["libs"].size()));
  }
  CHECK(json::parse(firefox(Profile()))["threads"].empty());
  CHECK(json::accept(firefox(hostile())));
}

TEST_CASE("json: CONTRACT's keys, the same in every line, and what was lost") {
  const std::string out = json_lines(everything());
  std::size_t stacks = 0;
  for (std::size_t at = 0; at < out.size();) {
    const std::size_t end = out.find('\n', at);
    const json line = json::parse(out.substr(at, end - at));
    at = end + 1;
    if (line["type"] == "lost") {
      CHECK(line["count"] == 3);
      continue;
    }
    ++stacks;
    CHECK(line.size() == 10);
    CHECK(line["event"] == "cpu-clock");
    CHECK(line["unit"] == "ns");
    CHECK(line["time"] == "2026-11-28T02:41:00.123456789Z");
    if (line["stack"][0] == "[idle]") CHECK(line["comm"].is_null());
  }
  CHECK(stacks == 5);
  CHECK(is_utf8(json_lines(hostile())));
}
