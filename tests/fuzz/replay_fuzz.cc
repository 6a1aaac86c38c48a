// A saved line is outside text. Whatever it is, reading it ends; what is read as a row can be written, read again and then
// comes out the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "replay/line.h"
#include "replay/report.h"
#include "sample_event.h"
#include "sink/formats.h"

using namespace plumb;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::string written(const replay::LineReader& reader) {
  Output out = Output::memory();
  const auto sink = make_json_sink(reader.schema(), out);
  require(sink->row(Row(reader.schema(), reader.row())).ok());
  std::string line = out.buffer();
  require(line.ends_with('\n'));
  line.pop_back();
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (const std::string_view text(reinterpret_cast<const char*>(data), size); replay::begins_report(text)) {
    if (const auto report = replay::read_report(text)) {
      for (const Sketch& s : report->sketches) {
        const auto again = Quantiles::restored(s.values.figures(), s.values.filled());
        require(again && again->quantile(0.5) == s.values.quantile(0.5) && s.held <= s.rows);
      }
    }
    return 0;
  }
  replay::LineReader reader(sample::kSchema);
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    switch (reader.read(line)) {
      case replay::LineKind::row: {
        const std::string once = written(reader);
        require(reader.read(once) == replay::LineKind::row);
        require(written(reader) == once);
        break;
      }
      case replay::LineKind::broken:
        require(!reader.why().empty());
        break;
      default:
        break;
    }
    require(reader.unknown().size() <= replay::LineReader::kMostUnknown);
  }
  return 0;
}
