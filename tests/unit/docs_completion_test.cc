#include "docs/completion.h"
#include "doctor/command.h"

#include <doctest/doctest.h>

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

constexpr std::string_view kTypes[] = {"open"};
constexpr auto kFields = std::to_array<Field<Nothing>>({
    {{.key = "first", .heading = "F", .type = FieldType::text, .help = "It's a: \\ [b] $(id). More."}, none},
    {{.key = "second", .heading = "S", .type = FieldType::text, .help = "Second."}, none},
});
constexpr Schema kSchema = Schema::of<Nothing, type_of>(kFields, kTypes);
constexpr std::string_view kValues[] = {"it's", "b c", "$d:[e]"};

CommandDescription sample() {
  CommandDescription d{.name = "t", .summary = "what's: new", .lines = &kSchema};
  d.own = {
      {.name = "in",
       .short_name = 'i',
       .metavar = "[!]X:Y",
       .repeatable = true,
       .completes = Completes::pid,
       .help = "It's [a]: `b` \\c $(id)! And more."},
      {.name = "pick", .metavar = "P", .values = kValues, .completes = Completes::values, .help = "Pick."},
      {.name = "push", .metavar = "URL", .optional_value = true, .help = "Push."},
      {.name = "cols", .metavar = "F", .completes = Completes::field_list, .help = "Columns."},
      {.name = "flag", .short_name = 'x', .help = "Flag."},
  };
  return d;
}

std::string (*const kGenerators[])(std::span<const CommandDescription>) = {bash_completion, zsh_completion,
                                                                           fish_completion};

bool has(const std::string& script, std::string_view part) {
  return script.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("completion: quoting for each shell") {
  CHECK(shell::quote("a b") == "'a b'");
  CHECK(shell::quote("it's $(id) `id` \\ \"!\"") == "'it'\\''s $(id) `id` \\ \"!\"'");
  CHECK(shell::quote("") == "''");
  CHECK(shell::quote_fish("it's \\ $x") == "'it\\'s \\\\ $x'");
  CHECK(shell::escape_zsh_spec("[!]A:B\\") == "\\[!\\]A\\:B\\\\");
}

TEST_CASE("completion: a menu shows the first sentence") {
  CHECK(shell::brief("Only these processes.") == "Only these processes");
  CHECK(shell::brief("One. Two.") == "One");
  CHECK(shell::brief("Within 6.25 % (e.g.).") == "Within 6.25 % (e.g.)");
  CHECK(shell::brief("a\tb\nc\x7f") == "abc");
  CHECK(shell::brief("") == "");
}

TEST_CASE("bash: options, values and fields") {
  const CommandDescription commands[] = {sample()};
  const std::string script = bash_completion(commands);
  CHECK(has(script, "        -i | --in) _plumb_pids ;;\n"));
  CHECK(has(script, "        --pick) _plumb_values 'it'\\''s' 'b c' '$d:[e]' ;;\n"));
  CHECK(has(script, "        --push) [[ -n $whole ]] || return 1 ;;\n"));
  CHECK(has(script, "        --cols) _plumb_t_fields _plumb_list ;;\n"));
  CHECK_FALSE(has(script, "--flag)"));
  CHECK(has(script, "    _plumb_values --in -i --pick --push --cols --flag -x --\n"));
  CHECK(has(script, "        *) \"$1\" 'first' 'second' ;;\n"));
  CHECK(has(script, "\ncomplete -F _plumb plumb t\n"));
}

TEST_CASE("zsh: options, values and fields") {
  const CommandDescription commands[] = {sample()};
  const std::string script = zsh_completion(commands);
  CHECK(script.starts_with("#compdef plumb t\n"));
  CHECK(has(script,
            "'*'{-i+,--in=}'[It'\\''s \\[a\\]\\: `b` \\\\c $(id)! And more]:\\[!\\]X\\:Y: _plumb_pids'"));
  CHECK(has(script, "'(--pick)'--pick='[Pick]:P:(it\\'\\''s b\\ c \\$d\\:\\[e\\])'"));
  CHECK(has(script, "'(--push)'--push=-'[Push]::URL:( )'"));
  CHECK(has(script, "'(--cols)'--cols='[Columns]:F: _plumb_t_fields _plumb_list'"));
  CHECK(has(script, "'(-x --flag)'{-x,--flag}'[Flag]'"));
  CHECK(has(script, "        'first:It'\\''s a\\: \\\\ [b] $(id)'\n"));
  CHECK(has(script, "                't:what'\\''s: new'\n"));
}

TEST_CASE("fish: options, values and fields") {
  const CommandDescription commands[] = {sample()};
  const std::string script = fish_completion(commands);
  CHECK(has(script, " -s i -l in -fr -a '(__plumb_pids)' -d 'It\\'s [a]: `b` \\\\c $(id)! And more'\n"));
  CHECK(has(script, " -l pick -fr -a '\\'it\\\\\\'s\\' \\'b c\\' \\'$d:[e]\\'' -d 'Pick'\n"));
  CHECK(has(script, " -l push -f -d 'Push'\n"));
  CHECK(has(script, " -l cols -fr -a '(__plumb_t_fields __plumb_list)' -d 'Columns'\n"));
  CHECK(has(script, " -s x -l flag -f -d 'Flag'\n"));
  CHECK(has(script, "first\\t'It\\'s a: \\\\ [b] $(id)'"));
  CHECK(has(script, "complete -c plumb -n __plumb_first -a t -d 'what\\'s: new'\n"));
  CHECK(has(script, "__plumb_t t __plumb_before_command\n"));
}

TEST_CASE("completion: doctor has options but no fields and no link") {
  const CommandDescription commands[] = {describe(kDoctor)};
  for (const auto generate : kGenerators) {
    const std::string script = generate({commands, 1});
    CHECK(has(script, "doctor"));
    CHECK_FALSE(has(script, "plumb_doctor_fields"));
  }
  CHECK(has(bash_completion(commands), "\ncomplete -F _plumb plumb\n"));
  CHECK(has(bash_completion(commands), "_plumb_doctor_value() {\n    case $1 in\n        -p | --pid"));
}
