#include "dns/search_list.h"

#include <doctest/doctest.h>

#include <string>

using namespace plumb;
using namespace plumb::dns;

namespace {

constexpr std::string_view kKubernetes =
    "nameserver 10.96.0.10\n"
    "search shop.svc.cluster.local svc.cluster.local cluster.local\n"
    "options ndots:5 edns0\n";

BootTime ms(std::uint64_t n) {
  return {n * 1'000'000};
}

}  // namespace

TEST_CASE("dns search: resolv.conf as glibc reads it") {
  const ResolvConf conf = parse_resolv_conf(kKubernetes);
  REQUIRE(conf.search.size() == 3);
  CHECK(conf.search[0] == "shop.svc.cluster.local");
  CHECK(conf.ndots == 5);

  const ResolvConf last = parse_resolv_conf(
      "search a.example. b.example\n# search no\n;x\ndomain c.example d\r\noptions ndots:99");
  REQUIRE(last.search.size() == 1);
  CHECK(last.search[0] == "c.example");
  CHECK(last.ndots == 15);
  CHECK(parse_resolv_conf("").ndots == 1);
  CHECK(parse_resolv_conf("options ndots:x").ndots == 1);
  std::string many = "search";
  for (int i = 0; i < 100; ++i) many += " s" + std::to_string(i);
  CHECK(parse_resolv_conf(many).search.size() == kMaxSearch);
}

TEST_CASE("dns search: names that a list makes another from") {
  const ResolvConf conf = parse_resolv_conf(kKubernetes);
  std::vector<std::string_view> out;
  wanted_names("db.shop.svc.CLUSTER.local", conf, out);
  REQUIRE(out.size() == 4);
  CHECK(out[0] == "db");
  CHECK(out[1] == "db.shop");
  CHECK(out[2] == "db.shop.svc");
  CHECK(out[3] == "db.shop.svc.CLUSTER.local");
  wanted_names("cluster.local", conf, out);
  CHECK(out.size() == 1);
}

TEST_CASE("dns search: a miss and its successors are one wish") {
  const ResolvConf conf = parse_resolv_conf(kKubernetes);
  SearchFolder folder;
  CHECK(folder.asked(1, "db.shop.svc.cluster.local", conf, ms(0)).empty());
  folder.missed(1, "db.shop.svc.cluster.local", ms(1));
  folder.missed(1, "db.shop.svc.cluster.local", ms(1));  // AAAA
  CHECK(folder.wanted(1, "db.shop.svc.cluster.local").empty());
  CHECK(folder.asked(1, "db.svc.cluster.local", conf, ms(2)) == "db");
  CHECK(folder.wanted(1, "db.shop.svc.cluster.local") == "db");
  folder.missed(1, "db.svc.cluster.local", ms(3));
  CHECK(folder.asked(1, "db", conf, ms(4)) == "db");
  CHECK(folder.wanted(1, "db.svc.cluster.local") == "db");
}

TEST_CASE("dns search: with enough dots the name itself comes first") {
  const ResolvConf conf = parse_resolv_conf("search a.example\n");
  SearchFolder folder;
  folder.missed(1, "www.nowhere", ms(1));
  CHECK(folder.asked(1, "www.nowhere.a.example", conf, ms(2)) == "www.nowhere");
  CHECK(folder.wanted(1, "www.nowhere") == "www.nowhere");
}

TEST_CASE("dns search: what is no search list stays apart") {
  const ResolvConf conf = parse_resolv_conf(kKubernetes);
  SearchFolder folder;
  folder.missed(1, "db.shop.svc.cluster.local", ms(1));
  CHECK(folder.asked(2, "db.svc.cluster.local", conf, ms(2)).empty());       // another process
  CHECK(folder.asked(1, "cache.svc.cluster.local", conf, ms(2)).empty());    // another name
  CHECK(folder.asked(1, "db.shop.svc.cluster.local", conf, ms(2)).empty());  // the same name again
  CHECK(folder.asked(1, "db.svc.cluster.local", conf, ms(500)).empty());     // much later
  CHECK(folder.wanted(1, "db.shop.svc.cluster.local").empty());
  const ResolvConf none;
  folder.missed(3, "mail.a.com", ms(1));
  CHECK(folder.asked(3, "mail.b.com", none, ms(2)).empty());
}

TEST_CASE("dns search: bounded whatever is looked up") {
  const ResolvConf conf = parse_resolv_conf(kKubernetes);
  SearchFolder folder;
  for (std::uint32_t pid = 0; pid < 3 * SearchFolder::kMaxProcesses; ++pid)
    folder.missed(pid, "x.cluster.local", ms(pid));
  for (std::size_t i = 0; i < 3 * SearchFolder::kMaxMisses; ++i)
    folder.missed(1, std::to_string(i) + ".cluster.local", ms(9000));
  CHECK(folder.asked(1, std::to_string(3 * SearchFolder::kMaxMisses - 1), conf, ms(9001)) ==
        std::to_string(3 * SearchFolder::kMaxMisses - 1));
}
