#include "docs/manual.h"
#include "doctor/command.h"
#include "run/tool_command.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>

using namespace plumb;

namespace {

struct Nothing {};
std::size_t type_of(const Nothing&) {
  return 0;
}
Value none(const Nothing&) {
  return None{};
}

constexpr std::string_view kTypes[] = {"open", "shut"};
constexpr std::string_view kColours[] = {"red", "No"};
constexpr auto kFields = std::to_array<Field<Nothing>>({
    {{.key = "size_bytes", .heading = "SIZE", .type = FieldType::bytes, .types = 2, .help = "How much."},
     none},
    {{.key = "colour",
      .heading = "COLOUR",
      .type = FieldType::enumeration,
      .shown = true,
      .values = kColours,
      .help = "Painted."},
     none},
});
constexpr Schema kSchema = Schema::of<Nothing, type_of>(kFields, kTypes);
constexpr Example kExamples[] = {{"plumb t --where 'a == \"b\"'", "what a\\b does"}};

Feature works(Features&) {
  return {true, {}};
}

CommandDescription sample() {
  CommandDescription d{.name = "t", .summary = "a -- b", .lines = &kSchema, .examples = kExamples};
  d.own = {{.name = "in",
            .short_name = 'i',
            .metavar = "Ar \"x\"",
            .repeatable = true,
            .values = kColours,
            .group = "Own",
            .help = ".Dot first."},
           {.name = "push", .metavar = "URL", .optional_value = true, .group = "Own", .help = "Push."}};
  d.common = {{.name = "help", .short_name = 'h', .group = "Help", .help = "red and No are named."}};
  d.hooks = {{.name = "close",
              .purpose = "closes",
              .variants = {{"fexit", {}, works, "cheap"}, {"kprobe", {}, works, ""}}}};
  return d;
}

Prose prose(std::string_view text) {
  auto parsed = parse_prose(text, "test");
  REQUIRE(parsed);
  return *std::move(parsed);
}

bool has(const std::string& page, std::string_view part) {
  return page.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("prose: cut at its headings, with its date") {
  const Prose p = prose(".\\\" comment\n.Dd July 1, 2026\n.Sh ONE\na\n.Sh TWO THREE\n.\\\" c\nb\nc\n");
  CHECK(p.date == "July 1, 2026");
  REQUIRE(p.sections.size() == 2);
  CHECK(p.find("ONE")->body == "a\n");
  CHECK(p.find("TWO THREE")->body == "b\nc\n");
  CHECK(p.find("TWO THREE")->after == "ONE");
  CHECK(p.find("TWO") == nullptr);
}

TEST_CASE("prose: what would be lost or is not reproducible is an error") {
  CHECK_FALSE(parse_prose(".Sh ONE\na\n", "test"));                          // no date
  CHECK_FALSE(parse_prose("", "test"));                                      // nothing
  CHECK_FALSE(parse_prose(".Dd July 1, 2026\nlost\n.Sh ONE\n", "test"));     // text before the first section
  CHECK_FALSE(parse_prose(".Dd July 1, 2026\n.Sh ONE\n.Sh ONE\n", "test"));  // twice
}

TEST_CASE("manual: options with short names, values, optional values") {
  const std::string page = man_page(sample(), prose(".Dd July 1, 2026\n"), prose(".Dd July 2, 2026\n"));
  CHECK(has(page, ".Dd July 1, 2026\n.Dt PLUMB-T 1\n.Os\n"));
  CHECK(has(page, ".Nm plumb-t\n.Nd a -- b\n"));
  CHECK(has(page,
            ".Ss Own\n.Bl -tag -width Ds\n.It Fl \\&i , Fl \\-in Ar \"Ar \\(dqx\\(dq\"\n\\&.Dot first.\n"));
  CHECK(has(page, "The value is\n.Cm \\&red\nor\n.Cm \\&No .\nIt can be given more than once.\n"));
  CHECK(has(page, ".It Fl \\-push Ns Op Ns = Ns Ar \\&URL\nPush.\n.El\n"));
}

TEST_CASE("manual: fields by the lines that carry them, those of every line first") {
  const std::string page = man_page(sample(), prose(".Dd July 1, 2026\n"), prose(".Dd July 2, 2026\n"));
  CHECK(has(
      page,
      "is given:\n.Va colour .\n.Ss Every line\n.Bl -tag -width Ds\n"
      ".It Va colour Pq text , No column COLOUR\nPainted.\nThe value is\n.Cm \\&red\nor\n.Cm \\&No .\n.El\n"
      ".Ss Lines of type shut\n.Bl -tag -width Ds\n.It Va size_bytes Pq bytes , No column SIZE\n"));
}

TEST_CASE("manual: hooks, examples and prose in the customary order") {
  const Prose own = prose(
      ".Dd July 1, 2026\n.Sh DESCRIPTION\nOwn.\n.Sh RESULTS\nBehind the description.\n.Sh EXAMPLES\nMine.\n"
      ".Sh CAVEATS\nLast.\n.Sh SEE ALSO\n.Xr tcp 7\n.Xr connect 2\n");
  const Prose shared = prose(".Dd July 2, 2026\n.Sh EXIT STATUS\nZero.\n");
  const std::string page = man_page(sample(), own, shared);
  CHECK(has(page, ".It Sy close\nCloses.\nBest first:\n.Cm fexit\n(cheap),\n.Cm kprobe .\n"));
  CHECK(has(page,
            ".Sh EXAMPLES\nMine.\n.Pp\nWhat a\\eb does:\n.Pp\n"
            ".Dl \"$ plumb t \\-\\-where \\(aqa == \\(dqb\\(dq\\(aq\"\n"));
  CHECK(has(page, ".Sh SEE ALSO\n.Xr plumb 1 ,\n.Xr connect 2 ,\n.Xr tcp 7\n"));
  std::size_t last = 0;
  for (const char* name : {"NAME", "SYNOPSIS", "DESCRIPTION", "RESULTS", "OPTIONS", "OUTPUT FIELDS", "KERNEL",
                           "EXIT STATUS", "EXAMPLES", "SEE ALSO", "CAVEATS"}) {
    INFO(name);
    const std::size_t at = page.find(std::string(".Sh ") + name + "\n");
    REQUIRE(at != std::string::npos);
    CHECK(at > last);
    last = at;
  }
  CHECK_FALSE(has(page, ".Sh OVERHEAD"));  // nothing to say
}

TEST_CASE("manual: the main page lists the tools and what they share") {
  const CommandDescription commands[] = {sample(), describe(kDoctor)};
  const std::string page = main_man_page(commands, prose(".Dd July 1, 2026\n"), prose(".Dd July 2, 2026\n"));
  CHECK(has(page, ".It Cm \\&t\na \\-\\- b:\n.Xr plumb-t 1 .\n.It Cm doctor\n"));
  CHECK(has(page, ".Ss Help\n"));
  CHECK_FALSE(has(page, ".Ss Own\n"));
  CHECK(has(page, ".Sh SEE ALSO\n.Xr plumb-t 1\n"));
}

TEST_CASE("description: every visible option of a real tool, once") {
  for (const ToolInfo* tool : tools_of(plumb::commands())) {
    const CommandDescription d = describe(tool_command(*tool));
    std::vector<std::string_view> names;
    for (const auto& list : {d.own, d.common}) {
      for (const OptionSpec& o : list) {
        CHECK_FALSE(o.hidden);
        CHECK_FALSE(o.help.empty());
        names.push_back(o.name);
      }
    }
    for (const char* needed : {"help", "version", "pid", "columns"}) {
      CHECK(std::count(names.begin(), names.end(), needed) == 1);
    }
    std::sort(names.begin(), names.end());
    CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
  }
}

TEST_CASE("description: --format takes what the tool gives, the main page tells of all") {
  std::vector<CommandDescription> commands;
  for (const ToolInfo* tool : tools_of(plumb::commands())) {
    commands.push_back(describe(tool_command(*tool)));
    const auto format = std::ranges::find(commands.back().common, "format", &OptionSpec::name);
    REQUIRE(format != commands.back().common.end());
    CHECK(std::ranges::equal(format->values, tool->formats));
    for (const std::string_view name : tool->formats) {
      CHECK(std::ranges::find(kFormatNames, name) != std::end(kFormatNames));
    }
  }
  const std::string page = main_man_page(commands, prose(".Dd July 1, 2026\n"), prose(".Dd July 2, 2026\n"));
  CHECK(has(page, ".Cm speedscope\nor\n.Cm firefox .\n"));
}
