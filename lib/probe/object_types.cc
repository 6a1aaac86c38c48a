// libbpf resolves two things against the kernel's types: CO-RE relocations, and the id of what a tracing program attaches
// to. For both it reads all of /sys/kernel/btf/vmlinux, indexes its 130,000 types, and compares the name of each with each
// name that the object uses: 15 ms of the start, most of it for types that no program of ours has heard of.
//
// For relocations there is a door: btf_custom_path takes a file, and fill() writes one in memory that holds just the types
// that the object names. For attach ids there is none. As soon as an object has a tracing program, libbpf loads all types
// (obj_needs_vmlinux_btf, prog_needs_vmlinux_btf), whatever file relocations go by; and a custom BTF is not asked for attach
// ids, rightly, since its ids are not the kernel's. The one exception is a program that attaches to another BPF program:
// its types are that program's.
//
// So each tracing section gets a handler of ours (libbpf_register_prog_handler, made for sections of one's own; the newest
// handler of a pattern wins). It tells libbpf at open that the program attaches to some BPF program, and puts the truth in
// its place in the last call before BPF_PROG_LOAD: no such program, and the id that KernelBtf found.
//
// Why it is global to the process: libbpf keeps handlers in one table for all objects, and gives them a cookie that is
// fixed when they are registered, long before there is an object. Which kernel types an answer comes from is therefore
// said beside it (kernel_of_load), by fill(), between the opening of an object and its load. Objects are opened and loaded one
// after the other in one thread; nobody else in this process loads tracing programs by libbpf.
//
// Why not simpler ways: a kernel BTF cut down to what is needed has other ids; loading by bpf(2) ourselves means to write
// relocations, maps and function information ourselves; a patched libbpf is no package of the distribution.
//
// What it leans on, of libbpf 1.1: prog_setup_fn comes before the question whether vmlinux is needed, prog_prepare_load_fn
// after everything else. Should another libbpf differ, or to find out whether a failure is ours: PLUMB_KERNEL_TYPES=libbpf
// leaves all to libbpf.
#include "probe/object_types.h"

#include <bpf/btf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <bitset>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace plumb {
namespace {

struct Section {
  const char* pattern;  // as libbpf_register_prog_handler takes it
  bpf_attach_type attach;
};
constexpr auto kSections = std::to_array<Section>({
    {"tp_btf+", BPF_TRACE_RAW_TP},
    {"fentry+", BPF_TRACE_FENTRY},
    {"fexit+", BPF_TRACE_FEXIT},
    {"iter+", BPF_TRACE_ITER},
});

// Handlers belong to the process; what they answer with, to the object that is being loaded.
const KernelBtf* kernel_of_load = nullptr;

// libbpf reads all of the kernel's types for a tracing program, unless it attaches to another BPF program. So
// it is told that it does, by any descriptor, until prepare_load() gives the truth.
int setup(bpf_program* program, long) {
  constexpr int kSomeDescriptor = 1;
  return bpf_program__set_attach_target(program, kSomeDescriptor, nullptr);
}

// bpf/kfunc.bpf.h: calls of helpers with these numbers are calls of kernel functions.
struct KernelFunction {
  int placeholder;
  std::string_view name;
};
constexpr auto kKernelFunctions = std::to_array<KernelFunction>({
    {0x706c0001, "bpf_dynptr_from_skb"},
});

int prepare_load(bpf_program* program, bpf_prog_load_opts* options, long) {
  if (kernel_of_load != nullptr) put_in_kernel_functions(program, *kernel_of_load);
  std::string_view target = bpf_program__section_name(program);
  target.remove_prefix(std::min(target.find('/') + 1, target.size()));
  options->attach_prog_fd = 0;
  options->attach_btf_id =
      kernel_of_load == nullptr
          ? 0
          : kernel_of_load->find_target(bpf_program__expected_attach_type(program), target);
  return options->attach_btf_id == 0 ? -ESRCH : 0;
}

int attach(const bpf_program* program, long, bpf_link** link) {
  *link = bpf_program__expected_attach_type(program) == BPF_TRACE_ITER
              ? bpf_program__attach_iter(program, nullptr)
              : bpf_program__attach_trace(program);
  return *link == nullptr ? -errno : 0;
}

bool left_to_libbpf() {
  static const bool left = [] {
    const char* who = std::getenv("PLUMB_KERNEL_TYPES");
    return who != nullptr && std::string_view(who) == "libbpf";
  }();
  return left;
}

int register_handlers() {
  LIBBPF_OPTS(libbpf_prog_handler_opts, options);
  options.prog_setup_fn = setup;
  options.prog_prepare_load_fn = prepare_load;
  options.prog_attach_fn = attach;
  for (const Section& section : kSections) {
    const int id =
        libbpf_register_prog_handler(section.pattern, BPF_PROG_TYPE_TRACING, section.attach, &options);
    if (id < 0) return id;
  }
  return 0;
}

// Names by their first three letters: most of the kernel's 60,000 are told apart by these, without a look-up.
class Beginnings {
 public:
  void add(std::string_view name) {
    for (const std::string_view after :
         {std::string_view{}, std::string_view("___")}) {  // a flavour may follow
      begins_.set(place(std::string(name) + std::string(after)));
    }
  }
  bool may_have(std::string_view name) const { return begins_.test(place(name)); }

