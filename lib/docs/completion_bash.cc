// bash. What needs care there:
//  - readline cuts words at COMP_WORDBREAKS, `=` and `:` among them, and replaces only what stands behind the
//  last
//    cut; so the words are put together again, and the replacement is cut as readline did.
//  - candidates from outside (command names) are hostile: never through `compgen -W`, which expands its
//  argument, and
//    quoted before they reach the line.
#include <fmt/format.h>

#include <iterator>

#include "docs/completion.h"

namespace plumb {
namespace {

using namespace shell;

constexpr std::string_view kHelpers = R"bash(
# Sets `words` to the words up to the cursor, as the shell will see them, and `cut` to whether readline cut the last.
_plumb_words() {
    local line=${COMP_LINE:0:COMP_POINT} word blank
    words=()
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        blank=${line%%[![:space:]]*}
        line=${line#"$blank"}
        [[ $line == "$word"* ]] || word=$line
        line=${line#"$word"}
        if [[ ${#words[@]} -gt 0 && -z $blank ]]; then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
    done
}

# Offers $1 behind `before`, when it begins with `item`; quoted for the line.
_plumb_offer() {
    [[ $1 == "$item"* && $1 != *[![:print:]]* ]] || return 0
    local text=$before$1
    case $open in
        \") [[ $text != *[\"\$\`\\!]* ]] || return 0 ;;
        \') [[ $text != *\'* ]] || return 0 ;;
        *)
            [[ $text != *[!A-Za-z0-9_.,:=/@%+-]* ]] || printf -v text %q "$text"
            text=$whole$text
            # Readline replaces what stands behind the last of its word breaks.
            local typed=$whole$value breaks=''
            [[ $COMP_WORDBREAKS == *=* ]] && breaks+='='
            [[ $COMP_WORDBREAKS == *:* ]] && breaks+=':'
            if [[ -n $breaks && $typed == *["$breaks"]* ]]; then
                typed=${typed%"${typed##*["$breaks"]}"}
                text=${text#"$typed"}
            fi
            ;;
    esac
    COMPREPLY+=("$text")
}

_plumb_values() {
    local candidate
    for candidate; do _plumb_offer "$candidate"; done
}

# A list with commas: offers behind the last comma what the list does not hold yet.
_plumb_list() {
    local candidate
    if [[ $value == *,* ]]; then
        before=${value%,*},
        item=${value##*,}
    fi
    for candidate; do
        [[ ,$before == *,"$candidate",* ]] || _plumb_offer "$candidate"
    done
    compopt -o nospace 2>/dev/null
}

# An expression: offers names where a word begins.
_plumb_expression() {
    item=${value##*[!a-z0-9_]}
    before=${value%"$item"}
    _plumb_values "$@"
    compopt -o nospace 2>/dev/null
}

_plumb_pids() {
    local -a dirs=(/proc/[0-9]*)
    _plumb_list "${dirs[@]##*/}"
}

_plumb_comms() {
    local file name
    local -A found=()
    for file in /proc/[0-9]*/comm; do
        { IFS= read -r name < "$file"; } 2>/dev/null && [[ -n $name && $name != *,* ]] && found[$name]=1
    done
    _plumb_list "${!found[@]}"
}

_plumb_users() {
    local name rest
    while IFS=: read -r name rest; do _plumb_offer "$name"; done < /etc/passwd
}

# Container ids (12 digits) by the cgroups that docker, containerd, CRI-O and podman make.
_plumb_containers() {
    local path id
    local -A found=()
    for path in /sys/fs/cgroup{,/unified}/{docker,system.slice,machine.slice,kubepods.slice{,/*.slice{,/*.slice}},kubepods{,/*}/pod*}/*; do
        id=${path##*/}
        id=${id%.scope}
        id=${id##*-}
        [[ $id =~ ^[0-9a-f]{64}$ ]] && found[${id:0:12}]=1
    done
    _plumb_values "${!found[@]}"
}

# Files, or with -d directories. Readline quotes them and adds slashes.
_plumb_files() {
    local path typed=$value
    [[ $typed == \~/* ]] && typed=$HOME${typed:1}
    while IFS= read -r path; do
        [[ $value == \~/* ]] && path=\~${path#"$HOME"}
        COMPREPLY+=("$path")
    done < <(compgen "${1:--f}" -- "$typed")
    compopt -o filenames 2>/dev/null
}

# The command behind `--`, whose place in COMP_WORDS is $1.
_plumb_command() {
    if declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif ((COMP_CWORD == $1)); then
        mapfile -t COMPREPLY < <(compgen -c -- "$value")
    else
        _plumb_files
    fi
}

_plumb() {
    local -a words
    local i tool first=1 fields=lines open='' option='' value before='' item whole=''
    COMPREPLY=()
    _plumb_words
    local count=${#words[@]}
    value=${words[count-1]}
    tool=${words[0]##*/}
)bash";

constexpr std::string_view kTail = R"bash(
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -- ]] || continue
        _plumb_command $((i + 1))
        return
    done
    for ((i = first; i < count - 1; i++)); do
        [[ ${words[i]} == --summary ]] && fields=summary
    done

    if [[ $value == --*=* ]]; then
        option=${value%%=*}
        whole=$option=
        value=${value#*=}
    elif ((count - 2 >= first)); then
        option=${words[count-2]}
    fi
    # What the user typed, without the shell's quoting.
    case $value in
        [\"\']*) open=${value:0:1} value=${value:1} ;;
        *) value=${value//\\/} ;;
    esac
    item=$value
    [[ -n $option ]] && "_plumb_${tool}_value" "$option" && return
    [[ -z $whole && -z $open ]] && "_plumb_${tool}_options"
}
)bash";

std::string words_of(std::span<const std::string_view> values) {
  std::string out;
  for (const std::string_view v : values) out += " " + quote(v);
  return out;
}

std::string completer(const OptionSpec& spec, std::string_view tool) {
  switch (spec.completes) {
    case Completes::file:
      return "_plumb_files";
    case Completes::directory:
      return "_plumb_files -d";
    case Completes::pid:
      return "_plumb_pids";
    case Completes::comm:
      return "_plumb_comms";
    case Completes::user:
      return "_plumb_users";
    case Completes::container:
      return "_plumb_containers";
    case Completes::field:
      return fmt::format("_plumb_{}_fields _plumb_expression", tool);
    case Completes::field_list:
      return fmt::format("_plumb_{}_fields _plumb_list", tool);
    case Completes::offers:
      return "_plumb_list" + words_of(spec.offers);
    case Completes::nothing:
    case Completes::values:
      break;
  }
  return spec.values.empty() ? "" : "_plumb_values" + words_of(spec.values);
}

std::vector<OptionSpec> all_options(const CommandDescription& c) {
  std::vector<OptionSpec> all = c.own;
  all.insert(all.end(), c.common.begin(), c.common.end());
  return all;
}

std::string keys(const Schema& schema) {
  std::string out;
  for (std::size_t i = 0; i < schema.size(); ++i) out += " " + quote(schema.spec(i).key);
  return out;
}

void append_fields(std::string& out, const CommandDescription& c) {
  if (c.lines == nullptr) return;
  out += fmt::format("\n# $1 with the names of the fields.\n_plumb_{}_fields() {{\n    case $fields in\n",
                     c.name);
  if (c.summary_lines != nullptr)
    out += fmt::format("        summary) \"$1\"{} ;;\n", keys(*c.summary_lines));
  out += fmt::format("        *) \"$1\"{} ;;\n    esac\n}}\n", keys(*c.lines));
}

void append_values(std::string& out, const CommandDescription& c) {
  std::string cases;
  for (const OptionSpec& o : all_options(c)) {
    if (o.metavar.empty()) continue;
    std::string pattern = short_flag(o);
    if (!pattern.empty()) pattern += " | ";
    pattern += long_flag(o);
    std::string body = completer(o, c.name);
    // An optional value stands behind `=` alone.
    if (o.optional_value)
      body.insert(0, body.empty() ? "[[ -n $whole ]] || return 1" : "[[ -n $whole ]] || return 1; ");
    cases += fmt::format("        {}){}{} ;;\n", pattern, body.empty() ? "" : " ", body);
  }
  out +=
      fmt::format("\n# Completes the value of option $1; fails when it takes none.\n_plumb_{}_value() {{\n",
                  c.joined_name('_'));
  if (cases.empty()) {
    out += "    return 1\n}\n";
  } else {
    out += "    case $1 in\n" + cases + "        *) return 1 ;;\n    esac\n    return 0\n}\n";
  }
}

void append_options(std::string& out, const CommandDescription& c) {
  out += fmt::format("\n_plumb_{}_options() {{\n", c.joined_name('_'));
  if (c.takes_files()) out += "    [[ $item == -* ]] || { _plumb_files; return; }\n";
  out += "    _plumb_values";
  std::size_t column = 17;
  const auto add = [&](const std::string& flag) {
    if (flag.empty()) return;
    if (column + 1 + flag.size() > 100) {
      out += " \\\n       ";
      column = 8;
    }
    out += " " + flag;
    column += 1 + flag.size();
  };
  for (const OptionSpec& o : all_options(c)) {
    add(long_flag(o));
    add(short_flag(o));
  }
  if (c.is_tool()) add("--");
  out += "\n}\n";
}

// A second word that belongs to the command's name: it is offered, and skipped once it stands.
void append_subcommands(std::string& out, std::span<const CommandDescription> commands) {
  for (const CommandDescription& c : commands) {
    if (!c.is_sub()) continue;
    out += fmt::format(
        "    if [[ $tool == {} ]]; then\n        item=$value\n"
        "        if ((count == first + 1)); then\n            _plumb_values {}\n"
        "        elif [[ ${{words[first]}} == {} ]]; then\n            tool={}\n"
        "            ((first += 1))\n        fi\n    fi\n",
        c.first_word(), c.subcommand(), c.subcommand(), c.joined_name('_'));
  }
}

}  // namespace

std::string bash_completion(std::span<const CommandDescription> commands) {
  std::string out =
      "# bash completion for plumb(1), written from its option and field tables: do not edit.\n"
      "# Belongs into share/bash-completion/completions/ as `plumb`; for a link to plumb that is named after "
      "a tool, link\n"
      "# this file by the same name.\n";
  for (const CommandDescription& c : commands) {
    append_fields(out, c);
    append_values(out, c);
    append_options(out, c);
  }
  out += kHelpers;
  std::string names;
  std::string links;
  for (const auto& [word, summary] : first_words(commands)) names += fmt::format(" {}", word);
  for (const CommandDescription& c : commands) {
    if (c.is_tool()) links += fmt::format("{}{}", links.empty() ? "" : " | ", c.name);
  }
  out += fmt::format(
      "    case $tool in\n        {}) ;;\n        *)\n            item=$value\n            if ((count == "
      "2)); then\n"
      "                _plumb_values{} --help --version\n                return\n            fi\n"
      "            tool=${{words[1]}} first=2\n            ;;\n    esac\n",
      links.empty() ? "-" : links, names);
  append_subcommands(out, commands);
  out += "    declare -F \"_plumb_${tool}_options\" >/dev/null || return 0\n";
  out += kTail;
  out += "\ncomplete -F _plumb plumb";
  for (const CommandDescription& c : commands) {
    if (c.is_tool()) out += fmt::format(" {}", c.name);
  }
  return out += '\n';
}

}  // namespace plumb
