// Text as mdoc(7), the language of manual pages, for mandoc and groff alike.
#pragma once

#include <string>
#include <string_view>

namespace plumb::mdoc {

// Running text: backslashes, double quotes of macros, backquotes and what is not ASCII; a hyphen stays one,
// but the dashes of an option (`--name`) become minus signs, which can be copied to a shell. Control bytes
// are dropped.
std::string escape_text(std::string_view text);
// The same as the arguments of a macro that takes a line of text (.Nd, .Ss): double quotes are kept there
// too.
std::string escape_heading(std::string_view text);
// Literal text, such as a command: every character is what it is, minus signs and quotes included.
std::string escape_literal(std::string_view text);
// One argument of a macro: quoted when it has to be, never taken for a macro or a delimiter.
std::string argument(std::string_view literal);

// Appends running text: words on lines of at most 80 bytes, each sentence on a line of its own, `name(8)` as
// a reference, an empty line as a new paragraph. Nothing for an empty text.
void append_text(std::string& out, std::string_view text);

}  // namespace plumb::mdoc
