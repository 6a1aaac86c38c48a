#include "probe/mapping_events.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "probe/perf_event.h"

namespace plumb {
namespace {

constexpr std::size_t kDataBytes = std::size_t{256} << 10;  // for each CPU
constexpr std::size_t kTrailer = 16;                        // sample_id_all with PERF_SAMPLE_TID and _TIME

template <class T>
T at(std::span<const std::byte> bytes, std::size_t offset) {
  T value{};
  if (offset + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

perf_event_attr side_band() {
  perf_event_attr attr{};
  attr.size = sizeof attr;
  attr.type = PERF_TYPE_SOFTWARE;
  attr.config = PERF_COUNT_SW_DUMMY;
  attr.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME;
  attr.sample_id_all = 1;
  attr.mmap = 1;
  attr.mmap2 = 1;
  attr.comm = 1;
  attr.comm_exec = 1;
  attr.task = 1;
  attr.watermark = 1;
  attr.wakeup_watermark = kDataBytes / 2;
  attr.use_clockid = 1;
  attr.clockid = CLOCK_MONOTONIC;
  return attr;
}

std::string_view text_at(std::span<const std::byte> bytes, std::size_t offset) {
  if (offset >= bytes.size()) return {};
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + offset;
  return {text, ::strnlen(text, bytes.size() - offset)};
}

}  // namespace

bool parse_mapping_event(std::span<const std::byte> record, MappingEvent& event) {
  if (record.size() < sizeof(perf_event_header) + kTrailer + 8) return false;
  const auto header = at<perf_event_header>(record, 0);
  const auto body = record.subspan(8, record.size() - 8 - kTrailer);
  event = {};
  event.time_ns = at<std::uint64_t>(record, record.size() - 8);
  event.pid = at<std::uint32_t>(body, 0);
  event.tid = at<std::uint32_t>(body, 4);
  switch (header.type) {
    case PERF_RECORD_FORK:  // pid, ppid, tid, ptid
    case PERF_RECORD_EXIT:
      event.kind = header.type == PERF_RECORD_FORK ? MappingEvent::Kind::fork : MappingEvent::Kind::exit;
      event.parent = at<std::uint32_t>(body, 4);
      event.tid = at<std::uint32_t>(body, 8);
      return body.size() >= 16;
    case PERF_RECORD_COMM:
      event.kind = MappingEvent::Kind::exec;
      return (header.misc & PERF_RECORD_MISC_COMM_EXEC) != 0;
    case PERF_RECORD_MMAP2:  // pid, tid, addr, len, pgoff, {maj, min, ino, generation}, prot, flags, filename
      event.kind = MappingEvent::Kind::map;
      event.start = at<std::uint64_t>(body, 8);
      event.size = at<std::uint64_t>(body, 16);
      event.offset = at<std::uint64_t>(body, 24);
      event.device_major = at<std::uint32_t>(body, 32);
      event.device_minor = at<std::uint32_t>(body, 36);
      event.inode = at<std::uint64_t>(body, 40);
      event.path = text_at(body, 64);
      return body.size() > 64 && event.size <= UINT64_MAX - event.start;
    default:
      return false;
  }
}

Result<MappingEvents> MappingEvents::open() {
  MappingEvents events;
  auto cpus = online_cpus();
  if (!cpus) return std::move(cpus).error();
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  for (const int cpu : *cpus) {
    auto fd = open_perf_event(side_band(), -1, cpu);
    if (!fd) return std::move(fd).error();
    const std::size_t bytes = page + kDataBytes;
    void* pages = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd->get(), 0);
    if (pages == MAP_FAILED) return Error{"cannot follow what processes map", errno_text(errno)};
    events.buffers_.push_back({*std::move(fd), {pages, Unmap{bytes}}});
  }
  return events;
}

// perf_event_open(2): data_head is written by the kernel, data_tail by the reader.
void MappingEvents::drain(Buffer& buffer, const OnEvent& on_event) {
  auto* control = static_cast<perf_event_mmap_page*>(buffer.pages.get());
  const auto* data = static_cast<const std::byte*>(buffer.pages.get()) + control->data_offset;
  const std::uint64_t head = __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE);
  std::uint64_t tail = control->data_tail;
  const auto copy = [&](std::uint64_t from, std::size_t count) {
    record_.resize(count);
    for (std::size_t done = 0; done < count;) {
      const std::size_t offset = (from + done) % kDataBytes;
      const std::size_t part = std::min(count - done, kDataBytes - offset);
      std::memcpy(record_.data() + done, data + offset, part);
      done += part;
    }
  };
  while (head - tail >= sizeof(perf_event_header)) {
    copy(tail, sizeof(perf_event_header));
    const auto header = at<perf_event_header>(record_, 0);
    if (header.size < sizeof header || header.size > head - tail) break;
    copy(tail, header.size);
    if (header.type == PERF_RECORD_LOST) lost_ += at<std::uint64_t>(record_, 16);
    if (MappingEvent event; parse_mapping_event(record_, event)) on_event(event);
    tail += header.size;
  }
  __atomic_store_n(&control->data_tail, head, __ATOMIC_RELEASE);
}

void MappingEvents::drain(const OnEvent& on_event) {
  for (Buffer& buffer : buffers_) drain(buffer, on_event);
}

}  // namespace plumb
