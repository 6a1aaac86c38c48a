// zsh: one `_arguments` call for each command; descriptions come from the help texts. Candidates from outside
// reach the line through compadd, which quotes them; `_describe` wants its colons escaped.
#include <fmt/format.h>

#include "docs/completion.h"

namespace plumb {
namespace {

using namespace shell;

constexpr std::string_view kHelpers = R"zsh(
# Behind the last comma of a list: offers the specifications NAME:DESCRIPTION (in the name, `\:` stands for a colon)
# whose names the list does not hold yet.
_plumb_list() {
    local tag=$1 spec name
    local -a left held
    shift
    [[ $PREFIX == *,* ]] && held=("${(@s:,:)${(Q)PREFIX%,*}}")
    compset -P '*,'
    for spec; do
        name=${spec//\\:/$'\0'}
        name=${${${name%%:*}//$'\0'/:}//\\\\/\\}
        (( ${held[(Ie)$name]} )) || left+=("$spec")
    done
    _describe -t $tag $tag left -q -S ,
}

_plumb_pids() {
    local dir name
    local -a list
    for dir in /proc/<1->(N); do
        name=
        { IFS= read -r name < $dir/comm } 2>/dev/null
        list+=("${dir:t}:${name//[^[:print:]]/?}")
    done
    _plumb_list process "${list[@]}"
}

_plumb_comms() {
    local file name
    local -aU list
    for file in /proc/<1->/comm(N); do
        { IFS= read -r name < $file } 2>/dev/null || continue
        [[ -z $name || $name == *[^[:print:]]* || $name == *,* ]] || list+=("${${name//\\/\\\\}//:/\\:}")
    done
    _plumb_list command "${list[@]}"
}

# Container ids (12 digits) by the cgroups that docker, containerd, CRI-O and podman make.
_plumb_containers() {
    local path id
    local -aU list
    for path in /sys/fs/cgroup{,/unified}/{docker,system.slice,machine.slice,kubepods.slice{,/*.slice{,/*.slice}},kubepods{,/*}/pod*}/*(N/); do
        id=${${path:t}%.scope}
        id=${id##*-}
        [[ $id =~ '^[0-9a-f]{64}$' ]] && list+=(${id[1,12]})
    done
    (( $#list )) && _describe -t container container list
}

_plumb_expression() {
    local tag=$1
    local -a names
    shift
    names=("$@")
    compset -P '*[^a-z0-9_]'
    _describe -t $tag $tag names -S ''
}
)zsh";

std::vector<OptionSpec> all_options(const CommandDescription& c) {
  std::vector<OptionSpec> all = c.own;
  all.insert(all.end(), c.common.begin(), c.common.end());
  return all;
}

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.';
}

// What follows the message. With a blank before it, _arguments calls a function as it stands, without words
// for compadd.
std::string action(const OptionSpec& spec, std::string_view tool) {
  switch (spec.completes) {
    case Completes::file:
      return "_files";
    case Completes::directory:
      return "_files -/";
    case Completes::pid:
      return " _plumb_pids";
    case Completes::comm:
      return " _plumb_comms";
    case Completes::user:
      return "_users";
    case Completes::container:
      return " _plumb_containers";
    case Completes::field:
      return fmt::format(" _plumb_{}_fields _plumb_expression", tool);
    case Completes::field_list:
      return fmt::format(" _plumb_{}_fields _plumb_list", tool);
    case Completes::offers:
      return fmt::format(" _plumb_list values {}", fmt::join(spec.offers, " "));
    case Completes::nothing:
    case Completes::values:
      break;
  }
  if (spec.values.empty()) return "( )";
  std::string out = "(";
  for (std::size_t i = 0; i < spec.values.size(); ++i) {
    if (i != 0) out += ' ';
    for (const char c : spec.values[i]) {  // a word that zsh reads as shell code
      if (!is_plain(c)) out += '\\';
      out += c;
    }
  }
  return out + ")";
}

// The specifications of one option: '(-p --pid)'{-p+,--pid=}'[help]:PID:_plumb_pids'.
std::string specification(const OptionSpec& spec, std::string_view tool) {
  const bool value = !spec.metavar.empty();
  const std::string short_name = short_flag(spec);
  const std::string long_name = long_flag(spec);
  std::string tail = fmt::format("[{}]", escape_zsh_spec(brief(spec.help)));
  if (value) {
    tail += fmt::format("{}{}:{}", spec.optional_value ? "::" : ":", escape_zsh_spec(spec.metavar),
                        action(spec, tool));
  }
  const std::string long_form = long_name + (!value ? "" : spec.optional_value ? "=-" : "=");
  std::string head;
  if (spec.repeatable) {
    head = quote("*");
  } else {
    head = quote(fmt::format("({}{}{})", short_name, short_name.empty() ? "" : " ", long_name));
  }
  if (short_name.empty()) return head + long_form + quote(tail);
  return fmt::format("{}{{{}{},{}}}{}", head, short_name, value ? "+" : "", long_form, quote(tail));
}

void append_field_specs(std::string& out, const Schema& schema) {
  for (std::size_t i = 0; i < schema.size(); ++i) {
    const FieldSpec& f = schema.spec(i);
    std::string text;
    for (const char c : brief(f.help)) {
      if (c == ':' || c == '\\') text += '\\';
      text += c;
    }
    out += fmt::format("            {}\n", quote(fmt::format("{}:{}", f.key, text)));
  }
}

void append_fields(std::string& out, const CommandDescription& c) {
  if (c.lines == nullptr) return;
  out += fmt::format(
      "\n# $1 with the names of the fields and what they mean.\n_plumb_{}_fields() {{\n    local -a names\n",
      c.name);
  if (c.summary_lines != nullptr) {
    out += "    if (( ${words[(I)--summary]} )); then\n        names=(\n";
    append_field_specs(out, *c.summary_lines);
    out += "        )\n    else\n        names=(\n";
    append_field_specs(out, *c.lines);
    out += "        )\n    fi\n";
  } else {
    out += "    names=(\n";
    append_field_specs(out, *c.lines);
    out += "    )\n";
  }
  out += "    $1 field \"${names[@]}\"\n}\n";
}

void append_arguments(std::string& out, const CommandDescription& c) {
  out += fmt::format("\n_plumb_{}() {{\n    _arguments -s", c.joined_name('_'));
  for (const OptionSpec& o : all_options(c)) out += " \\\n        " + specification(o, c.name);
  if (c.takes_files()) out += " \\\n        '*:file:_files'";
  out += "\n}\n";
}

// A second word that belongs to the command's name: it is offered, and skipped once it stands.
void append_subcommands(std::string& out, std::span<const CommandDescription> commands) {
  for (const CommandDescription& c : commands) {
    if (!c.is_sub()) continue;
    out += fmt::format(
        "    if [[ $tool == {0} && CURRENT -eq 2 ]]; then\n        commands=({1})\n"
        "        _describe -t subcommands subcommand commands\n"
        "    elif [[ $tool == {0} && $words[2] == {2} ]]; then\n        tool={3}\n        shift words\n"
        "        (( CURRENT-- ))\n    fi\n",
        c.first_word(), quote(fmt::format("{}:{}", c.subcommand(), c.summary)), c.subcommand(),
        c.joined_name('_'));
  }
}

}  // namespace

std::string zsh_completion(std::span<const CommandDescription> commands) {
  std::string out = "#compdef plumb";
  for (const CommandDescription& c : commands) {
    if (c.is_tool()) out += fmt::format(" {}", c.name);
  }
  out +=
      "\n# zsh completion for plumb(1), written from its option and field tables: do not edit.\n"
      "# Belongs into a directory of $fpath, as `_plumb`.\n";
  out += kHelpers;
  for (const CommandDescription& c : commands) {
    append_fields(out, c);
    append_arguments(out, c);
  }
  out +=
      "\n_plumb() {\n    local tool=$service end\n    local -a commands\n    if [[ $tool == plumb ]]; then\n"
      "        if (( CURRENT == 2 )); then\n            commands=(\n";
  for (const auto& [word, summary] : first_words(commands)) {
    out += fmt::format("                {}\n", quote(fmt::format("{}:{}", word, summary)));
  }
  out +=
      "            )\n            _describe -t commands tool commands\n"
      "            _arguments '(-h --help)'{-h,--help}'[Show the tools and exit]' '--version[Print the "
      "version and exit]'\n"
      "            return\n        fi\n        tool=$words[2]\n        shift words\n        (( CURRENT-- "
      "))\n    fi\n";
  append_subcommands(out, commands);
  out +=
      "    (( $+functions[_plumb_$tool] )) || return 1\n"
      "    # Behind `--` stands a command with its own completion.\n"
      "    end=${words[(ie)--]}\n"
      "    if (( end < CURRENT )); then\n        shift $end words\n        (( CURRENT -= end ))\n        "
      "_normal\n"
      "        return\n    fi\n    _plumb_$tool\n}\n\n_plumb \"$@\"\n";
  return out;
}

}  // namespace plumb
