#include "profile/tree.h"

#include <algorithm>

namespace plumb::profile {
namespace {

void add_saturated(std::uint64_t& sum, std::uint64_t value) {
  if (__builtin_add_overflow(sum, value, &sum)) sum = ~std::uint64_t{0};
}

}  // namespace

Tree::Tree() {
  nodes_.push_back({.label = label_id({.name = "all"})});
}

Label Tree::label(LabelId id) const {
  const KeptLabel& k = labels_[id];
  return {strings_.view(k.name), strings_.view(k.module), k.kind};
}

LabelId Tree::label_id(const Label& label) {
  const KeptLabel kept{strings_.intern(label.name), strings_.intern(label.module), label.kind};
  const auto hash_of = [](const KeptLabel& k) {
    return mixed(mixed(mixed(5, k.name), k.module), static_cast<std::uint64_t>(k.kind));
  };
  const std::uint64_t hash = hash_of(kept);
  const LabelId known = label_ids_.find(hash, [&](LabelId id) { return labels_[id] == kept; });
  if (known != IdTable::kNone) return known;
  labels_.push_back(kept);
  const auto id = static_cast<LabelId>(labels_.size() - 1);
  label_ids_.insert(hash, id, [&](LabelId i) { return hash_of(labels_[i]); });
  return id;
}

// kNoNode when there is no room for a new one.
NodeId Tree::child(NodeId parent, LabelId label) {
  const auto hash_of = [](NodeId p, LabelId l) { return mixed(mixed(6, p), l); };
  const std::uint64_t hash = hash_of(parent, label);
  const NodeId known = node_ids_.find(
      hash, [&](NodeId id) { return nodes_[id].parent == parent && nodes_[id].label == label; });
  if (known != IdTable::kNone) return known;
  if (nodes_.size() >= kMostNodes) return kNoNode;
  const auto id = static_cast<NodeId>(nodes_.size());
  const std::uint32_t depth = nodes_[parent].depth + 1;
  nodes_.push_back(
      {.label = label, .parent = parent, .next_sibling = nodes_[parent].first_child, .depth = depth});
  nodes_[parent].first_child = id;
  depth_ = std::max(depth_, depth);
  node_ids_.insert(hash, id, [&](NodeId i) { return hash_of(nodes_[i].parent, nodes_[i].label); });
  return id;
}

void Tree::add(const Profile& profile, Root root, std::size_t side) {
  std::vector<LabelId> labels(profile.frames());
  for (FrameId f = 0; f < labels.size(); ++f) {
    const Frame frame = profile.frame_of(f);
    labels[f] = label_id({.name = display_name(profile, frame),
                          .module = module_name(profile.mapping_of(frame.mapping).path),
                          .kind = frame.kind});
  }
  const auto count = [&](NodeId id, const Sample& s) {
    add_saturated(nodes_[id].value[side], s.value);
    add_saturated(nodes_[id].count[side], s.count);
  };
  for (std::size_t i = 0; i < profile.samples(); ++i) {
    const Sample s = profile.sample(i);
    NodeId at = kRoot;
    count(at, s);
    const auto descend = [&](LabelId label) {
      const NodeId next = child(at, label);
      if (next == kNoNode) return false;
      count(at = next, s);
      return true;
    };
    const std::string name = root_label(s, root);
    if (!name.empty() && !descend(label_id({.name = name}))) continue;
    for (const FrameId f : s.frames) {
      if (!descend(labels[f])) break;
    }
  }
}

void Tree::sort() {
  std::vector<LabelId> order(labels_.size());
  for (LabelId i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [this](LabelId id) { return label(id); });
  std::vector<std::uint32_t> rank(order.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) rank[order[i]] = i;
  std::vector<NodeId> children;
  for (Node& node : nodes_) {
    children.clear();
    for (NodeId c = node.first_child; c != kNoNode; c = nodes_[c].next_sibling) children.push_back(c);
    if (children.size() < 2) continue;
    std::ranges::sort(children, {}, [&](NodeId c) { return rank[nodes_[c].label]; });
    node.first_child = children.front();
    for (std::size_t i = 0; i < children.size(); ++i) {
      nodes_[children[i]].next_sibling = i + 1 < children.size() ? children[i + 1] : kNoNode;
    }
  }
}

}  // namespace plumb::profile
