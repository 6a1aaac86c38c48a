#include "probe/features.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <iterator>
#include <map>
#include <optional>

#include "base/fd.h"
#include "probe/kernel_btf.h"
#include "probe/privileges.h"

namespace plumb {
namespace {

constexpr const char* kLicense = "Dual MIT/GPL";
constexpr const char* kProbeName = "plumb_probe";
constexpr int kNotSupported = 524;  // ENOTSUPP, which is the kernel's alone (include/linux/errno.h)

// Instructions as the kernel's own macros write them (samples/bpf/bpf_insn.h).
template <unsigned Register>
constexpr bpf_insn set(int value) {
  return {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = Register, .imm = value};
}
constexpr bpf_insn kExit{.code = BPF_JMP | BPF_EXIT};
constexpr bpf_insn kReturnNothing[] = {set<BPF_REG_0>(0), kExit};

Feature yes() {
  return {true, {}};
}

struct FreeBtf {
  void operator()(btf* b) const { btf__free(b); }
};

// BTF with one type, int: some maps must describe their keys and values.
std::unique_ptr<btf, FreeBtf> btf_of_int() {
  std::unique_ptr<btf, FreeBtf> types(btf__new_empty());
  if (types == nullptr || btf__add_int(types.get(), "int", 4, BTF_INT_SIGNED) != 1) return nullptr;
  if (btf__load_into_kernel(types.get()) != 0) return nullptr;
  return types;
}

std::string first_line(const char* path) {
  const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  char text[64];
  const ssize_t n = fd ? ::read(fd.get(), text, sizeof text) : 0;
  const std::string_view all(text, n > 0 ? static_cast<std::size_t>(n) : 0);
  return std::string(all.substr(0, all.find('\n')));
}

}  // namespace

struct Features::State {
  std::optional<Result<KernelBtf>> kernel;
  std::optional<Privileges> privileges;
  std::map<std::string, Feature, std::less<>> answers;
  std::optional<Feature> no_fentry;  // such programs are refused whatever the function: EPERM

  template <class F>
  Feature answer(std::string question, F probe);
  Feature refused(const std::string& what, int error);
  // Loads two instructions that attach to `target`. `missing` says that there is no such target.
  Feature load_tracing(bpf_attach_type attach, const std::string& target, const std::string& what,
                       const std::string& missing);
  const Result<KernelBtf>& kernel_types();
  Feature find(bpf_attach_type attach, const std::string& target, const std::string& missing,
               std::uint32_t& id);
  Feature load_socket_storage(bool in_cgroup);
  Feature load_packet_views();
  Feature load_kernel_reads();
  Feature open_kprobe();
};

Features::Features() : state_(std::make_unique<State>()) {}
Features::~Features() = default;
Features::Features(Features&&) noexcept = default;

template <class F>
Feature Features::State::answer(std::string question, F probe) {
  if (const auto it = answers.find(question); it != answers.end()) return it->second;
  const auto before = std::chrono::steady_clock::now();
  Feature feature = probe();
  const auto took = std::chrono::steady_clock::now() - before;
  feature.probe_us =
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
  return answers.emplace(std::move(question), std::move(feature)).first->second;
}

// A refusal, with the privileges that we lack where they may be the reason.
Feature Features::State::refused(const std::string& what, int error) {
  Feature feature{false, what + ": " + errno_text(error), error};
  if (error == EPERM || error == EACCES) {
    if (!privileges) privileges = own_privileges();
    const auto missing = missing_for_tracing(*privileges);
    if (!missing.empty()) feature.why += "; missing: " + capability_list(missing);
  }
  return feature;
}

const Result<KernelBtf>& Features::State::kernel_types() {
  if (!kernel) kernel.emplace(KernelBtf::load());
  return *kernel;
}

Result<const KernelBtf*> Features::kernel_types() {
  const Result<KernelBtf>& types = state_->kernel_types();
  if (!types) return types.error();
  return &*types;
}

Feature Features::State::find(bpf_attach_type attach, const std::string& target, const std::string& missing,
                              std::uint32_t& id) {
  const Result<KernelBtf>& types = kernel_types();
  if (!types) return {false, types.error().why, ENOENT};
  id = types->find_target(attach, target);
  return id != 0 ? yes() : Feature{false, missing, ENOENT};
}

Feature Features::State::load_tracing(bpf_attach_type attach, const std::string& target,
                                      const std::string& what, const std::string& missing) {
  LIBBPF_OPTS(bpf_prog_load_opts, options);
  std::uint32_t id = 0;
  if (Feature found = find(attach, target, missing, id); !found.works) return found;
  options.expected_attach_type = attach;
  options.attach_btf_id = id;
  const int fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, kProbeName, kLicense, kReturnNothing, 2, &options);
  if (fd < 0) return refused(what + " refused", -fd);
  const UniqueFd close_it(fd);
#if defined(__aarch64__)
  // Before Linux 6.4 these kernels take such programs and refuse to attach them: ENOTSUPP (commit 2aa6ac03516d).
  if (attach == BPF_TRACE_FENTRY) {
    const int link = bpf_raw_tracepoint_open(nullptr, fd);
    if (link < 0)
      return refused(what + " refused when attached, on arm64 before Linux 6.4",
                     link == -kNotSupported ? EOPNOTSUPP : -link);
    const UniqueFd detach_it(link);
  }
#endif
  return yes();
}

