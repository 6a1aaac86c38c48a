#include "probe/drop_reasons.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include "drops/hints.h"

using namespace plumb;

namespace {

// One of the lists in data/reasons: what a kernel's BTF says (see `regenerate` there).
std::vector<EnumValue> recorded(const std::string& kernel, const std::string& wanted) {
  std::ifstream file(std::string(TEST_DATA) + "/reasons/" + kernel + ".txt");
  REQUIRE_MESSAGE(file.good(), kernel);
  std::vector<EnumValue> out;
  std::string type, name;
  for (std::uint64_t value = 0; file >> type >> name >> value;) {
    if (type.ends_with(wanted)) out.push_back({name, static_cast<std::uint32_t>(value)});
  }
  return out;
}

DropReasons reasons_of(const std::string& kernel) {
  return DropReasons::from(recorded(kernel, "drop_reason"), recorded(kernel, "skb_drop_reason_subsys"));
}

constexpr const char* kKernels[] = {"6.1", "6.12", "6.18", "7.2"};

}  // namespace

TEST_CASE("every drop reason of every kernel that plumb promises has a hint") {
  for (const char* kernel : kKernels) {
    CAPTURE(kernel);
    const DropReasons reasons = reasons_of(kernel);
    const auto names = reasons.names();
    CHECK(names.size() > 60);
    for (const std::string_view name : names) {
      CAPTURE(name);
      CHECK(has_reason_hint(name));
    }
  }
}

TEST_CASE("every reset reason has a hint") {
  for (const char* kernel : {"6.12", "6.18", "7.2"}) {
    CAPTURE(kernel);
    const DropReasons reasons = DropReasons::from(recorded(kernel, "sk_rst_reason"), {});
    const auto names = reasons.names();
    CHECK(names.size() > 20);
    for (const std::string_view name : names) {
      CAPTURE(name);
      CHECK(has_reset_hint(name));
    }
  }
}

TEST_CASE("a kernel without reasons gives none") {
  CHECK(reasons_of("5.10").empty());
  CHECK_FALSE(reasons_of("5.10").number("NO_SOCKET").has_value());
}

TEST_CASE("the same number means different things on different kernels") {
  auto old = reasons_of("6.1"), young = reasons_of("7.2");
  const auto number = young.number("NETFILTER_DROP");
  REQUIRE(number.has_value());
  CHECK(young.name(*number).reason == "NETFILTER_DROP");
  CHECK(old.name(*number).reason != "NETFILTER_DROP");
  CHECK(old.number("netfilter_drop").has_value());  // letter case does not count
  CHECK(old.number("SKB_DROP_REASON_NETFILTER_DROP") == old.number("NETFILTER_DROP"));
}

TEST_CASE("subsystems have numbers of their own, different on every kernel") {
  auto reasons = reasons_of("7.2");
  const auto qdisc = reasons.number("QDISC_DROP_OVERLIMIT");
  REQUIRE(qdisc.has_value());
  CHECK((*qdisc >> 16) == 3);
  CHECK(reasons.name(*qdisc).subsystem == "qdisc");
  CHECK(reasons.name(*reasons.number("NO_SOCKET")).subsystem == "core");
  for (const char* kernel : {"6.12", "7.2"}) {
    auto r = reasons_of(kernel);
    const auto ovs = r.number("OVS_DROP_EXPLICIT");
    REQUIRE(ovs.has_value());
    CHECK(r.name(*ovs).subsystem == "openvswitch");
  }
  CHECK(reasons_of("6.12").number("OVS_DROP_EXPLICIT") != reasons_of("7.2").number("OVS_DROP_EXPLICIT"));
}

TEST_CASE("a number without a name stays a number, and its hint says that it is unknown") {
  auto reasons = reasons_of("6.18");
  CHECK(reasons.name(9999).reason == "0x270f");
  CHECK(reasons.name(0x7fff0001).reason == "0x7fff0001");
  CHECK(reasons.name(0x7fff0001).subsystem.empty());
  CHECK(reason_hint("0x270f").find("does not know") != std::string_view::npos);
  CHECK(reason_hint("").empty());
}

TEST_CASE("bounds and masks are no reasons") {
  for (const char* kernel : kKernels) {
    const DropReasons reasons = reasons_of(kernel);
    for (const std::string_view name : reasons.names()) {
      CHECK_FALSE(name.ends_with("MAX"));
      CHECK_FALSE(name.ends_with("MASK"));
    }
  }
}

TEST_CASE("what is benign has a hint, and is a reason somewhere") {
  for (const std::string_view name : benign_reasons()) {
    CAPTURE(name);
    CHECK(has_reason_hint(name));
    CHECK(is_benign_reason(name));
    CHECK(
        std::ranges::any_of(kKernels, [&](const char* k) { return reasons_of(k).number(name).has_value(); }));
  }
  for (const std::string_view loss :
       {"NO_SOCKET", "NETFILTER_DROP", "SOCKET_RCVBUFF", "NOT_SPECIFIED", "NOMEM"}) {
    CHECK_FALSE(is_benign_reason(loss));
  }
}

TEST_CASE("functions that empty queues are benign, with the compiler's endings too") {
  CHECK(place_of("skb_queue_purge") == Place::harmless);
  CHECK(place_of("netlink_unicast.constprop.0") == Place::harmless);
  CHECK(place_of("tcp_v4_rcv") == Place::tcp);
  CHECK(place_of("tcp_drop_reason") == Place::tcp);
  CHECK(place_of("tcp_v4_do_rcv") == Place::lossy);
  CHECK(place_of("veth_xdp_rcv_skb") == Place::arriving);
  CHECK(place_of("veth_poll") == Place::arriving);
  CHECK(place_of("") == Place::lossy);
}

TEST_CASE("counters that mean loss have a hint, others are not told") {
  CHECK_FALSE(counter_hint("TcpExtListenOverflows").empty());
  CHECK_FALSE(counter_hint("qdisc_drops").empty());
  CHECK(counter_hint("IpInReceives").empty());
  CHECK(counter_hint("TcpExtTCPDelivered").empty());
}
