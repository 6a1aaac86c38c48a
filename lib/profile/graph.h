// Draws a tree as an SVG document: the frame of it, the rectangles, the script. What a node weighs, its colour and what
// is said of it are the caller's, so that flame graphs and their differences look and work alike.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "profile/bytes.h"
#include "profile/tree.h"

namespace plumb::profile {

struct Graph {
  const Tree* tree = nullptr;
  std::string title;
  std::vector<std::string> head;                            // lines below the title
  std::vector<std::pair<std::string, std::string>> legend;  // colour, what it means
  std::function<std::uint64_t(NodeId)> weight;              // of children together: at most their parent's
  std::function<std::string(NodeId)> colour;
  std::function<std::string(NodeId)> details;  // lines of the tooltip after the name
  bool icicle = false;
  std::size_t width = 1200;
  std::size_t most_frames = 30'000;
};

Result<void> write_graph(const Graph& graph, Bytes& out);

// A colour of `kind`'s family, by the name alone. Pale enough for black text.
std::string colour_of(const Label& label);
// Hue and meaning of the kinds that occur in `tree`.
std::vector<std::pair<std::string, std::string>> legend_of(const Tree& tree);

}  // namespace plumb::profile
