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
  // `by`: indexes of the schema's fields; empty: no groups. An Error is a wrong expression.
  static Result<Judge> compile(const std::vector<std::string>& expressions, const Schema& schema,
                               std::vector<std::size_t> by);

  bool empty() const { return all_.empty(); }
  bool by_group() const { return by_.size() != 0; }
  std::size_t groups() const { return groups_.size(); }
  void observe(const Row& row);
  // Expression by expression, in it group by group as they came. Without a row there is no group: then all rows are
  // judged, of which there are none.
  std::vector<Judged> evaluate(Duration elapsed) const;

  // Groups beyond these are judged together, as "(other)".
  static constexpr std::size_t kMaxGroups = 1024;

 private:
  struct Group {
    std::string name;
    std::vector<Threshold> thresholds;
  };
  Group& find();
  std::vector<Threshold> fresh() const;

  const Schema* schema_ = nullptr;
  std::vector<std::string> expressions_;
  GroupFields by_;
  std::vector<Threshold> all_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::unordered_map<std::string, Group*> by_key_;
  Group* other_ = nullptr;
  std::string key_;
};

}  // namespace plumb
