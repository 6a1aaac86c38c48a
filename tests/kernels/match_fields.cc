// match_fields BTF OBJECT.bpf.o...: whether a kernel that is not running has what the objects read. BTF is a
// file with that kernel's types, or its unpacked image.
//
// libbpf itself matches the objects' relocations, and says in its debugging messages what became of each. A
// member that the kernel lacks is a mistake unless the same program asks for it first: a type, member or
// enumerator that the kernel was found not to have (bpf_core_type_exists and the like) guards what is below
// it. A helper younger than the oldest kernel that plumb runs on must be asked for in the same way.
//
// A line an object: "tcpconnect ok 321 relocations", or "tcpconnect FAIL" and a line for each mistake; then a
// line for each question, "has struct mptcp_sock" or "lacks ...": one that no kernel answers with yes guards
// what never runs. Needs
// root, for libbpf creates the maps before it matches anything; what it loads after is gone at once.
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace {

using namespace plumb;

// include/uapi/linux/bpf.h of Linux 5.8 ends with csum_level, 135; skc_to_tcp6_sock followed.
constexpr int kLastHelper = BPF_FUNC_csum_level;

std::string& messages() {
  static std::string text;
  return text;
}

int keep_message(libbpf_print_level, const char* format, va_list args) {
  char line[1024];
  const int n = std::vsnprintf(line, sizeof line, format, args);
  messages() += line;
  return n;
}

struct Close {
  void operator()(bpf_object* o) const { bpf_object__close(o); }
};

// One relocation: "field_exists" of "struct sock.sk_err", "type_exists" of "struct mptcp_sock",
// "enumval_exists" of "enum bpf_func_id::BPF_FUNC_skc_to_tcp_sock = 137".
struct Relocation {
  std::string kind, of;
  bool missing = false;

  bool asks() const { return kind.ends_with("_exists"); }
};
using Relocations = std::map<std::pair<std::string, int>, Relocation>;  // by program and number in it

// The text between two marks, or empty.
std::string_view between(std::string_view text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + from.size());
  return text.substr(0, text.find(to));
}

// "struct sock___old.sk_err" without its flavor, which tells views of one type apart.
std::string without_flavor(std::string text) {
  const std::size_t at = text.find("___");
  if (at != std::string::npos) text.erase(at, text.find_first_of(".: ", at) - at);
  return text;
}

// Of libbpf 1.1's messages:
//   libbpf: prog 'state_changed': relo #3: <byte_off> [12] struct sock.sk_err (0:4 @ offset 28)
//   libbpf: prog 'state_changed': relo #3: no matching targets found
Relocations read_messages(std::string_view text) {
  Relocations out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::string_view program = between(line, "prog '", "'");
    const std::string_view number = between(line, "': relo #", ":");
    if (program.empty() || number.empty()) continue;
    Relocation& r = out[{std::string(program), std::atoi(std::string(number).c_str())}];
    const std::string_view said = line.substr(line.find(number, line.find("': relo #")) + number.size());
    if (said.starts_with(": <")) {
      r.kind = between(said, "<", ">");
      r.of = without_flavor(std::string(between(said, "] ", " (")));
    }
    if (said.starts_with(": no matching targets found")) r.missing = true;
  }
  return out;
}

// Whether `of` is `asked` or a part of it.
bool is_below(std::string_view of, std::string_view asked) {
  return of.starts_with(asked) &&
         (of.size() == asked.size() || of[asked.size()] == '.' || of[asked.size()] == ':');
}

bool is_guarded(const Relocations& all, const std::string& program, const Relocation& missing) {
  for (const auto& [where, r] : all) {
    if (where.first == program && r.asks() && r.missing && is_below(missing.of, r.of)) return true;
  }
  return false;
}

std::vector<std::string> missing_fields(const Relocations& all) {
  std::set<std::string> out;
  for (const auto& [where, r] : all) {
    if (r.missing && !r.asks() && !is_guarded(all, where.first, r))
      out.insert(where.first + ": this kernel has no " + r.of + ", and nothing asks whether it has");
  }
  return {out.begin(), out.end()};
}

// Helpers that the oldest kernel lacks and that the program calls without asking. libbpf appends the functions that a
// program calls to it, but reports what is asked in them under their own names.
void add_young_helpers(const bpf_object* object, const bpf_program* program, const Relocations& all,
                       std::vector<std::string>& out) {
  const std::string name = bpf_program__name(program);
  const bpf_insn* insns = bpf_program__insns(program);
  std::set<int> young;
  for (std::size_t i = 0; i < bpf_program__insn_cnt(program); ++i) {
    const bool calls = insns[i].code == (BPF_JMP | BPF_CALL) && insns[i].src_reg == 0;
    if (calls && insns[i].imm > kLastHelper && insns[i].imm < __BPF_FUNC_MAX_ID) young.insert(insns[i].imm);
  }
  for (const int helper : young) {
    const std::string number = " = " + std::to_string(helper);
    bool asked = false;
    for (const auto& [where, r] : all) {
      const bool here =
          where.first == name || bpf_object__find_program_by_name(object, where.first.c_str()) == nullptr;
      if (here && r.kind == "enumval_exists" && r.of.ends_with(number)) asked = true;
    }
    if (!asked)
      out.push_back(name + ": helper " + std::to_string(helper) +
                    " is younger than Linux 5.8, and nothing asks");
  }
}

bool match(const char* kernel_types, const char* path) {
  std::string name = path;
  name.erase(0, name.rfind('/') + 1);
  name.erase(std::min(name.find('.'), name.size()));
  LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = kernel_types);
  messages().clear();
  const std::unique_ptr<bpf_object, Close> object(bpf_object__open_file(path, &options));
  if (object == nullptr) {
    std::printf("%s FAIL it cannot be opened: %s\n", name.c_str(), errno_text(errno).c_str());
    return false;
  }
  std::vector<std::string> mistakes;
  bpf_object__load(object.get());  // this kernel may refuse what was relocated for another one
  const Relocations all = read_messages(messages());
  for (const auto& line : missing_fields(all)) mistakes.push_back(line);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) add_young_helpers(object.get(), program, all, mistakes);
  if (all.empty()) mistakes.emplace_back("libbpf matched nothing: " + messages().substr(0, 500));
  std::printf("%s %s %zu relocations\n", name.c_str(), mistakes.empty() ? "ok" : "FAIL", all.size());
  for (const std::string& line : mistakes) std::printf("  %s\n", line.c_str());
  std::set<std::string> answers;
  for (const auto& [where, r] : all) {
    if (r.asks()) answers.insert((r.missing ? "lacks " : "has ") + r.of);
  }
  for (const std::string& line : answers) std::printf("%s\n", line.c_str());
  return mistakes.empty();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: match_fields BTF OBJECT.bpf.o...\n");
    return EXIT_FAILURE;
  }
  libbpf_set_print(keep_message);
  bool good = true;
  for (int i = 2; i < argc; ++i) good = match(argv[1], argv[i]) && good;
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
