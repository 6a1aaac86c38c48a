// The --fail-if of a run: every threshold over all rows, or with --by over each group's rows by themselves.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "query/group_key.h"
#include "query/threshold.h"

namespace plumb {

struct Judged {
  std::string expression;  // as written, printable
  std::string group;       // "remote_addr 192.0.2.1"; empty: all rows
  Verdict verdict;
};

class Judge {
 public:
  // `by`: indexes of the schema's fields; empty: no groups. `counted`: as Threshold takes it. An Error is a wrong expression.
  static Result<Judge> compile(const std::vector<std::string>& expressions, const Schema& schema,
                               std::vector<std::size_t> by, TypeMask counted = kAllTypes);

  bool empty() const { return all_.empty(); }
  bool by_group() const { return by_.size() != 0; }
  std::size_t groups() const { return seen_; }
  void observe(const Row& row);
  // A row of the baseline, before those of the run; its group by the same fields.
  void observe_base(const Row& row);
  // What a report of the baseline kept, in place of its rows; an Error where that lacks what base(...) is computed from.
  Result<void> set_base(const std::vector<Sketch>& sketches);
  // What the verdicts are computed from, for a report; each once.
  std::vector<Sketch> sketches() const;
  // Before the first row: sketches() are to be compared with another run.
  void keep_order();
  void set_base_elapsed(Duration elapsed) { base_elapsed_ = elapsed; }
  // Whether an expression asks for base(...).
  bool uses_base() const;
  // Expression by expression, in it group by group as they came. Without a row there is no group: then all rows are
  // judged, of which there are none.
  std::vector<Judged> evaluate(Duration elapsed) const;

  // Groups beyond these are judged together, as "(other)".
  static constexpr std::size_t kMaxGroups = 1024;

 private:
  struct Group {
    std::string name;
    std::vector<Threshold> thresholds;
    bool seen = false;  // in this run: a group of the baseline alone is not judged
  };
  Group& find();
  std::vector<Threshold> fresh() const;

  const Schema* schema_ = nullptr;
  TypeMask counted_ = kAllTypes;
  bool ordered_ = false;
  std::vector<std::string> expressions_;
  GroupFields by_;
  std::vector<Threshold> all_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::unordered_map<std::string, Group*> by_key_;
  Group* other_ = nullptr;
  std::size_t seen_ = 0;
  std::string key_;
  Duration base_elapsed_;
};

}  // namespace plumb
