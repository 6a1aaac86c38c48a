// Stacks merged from the root: what a flame graph draws. Frames of one name, kind and module are one node, whatever
// their addresses and lines. Siblings stand in the order of their names, so that the same stacks give the same tree.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "profile/intern.h"
#include "profile/profile.h"
#include "profile/write.h"

namespace plumb::profile {

struct Label {
  std::string_view name;
  std::string_view module;  // without its folder; empty: none
  FrameKind kind = FrameKind::note;
  friend bool operator==(const Label&, const Label&) = default;
  friend auto operator<=>(const Label&, const Label&) = default;
};

using LabelId = std::uint32_t;
using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = ~NodeId{0};

class Tree {
 public:
  // A tree may be of two profiles, to compare them: side 0 and 1.
  static constexpr std::size_t kSides = 2;

  struct Node {
    LabelId label = 0;
    NodeId parent = kNoNode;
    NodeId first_child = kNoNode;
    NodeId next_sibling = kNoNode;
    std::uint32_t depth = 0;               // of the root: 0
    std::uint64_t value[kSides] = {0, 0};  // with everything above it
    std::uint64_t count[kSides] = {0, 0};
  };

  Tree();
  // Adds all samples of `profile`. Names are copied. Past kMostNodes a stack ends at its last known node.
  void add(const Profile& profile, Root root, std::size_t side = 0);
  // Puts siblings in order; after the last add().
  void sort();

  static constexpr NodeId kRoot = 0;  // labelled "all"
  std::size_t size() const { return nodes_.size(); }
  const Node& node(NodeId id) const { return nodes_[id]; }
  Label label(LabelId id) const;
  std::uint32_t depth() const { return depth_; }  // of the deepest node

  static constexpr std::size_t kMostNodes = std::size_t{1} << 22;

 private:
  struct KeptLabel {
    StringId name, module;
    FrameKind kind;
    friend bool operator==(const KeptLabel&, const KeptLabel&) = default;
  };
  LabelId label_id(const Label& label);
  NodeId child(NodeId parent, LabelId label);

  Strings strings_{~std::size_t{0}};
  std::vector<KeptLabel> labels_;
  IdTable label_ids_;
  std::vector<Node> nodes_;
  IdTable node_ids_;
  std::uint32_t depth_ = 0;
};

}  // namespace plumb::profile
