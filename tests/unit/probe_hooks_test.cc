#include <bpf/libbpf.h>
#include <doctest/doctest.h>

#include <cerrno>

#include "probe/features.h"
#include "probe/privileges.h"
#include "probe/skeleton.h"

using namespace plumb;

namespace {

Feature works(Features&) {
  return {true};
}
Feature refuses(Features&) {
  return {false, "it is not in this kernel", ENOENT};
}
Feature must_not_be_asked(Features&) {
  FAIL("a variant below one that works was probed");
  return {};
}

const std::vector<Hook> kHooks{
    {"state",
     "connections",
     {{"tp_btf", {"on_state"}, works, "1 us"}, {"kprobe", {"on_kprobe"}, must_not_be_asked, ""}}},
    {"error",
     "failed connects",
     {{"fexit", {"on_fexit"}, refuses, ""}, {"sys_exit", {"on_exit"}, works, ""}}},
    {"owner", "old sockets", {{"iter", {"on_iter"}, refuses, ""}}, false},
};

std::string failure(std::string_view forced) {
  Features features;
  const auto choices = choose_hooks(features, kHooks, forced);
  if (choices) return {};
  return choices.error().what + " | " + choices.error().why + " | " + choices.error().hint;
}

}  // namespace

TEST_CASE("the first variant that works is chosen, and what was tried is kept") {
  Features features;
  const auto choices = choose_hooks(features, kHooks, "");
  REQUIRE(choices);
  REQUIRE(choices->size() == 3);
  CHECK((*choices)[0].variant->name == "tp_btf");
  CHECK((*choices)[1].variant->name == "sys_exit");
  REQUIRE((*choices)[1].tried.size() == 2);
  CHECK((*choices)[1].tried[0].first == "fexit");
  CHECK((*choices)[1].tried[0].second.why == "it is not in this kernel");
  CHECK((*choices)[2].variant == nullptr);
}

TEST_CASE("PLUMB_HOOKS forces a variant, or says why it cannot") {
  Features features;
  const auto choices = choose_hooks(features, kHooks, ",error=sys_exit,state=tp_btf,owner=none");
  REQUIRE(choices);
  CHECK((*choices)[1].variant->name == "sys_exit");
  CHECK((*choices)[1].tried.size() == 1);
  CHECK((*choices)[2].variant == nullptr);
  CHECK(failure("error=fexit") ==
        "PLUMB_HOOKS: error=fexit does not work here | it is not in this kernel | leave it out and plumb "
        "chooses what works");
  CHECK(failure("stat=tp_btf") ==
        "PLUMB_HOOKS: no hook 'stat' | there is state, error, owner | did you mean 'state'?");
  CHECK(failure("error=sysexit") ==
        "PLUMB_HOOKS: no variant of error 'sysexit' | there is fexit, sys_exit | did you mean 'sys_exit'?");
  CHECK(failure("owner=x").find("there is iter, none") != std::string::npos);
  CHECK(failure("state=none").find("no variant of state 'none'") != std::string::npos);  // it is required
  CHECK(failure("state").find("expected HOOK=VARIANT") != std::string::npos);
}

TEST_CASE("a hook that is not wanted stays off, and what is forced on it has to work all the same") {
  Features features;
  std::vector<Hook> hooks = kHooks;
  hooks[0].wanted = hooks[1].wanted = false;
  const auto choices = choose_hooks(features, hooks, "state=tp_btf");
  REQUIRE(choices);
  CHECK((*choices)[0].variant == nullptr);
  CHECK((*choices)[1].variant == nullptr);
  CHECK((*choices)[1].tried.empty());
  CHECK_FALSE(choose_hooks(features, hooks, "error=fexit"));
}

TEST_CASE("a required hook without a variant that works says what was tried") {
  Features features;
  const std::vector<Hook> hooks{{"h", "what h sees", {{"a", {}, refuses, ""}, {"b", {}, refuses, ""}}}};
  const auto choices = choose_hooks(features, hooks, "");
  REQUIRE_FALSE(choices);
  CHECK(choices.error().what == "cannot trace what h sees");
  CHECK(choices.error().why == "a: it is not in this kernel; b: it is not in this kernel");
}

TEST_CASE("answers are kept, and what does not exist is named") {
  LibbpfLog::capture(false);
  Features features;
  const Feature no = features.tracepoint("no_such_tracepoint");
  CHECK_FALSE(no.works);
  const bool named = no.why == "no tracepoint no_such_tracepoint in this kernel's BTF";
  CHECK((named || !features.kernel_types().ok()));
  CHECK(features.tracepoint("no_such_tracepoint").probe_us == no.probe_us);
  CHECK_FALSE(features.fentry("no_such_function").works);
  CHECK_FALSE(features.iterator("no_such_iterator").works);
}

TEST_CASE("live: what every kernel that plumb supports offers to those who may") {
  const Privileges privileges = own_privileges();
  if (!missing_for_tracing(privileges).empty() || !privileges.initial_user_namespace) {
    MESSAGE("SKIP: no privilege to load BPF programs");
    return;
  }
  LibbpfLog::capture(false);
  Features features;
  for (const Feature& f : {features.ring_buffer(), features.tracepoint("inet_sock_set_state"),
                           features.iterator("tcp"), features.iterator("task_file")}) {
    CHECK_MESSAGE(f.works, f.why);
  }
  // These differ by kernel; a no must come with its reason.
  for (const Feature& f : {features.fentry("tcp_v4_connect"), features.kprobe(), features.socket_storage()}) {
    CHECK(f.works == f.why.empty());
    CHECK(f.works == (f.error == 0));
  }
}