// A tracepoint of a module stands in the module's BTF, not in the kernel's: plumb uses none of these.
Feature Features::tracepoint(std::string_view name) {
  const std::string target(name);
  const std::string missing = "no tracepoint " + target + " in this kernel's BTF";
  return state_->answer("tp " + target, [&]() -> Feature {
    std::uint32_t id = 0;
    if (Feature found = state_->find(BPF_TRACE_RAW_TP, target, missing, id); !found.works) return found;
    // Whether such programs may be loaded does not depend on the tracepoint: tried once.
    Feature loads = state_->answer(
        "tp", [&] { return state_->load_tracing(BPF_TRACE_RAW_TP, target, "tp_btf programs are", missing); });
    return loads;
  });
}

Feature Features::fentry(std::string_view function) {
  if (state_->no_fentry) return *state_->no_fentry;
  const std::string target(function);
  Feature answer = state_->answer("fentry " + target, [&] {
    return state_->load_tracing(BPF_TRACE_FENTRY, target, "fentry programs are",
                                "no function " + target + " in this kernel's BTF");
  });
  if (answer.error == EPERM || answer.error == EOPNOTSUPP) state_->no_fentry = answer;
  return answer;
}

Feature Features::iterator(std::string_view name) {
  const std::string target(name);
  return state_->answer("iter " + target, [&] {
    return state_->load_tracing(BPF_TRACE_ITER, target, "iter/" + target + " programs are",
                                "no iterator over " + target + " in this kernel's BTF");
  });
}

Feature Features::ring_buffer() {
  return state_->answer("ring buffer", [&]() -> Feature {
    const auto page = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));
    const int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, kProbeName, 0, 0, page, nullptr);
    if (fd < 0) return state_->refused("ring buffers are refused", -fd);
    const UniqueFd close_it(fd);
    return yes();
  });
}

Feature Features::packet_views() {
  return state_->answer("packet views", [&] { return state_->load_packet_views(); });
}

// Since Linux 7.0 tracepoints are guarded by SRCU in its fast form, no longer by preemption being off. That form came with
// this function, one version before.
Feature Features::preemptible_tracepoints() {
  return state_->answer("preemptible tracepoints", [&]() -> Feature {
    const Result<KernelBtf>& types = state_->kernel_types();
    if (!types) return {false, types.error().why, ENOENT};
    if (types->find("init_srcu_struct_fast", BTF_KIND_FUNC) != 0) return yes();
    return {false, "tracepoints switch preemption off in this kernel", ENOENT};
  });
}

// The function is there from Linux 6.4, open to tracepoints from 6.12.
Feature Features::State::load_packet_views() {
  const std::string target = "netif_receive_skb";
  std::uint32_t id = 0;
  if (Feature found = find(BPF_TRACE_RAW_TP, target, "no tracepoint " + target, id); !found.works)
    return found;
  const std::uint32_t function = kernel_types()->find("bpf_dynptr_from_skb", BTF_KIND_FUNC);
  if (function == 0) return {false, "no function bpf_dynptr_from_skb in this kernel's BTF", ENOENT};
  constexpr std::uint8_t kPseudoKfuncCall = 2;  // BPF_PSEUDO_KFUNC_CALL
  const bpf_insn program[] = {
      {.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_1},
      set<BPF_REG_2>(0),
      {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_3, .src_reg = BPF_REG_10},
      {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_3, .imm = -16},
      {.code = BPF_JMP | BPF_CALL, .src_reg = kPseudoKfuncCall, .imm = static_cast<int>(function)},
      set<BPF_REG_0>(0),
      kExit,
  };
  LIBBPF_OPTS(bpf_prog_load_opts, options);
  options.expected_attach_type = BPF_TRACE_RAW_TP;
  options.attach_btf_id = id;
  const int fd =
      bpf_prog_load(BPF_PROG_TYPE_TRACING, kProbeName, kLicense, program, std::size(program), &options);
  if (fd < 0) return refused("bpf_dynptr_from_skb is refused to tp_btf programs", -fd);
  const UniqueFd close_it(fd);
  return yes();
}

Feature Features::kernel_reads() {
  return state_->answer("kernel reads", [&] { return state_->load_kernel_reads(); });
}

// Where the kernel is locked down the verifier does not know the function: EINVAL, with no word on why.
Feature Features::State::load_kernel_reads() {
  const bpf_insn program[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_10},
      {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_1, .imm = -8},
      set<BPF_REG_2>(8),
      set<BPF_REG_3>(0),
      {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel},
      set<BPF_REG_0>(0),
      kExit,
  };
  const int fd =
      bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, kProbeName, kLicense, program, std::size(program), nullptr);
  if (fd == -EINVAL) {
    if (!privileges) privileges = own_privileges();
    const std::string& mode = privileges->lockdown;
    return {false,
            "the kernel is locked down" + (mode.empty() ? "" : " (" + mode + ")") +
                ", so that BPF may not read its memory",
            EINVAL};
  }
  if (fd < 0) return refused("BPF programs that read the kernel's memory are refused", -fd);
  const UniqueFd close_it(fd);
  return yes();
}

