// Completion scripts for three shells, written from the option and field tables. They are pure shell: at
// completion time nothing of plumb runs. Each also completes the links that are named after tools.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "docs/description.h"

namespace plumb {

// `commands` are the rows of the command table.
std::string bash_completion(std::span<const CommandDescription> commands);
std::string zsh_completion(std::span<const CommandDescription> commands);
std::string fish_completion(std::span<const CommandDescription> commands);

// What the generators share; public for tests.
namespace shell {

// One word in single quotes, for bash and zsh: 'it'\''s'.
std::string quote(std::string_view text);
// The same for fish, where a backslash escapes inside single quotes: 'it\'s'.
std::string quote_fish(std::string_view text);
// The inside of an `_arguments` specification for zsh: a description in brackets, or a message between
// colons.
std::string escape_zsh_spec(std::string_view text);
// Half a line for a menu: the first sentence without its full stop; control bytes are dropped.
std::string brief(std::string_view help);

// "--port", "-p".
std::string long_flag(const OptionSpec& spec);
std::string short_flag(const OptionSpec& spec);  // empty: none
// The first words of the commands, each once, with the summary of the command that is only that word, if there is one.
std::vector<std::pair<std::string_view, std::string_view>> first_words(
    std::span<const CommandDescription> commands);

}  // namespace shell
}  // namespace plumb
