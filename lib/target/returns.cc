#include "target/returns.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <set>

#include "target/instruction.h"

namespace plumb {
namespace {

constexpr std::size_t kMaxFollowed = 4096;  // instructions of code whose size is not known
constexpr std::size_t kMaxTargets = 256;
constexpr std::size_t kMaxSwept = 16;  // functions

Error refuse(std::string why) {
  return Error{"cannot find where the function returns", std::move(why)};
}

Error unknown(std::uint64_t address) {
  return refuse(fmt::format("the bytes at {:#x} are no instruction that plumb knows", address));
}

class Search {
 public:
  explicit Search(const CodeSource& code) : code_(code) {}

  Result<std::vector<std::uint64_t>> run(CodeRange function) {
    if (auto r = sweep(function); !r) return r.error();
    while (!waiting_.empty()) {
      const std::uint64_t start = waiting_.front();
      waiting_.pop_front();
      const auto whole = swept_.size() < kMaxSwept ? code_.function_at(start) : std::nullopt;
      if (auto r = whole ? sweep(*whole) : follow(start); !r) return r.error();
    }
    for (const std::uint64_t target : inner_) {
      if (!starts_.contains(target))
        return refuse(fmt::format("a jump leads to {:#x}, in the middle of an instruction", target));
    }
    if (returns_.empty()) return refuse("it has no return instruction");
    if (returns_.size() > kMaxReturns) return refuse("it has too many return instructions");
    return std::vector<std::uint64_t>(returns_.begin(), returns_.end());
  }

 private:
  bool inside(std::uint64_t address) const {
    return std::any_of(swept_.begin(), swept_.end(),
                       [&](const CodeRange& r) { return address - r.address < r.size; });
  }

  // A function, byte after byte.
  Result<void> sweep(CodeRange function) {
    if (function.size == 0 || function.size > kMaxFunctionBytes)
      return refuse(
          fmt::format("the size of the code at {:#x} is said to be {}", function.address, function.size));
    if (inside(function.address)) return {};
    swept_.push_back(function);
    const std::vector<std::byte> code = code_.read(function.address, function.size);
    if (code.size() != function.size)
      return refuse(fmt::format("there is no code at {:#x}", function.address));
    for (std::size_t at = 0; at < code.size();) {
      const std::uint64_t address = function.address + at;
      const auto instruction = decode(std::span(code).subspan(at), address);
      if (!instruction) return unknown(address);
      starts_.insert(address);
      if (auto r = take(address, *instruction); !r) return r;
      at += instruction->length;
    }
    return {};
  }

  // Code of unknown size: from `address` until it returns or jumps; what branches off is queued.
  Result<void> follow(std::uint64_t address) {
    constexpr std::size_t kStep = 512;
    std::vector<std::byte> code;
    std::uint64_t base = address;
    while (!inside(address) && starts_.insert(address).second) {
      if (++followed_ > kMaxFollowed) return refuse("what it jumps to is too long");
      if (address - base + 16 > code.size()) {
        base = address;
        code = code_.read(base, kStep);
      }
      if (address - base >= code.size()) return refuse(fmt::format("there is no code at {:#x}", address));
      const auto instruction = decode(std::span(code).subspan(address - base), address);
      if (!instruction) return unknown(address);
      if (instruction->flow == Flow::jump_register)
        return refuse(fmt::format("what it jumps to goes on through a register, at {:#x}", address));
      if (auto r = take(address, *instruction); !r) return r;
      if (ends(instruction->flow)) return {};
      address += instruction->length;
    }
    return {};
  }

  static bool ends(Flow flow) {
    return flow == Flow::jump || flow == Flow::jump_slot || flow == Flow::returns || flow == Flow::stop;
  }

  Result<void> take(std::uint64_t address, const Instruction& instruction) {
    const std::uint64_t target = address + static_cast<std::uint64_t>(instruction.target);
    switch (instruction.flow) {
      case Flow::returns:
        returns_.insert(address);
        return {};
      case Flow::jump:
      case Flow::branch:
        return go_to(target);
      case Flow::jump_slot:
        if (const auto function = code_.slot_target(target)) return go_to(*function);
        return refuse(fmt::format("it ends in a call of another library, at {:#x}", address));
      case Flow::jump_memory:
        return refuse(fmt::format("it ends in a call through a pointer, at {:#x}", address));
      default:
        return {};
    }
  }

  Result<void> go_to(std::uint64_t target) {
    if (inside(target)) {
      inner_.insert(target);
      return {};
    }
    if (outer_.insert(target).second) waiting_.push_back(target);
    return outer_.size() > kMaxTargets ? refuse("it jumps to too many places") : Result<void>();
  }

  const CodeSource& code_;
  std::vector<CodeRange> swept_;
  std::set<std::uint64_t> starts_;  // of instructions
  std::set<std::uint64_t> returns_;
  std::set<std::uint64_t> inner_;      // targets inside what was swept
  std::set<std::uint64_t> outer_;      // targets elsewhere
  std::deque<std::uint64_t> waiting_;  // those not yet followed
  std::size_t followed_ = 0;
};

}  // namespace

Result<std::vector<std::uint64_t>> find_returns(CodeRange function, const CodeSource& code) {
  return Search(code).run(function);
}

}  // namespace plumb
