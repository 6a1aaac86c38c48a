// Kernel stacks of dropped packets, in names.
#pragma once

#include <linux/types.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "drops/enrich.h"

namespace plumb {

// The frames of `addresses` (leaf first, as the kernel gives them, 0 for none), root first, without those of
// the probe itself. Views of `texts`.
void read_frames(std::span<const __u64> addresses, DropTexts& texts, std::string LocationInfo::*name,
                 std::vector<std::string_view>& frames);

// Of frames, root first: who called what frees packets. Empty: nobody.
std::string_view dropping_function(std::span<const std::string_view> frames);

}  // namespace plumb
