#include "run/otlp_owner.h"

#include <algorithm>

#include "otlp/config.h"

namespace plumb {

std::string service_of_environment(std::string_view environment) {
  constexpr std::string_view kName = "OTEL_SERVICE_NAME=", kAttributes = "OTEL_RESOURCE_ATTRIBUTES=";
  constexpr std::size_t kLongest = 255;  // a name that is longer is none
  std::string_view name;
  std::string_view attributes;
  while (!environment.empty()) {
    const std::string_view variable = environment.substr(0, environment.find('\0'));
    environment.remove_prefix(std::min(variable.size() + 1, environment.size()));
    if (variable.starts_with(kName)) name = variable.substr(kName.size());
    if (variable.starts_with(kAttributes)) attributes = variable.substr(kAttributes.size());
  }
  std::string out(name);
  if (out.empty() && attributes.size() < 64 * 1024) {
    const auto pairs = otlp::parse_pairs(attributes);
    for (std::size_t i = 0; pairs && i < pairs->size(); ++i) {
      if ((*pairs)[i].key == "service.name") out = (*pairs)[i].value;
    }
  }
  return out.size() <= kLongest ? out : std::string{};
}

void set_owner(otlp::SpanDraft& span, const Origin& origin) {
  const ProcessNames& names = origin.names;
  const std::string_view file = names.exe.substr(names.exe.rfind('/') + 1);
  const auto add = [&span](std::string_view key, std::string_view value) {
    if (!value.empty()) span.owner.push_back({key, value});
  };
  if (origin.pid == 0 || (names.service.empty() && file.empty())) return;
  add("service.name", names.service.empty() ? file : names.service);
  add("container.name", names.container);
  add("k8s.pod.name", names.pod);
  add("k8s.namespace.name", names.namespace_);
}

}  // namespace plumb
