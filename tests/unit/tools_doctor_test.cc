#include "doctor/report.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/text.h"

using namespace plumb;

namespace {

DoctorReport sample() {
  DoctorReport r;
  r.profits = {Capability::syslog, Capability::sys_ptrace};
  r.release = "6.18.44";
  r.machine = "x86_64";
  r.jit = "on";
  r.privileges.effective = ~std::uint64_t{0};
  r.privileges.memlock_limit = ~std::uint64_t{0};
  r.cgroup2 = "/sys/fs/cgroup/unified";
  r.cgroup1 = "/sys/fs/cgroup/systemd";
  r.containers = {
      {"c0ffee0123456789", "web", "docker", "/sys/fs/cgroup/unified/docker/c0ffee0123456789", "", ""},
      {"deadbeef01234567", "ng\033[2Jinx", "containerd", "/x", "web-1", "shop", false}};
  r.tools = {{"tcpconnect",
              {{"state",
                "how connections begin and end",
                true,
                "tp_btf",
                {{"tp_btf", "~1 us a change", {true, {}, 0, 900}}}},
               {"connect-error",
                "connects that fail before a SYN is sent",
                false,
                "",
                {{"fexit",
                  "~60 ns",
                  {false, "fentry programs are refused: EPERM: Operation not permitted", EPERM, 40}}}}},
              {}}};
  return r;
}

DoctorReport unprivileged() {
  DoctorReport r = sample();
  r.privileges = {};
  r.privileges.euid = 65534;
  r.privileges.program = "/usr/bin/plumb";
  r.jit.clear();
  for (DoctorHook& hook : r.tools[0].hooks) {
    hook.chosen.clear();
    for (DoctorVariant& v : hook.variants) {
      v.feature = {false,
                   "programs are refused: EPERM: Operation not permitted; missing: CAP_BPF and CAP_PERFMON",
                   EPERM, 1};
      v.unknown = true;
    }
  }
  r.tools[0].error = refused("cannot trace", EPERM, r.privileges);
  return r;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the report shows each hook, what is used and why not the others") {
  const std::string text = doctor_text(sample(), false, false);
  CHECK(contains(text, "  kernel        6.18.44 (x86_64)\n"));
  CHECK(contains(text, "    use  tp_btf        ~1 us a change\n"));
  CHECK(contains(text, "    no   fexit         fentry programs are refused: EPERM: Operation not\n"));
  CHECK(contains(text, "  tcpconnect    can run: state=tp_btf, connect-error=none\n"));
  CHECK(contains(text, "1 containerd, 1 docker (-v lists them)"));
  CHECK_FALSE(contains(text, "web"));
  CHECK_FALSE(contains(text, "\033"));
}

TEST_CASE("verbose lists containers; no control byte of theirs gets through") {
  const std::string text = doctor_text(sample(), true, false);
  CHECK(contains(text, "web (c0ffee012345)"));
  CHECK(contains(text, "ng\\x1b[2Jinx"));
  CHECK_FALSE(contains(text, "\033"));
  CHECK(contains(text, "[probed in 900 us]"));
  CHECK(contains(doctor_text(sample(), false, true), "\033[32m"));
}

TEST_CASE("lines fit 80 columns and have no blanks at their end") {
  for (const DoctorReport& report : {sample(), unprivileged()}) {
    for (const bool verbose : {false, true}) {
      std::string text = doctor_text(report, verbose, false);
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        const std::string line = text.substr(at, end - at);
        CAPTURE(line);
        CHECK((display_width(line) <= 80 || line.starts_with("    setcap ")));
        CHECK_FALSE(line.ends_with(' '));
        at = end + 1;
      }
    }
  }
}

