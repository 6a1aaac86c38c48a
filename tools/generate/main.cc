// Writes the manual pages and the shell completions from the tables of all tools, or compares them with the
// files that are there. Not shipped: what it writes is committed.
//
//   plumb_generate [--check] SOURCE_DIRECTORY
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/say.h"
#include "docs/completion.h"
#include "docs/description.h"
#include "docs/manual.h"
#include "run/tool.h"

namespace plumb {
namespace {

struct GeneratedFile {
  std::string path;  // below the source directory
  std::string text;
};

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error{"cannot read " + path};
  return std::string(std::istreambuf_iterator<char>(in), {});
}

std::string prose_path(const std::string& root, std::string_view name) {
  return fmt::format("{}/man/{}.prose.mdoc", root, name);
}

Result<Prose> read_prose(const std::string& root, std::string_view name) {
  const std::string path = prose_path(root, name);
  auto text = read_file(path);
  if (!text) return std::move(text).error();
  return parse_prose(*text, path);
}

Result<std::vector<GeneratedFile>> generate(const std::string& root) {
  std::vector<CommandDescription> commands;
  for (const CommandInfo& command : plumb::commands()) commands.push_back(describe(command));

  auto shared = read_prose(root, "shared");
  if (!shared) return std::move(shared).error();
  auto main_prose = read_prose(root, "plumb");
  if (!main_prose) return std::move(main_prose).error();

  std::vector<GeneratedFile> files;
  files.push_back({"man/plumb.1", main_man_page(commands, *main_prose, *shared)});
  for (const CommandDescription& c : commands) {
    if (!has_page(c)) continue;
    // A tool whose tables say all that there is to say needs no prose.
    const std::string name = c.joined_name('-');
    const bool has_prose = std::filesystem::exists(prose_path(root, name));
    auto prose = has_prose ? read_prose(root, name) : Prose{main_prose->date, {}};
    if (!prose) return std::move(prose).error();
    files.push_back({fmt::format("man/plumb-{}.1", name), man_page(c, *prose, *shared)});
  }
  files.push_back({"completions/plumb.bash", bash_completion(commands)});
  files.push_back({"completions/_plumb", zsh_completion(commands)});
  files.push_back({"completions/plumb.fish", fish_completion(commands)});
  return files;
}

int failed(const Error& error) {
  say("plumb_generate: {}{}{}", error.what, error.why.empty() ? "" : ": ", error.why);
  return 1;
}

int write(const std::string& root, const std::vector<GeneratedFile>& files) {
  for (const GeneratedFile& f : files) {
    std::ofstream out(root + "/" + f.path, std::ios::binary | std::ios::trunc);
    out << f.text;
    if (!out.flush()) return failed({"cannot write " + f.path});
  }
  return 0;
}

int check(const std::string& root, const std::vector<GeneratedFile>& files) {
  int stale = 0;
  for (const GeneratedFile& f : files) {
    const auto committed = read_file(root + "/" + f.path);
    if (committed && *committed == f.text) continue;
    say("{} differs from a fresh generation", f.path);
    ++stale;
  }
  if (stale != 0) say("run: cmake --build BUILD-DIRECTORY --target generate");
  return stale == 0 ? 0 : 1;
}

}  // namespace
}  // namespace plumb

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool check = !arguments.empty() && arguments.front() == "--check";
  if (arguments.size() != (check ? 2U : 1U)) {
    plumb::say("usage: plumb_generate [--check] SOURCE_DIRECTORY");
    return 2;
  }
  const auto files = plumb::generate(arguments.back());
  if (!files) return plumb::failed(files.error());
  return check ? plumb::check(arguments.back(), *files) : plumb::write(arguments.back(), *files);
}
