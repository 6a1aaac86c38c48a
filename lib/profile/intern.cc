#include "profile/intern.h"

#include <cstring>

namespace plumb::profile {

std::uint64_t Strings::hash_of(std::string_view text) {
  std::uint64_t hash = mixed(0, text.size());
  while (text.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), 8);
    hash = mixed(hash, word);
    text.remove_prefix(8);
  }
  std::uint64_t word = 0;
  if (!text.empty()) std::memcpy(&word, text.data(), text.size());
  return mixed(hash, word);
}

StringId Strings::intern(std::string_view text) {
  if (text.empty()) return 0;
  const std::uint64_t hash = hash_of(text);
  const StringId known = ids_.find(hash, [&](StringId id) { return view(id) == text; });
  if (known != IdTable::kNone) return known;
  if (bytes_ >= most_bytes_ || text.size() > most_bytes_ - bytes_) return IdTable::kNone;
  return insert(text, hash);
}

StringId Strings::intern_always(std::string_view text) {
  const StringId id = intern(text);
  return id == IdTable::kNone ? insert(text, hash_of(text)) : id;
}

StringId Strings::insert(std::string_view text, std::uint64_t hash) {
  views_.push_back(keep(text));
  const auto id = static_cast<StringId>(views_.size());
  ids_.insert(hash, id, [this](StringId i) { return hash_of(view(i)); });
  return id;
}

std::string_view Strings::keep(std::string_view text) {
  bytes_ += text.size();
  char* to = nullptr;
  if (text.size() > kBlock / 4) {  // a block of its own, so that little of a shared one is wasted
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(text.size()));
    to = blocks_.back().get();
  } else {
    if (text.size() > room_) {
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(kBlock));
      free_ = blocks_.back().get();
      room_ = kBlock;
    }
    to = free_;
    free_ += text.size();
    room_ -= text.size();
  }
  std::memcpy(to, text.data(), text.size());
  return {to, text.size()};
}

}  // namespace plumb::profile