TEST_CASE("without privileges it says what is missing and what it cannot tell") {
  const DoctorReport report = unprivileged();
  CHECK_FALSE(report.ok());
  const std::string text = doctor_text(report, false, false);
  CHECK(contains(text, "    ?    tp_btf        cannot be told without CAP_BPF and CAP_PERFMON\n"));
  CHECK(contains(text, "\n    setcap cap_bpf,cap_perfmon,cap_syslog,cap_sys_ptrace+ep /usr/bin/plumb\n"));
  CHECK(contains(text, "CAP_BPF, CAP_PERFMON, CAP_SYSLOG and CAP_SYS_PTRACE"));
  CHECK(contains(text, "setcap cap_bpf,cap_perfmon,cap_syslog,cap_sys_ptrace+ep"));
  CHECK(contains(text, "  tcpconnect    cannot trace: missing: CAP_BPF and CAP_PERFMON\n"));
  CHECK(contains(text, "cannot be told without root"));
  const auto json = nlohmann::json::parse(doctor_json(report));
  CHECK(json["tools"][0]["can_run"] == false);
  CHECK(json["tools"][0]["hooks"][0]["variants"][0]["works"].is_null());
  CHECK(json["privileges"]["missing"].size() == 4);
  CHECK(json["jit"].is_null());
  CHECK(json["ok"] == false);
}

TEST_CASE("JSON: one line, the same facts, valid whatever the bytes") {
  DoctorReport report = sample();
  report.containers[0].name = "w\xff\n";
  const std::string text = doctor_json(report);
  CHECK(text.find('\n') == text.size() - 1);
  const auto json = nlohmann::json::parse(text);
  CHECK(json["type"] == "doctor");
  CHECK(json["ok"] == true);
  CHECK(json["kernel"]["release"] == "6.18.44");
  CHECK(json["cgroup2_mount"] == "/sys/fs/cgroup/unified");
  CHECK(json["tracefs_mount"].is_null());
  CHECK(json["privileges"]["setcap"].is_null());
  CHECK(json["privileges"]["memlock_limit_bytes"].is_null());
  const auto& tool = json["tools"][0];
  CHECK(tool["name"] == "tcpconnect");
  CHECK(tool["can_run"] == true);
  CHECK(tool["hooks"][0]["chosen"] == "tp_btf");
  CHECK(tool["hooks"][1]["chosen"].is_null());
  CHECK(tool["hooks"][1]["variants"][0]["works"] == false);
  CHECK(tool["hooks"][0]["variants"][0]["probe_ms"] == 0.9);
  CHECK(json["containers"][0]["name"] == "w\uFFFD\n");
  CHECK(json["containers"][1]["pod"] == "web-1");
  CHECK(json["containers"][1]["cgroup_version"] == 1);
}

namespace {

class OneHook : public Tool {
 public:
  explicit OneHook(Feature (*probe)(Features&)) : probe_(probe) {}
  OptionTable options() override { return {}; }
  const Schema& schema() const override { return schema_; }
  std::vector<Hook> hooks() const override { return {{"h", "something", {{"only", {}, probe_, "nothing"}}}}; }
  Result<void> attach(Session&) override { return {}; }
  std::vector<AnyProbe*> probes() override { return {}; }

 private:
  Feature (*probe_)(Features&);
  Schema schema_;
};

}  // namespace

TEST_CASE("a tool whose required hook has no working variant cannot run, the others can") {
  const ToolInfo good{.name = "good", .make = []() -> std::unique_ptr<Tool> {
                        return std::make_unique<OneHook>([](Features&) -> Feature { return {true}; });
                      }};
  const ToolInfo bad{
      .name = "bad", .make = []() -> std::unique_ptr<Tool> {
        return std::make_unique<OneHook>([](Features&) -> Feature { return {false, "never", ENOENT}; });
      }};
  const ToolInfo* tools[] = {&good, &bad};
  const auto host = procfs_below(std::string(TEST_DATA) + "/docker");
  const DoctorReport report = examine(tools, *host);
  REQUIRE(report.tools.size() == 2);
  CHECK(report.cgroup2 == "/sys/fs/cgroup");
  CHECK(report.cgroup1.empty());
  CHECK(report.containers.size() == 2);
  REQUIRE(report.tools[1].error);
  CHECK_FALSE(report.ok());
  if (!report.cannot_trace) {
    CHECK(report.tools[1].error->why == "only: never");
    CHECK_FALSE(report.tools[0].error);
    CHECK(report.tools[0].hooks[0].chosen == "only");
  }
}
