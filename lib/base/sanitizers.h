// Whether this is a build with the address sanitizer: its runtime maps terabytes and calls what it likes, so that limits on
// memory and filters of system calls do not go with it.
#pragma once

namespace plumb {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace plumb
