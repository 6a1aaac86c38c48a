// Folded stacks: "root;caller;leaf 42", one stack a line, as flamegraph.pl and speedscope read them. The same
// stacks are added up; lines are sorted, so that two runs can be compared with diff(1).

#include <fmt/format.h>

#include <iterator>
#include <map>

#include "base/text.h"
#include "sink/formats.h"

namespace plumb {
namespace {

// ';' parts frames, and the last blank parts the count, so that a ';' within a name becomes ':' as perf's own
// scripts have it. Control bytes are escaped: a newline in a name would forge a line.
void append_frame(std::string& out, std::string_view frame) {
  const std::size_t begin = out.size();
  append_printable(out, frame);
  for (std::size_t i = begin; i < out.size(); ++i) {
    if (out[i] == ';') out[i] = ':';
  }
}

class FoldedSink final : public Sink {
 public:
  explicit FoldedSink(Output& output) : output_(&output) {}

  Result<void> row(const Row&) override {
    return Error{"the folded format shows stacks alone", "this run gives events", "choose --format json"};
  }

  Result<void> stack(const Stack& stack) override {
    key_.clear();
    if (!stack.comm.empty()) append_frame(key_, stack.comm);
    for (const std::string_view frame : stack.frames) {
      if (!key_.empty()) key_ += ';';
      append_frame(key_, frame);
    }
    if (!key_.empty()) stacks_[key_] += stack.value;
    return {};
  }

  // There is no place for it in the format; the run says it on standard error.
  Result<void> lost(const Loss&) override { return {}; }

  Result<void> end() override {
    for (const auto& [frames, value] : stacks_) {
      fmt::format_to(std::back_inserter(output_->buffer()), "{} {}\n", frames, value);
      if (auto r = output_->maybe_write(); !r) return r;
    }
    return output_->write_out();
  }

 private:
  Output* output_;
  std::string key_;
  std::map<std::string, std::uint64_t> stacks_;
};

}  // namespace

std::unique_ptr<Sink> make_folded_sink(Output& output) {
  return std::make_unique<FoldedSink>(output);
}

}  // namespace plumb
