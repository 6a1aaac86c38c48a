#include "run/otlp_owner.h"

#include <algorithm>
#include <utility>

#include "base/path.h"
#include "otlp/config.h"
#include "otlp/process_context.h"

namespace plumb {
namespace {

constexpr std::string_view kServiceName = "service.name";

// Of attributes with one key the first counts.
void keep(ProcessResource& out, std::string key, std::string value) {
  constexpr std::size_t kMost = 32, kLongestKey = 255, kLongestValue = 1024, kMostBytes = 4096;
  constexpr std::string_view kNotTheirs[] = {"telemetry.", "host.", "os.", "process."};
  if (out.size() == kMost || key.empty() || key.size() > kLongestKey || value.empty() ||
      value.size() > kLongestValue)
    return;
  if (std::ranges::any_of(kNotTheirs, [&](std::string_view prefix) { return key.starts_with(prefix); }))
    return;
  if (std::ranges::find(out, key, &ResourceAttribute::key) != out.end()) return;
  std::size_t bytes = key.size() + value.size();
  for (const ResourceAttribute& a : out) bytes += a.key.size() + a.value.size();
  if (bytes > kMostBytes) return;
  out.push_back({std::move(key), std::move(value)});
}

}  // namespace

ProcessResource resource_of_environment(std::string_view environment) {
  constexpr std::string_view kName = "OTEL_SERVICE_NAME=", kAttributes = "OTEL_RESOURCE_ATTRIBUTES=";
  std::string_view name;
  std::string_view attributes;
  while (!environment.empty()) {
    const std::string_view variable = environment.substr(0, environment.find('\0'));
    environment.remove_prefix(std::min(variable.size() + 1, environment.size()));
    if (variable.starts_with(kName)) name = variable.substr(kName.size());
    if (variable.starts_with(kAttributes)) attributes = variable.substr(kAttributes.size());
  }
  ProcessResource out;
  if (name.size() <= 255) keep(out, std::string(kServiceName), std::string(name));
  if (attributes.size() < 64 * 1024) {
    const auto pairs = otlp::parse_pairs(attributes);
    for (std::size_t i = 0; pairs && i < pairs->size(); ++i) keep(out, (*pairs)[i].key, (*pairs)[i].value);
  }
  return out;
}

ProcessResource resource_of_context(std::string_view payload) {
  ProcessResource out;
  for (otlp::Pair& pair : otlp::resource_of_context(payload))
    keep(out, std::move(pair.key), std::move(pair.value));
  return out;
}

void set_owner(otlp::SpanDraft& span, const Origin& origin) {
  const ProcessNames& names = origin.names;
  const std::string_view file = file_name(names.exe);
  const auto add = [&span](std::string_view key, std::string_view value) {
    const bool said = std::ranges::any_of(span.owner, [&](const otlp::Attribute& a) { return a.key == key; });
    if (!value.empty() && !said) span.owner.push_back({key, value});
  };
  const auto named = std::ranges::find(names.resource, kServiceName, &ResourceAttribute::key);
  const std::string_view service = named == names.resource.end() ? file : std::string_view(named->value);
  if (origin.pid == 0 || service.empty()) return;
  add(kServiceName, service);
  add("container.name", names.container);
  add("k8s.pod.name", names.pod);
  add("k8s.namespace.name", names.namespace_);
  for (const ResourceAttribute& a : names.resource) add(a.key, a.value);
}

}  // namespace plumb
