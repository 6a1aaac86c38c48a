// verify_programs OBJECT.bpf.o...: whether this kernel's verifier accepts every program of the objects, those
// of variants that nothing chooses included, in whatever way a run may set their constants.
//
// An object's programs are loaded together; if that fails, each alone, to know which. Their constants (const volatile, the switches of a tool) are hidden from the
// verifier: with a map of constants that BPF may write to it knows no value, follows both sides of every
// branch, and so proves all combinations of switches at once. Nothing is attached.
//
// A line a program: "tcpconnect connect_v4_exit ok 1234 instructions", "... absent WHY" where the kernel has
// not what it attaches to, or refuses all programs of its kind, or "... FAIL" with the end of the log.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probe/features.h"
#include "probe/object_types.h"
#include "probe/privileges.h"
#include "probe/skeleton.h"

namespace {

using namespace plumb;

struct Close {
  void operator()(bpf_object* o) const { bpf_object__close(o); }
};
using Object = std::unique_ptr<bpf_object, Close>;

// Whether the kernel has what a program of this section attaches to. Sections that it does not know: yes.
Feature attachable(Features& features, std::string_view section) {
  const std::size_t slash = std::min(section.find('/'), section.size());
  const std::string_view kind = section.substr(0, slash);
  const std::string_view target = section.substr(std::min(slash + 1, section.size()));
  if (kind == "tp_btf") return features.tracepoint(target);
  if (kind == "fentry" || kind == "fexit") return features.fentry(target);
  if (kind == "iter") return features.iterator(target);
  if (kind == "kprobe" || kind == "kretprobe") return features.kprobe();
  return {true};
}

// A call of a helper with a number that no helper has (bpf/kfunc.bpf.h). There is one such function so far.
bool calls_kernel_functions(const bpf_program* program) {
  constexpr int kFirstPlaceholder = 0x706c0000;
  const bpf_insn* insns = bpf_program__insns(program);
  return std::any_of(insns, insns + bpf_program__insn_cnt(program), [](const bpf_insn& insn) {
    return insn.code == (BPF_JMP | BPF_CALL) && insn.src_reg == 0 && insn.imm >= kFirstPlaceholder;
  });
}

void hide_constants(bpf_object* object) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (std::string_view(bpf_map__name(map)).starts_with(".rodata.")) continue;  // formats, which nobody sets
    bpf_map__set_map_flags(map, bpf_map__map_flags(map) & ~std::uint32_t{BPF_F_RDONLY_PROG});
  }
}

// How much the verifier had to walk, of the million that it would; "ok" alone before Linux 5.16, which does
// not tell.
std::string accepted(const bpf_program* program) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof info;
  const bool told =
      bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) == 0 && info.verified_insns != 0;
  return told ? "ok " + std::to_string(info.verified_insns) + " instructions" : "ok";
}

std::string last_lines(std::string_view text, std::size_t lines) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  std::size_t at = text.size();
  while (lines-- > 0 && at != std::string_view::npos && at != 0) at = text.rfind('\n', at - 1);
  return std::string(at == std::string_view::npos ? text : text.substr(at));
}

// Opened, to load just these programs.
Object open_for(const char* path, const std::vector<std::string>& programs, const KernelBtf& kernel) {
  Object object(bpf_object__open_file(path, nullptr));
  bpf_program* p = nullptr;
  bpf_object__for_each_program(p, object.get()) {
    const bool wanted = std::ranges::find(programs, bpf_program__name(p)) != programs.end();
    bpf_program__set_autoload(p, wanted);
    if (wanted) put_in_kernel_functions(p, kernel);
  }
  hide_constants(object.get());
  return object;
}

// False, and nothing is said: the verifier refuses one of them at least.
bool verify_together(const char* path, const std::string& name, const std::vector<std::string>& programs,
                     const KernelBtf& kernel) {
  const Object object = open_for(path, programs, kernel);
  if (bpf_object__load(object.get()) != 0) {
    LibbpfLog::take();
    return false;
  }
  for (const std::string& program : programs) {
    const bpf_program* p = bpf_object__find_program_by_name(object.get(), program.c_str());
    std::printf("%s %s %s\n", name.c_str(), program.c_str(), accepted(p).c_str());
  }
  return true;
}

bool verify(const char* path, const std::string& name, const std::string& program_name,
            const KernelBtf& kernel) {
  const Object object = open_for(path, {program_name}, kernel);
  bpf_program* wanted = bpf_object__find_program_by_name(object.get(), program_name.c_str());
  std::vector<char> log(std::size_t{16} << 20);
  bpf_program__set_log_buf(wanted, log.data(), log.size());
  LibbpfLog::take();
  if (const int e = bpf_object__load(object.get()); e != 0) {
    const std::string said = log[0] != '\0' ? std::string(log.data()) : LibbpfLog::take();
    std::printf("%s %s FAIL %s\n%s\n", name.c_str(), program_name.c_str(), errno_text(-e).c_str(),
                last_lines(said, 20).c_str());
    return false;
  }
  std::printf("%s %s %s\n", name.c_str(), program_name.c_str(), accepted(wanted).c_str());
  return true;
}

bool verify_object(const char* path, Features& features, const KernelBtf& kernel) {
  const Object object(bpf_object__open_file(path, nullptr));
  if (object == nullptr) {
    std::fprintf(stderr, "verify_programs: %s: %s\n", path, errno_text(errno).c_str());
    return false;
  }
  std::string name = path;
  name.erase(0, name.rfind('/') + 1);
  name.erase(std::min(name.find('.'), name.size()));
  std::vector<std::string> programs;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    Feature there = attachable(features, bpf_program__section_name(program));
    if (there.works && calls_kernel_functions(program)) there = features.packet_views();
    if (there.works) {
      programs.emplace_back(bpf_program__name(program));
    } else {
      std::printf("%s %s absent %s\n", name.c_str(), bpf_program__name(program), there.why.c_str());
    }
  }
  if (programs.empty() || verify_together(path, name, programs, kernel)) return true;
  bool good = true;
  for (const std::string& p : programs) good = verify(path, name, p, kernel) && good;
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  LibbpfLog::capture(false);
  raise_memlock_limit();
  Features features;
  const auto kernel = features.kernel_types();
  if (!kernel) return EXIT_FAILURE;
  bool good = argc > 1;
  for (int i = 1; i < argc; ++i) good = verify_object(argv[i], features, **kernel) && good;
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
