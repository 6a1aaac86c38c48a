#include "golden.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/text.h"
#include "otlp/encoding.h"
#include "otlp/log_sink.h"
#include "otlp/queue.h"
#include "query/group_summary.h"
#include "query/histogram_summary.h"
#include "sink/top.h"

namespace plumb::golden {

bool updating = false;

namespace {

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string{std::istreambuf_iterator<char>(in), {}};
}

// The first line that differs, both ways, quoted so that nothing in it acts on the terminal.
std::string difference(std::string_view expected, std::string_view got) {
  std::size_t line = 1;
  while (true) {
    const std::string_view a = expected.substr(0, expected.find('\n'));
    const std::string_view b = got.substr(0, got.find('\n'));
    if (a != b || expected.empty() || got.empty()) {
      const auto quoted = [](std::string_view s) {
        return nlohmann::json(s).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
      };
      return "line " + std::to_string(line) + "\n  expected " + quoted(a) + "\n  got      " + quoted(b);
    }
    expected.remove_prefix(std::min(expected.size(), a.size() + 1));
    got.remove_prefix(std::min(got.size(), b.size() + 1));
    ++line;
  }
}

std::string render(const std::function<std::unique_ptr<Sink>(Output&)>& make, const Feed& feed) {
  Output output = Output::memory();
  const auto sink = make(output);
  CHECK(sink->begin().ok());
  feed(*sink);
  CHECK(sink->end().ok());
  return output.buffer();
}

class HandClock final : public ClockSource {
 public:
  BootTime boot() const override { return {ns}; }
  UnixTime real() const override { return wall; }
  std::uint64_t ns = 0;
  UnixTime wall;
};

// Keeps what a terminal would show: the last frame, or, without rows, all of them.
class PaperScreen final : public Screen {
 public:
  PaperScreen(std::size_t columns, std::size_t rows) : columns_(columns), rows_(rows) {}

  std::size_t columns() const override { return columns_; }
  std::size_t rows() const override { return rows_; }
  std::string keys() override { return std::exchange(typed, {}); }
  Result<void> show(std::string_view frame) override {
    if (rows_ != 0) text.clear();
    text.append(frame);
    return {};
  }

  std::string text;
  std::string typed;

 private:
  std::size_t columns_, rows_;
};

// The log records of --otlp, in JSON, one a line; then the request around none.
std::string render_records(const std::string& name, const Schema& schema, UnixTime started,
                           const Feed& feed) {
  HandClock clock;
  clock.wall = started;
  const auto encoding = otlp::make_json_encoding({{{"service.name", "golden"}, {"bad", "\xff\n"}}, "1.2.3"});
  otlp::Queue queue(1'000'000, 1U << 30U);
  const auto sink = otlp::make_sink(schema, name, *encoding, queue, clock, {.records = 1});
  feed(*sink);
  CHECK(sink->end().ok());
  queue.close();
  std::string out;
  while (const auto batch = queue.take()) out += batch->records + "\n";
  return out + encoding->request("") + "\n";
}

bool all_json(const std::string& lines) {
  bool all = true;
  for (std::size_t begin = 0; begin < lines.size();) {
    const std::size_t end = lines.find('\n', begin);
    all = nlohmann::json::accept(lines.substr(begin, end - begin)) && all;
    begin = end + 1;
  }
  return all;
}

}  // namespace

std::string top_frame(std::size_t columns, std::size_t rows, const Schema& schema, TopStyle style,
                      const Feed& feed, std::string_view typed) {
  const auto make = [&](Screen& screen, const ClockSource& clock) {
    return make_top_sink(schema, screen, clock, style);
  };
  return top_frame(columns, rows, make, feed, typed);
}

std::string top_frame(std::size_t columns, std::size_t rows, const MakeTop& make, const Feed& feed,
                      std::string_view typed) {
  PaperScreen screen(columns, rows);
  HandClock clock;
  const auto sink = make(screen, clock);
  bool ok = sink->begin().ok();
  feed(*sink);
  clock.ns += 2'000'000'000;
  ok = sink->flush().ok() && ok;
  screen.typed = typed;
  ok = sink->flush().ok() && ok;
  ok = sink->end().ok() && ok;
  CHECK(ok);
  return screen.text;
}

