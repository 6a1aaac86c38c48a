#include "probe/kernel_btf.h"

#include <bpf/btf.h>
#include <doctest/doctest.h>
#include <linux/btf.h>

#include <memory>
#include <string>

using namespace plumb;

namespace {

std::vector<char> raw(const btf* types) {
  std::uint32_t size = 0;
  const auto* bytes = static_cast<const char*>(btf__raw_data(types, &size));
  return {bytes, bytes + size};
}

// BTF with a type of every kind that libbpf can write, for the walk to step over.
std::vector<char> sample() {
  const std::unique_ptr<btf, void (*)(btf*)> b(btf__new_empty(), btf__free);
  const int i = btf__add_int(b.get(), "int", 4, BTF_INT_SIGNED);
  btf__add_ptr(b.get(), i);
  btf__add_array(b.get(), i, i, 7);
  btf__add_struct(b.get(), "pair", 8);
  btf__add_field(b.get(), "left", i, 0, 0);
  btf__add_field(b.get(), "right", i, 32, 0);
  btf__add_union(b.get(), "either", 4);
  btf__add_field(b.get(), "left", i, 0, 0);
  btf__add_enum(b.get(), "color", 4);
  btf__add_enum_value(b.get(), "red", 1);
  btf__add_enum64(b.get(), "wide", 8, false);
  btf__add_enum64_value(b.get(), "far", 1ULL << 40);
  btf__add_fwd(b.get(), "later", BTF_FWD_STRUCT);
  btf__add_float(b.get(), "double", 8);
  const int proto = btf__add_func_proto(b.get(), i);
  btf__add_func_param(b.get(), "a", i);
  btf__add_func(b.get(), "both", BTF_FUNC_GLOBAL, proto);
  btf__add_typedef(b.get(), "both", i);
  btf__add_var(b.get(), "variable", BTF_VAR_STATIC, i);
  btf__add_datasec(b.get(), ".data", 4);
  btf__add_decl_tag(b.get(), "tag", i, -1);
  btf__add_type_tag(b.get(), "tag", i);
  btf__add_func(b.get(), "last", BTF_FUNC_STATIC, proto);
  return raw(b.get());
}

}  // namespace

TEST_CASE("types are found by name and kind, past types of every kind") {
  const auto kernel = KernelBtf::parse(sample());
  REQUIRE(kernel);
  const std::unique_ptr<btf, void (*)(btf*)> b(
      btf__new(sample().data(), static_cast<std::uint32_t>(sample().size())), btf__free);
  const auto expected = [&](const char* name, std::uint32_t kind) {
    return static_cast<std::uint32_t>(btf__find_by_name_kind(b.get(), name, kind));
  };
  CHECK(kernel->find("int", BTF_KIND_INT) == 1);
  CHECK(kernel->find("both", BTF_KIND_FUNC) == expected("both", BTF_KIND_FUNC));
  CHECK(kernel->find("both", BTF_KIND_TYPEDEF) == expected("both", BTF_KIND_TYPEDEF));
  CHECK(kernel->find("last", BTF_KIND_FUNC) == expected("last", BTF_KIND_FUNC));
  CHECK(kernel->find("both", BTF_KIND_STRUCT) == 0);
  CHECK(kernel->find("bot", BTF_KIND_FUNC) == 0);
  CHECK(kernel->find("oth", BTF_KIND_FUNC) == 0);
  CHECK(kernel->find("", BTF_KIND_FUNC_PROTO) == 0);
}

TEST_CASE("what is cut short or no BTF is an error or finds nothing") {
  const std::vector<char> whole = sample();
  for (std::size_t n = 0; n < whole.size(); ++n) {
    CHECK_FALSE(KernelBtf::parse({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)}).ok());
  }
  // Any single byte changed must not send the walk out of bounds.
  for (std::size_t n = 0; n < whole.size(); ++n) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::vector<char> bytes = whole;
      bytes[n] = static_cast<char>(bytes[n] ^ flip);
      if (const auto kernel = KernelBtf::parse(std::move(bytes)); kernel) {
        CHECK(kernel->find("last", BTF_KIND_FUNC) < 64);
        CHECK(kernel->subset([](std::string_view) { return true; }).size() < 4 * whole.size());
      }
    }
  }
  // A type of a kind to come: what follows it must not be taken for missing.
  std::vector<char> newer = whole;
  constexpr std::size_t kKindOfFirst = sizeof(btf_header) + offsetof(btf_type, info) + 3;
  newer[kKindOfFirst] = 31;
  REQUIRE_FALSE(KernelBtf::parse(newer).ok());
  CHECK(KernelBtf::parse(newer).error().why.find("kind of type") != std::string::npos);
  CHECK_FALSE(KernelBtf::load("/nonexistent").ok());
  CHECK_FALSE(KernelBtf::load("/nonexistent").error().hint.empty());
  CHECK_FALSE(KernelBtf::load("/proc/version").ok());
}

