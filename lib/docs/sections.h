// Files of text in sections with places to fill: all shell code of the completions stands in completions.bash, .zsh and
// .fish, and only what the tables say is added here.
//
//   #@ greeting
//   Hello @NAME@.
//
//   fill(section(file, "greeting"), {{"NAME", "world"}}) == "Hello world.\n"
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace plumb {

// The lines after "#@ NAME", up to the next such line. The file has it.
std::string_view section(std::string_view file, std::string_view name);

// `text` with each @NAME@ replaced, in one pass: what is put in is not looked at again. Other @ stay.
std::string fill(std::string_view text,
                 std::initializer_list<std::pair<std::string_view, std::string_view>> values);

}  // namespace plumb