Result<void> Features::essentials() {
  if (auto types = kernel_types(); !types) return std::move(types).error();
  struct Essential {
    Feature feature;
    std::string_view hint;
  };
  for (const auto& [feature, hint] :
       {Essential{ring_buffer(), "it takes Linux 5.8 or later"}, Essential{kernel_reads(), kNotLockedDown}}) {
    if (feature.works) continue;
    if (feature.error == EPERM || feature.error == EACCES)
      return plumb::refused("cannot trace", feature.error, own_privileges());
    return Error{"cannot trace", feature.why, std::string(hint)};
  }
  return {};
}

Feature Features::socket_storage() {
  return state_->answer("socket storage", [&] { return state_->load_socket_storage(false); });
}

Feature Features::cgroup_sockets() {
  return state_->answer("cgroup sockets", [&] { return state_->load_socket_storage(true); });
}

// Tracing programs may use it since Linux 5.11. Before, the verifier does not know the function in them. In a
// cgroup's program the context is the socket.
Feature Features::State::load_socket_storage(bool in_cgroup) {
  LIBBPF_OPTS(bpf_map_create_opts, map_options);
  LIBBPF_OPTS(bpf_prog_load_opts, options);
  std::uint32_t id = 0;
  if (Feature f = find(BPF_TRACE_RAW_TP, "inet_sock_set_state", "no tracepoint to try it in", id); !f.works)
    return f;
  const auto types = btf_of_int();
  if (types == nullptr) return refused("BTF for the storage is refused", errno);
  map_options.map_flags = BPF_F_NO_PREALLOC;
  map_options.btf_fd = static_cast<std::uint32_t>(btf__fd(types.get()));
  map_options.btf_key_type_id = 1;
  map_options.btf_value_type_id = 1;
  const UniqueFd map(bpf_map_create(BPF_MAP_TYPE_SK_STORAGE, kProbeName, 4, 4, 0, &map_options));
  if (!map) return refused("socket storage is refused", errno);
  const bpf_insn first_argument{
      .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_1};
  const bpf_insn context{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_1};
  const bpf_insn program[] = {
      in_cgroup ? context : first_argument,                                 // r2 = the socket
      {.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_2, .off = 5},  // null: to the end
      {.code = BPF_LD | BPF_DW | BPF_IMM,
       .dst_reg = BPF_REG_1,
       .src_reg = BPF_PSEUDO_MAP_FD,
       .imm = map.get()},
      {},  // second half of the one above
      set<BPF_REG_3>(0),
      set<BPF_REG_4>(0),
      {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_sk_storage_get},
      set<BPF_REG_0>(1),  // of a cgroup's program: the call may go on
      kExit,
  };
  options.expected_attach_type = in_cgroup ? BPF_CGROUP_INET_SOCK_CREATE : BPF_TRACE_RAW_TP;
  options.attach_btf_id = in_cgroup ? 0 : id;
  const int fd = bpf_prog_load(in_cgroup ? BPF_PROG_TYPE_CGROUP_SOCK : BPF_PROG_TYPE_TRACING, kProbeName,
                               kLicense, program, std::size(program), &options);
  const std::string where = in_cgroup ? "programs of cgroups" : "tracing programs";
  if (fd == -EINVAL) return {false, "this kernel has no socket storage in " + where, EINVAL};
  if (fd < 0) return refused("socket storage in " + where + " is refused", -fd);
  const UniqueFd close_it(fd);
  return yes();
}

Feature Features::kprobe() {
  return state_->answer("kprobe", [&] { return state_->open_kprobe(); });
}

// Opens a kprobe on a function that does not exist: the kernel checks everything else first and then answers
// ENOENT, so that nothing is patched and nothing has to be waited for (removing a real probe waits for a
// grace period).
Feature Features::State::open_kprobe() {
  const std::string type = first_line("/sys/bus/event_source/devices/kprobe/type");
  perf_event_attr attributes{};
  const auto [end, bad] = std::from_chars(type.data(), type.data() + type.size(), attributes.type);
  if (type.empty() || bad != std::errc{}) return {false, "this kernel is built without kprobes", ENOENT};
  if (!privileges) privileges = own_privileges();
  if (privileges->lockdown == "confidentiality")
    return {false, "kprobes are refused: the kernel is locked down", EPERM};
  attributes.size = sizeof attributes;
  attributes.disabled = 1;
  attributes.config1 = reinterpret_cast<std::uint64_t>("plumb_no_such_function");
  const auto opened = ::syscall(SYS_perf_event_open, &attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
  const int error = errno;
  const UniqueFd close_event(static_cast<int>(opened));
  if (opened < 0 && error != ENOENT) return refused("kprobes are refused", error);
  const int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, kProbeName, kLicense, kReturnNothing, 2, nullptr);
  if (fd < 0) return refused("kprobe programs are refused", -fd);
  const UniqueFd close_it(fd);
  return yes();
}

}  // namespace plumb
