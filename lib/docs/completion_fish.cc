// fish: `complete` lines, in a function for each command that is called for plumb and again for the link
// named after the tool. Candidates are lines NAME<TAB>DESCRIPTION; fish quotes them when it inserts them.
#include <fmt/format.h>

#include "docs/completion.h"

namespace plumb {
namespace {

using namespace shell;

constexpr std::string_view kHelpers = R"fish(
# Whether the cursor stands behind the tool $argv[1] and before `--`.
function __plumb_in
    set -l words (commandline -opc)
    contains -- -- $words; and return 1
    test "$words[2]" = "$argv[1]"; or return 1
    if test (count $argv) -eq 2
        test "$words[3]" = "$argv[2]"
    else  # a second word that is a command of its own has its own options
        not contains -- "$argv[1] $words[3]" $__plumb_subcommands
    end
end

# Whether the second word of a command is still to come.
function __plumb_second
    set -l words (commandline -opc)
    test (count $words) -eq 2 -a "$words[2]" = "$argv[1]"
end

# Whether plumb's own first word is still to come.
function __plumb_first
    set -l words (commandline -opc)
    test (count $words) -eq 1
end

# For a link that is named after a tool: whether the cursor stands before `--`.
function __plumb_before_command
    not contains -- -- (commandline -opc)
end

# Whether the cursor stands in the command behind `--`.
function __plumb_behind_dashes
    contains -- -- (commandline -opc)
end

# The value under the cursor, without an opening quote and without `--option=`.
function __plumb_value
    string replace -r '^--[^=]*=' '' -- (commandline -ct) | string trim -l -c '\'"'
end

# A list with commas: offers behind the last comma what the list does not hold yet.
function __plumb_list
    set -l value (__plumb_value)
    set -l before (string match -r -- '^.*,' $value)
    set -l held (string split , -- $before)
    for candidate in $argv
        set -l name (string split -m 1 \t -- $candidate)
        contains -- $name[1] $held; or printf '%s%s\n' "$before" $candidate
    end
end

# An expression: offers names where a word begins.
function __plumb_expression
    set -l before (string match -r -- '^.*[^a-z0-9_]' (__plumb_value))
    for candidate in $argv
        printf '%s%s\n' "$before" $candidate
    end
end

# The processes' files with their command names.
function __plumb_processes
    string match -r '^/proc/\d+/comm$' -- /proc/*/comm
end

function __plumb_pids
    set -l list
    for file in (__plumb_processes)
        set -l name ''
        test -r $file; and read -l line <$file 2>/dev/null; and set name (string replace -ra '[^[:print:]]' '?' -- "$line")
        set -a list (string split / -- $file)[3]\t"$name"
    end
    __plumb_list $list
end

function __plumb_comms
    set -l list
    for file in (__plumb_processes)
        test -r $file; and read -l name <$file 2>/dev/null; or continue
        string match -qr '^[[:print:]]+$' -- "$name"; or continue
        string match -q '*,*' -- $name; or contains -- $name $list; or set -a list $name
    end
    __plumb_list $list
end

function __plumb_users
    while read -l line
        set -l name (string split -m 1 : -- $line)
        test -n "$name[1]"; and echo $name[1]
    end </etc/passwd
end

# Container ids (12 digits) by the cgroups that docker, containerd, CRI-O and podman make.
function __plumb_containers
    set -l paths /sys/fs/cgroup{,/unified}/{docker,system.slice,machine.slice,kubepods.slice,kubepods.slice/*.slice,kubepods.slice/*.slice/*.slice,kubepods/pod*,kubepods/*/pod*}/*
    string match -rg '([0-9a-f]{12})[0-9a-f]{52}(?:\.scope)?$' -- $paths | sort -u
end

# What follows `--` is a command with its own completion.
function __plumb_command
    set -l words (commandline -opc)
    set -l at (contains -i -- -- $words)
    complete -C (string join ' ' -- (string escape -- $words[(math $at + 1)..]) (commandline -ct))
end
)fish";

std::vector<OptionSpec> all_options(const CommandDescription& c) {
  std::vector<OptionSpec> all = c.own;
  all.insert(all.end(), c.common.begin(), c.common.end());
  return all;
}

// What stands behind `complete ... -l NAME`: whether it takes a value and how that is completed.
std::string value_part(const OptionSpec& spec, std::string_view tool) {
  if (spec.metavar.empty()) return " -f";
  const std::string_view need = spec.optional_value ? "" : "r";
  switch (spec.completes) {
    case Completes::file:
      return fmt::format(" -{}F", need);
    case Completes::directory:
      return fmt::format(" -f{} -a '(__fish_complete_directories (__plumb_value))'", need);
    case Completes::pid:
      return fmt::format(" -f{} -a '(__plumb_pids)'", need);
    case Completes::comm:
      return fmt::format(" -f{} -a '(__plumb_comms)'", need);
    case Completes::user:
      return fmt::format(" -f{} -a '(__plumb_users)'", need);
    case Completes::container:
      return fmt::format(" -f{} -a '(__plumb_containers)'", need);
    case Completes::field:
      return fmt::format(" -f{} -a '(__plumb_{}_fields __plumb_expression)'", need, tool);
    case Completes::field_list:
      return fmt::format(" -f{} -a '(__plumb_{}_fields __plumb_list)'", need, tool);
    case Completes::offers:
      return fmt::format(" -f{} -a '(__plumb_list {})'", need, fmt::join(spec.offers, " "));
    case Completes::nothing:
    case Completes::values:
      break;
  }
  if (spec.values.empty()) return fmt::format(" -f{}", need);
  // The argument of -a is expanded once more by fish, so each word is quoted in it and the whole again.
  std::string words;
  for (const std::string_view v : spec.values) words += (words.empty() ? "" : " ") + quote_fish(v);
  return fmt::format(" -f{} -a {}", need, quote_fish(words));
}

void append_schema(std::string& out, const Schema& schema, std::string_view indent) {
  out += fmt::format("{}$argv[1]", indent);
  for (std::size_t i = 0; i < schema.size(); ++i) {
    const FieldSpec& f = schema.spec(i);
    out += fmt::format(" \\\n{}    {}\\t{}", indent, f.key, quote_fish(brief(f.help)));
  }
  out += '\n';
}

void append_fields(std::string& out, const CommandDescription& c) {
  if (c.lines == nullptr) return;
  out += fmt::format(
      "\n# $argv[1] with the names of the fields and what they mean.\nfunction __plumb_{}_fields\n", c.name);
  if (c.summary_lines != nullptr) {
    out += "    if contains -- --summary (commandline -opc)\n";
    append_schema(out, *c.summary_lines, "        ");
    out += "        return\n    end\n";
  }
  append_schema(out, *c.lines, "    ");
  out += "end\n";
}

void append_options(std::string& out, const CommandDescription& c) {
  out += fmt::format("\n# For the command $argv[1], where $argv[2] holds.\nfunction __plumb_{}\n",
                     c.joined_name('_'));
  for (const OptionSpec& o : all_options(c)) {
    out += "    complete -c $argv[1] -n $argv[2]";
    if (o.short_name != 0) out += fmt::format(" -s {}", o.short_name);
    out += fmt::format(" -l {}{} -d {}\n", o.name, value_part(o, c.name), quote_fish(brief(o.help)));
  }
  out += "end\n";
}

// A second word that belongs to the command's name: it is offered, and what stands behind it.
void append_subcommand(std::string& out, const CommandDescription& c) {
  out += fmt::format("complete -c plumb -n '__plumb_second {}' -a {} -d {}\n", c.first_word(), c.subcommand(),
                     quote_fish(c.summary));
  out += fmt::format("__plumb_{} plumb '__plumb_in {}'\n", c.joined_name('_'), c.name);
  if (c.takes_files()) out += fmt::format("complete -c plumb -F -n '__plumb_in {}'\n", c.name);
}

}  // namespace

std::string fish_completion(std::span<const CommandDescription> commands) {
  std::string out =
      "# fish completion for plumb(1), written from its option and field tables: do not edit.\n"
      "# Belongs into share/fish/vendor_completions.d/ as `plumb.fish`; for a link to plumb that is named "
      "after a tool,\n"
      "# link this file as TOOL.fish.\n";
  out += "\nset -g __plumb_subcommands";
  for (const CommandDescription& c : commands) {
    if (c.is_sub()) out += " " + quote_fish(c.name);
  }
  out += '\n';
  out += kHelpers;
  for (const CommandDescription& c : commands) {
    append_fields(out, c);
    append_options(out, c);
  }
  out += "\ncomplete -c plumb -f\n";
  for (const auto& [word, summary] : first_words(commands)) {
    out += fmt::format("complete -c plumb -n __plumb_first -a {} -d {}\n", word, quote_fish(summary));
  }
  out +=
      "complete -c plumb -n __plumb_first -s h -l help -d 'Show the tools and exit'\n"
      "complete -c plumb -n __plumb_first -l version -d 'Print the version and exit'\n";
  for (const CommandDescription& c : commands) {
    if (c.is_sub()) {
      append_subcommand(out, c);
      continue;
    }
    out += fmt::format("__plumb_{0} plumb '__plumb_in {0}'\n", c.name);
    if (!c.is_tool()) continue;
    out += fmt::format("complete -c {0} -f\n__plumb_{0} {0} __plumb_before_command\n", c.name);
    out += fmt::format("complete -c {} -n __plumb_behind_dashes -a '(__plumb_command)'\n", c.name);
  }
  out += "complete -c plumb -n __plumb_behind_dashes -a '(__plumb_command)'\n";
  return out;
}

}  // namespace plumb
