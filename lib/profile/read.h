// The readers: saved stacks of this or another tool. All bytes are hostile: what a file can make plumb keep or compute is
// bounded by its own size and by ReadLimits, whatever it claims.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"
#include "profile/profile.h"

namespace plumb::profile {

struct ReadLimits {
  Limits profile;
  std::size_t unpacked_bytes = std::size_t{512} << 20;  // of a gzip file; more is refused
};

// Folded stacks, "root;caller;leaf 42" a line. Marks of the kind after a name (_[k] _[j] _[i] _[p]) are understood and
// taken off, and so are "(inlined)" and names in brackets. Blank lines are passed over. A line that is no stack is an
// Error that names it.
Result<Profile> read_folded(std::span<const std::byte> bytes, const ReadLimits& limits = {});

// pprof's profile.proto, gzip or plain. Of several sample types the file's default, else the last, is the weight.
Result<Profile> read_pprof(std::span<const std::byte> bytes, const ReadLimits& limits = {});

// Either, by what the bytes look like: gzip and protobuf are pprof, text is folded.
Result<Profile> read_profile(std::span<const std::byte> bytes, const ReadLimits& limits = {});

// What a gzip file holds; more than `most` bytes is an Error.
Result<std::string> gunzip(std::span<const std::byte> bytes, std::size_t most);
bool is_gzip(std::span<const std::byte> bytes);

}  // namespace plumb::profile