TEST_CASE("what a tracing program attaches to is found as the kernel names it") {
  const std::unique_ptr<btf, void (*)(btf*)> b(btf__new_empty(), btf__free);
  const int proto = btf__add_func_proto(b.get(), 0);
  const int function = btf__add_func(b.get(), "tcp_v4_connect", BTF_FUNC_STATIC, proto);
  const int iterator = btf__add_func(b.get(), "bpf_iter_tcp", BTF_FUNC_STATIC, proto);
  const int arguments = btf__add_func_proto(b.get(), 0);
  for (const char* argument : {"__data", "regs", "ret"}) btf__add_func_param(b.get(), argument, function);
  const int tracepoint = btf__add_typedef(b.get(), "btf_trace_sys_exit", btf__add_ptr(b.get(), arguments));
  btf__add_typedef(b.get(), "btf_trace_odd", function);
  const auto kernel = KernelBtf::parse(raw(b.get()));
  REQUIRE(kernel);
  CHECK(kernel->find_target(BPF_TRACE_FENTRY, "tcp_v4_connect") == static_cast<std::uint32_t>(function));
  CHECK(kernel->find_target(BPF_TRACE_FEXIT, "tcp_v4_connect") == static_cast<std::uint32_t>(function));
  CHECK(kernel->find_target(BPF_TRACE_ITER, "tcp") == static_cast<std::uint32_t>(iterator));
  CHECK(kernel->find_target(BPF_TRACE_RAW_TP, "sys_exit") == static_cast<std::uint32_t>(tracepoint));
  CHECK(kernel->find_target(BPF_TRACE_RAW_TP, "tcp_v4_connect") == 0);
  CHECK(kernel->find_target(BPF_TRACE_FENTRY, "sys_exit") == 0);
  CHECK(kernel->tracepoint_arguments("sys_exit") == 2U);
  CHECK_FALSE(kernel->tracepoint_arguments("odd").has_value());
  CHECK_FALSE(kernel->tracepoint_arguments("nothing").has_value());
}

TEST_CASE("a flavour is what stands after three underscores") {
  CHECK(without_flavour("sock") == "sock");
  CHECK(without_flavour("sock___before_5_11") == "sock");
  CHECK(without_flavour("___sock") == "___sock");
  CHECK(without_flavour("sk__x___a___b") == "sk__x___a");
  CHECK(without_flavour("sock___") == "sock___");
  CHECK(without_flavour("sock____old") == "sock____old");
}

TEST_CASE("a subset has the types that were asked for and what they embed") {
  const std::unique_ptr<btf, void (*)(btf*)> b(btf__new_empty(), btf__free);
  btf__add_struct(b.get(), "unasked", 8);
  const int i = btf__add_int(b.get(), "int", 4, BTF_INT_SIGNED);
  const int unasked = btf__add_ptr(b.get(), 1);
  const int inner = btf__add_struct(b.get(), "inner", 4);
  btf__add_field(b.get(), "bits", i, 5, 3);
  const int alias = btf__add_typedef(b.get(), "inner_t", btf__add_const(b.get(), inner));
  const int row = btf__add_array(b.get(), i, alias, 3);
  btf__add_struct(b.get(), "outer", 32);
  btf__add_field(b.get(), "pointer", unasked, 0, 0);
  btf__add_field(b.get(), "row", row, 64, 0);
  btf__add_enum(b.get(), "color", 4);
  btf__add_enum_value(b.get(), "red", 7);
  btf__add_func(b.get(), "outer", BTF_FUNC_STATIC, btf__add_func_proto(b.get(), i));
  btf__add_union(b.get(), "outer", 4);  // the same name again, as CO-RE has to see it
  const auto kernel = KernelBtf::parse(raw(b.get()));
  REQUIRE(kernel);

  const std::vector<char> bytes =
      kernel->subset([](std::string_view name) { return name == "outer" || name == "color"; });
  const std::unique_ptr<btf, void (*)(btf*)> out(
      btf__new(bytes.data(), static_cast<std::uint32_t>(bytes.size())), btf__free);
  REQUIRE(out);
  const auto found = [&](const char* name, std::uint32_t kind) {
    const int id = btf__find_by_name_kind(out.get(), name, kind);
    return id < 0 ? nullptr : btf__type_by_id(out.get(), static_cast<std::uint32_t>(id));
  };
  const btf_type* outer = found("outer", BTF_KIND_STRUCT);
  REQUIRE(outer != nullptr);
  CHECK(outer->size == 32);
  REQUIRE(btf_vlen(outer) == 2);
  const btf_member* members = btf_members(outer);
  CHECK(std::string(btf__name_by_offset(out.get(), members[1].name_off)) == "row");
  CHECK(members[1].offset == 64);
  const btf_type* pointer = btf__type_by_id(out.get(), members[0].type);
  CHECK(btf_is_ptr(pointer));
  CHECK(pointer->type == 0);
  CHECK(btf__resolve_size(out.get(), members[1].type) == 12);
  const btf_type* embedded = found("inner", BTF_KIND_STRUCT);
  REQUIRE(embedded != nullptr);
  CHECK(btf_member_bitfield_size(embedded, 0) == 3);
  CHECK(btf_member_bit_offset(embedded, 0) == 5);
  const btf_type* color = found("color", BTF_KIND_ENUM);
  REQUIRE(color != nullptr);
  CHECK(btf_enum(color)->val == 7);
  CHECK(found("outer", BTF_KIND_UNION) != nullptr);
  CHECK(found("outer", BTF_KIND_FUNC) == nullptr);
  CHECK(found("unasked", BTF_KIND_STRUCT) == nullptr);
}

