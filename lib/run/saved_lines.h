// --from FILE: the JSON lines of an earlier run in place of the kernel. To the run loop they are a tool without hooks, whose
// fields are those of the tool that wrote them; everything behind it is the same.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "replay/line.h"
#include "replay/report.h"
#include "run/tool.h"

namespace plumb {

class SavedLines final : public Tool {
 public:
  // An Error is a wrong command line: options that mean nothing without a kernel, a file that would be written over.
  static Result<void> check(const CommonOptions& options, std::string_view traces);
  // Where the lines go. row() returns false once no more is wanted.
  struct Out {
    std::function<bool(const Row&)> row;
    std::function<void(const Loss&)> lost;
  };

  // `tool`, which wrote the lines, is bound to the options already and outlives this.
  static Result<std::unique_ptr<SavedLines>> open(const ToolInfo& written_by, Tool& tool,
                                                  const CommonOptions& options, const std::string& path);

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
  std::unique_ptr<Summary> make_summary() override { return tool_.make_summary_of_saved(reader_.schema()); }
  std::unique_ptr<Summary> count_along(std::unique_ptr<Summary> summary, const Schema& lines) override {
    return tool_.count_along(std::move(summary), lines);
  }
  // Each line is judged, whatever options the run that wrote it had; a summary counts what that of a trace counts.
  TypeMask judged_types() const override { return summary_ ? tool_.judged_types() : kAllTypes; }
  TypeMask counted_types() const override { return tool_.counted_types(); }
  std::string_view unpaired() const override { return tool_.unpaired(); }
  std::vector<Hook> hooks() const override { return {}; }
  Result<void> attach(Session&) override { return {}; }
  std::vector<AnyProbe*> probes() override { return {}; }
  void remark() override { remark_on_lines(); }
  void remark_on_counts() override { tool_.remark_on_counts(); }
  // What was passed over, and why.
  void remark_on_lines() const;

  // The report that the file is; nothing: it is one of lines, to read().
  Result<std::optional<replay::SavedReport>> report();

  // Pushes every line. `wait` waits until `fd` can be read and the outputs took what there was; false: no more is wanted.
  Result<void> read(const Out& out, const std::function<bool(int fd)>& wait);

  // Losses that the lines tell of, and broken lines.
  std::uint64_t lost() const { return lost_; }
  std::uint64_t broken() const { return broken_; }
  std::uint64_t rows() const { return rows_; }
  // From the first event to the last.
  Duration span() const { return rows_ == 0 ? Duration{} : between(first_, last_); }
  UnixTime first() const { return first_; }
  // The time of the newest line so far, for what shows rates.
  const ClockSource& clock() const { return clock_; }
  const std::string& name() const { return name_; }

 private:
  class Clock final : public ClockSource {
   public:
    explicit Clock(const UnixTime& last) : last_(last) {}
    BootTime boot() const override {
      return {static_cast<std::uint64_t>(std::max<std::int64_t>(last_.ns, 0))};
    }
    UnixTime real() const override { return last_; }

   private:
    const UnixTime& last_;
  };

  SavedLines(const ToolInfo& written_by, Tool& tool);

  bool take(std::string_view line, const Out& out);
  bool take_row(const Out& out);
  void take_broken(const Out& out, std::string_view why);
  bool take_chunk(const Out& out);
  Result<void> check_kind() const;
  Result<bool> read_more();

  Tool& tool_;
  replay::LineReader reader_;
  ToolInfo info_;
  bool summary_ = false;  // --summary
  UniqueFd fd_;
  std::string name_;
  std::size_t time_field_ = 0;
  std::string buffer_;  // read, and not yet taken
  bool too_long_ = false;
  std::uint64_t line_ = 0, rows_ = 0, lost_ = 0, broken_ = 0;
  std::map<std::string, std::uint64_t> others_;  // by type
  UnixTime first_, last_;
  Clock clock_{last_};
};

}  // namespace plumb
