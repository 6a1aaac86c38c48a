// Walks over a BPF hash map from the user side.
#pragma once

#include <bpf/bpf.h>

namespace plumb {

// visit(key, value) for each entry. What programs insert meanwhile may be missed, what they delete may make
// the kernel start again and tell an entry twice: call it once they are detached where that matters.
template <class Key, class Value, class Visit>
void for_each_entry(int map_fd, Visit visit) {
  Key key{};
  const void* previous = nullptr;
  while (bpf_map_get_next_key(map_fd, previous, &key) == 0) {
    Value value{};
    if (bpf_map_lookup_elem(map_fd, &key, &value) == 0) visit(key, value);
    previous = &key;
  }
}

}  // namespace plumb
