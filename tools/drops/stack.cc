#include "drops/stack.h"

#include <algorithm>
#include <array>

namespace plumb {
namespace {

bool is_probe_frame(std::string_view frame) {
  return std::ranges::any_of(
      std::array{"bpf_prog_", "bpf_trace_run", "__bpf_trace_", "__traceiter_", "bpf_trampoline_"},
      [frame](const char* prefix) { return frame.starts_with(prefix); });
}

}  // namespace

void read_frames(std::span<const __u64> addresses, DropTexts& texts, std::string LocationInfo::*name,
                 std::vector<std::string_view>& frames) {
  frames.clear();
  for (std::size_t i = addresses.size(); i-- > 0;) {
    if (addresses[i] != 0) frames.push_back(texts.location(addresses[i]).*name);
  }
  while (!frames.empty() && is_probe_frame(frames.back())) frames.pop_back();
}

std::string_view dropping_function(std::span<const std::string_view> frames) {
  constexpr std::string_view kFree[] = {"kfree_skb",   "kfree_skb_reason",      "sk_skb_reason_drop",
                                        "__kfree_skb", "kfree_skb_list_reason", "kfree_skb_list"};
  while (!frames.empty() && std::ranges::find(kFree, frames.back()) != std::end(kFree))
    frames = frames.first(frames.size() - 1);
  return frames.empty() ? std::string_view{} : frames.back();
}

}  // namespace plumb
