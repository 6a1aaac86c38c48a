// What a reason or a counter means and what to look at, one sentence each, and which reasons are no loss.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace plumb {

// For a drop or reset reason by its short name ("NO_SOCKET"); for names that are not in the table a sentence
// that says so. Never empty, except for an empty name.
std::string_view reason_hint(std::string_view reason);
std::string_view reset_hint(std::string_view reason);
// Whether the table has this name.
bool has_reason_hint(std::string_view reason);
bool has_reset_hint(std::string_view reason);

// Reasons that mean no loss: the packet had done its work, or nobody was ever meant to get it. Folded without
// --all.
bool is_benign_reason(std::string_view reason);
std::span<const std::string_view> benign_reasons();
// Reasons under which the kernel frees losses as well as packets that nobody here wanted; the packet tells.
std::span<const std::string_view> ambiguous_reasons();
// Reasons that are no loss for an acknowledgement alone: one that was sent later has overtaken it and says more. Hosts with
// several CPUs and devices with several queues reorder them.
std::span<const std::string_view> overtaken_reasons();
// Reasons for which only what was received is dropped.
std::span<const std::string_view> arriving_reasons();
// What it means that a function drops a packet without giving a reason.
enum class Place : std::uint8_t {
  lossy,     // a loss
  harmless,  // none, NOT_SPECIFIED or on a kernel without reasons
  // None of a segment without data and without SYN, where the kernel gives reasons: TCP's receive functions name every loss,
  // and free without a reason what has done its work: an ACK after a half-close, the last FIN of an ordinary close.
  tcp,
  // A loss of what comes in, which looks as if it were sent: native XDP of a device takes it before it counts as received.
  arriving,
};
Place place_of(std::string_view function);

// A hint for the counters that mean loss; empty for all other counters, which are not told.
std::string_view counter_hint(std::string_view counter);

}  // namespace plumb
