// --from FILE: the JSON lines of an earlier run in place of the kernel. To the run loop they are a tool without hooks, whose
// fields are those of the tool that wrote them; everything behind it is the same.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "replay/line.h"
#include "run/tool.h"

namespace plumb {

class SavedLines final : public Tool {
 public:
  // An Error is a wrong command line: options that mean nothing without a kernel, a file that would be written over.
  static Result<void> check(const CommonOptions& options);
  // Where the lines go. row() returns false once no more is wanted.
  struct Out {
    std::function<bool(const Row&)> row;
    std::function<void(const Loss&)> lost;
  };

  // `tool`, which wrote the lines, is bound to the options already and outlives this.
  static Result<std::unique_ptr<SavedLines>> open(const ToolInfo& written_by, Tool& tool,
                                                  const std::string& path);

  // The tool as the run sees it: without formats that are of stacks, with the fields of these lines.
  const ToolInfo& info() const { return info_; }

  OptionTable options() override { return tool_.options(); }
  const Schema& schema() const override { return reader_.schema(); }
  std::vector<std::string> columns() const override { return tool_.columns(); }
  std::vector<std::string> group_by() const override { return tool_.group_by(); }
  std::unique_ptr<TopSink> make_top(Screen& screen, const ClockSource& clock,
                                    const TopStyle& style) override {
    return tool_.make_top(screen, clock, style);
  }
  std::vector<Hook> hooks() const override { return {}; }
  Result<void> attach(Session&) override { return {}; }
  std::vector<AnyProbe*> probes() override { return {}; }
  // What was passed over, and why.
  void remark() override;

  // Pushes every line. `wait` waits until `fd` can be read and the outputs took what there was; false: no more is wanted.
  Result<void> read(const Out& out, const std::function<bool(int fd)>& wait);

  // Losses that the lines tell of, and broken lines.
  std::uint64_t lost() const { return lost_; }
  std::uint64_t broken() const { return broken_; }
  std::uint64_t rows() const { return rows_; }
  // From the first event to the last.
  Duration span() const { return rows_ == 0 ? Duration{} : between(first_, last_); }
  UnixTime first() const { return first_; }
  const std::string& name() const { return name_; }

 private:
  SavedLines(const ToolInfo& written_by, Tool& tool);

  bool take(std::string_view line, const Out& out);
  bool take_row(const Out& out);
  void take_broken(const Out& out, std::string_view why);
  bool take_chunk(const Out& out);
  Result<void> check_kind() const;

  Tool& tool_;
  replay::LineReader reader_;
  ToolInfo info_;
  UniqueFd fd_;
  std::string name_;
  std::size_t time_field_ = 0;
  std::string buffer_;  // read, and not yet taken
  bool too_long_ = false;
  std::uint64_t line_ = 0, rows_ = 0, lost_ = 0, broken_ = 0;
  std::map<std::string, std::uint64_t> others_;  // by type
  UnixTime first_, last_;
};

}  // namespace plumb
