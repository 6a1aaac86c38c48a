#include "sink/port_names.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace plumb {
namespace {

// Above, clients get theirs (net.ipv4.ip_local_port_range).
constexpr std::uint64_t kFirstByChance = 32'768;

struct Known {
  std::uint16_t port;
  std::string_view name;
};
// For what services(5) lacks, or where there is none.
constexpr Known kKnown[] = {{22, "ssh"},
                            {25, "smtp"},
                            {53, "dns"},
                            {80, "http"},
                            {123, "ntp"},
                            {179, "bgp"},
                            {389, "ldap"},
                            {443, "https"},
                            {514, "syslog"},
                            {636, "ldaps"},
                            {853, "dns-tls"},
                            {993, "imaps"},
                            {1433, "mssql"},
                            {1521, "oracle"},
                            {1883, "mqtt"},
                            {2049, "nfs"},
                            {2181, "zookeeper"},
                            {2379, "etcd"},
                            {2380, "etcd-peer"},
                            {3306, "mysql"},
                            {4222, "nats"},
                            {4317, "otlp-grpc"},
                            {4318, "otlp-http"},
                            {5432, "postgresql"},
                            {5672, "amqp"},
                            {6379, "redis"},
                            {6443, "kube-api"},
                            {8086, "influxdb"},
                            {8125, "statsd"},
                            {8200, "vault"},
                            {8300, "consul"},
                            {9042, "cassandra"},
                            {9090, "prometheus"},
                            {9092, "kafka"},
                            {9100, "node-exporter"},
                            {9200, "elasticsearch"},
                            {10250, "kubelet"},
                            {11211, "memcached"},
                            {26379, "sentinel"},
                            {27017, "mongodb"}};

bool is_name(std::string_view s) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '+';
  };
  return !s.empty() && s.size() <= PortNames::kLongest && std::ranges::all_of(s, fits) &&
         !std::ranges::all_of(s, [](char c) { return c >= '0' && c <= '9'; });
}

// The next word of a line, which is taken off.
std::string_view word(std::string_view& line) {
  constexpr std::string_view kBlanks = " \t\r";
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const std::string_view found = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(found.size());
  return found;
}

}  // namespace

PortNames::PortNames(std::string_view services) {
  while (!services.empty()) {
    std::string_view line = services.substr(0, services.find('\n'));
    services.remove_prefix(std::min(services.size(), line.size() + 1));
    line = line.substr(0, line.find('#'));
    const std::string_view name = word(line);
    const std::string_view at = word(line);
    const std::string_view digits = at.substr(0, at.find('/'));
    std::uint16_t port = 0;
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (status != std::errc{} || end != digits.data() + digits.size() || !is_name(name)) continue;
    names_.emplace(port, name);
  }
  for (const Known& k : kKnown) names_.emplace(k.port, k.name);
}

std::string_view PortNames::find(std::uint64_t port) const {
  if (port >= kFirstByChance) return {};
  const auto found = names_.find(static_cast<std::uint16_t>(port));
  return found == names_.end() ? std::string_view{} : found->second;
}

}  // namespace plumb