TEST_CASE("live: a subset places the running kernel's fields where libbpf finds them") {
  const auto kernel = KernelBtf::load();
  const std::unique_ptr<btf, void (*)(btf*)> all(btf__load_vmlinux_btf(), btf__free);
  if (all == nullptr) {
    MESSAGE("SKIP: this kernel has no BTF");
    return;
  }
  REQUIRE(kernel);
  const std::vector<char> bytes = kernel->subset(
      [](std::string_view name) { return name == "task_struct" || name == "sock" || name == "sk_buff"; });
  const std::unique_ptr<btf, void (*)(btf*)> few(
      btf__new(bytes.data(), static_cast<std::uint32_t>(bytes.size())), btf__free);
  REQUIRE(few);
  CHECK(btf__type_cnt(few.get()) < btf__type_cnt(all.get()) / 20);
  for (const char* name : {"task_struct", "sock", "sk_buff"}) {
    const auto type = [&](const btf* b) {
      const int id = btf__find_by_name_kind(b, name, BTF_KIND_STRUCT);
      REQUIRE(id > 0);
      return btf__type_by_id(b, static_cast<std::uint32_t>(id));
    };
    const btf_type* theirs = type(all.get());
    const btf_type* ours = type(few.get());
    CHECK(ours->size == theirs->size);
    REQUIRE(btf_vlen(ours) == btf_vlen(theirs));
    for (std::uint16_t i = 0; i < btf_vlen(ours); ++i) {
      CHECK(btf_members(ours)[i].offset == btf_members(theirs)[i].offset);
      CHECK(std::string(btf__name_by_offset(few.get(), btf_members(ours)[i].name_off)) ==
            btf__name_by_offset(all.get(), btf_members(theirs)[i].name_off));
      CHECK(btf__resolve_size(few.get(), btf_members(ours)[i].type) ==
            btf__resolve_size(all.get(), btf_members(theirs)[i].type));
    }
  }
}

TEST_CASE("live: the running kernel's types, as libbpf finds them") {
  const auto kernel = KernelBtf::load();
  const std::unique_ptr<btf, void (*)(btf*)> b(btf__load_vmlinux_btf(), btf__free);
  if (b == nullptr) {
    MESSAGE("SKIP: this kernel has no BTF");
    return;
  }
  REQUIRE(kernel);
  for (const char* name : {"btf_trace_inet_sock_set_state", "btf_trace_sched_process_exit", "u64"}) {
    CHECK(kernel->find(name, BTF_KIND_TYPEDEF) ==
          static_cast<std::uint32_t>(btf__find_by_name_kind(b.get(), name, BTF_KIND_TYPEDEF)));
  }
  CHECK(kernel->find("tcp_v4_connect", BTF_KIND_FUNC) ==
        static_cast<std::uint32_t>(btf__find_by_name_kind(b.get(), "tcp_v4_connect", BTF_KIND_FUNC)));
}
