#include "bpf/kernel_btf_names.h"

#include <bpf/btf.h>
#include <doctest/doctest.h>
#include <linux/btf.h>

#include <memory>
#include <string>

using namespace plumb;

namespace {

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
  std::uint32_t size = 0;
  const auto* raw = static_cast<const char*>(btf__raw_data(b.get(), &size));
  return {raw, raw + size};
}

}  // namespace

TEST_CASE("types are found by name and kind, past types of every kind") {
  const auto names = KernelBtfNames::parse(sample());
  REQUIRE(names);
  const std::unique_ptr<btf, void (*)(btf*)> b(
      btf__new(sample().data(), static_cast<std::uint32_t>(sample().size())), btf__free);
  const auto expected = [&](const char* name, std::uint32_t kind) {
    return static_cast<std::uint32_t>(btf__find_by_name_kind(b.get(), name, kind));
  };
  CHECK(names->find("int", BTF_KIND_INT) == 1);
  CHECK(names->find("both", BTF_KIND_FUNC) == expected("both", BTF_KIND_FUNC));
  CHECK(names->find("both", BTF_KIND_TYPEDEF) == expected("both", BTF_KIND_TYPEDEF));
  CHECK(names->find("last", BTF_KIND_FUNC) == expected("last", BTF_KIND_FUNC));
  CHECK(names->find("both", BTF_KIND_STRUCT) == 0);
  CHECK(names->find("bot", BTF_KIND_FUNC) == 0);
  CHECK(names->find("oth", BTF_KIND_FUNC) == 0);
  CHECK(names->find("", BTF_KIND_FUNC_PROTO) == 0);
}

TEST_CASE("what is cut short or no BTF is an error or finds nothing") {
  const std::vector<char> whole = sample();
  for (std::size_t n = 0; n < whole.size(); ++n) {
    CHECK_FALSE(KernelBtfNames::parse({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)}).ok());
  }
  // Any single byte changed must not send the walk out of bounds.
  for (std::size_t n = 0; n < whole.size(); ++n) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::vector<char> bytes = whole;
      bytes[n] = static_cast<char>(bytes[n] ^ flip);
      if (const auto names = KernelBtfNames::parse(std::move(bytes)); names) {
        CHECK(names->find("last", BTF_KIND_FUNC) < 64);
      }
    }
  }
  CHECK_FALSE(KernelBtfNames::load("/nonexistent").ok());
  CHECK_FALSE(KernelBtfNames::load("/nonexistent").error().hint.empty());
  CHECK_FALSE(KernelBtfNames::load("/proc/version").ok());
}

TEST_CASE("live: the running kernel's types, as libbpf finds them") {
  const auto names = KernelBtfNames::load();
  const std::unique_ptr<btf, void (*)(btf*)> b(btf__load_vmlinux_btf(), btf__free);
  if (b == nullptr) {
    MESSAGE("SKIP: this kernel has no BTF");
    return;
  }
  REQUIRE(names);
  for (const char* name : {"btf_trace_inet_sock_set_state", "btf_trace_sched_process_exit", "u64"}) {
    CHECK(names->find(name, BTF_KIND_TYPEDEF) ==
          static_cast<std::uint32_t>(btf__find_by_name_kind(b.get(), name, BTF_KIND_TYPEDEF)));
  }
  CHECK(names->find("tcp_v4_connect", BTF_KIND_FUNC) ==
        static_cast<std::uint32_t>(btf__find_by_name_kind(b.get(), "tcp_v4_connect", BTF_KIND_FUNC)));
}