 private:
  static constexpr std::size_t kPlaces = 1 << 15;
  static std::size_t place(std::string_view name) {
    std::size_t place = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      place = place * 33 + (i < name.size() ? static_cast<unsigned char>(name[i]) : 0U);
    }
    return place % kPlaces;
  }
  std::bitset<kPlaces> begins_;
};

Error no_types(int error) {
  return {"cannot hand the kernel's types to libbpf", errno_text(error)};
}

}  // namespace

bool put_in_kernel_functions(bpf_program* program, const KernelBtf& kernel) {
  constexpr std::uint8_t kCall = BPF_JMP | BPF_CALL;
  constexpr std::uint8_t kPseudoKfuncCall = 2;  // BPF_PSEUDO_KFUNC_CALL, Linux 5.13
  bool good = true;
  auto* insn = const_cast<bpf_insn*>(bpf_program__insns(program));
  for (bpf_insn* const end = insn + bpf_program__insn_cnt(program); insn != end; ++insn) {
    if (insn->code != kCall || insn->src_reg != 0) continue;
    for (const KernelFunction& f : kKernelFunctions) {
      if (insn->imm != f.placeholder) continue;
      const std::uint32_t id = kernel.find(f.name, BTF_KIND_FUNC);
      good = good && id != 0;
      if (id == 0) continue;
      insn->src_reg = kPseudoKfuncCall;
      insn->imm = static_cast<int>(id);
    }
  }
  return good;
}

Result<ObjectTypes> ObjectTypes::create() {
  if (left_to_libbpf()) return ObjectTypes{};
  static const int registered = register_handlers();
  if (registered < 0) return no_types(-registered);
  ObjectTypes out;
  out.file_ = UniqueFd(::memfd_create("plumb-types", MFD_CLOEXEC));
  if (!out.file_) return no_types(errno);
  out.path_ = "/proc/self/fd/" + std::to_string(out.file_.get());
  return out;
}

bpf_object_open_opts ObjectTypes::open_options() const {
  LIBBPF_OPTS(bpf_object_open_opts, options);
  if (!path_.empty()) options.btf_custom_path = path_.c_str();
  return options;
}

Result<void> ObjectTypes::fill(bpf_object* object, const KernelBtf& kernel) {
  if (path_.empty()) {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object) put_in_kernel_functions(program, kernel);
    return {};
  }
  const btf* own = bpf_object__btf(object);
  std::unordered_set<std::string_view> names;
  Beginnings beginnings;
  for (std::uint32_t id = 1; own != nullptr && id < btf__type_cnt(own); ++id) {
    const btf_type* type = btf__type_by_id(own, id);
    if (btf_is_composite(type) || btf_is_any_enum(type) || btf_is_typedef(type)) {
      const std::string_view name = without_flavour(btf__name_by_offset(own, type->name_off));
      names.insert(name);
      beginnings.add(name);
    }
  }
  const std::vector<char> bytes = kernel.subset([&](std::string_view name) {
    return beginnings.may_have(name) && names.contains(without_flavour(name));
  });
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t n = ::pwrite(file_.get(), bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return no_types(errno);
    at += static_cast<std::size_t>(n);
  }
  kernel_of_load = &kernel;
  return {};
}

}  // namespace plumb