void compare_top(const std::string& name, const Schema& schema, const std::vector<std::string_view>& group,
                 const Feed& feed) {
  TopStyle style{.title = name};
  for (const std::string_view key : group) style.group.push_back(schema.find(key));
  constexpr std::pair<std::size_t, std::size_t> kSizes[] = {{200, 50}, {120, 30}, {80, 24},
                                                            {60, 20},  {40, 10},  {1, 1}};
  for (const auto& [columns, rows] : kSizes) {
    compare(name + "." + std::to_string(columns) + "x" + std::to_string(rows) + ".top",
            top_frame(columns, rows, schema, style, feed));
  }
  compare(name + ".keys.top", top_frame(80, 24, schema, style, feed, "sssrp/e"));
  compare(name + ".filtered.top", top_frame(80, 24, schema, style, feed, "/ex\x7f\n"));
  compare(name + ".cleared.top", top_frame(80, 24, schema, style, feed, "/ex\n\033[A\033"));
  style.color = true;
  compare(name + ".color.top", top_frame(80, 24, schema, style, feed));
  compare(name + ".endless.top", top_frame(static_cast<std::size_t>(-1), 0, schema, style, feed));
}

void compare(std::string_view name, std::string_view text) {
  const std::string path = std::string(GOLDEN_DIR) + "/" + std::string(name);
  const auto expected = read_file(path);
  if (expected && *expected == text) return;
  if (updating) {
    std::ofstream out(path, std::ios::binary);
    out << text;
    MESSAGE("written: " << path);
    return;
  }
  if (expected) {
    FAIL_CHECK(path << " differs in " << difference(*expected, text));
  } else {
    FAIL_CHECK(path << " is missing; golden_tests --update writes it");
  }
}

void compare_screens(const std::string& name, const Schema& schema, UnixTime started, const Feed& feed,
                     const Screens& screens) {
  constexpr std::pair<std::size_t, std::size_t> kScreens[] = {{60, 20}, {80, 24}, {120, 30}, {200, 50}};
  for (const auto& [columns, rows] : kScreens) {
    TableStyle style;
    style.time = TableStyle::Time::utc;
    style.columns = *choose_columns(schema, screens.columns, false);
    style.started = started;
    style.terminal_columns = columns;
    style.terminal_rows = rows;
    style.footer = true;
    style.contents = screens.contents;
    style.sentences = screens.sentences;
    const std::string text = render([&](Output& o) { return make_table_sink(schema, o, style); }, feed);
    std::string_view rest = text;
    while (!rest.empty()) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      CAPTURE(line);
      CHECK(display_width(line) <= columns);
      rest.remove_prefix(line.size() + 1);
    }
    compare(name + "." + std::to_string(columns) + "x" + std::to_string(rows) + ".lines", text);
  }
}

namespace {

// Rows on their way into a summary.
class SummarySink final : public Sink {
 public:
  explicit SummarySink(Summary& summary) : summary_(summary) {}
  Result<void> row(const Row& row) override { return summary_.add(row), Result<void>{}; }
  Result<void> lost(const Loss& /*loss*/) override { return {}; }

 private:
  Summary& summary_;
};

}  // namespace

void compare_summary(const std::string& name, const Schema& schema, const std::vector<std::string>& by,
                     const Feed& feed) {
  auto fields = group_fields(schema, by);
  REQUIRE(fields.ok());
  auto summary = with_histogram(make_group_summary({schema, *std::move(fields)}), schema, kAllTypes);
  SummarySink in(*summary);
  feed(in);
  compare_screens(name + "-summary", summary->schema(), {},
                  [&](Sink& sink) { summary->finish([&](const Row& row) { return sink.row(row).ok(); }); },
                  {.contents = true});
  compare(name + "-summary.histogram", summary->below(0));
}

void compare_all(const std::string& name, const Schema& schema, UnixTime started, const Feed& feed) {
  const auto table = [&](const char* ending, bool wide, auto change) {
    TableStyle style;
    style.time = TableStyle::Time::utc;
    style.columns = *choose_columns(schema, {}, wide);
    style.started = started;
    change(style);
    compare(name + ending, render([&](Output& o) { return make_table_sink(schema, o, style); }, feed));
  };
  table(".table", false, [](TableStyle&) {});
  table(".wide.table", true, [](TableStyle&) {});
  table(".terminal.table", false, [](TableStyle& s) {
    s.time = TableStyle::Time::local;
    s.color = true;
    s.terminal_columns = 80;
    s.terminal_rows = 8;
  });
  table(".relative.table", false, [](TableStyle& s) { s.time = TableStyle::Time::relative; });
  table(".timeless.table", false, [](TableStyle& s) { s.time = TableStyle::Time::none; });

  const std::string lines = render([&](Output& o) { return make_json_sink(schema, o); }, feed);
  compare(name + ".json", lines);
  CHECK(all_json(lines));
  const std::string records = render_records(name, schema, started, feed);
  compare(name + ".otlp.json", records);
  CHECK(all_json(records));
  compare(name + ".schema.json", json_schema(schema, name));
}

}  // namespace plumb::golden
