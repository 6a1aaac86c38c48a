// Names of drop and reset reasons, from the running kernel's BTF. The numbers differ from kernel to kernel,
// and subsystems (mac80211, openvswitch, qdisc) number theirs above 65535: a table of ours would be wrong.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace plumb {

class KernelBtf;

struct EnumValue {
  std::string name;
  std::uint32_t value = 0;
};

// Both views are valid as long as the DropReasons.
struct ReasonName {
  std::string_view reason;     // "NO_SOCKET"; a number where the kernel has no name for it
  std::string_view subsystem;  // "core", "qdisc", "openvswitch"; empty: not known
};

class DropReasons {
 public:
  // The enumerations of the kernel itself. Those of modules are read when a number of theirs is met.
  static DropReasons of_drops(const KernelBtf& kernel);
  static DropReasons of_resets(const KernelBtf& kernel);
  // From values alone, for tests.
  static DropReasons from(const std::vector<EnumValue>& reasons, const std::vector<EnumValue>& subsystems);

  ReasonName name(std::uint32_t reason);
  // The number of a reason by its name, letter case ignored, with or without the kernel's prefix.
  std::optional<std::uint32_t> number(std::string_view name) const;
  // All names, for suggestions and for finding numbers.
  std::vector<std::string_view> names() const;
  bool empty() const { return by_number_.empty(); }

 private:
  void add(const std::vector<EnumValue>& values);
  void load_modules();

  bool modules_loaded_ = true;
  std::deque<std::string> texts_;
  std::map<std::uint32_t, std::string_view> by_number_;
  std::map<std::uint32_t, std::string_view> subsystems_;
};

// "NO_SOCKET" of SKB_DROP_REASON_NO_SOCKET, SK_RST_REASON_NO_SOCKET; other names as they are.
std::string_view short_reason(std::string_view name);

}  // namespace plumb
