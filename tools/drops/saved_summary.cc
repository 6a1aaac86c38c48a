#include "drops/saved_summary.h"

#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "drops/summary.h"

namespace plumb {
namespace {

// A group of the summary, in names. What the kernel tells apart by number and a line does not (two devices of one name, one
// function's two copies) is one group.
struct SavedTotal {
  drops_key key{};
  drops_total total{};
  std::string reason, subsystem, hint, location, protocol, dev;
  IpAddress src, dst;

  DropSummary row() const {
    return {&key, &total, reason, subsystem, hint, location, protocol, dev, src, dst};
  }
};

class SavedDropSums final : public Summary {
 public:
  explicit SavedDropSums(const Schema& lines) : lines_(lines) {}

  const Schema& schema() const override { return kDropSummarySchema; }

  void add(const Row& row) override {
    if (row.type() == DROPS_COUNTER) return;
    SavedTotal seen = read(row);
    std::string name(reinterpret_cast<const char*>(&seen.key), sizeof seen.key);
    for (const std::string* text : {&seen.reason, &seen.subsystem, &seen.location, &seen.dev})
      name.append(*text).push_back('\0');
    if (const auto found = totals_.find(name); found != totals_.end()) {
      found->second.total.count += seen.total.count;
      found->second.total.bytes += seen.total.bytes;
    } else if (totals_.size() < DropSums::kMaxKeys) {
      totals_.emplace(std::move(name), std::move(seen));
    } else {
      lost_ += seen.total.count;
    }
  }

  std::uint64_t lost() const override { return lost_; }

  void finish(const Out& out) override {
    std::vector<const SavedTotal*> order;
    for (const auto& [name, total] : totals_) order.push_back(&total);
    std::ranges::stable_sort(order, std::ranges::greater{},
                             [](const SavedTotal* t) { return t->total.count; });
    for (const SavedTotal* total : order) {
      const DropSummary row = total->row();
      if (!out(Row(kDropSummarySchema, row))) return;
    }
  }

 private:
  template <class T>
  std::optional<T> value(const Row& row, std::string_view field) const {
    const std::size_t i = lines_.find(field);
    const Value v = row.get(i);
    const auto* found = std::get_if<T>(&v);
    return found == nullptr ? std::nullopt : std::optional<T>(*found);
  }
  std::string text(const Row& row, std::string_view field) const {
    return std::string(value<std::string_view>(row, field).value_or(std::string_view{}));
  }
  std::uint64_t number(const Row& row, std::string_view field) const {
    return value<std::uint64_t>(row, field).value_or(0);
  }

  SavedTotal read(const Row& row) const {
    SavedTotal t;
    t.key.type = static_cast<std::uint8_t>(row.type());
    t.key.netns = static_cast<std::uint32_t>(number(row, "netns"));
    t.reason = text(row, "reason");
    if (row.type() == DROPS_RETRANSMIT) t.reason = value<Name>(row, "kind").value_or(Name{}).text;
    t.subsystem = text(row, "subsystem");
    t.hint = text(row, "hint");
    t.location = text(row, "location");
    t.dev = text(row, "dev");
    const auto directions = lines_.spec(lines_.find("direction")).values;
    if (const auto direction = value<Name>(row, "direction")) {
      t.key.direction = static_cast<std::uint16_t>(
          1 + (std::ranges::find(directions, direction->text) - directions.begin()));
    }
    set_flow(row, t);
    t.total.count = value<std::uint64_t>(row, "count").value_or(1);
    t.total.bytes = number(row, "length_bytes");
    return t;
  }

  // As the kernel side groups: by the outer addresses and the service's port.
  void set_flow(const Row& row, SavedTotal& t) const {
    const std::string protocol = text(row, "protocol");
    if (protocol == "arp") {
      t.protocol = protocol;
      t.key.protocol = DROPS_PROTOCOL_ARP;
      return;
    }
    const auto src = value<IpAddress>(row, "src"), dst = value<IpAddress>(row, "dst");
    if (!src || !dst) return;
    t.protocol = protocol == "vxlan" ? "udp" : protocol;
    t.key.protocol = ip_protocol_number(t.protocol).value_or(0);
    t.key.family = src->is_v4() ? AF_INET : AF_INET6;
    keep_service_port(&t.key, static_cast<std::uint16_t>(number(row, "src_port")),
                      static_cast<std::uint16_t>(number(row, "dst_port")));
    std::ranges::copy(src->bytes(), t.key.src);
    std::ranges::copy(dst->bytes(), t.key.dst);
    t.src = *src;
    t.dst = *dst;
  }

  const Schema& lines_;
  std::map<std::string, SavedTotal> totals_;
  std::uint64_t lost_ = 0;
};

}  // namespace

std::unique_ptr<Summary> make_saved_drop_sums(const Schema& lines) {
  return std::make_unique<SavedDropSums>(lines);
}

}  // namespace plumb
