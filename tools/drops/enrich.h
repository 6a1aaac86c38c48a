// What a line of drops needs from outside the packet: names of reasons, code locations and stacks, the owner
// of the socket, and the drop behind a retransmit. Holds the texts that lines point to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "drops/cause.h"
#include "drops/event.h"
#include "drops/hints.h"
#include "probe/drop_reasons.h"
#include "symbol/kallsyms.h"

namespace plumb {

struct ReasonInfo {
  std::string_view reason, subsystem, hint;
};

struct LocationInfo {
  std::string text;      // "nft_do_chain+0x1a3"
  std::string function;  // "nft_do_chain"; the address where there is no symbol
  Place place = Place::lossy;
};

class DropTexts {
 public:
  DropTexts(KernelSymbols symbols, DropReasons reasons, DropReasons resets)
      : symbols_(std::move(symbols)), reasons_(std::move(reasons)), resets_(std::move(resets)) {}

  const ReasonInfo& reason(drops_type type, std::uint32_t reason);
  const LocationInfo& location(std::uint64_t address);
  // Fills in what the line's reason is called and means, if it has one.
  void name_reason(DropLine& line);
  const KernelSymbols& symbols() const { return symbols_; }

  static constexpr std::size_t kMaxLocations = 65'536;

 private:
  KernelSymbols symbols_;
  DropReasons reasons_, resets_;
  std::unordered_map<std::uint64_t, ReasonInfo> infos_;
  std::unordered_map<std::uint64_t, LocationInfo> locations_;
};

// Keeps a TCP segment's drop for the retransmit that may follow.
void remember_drop(const DropLine& line, CauseJoin& causes);
// Fills in the drop that explains a retransmit, if one does.
void find_cause(DropLine& line, const drops_event& event, const CauseJoin& causes);

}  // namespace plumb
