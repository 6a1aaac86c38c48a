// Records of the ring buffer with any bytes, at any time, into lines: impossible times and lengths print somehow, and
// a line is one line.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "drops/event.h"
#include "sink/formats.h"
#include "sink/output.h"
#include "tcpconnect/event.h"

namespace {

using namespace plumb;

class StoppedClock final : public ClockSource {
 public:
  BootTime boot() const override { return {0}; }
  UnixTime real() const override { return {1'795'244'966'000'000'000}; }
};

void write(const Schema& schema, const Row& row, const BootClock& clock) {
  Output lines = Output::memory();
  const auto json = make_json_sink(schema, lines);
  if (!json->row(row).ok() || std::ranges::count(lines.buffer(), '\n') != 1) std::abort();
  for (const auto time : {TableStyle::Time::utc, TableStyle::Time::relative}) {
    Output output = Output::memory();
    TableStyle style;
    style.time = time;
    style.started = clock.to_unix(clock.now());
    style.columns = *choose_columns(schema, {}, true);
    const auto table = make_table_sink(schema, output, std::move(style));
    if (!table->row(row).ok() || std::ranges::count(output.buffer(), '\n') > 2) std::abort();
  }
}

// Short input stands for the front of a record whose rest is zero. Aligned as the ring buffer's records are.
template <class Record>
struct alignas(8) Bytes : std::array<std::byte, sizeof(Record)> {
  explicit Bytes(std::span<const std::byte> front) : std::array<std::byte, sizeof(Record)>{} {
    std::copy_n(front.begin(), std::min(front.size(), this->size()), this->begin());
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const StoppedClock source;
  static const BootClock clock(source);
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const Bytes<tcpconnect_event> connection(bytes);
  if (const auto event = decode_connect(connection, clock))
    write(kConnectSchema, Row(kConnectSchema, *event), clock);
  const Bytes<drops_event> packet(bytes);
  if (DropLine line; decode_drop(packet, clock, line)) write(kDropSchema, Row(kDropSchema, line), clock);
  return 0;
}
