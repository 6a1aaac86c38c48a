#include "otlp/span_sink.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <functional>
#include <random>
#include <utility>

namespace plumb::otlp {
namespace {

// False: not as many hexadecimal digits as there is room for.
template <std::size_t N>
bool read_hex(std::string_view text, std::array<std::byte, N>& out) {
  if (text.size() != 2 * N) return false;
  for (std::size_t i = 0; i < N; ++i) {
    unsigned byte = 0;
    const char* digits = text.data() + 2 * i;
    if (std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2) return false;
    out[i] = static_cast<std::byte>(byte);
  }
  return true;
}

class SpanSink final : public Sink {
 public:
  SpanSink(const Telemetry& telemetry, Sampler sampler, Batcher batcher, RandomBits random,
           SpanCounts& counts, SpanChoices choices)
      : telemetry_(&telemetry),
        sampler_(sampler),
        batcher_(std::move(batcher)),
        random_(std::move(random)),
        counts_(&counts),
        by_owner_(choices.by_owner) {
    draft_.url_template = choices.url_template;
  }

  Result<void> row(const Row& row) override {
    draft_.clear();
    if (!telemetry_->span(row, draft_)) return {};
    Span span;
    if (!read_hex(draft_.trace_id, span.trace_id) || !read_hex(draft_.parent_id, span.parent_id))
      start_trace(span);
    else
      join_trace(span);
    if (!sampled(span)) return ++counts_->not_sampled, Result<void>{};
    span.span_id = random_id<SpanId>();
    span.name = draft_.name;
    span.kind = draft_.kind;
    span.start = draft_.start;
    span.end = std::max(draft_.start, draft_.end);
    span.failed = draft_.failed;
    span.attributes = draft_.attributes;
    if (!by_owner_) draft_.owner.clear();
    batcher_.add_owned(span, draft_.owner);
    return {};
  }

  // Losses are no spans: they are metrics and log records.
  Result<void> lost(const Loss&) override { return {}; }
  Result<void> flush() override { return batcher_.flush(), Result<void>{}; }
  Result<void> end() override { return batcher_.end(), Result<void>{}; }

 private:
  void start_trace(Span& span) {
    span.trace_id = random_id<TraceId>();
    span.parent_id = {};
    span.flags = kSampled | kParentIsTold;
  }

  // The header that a server received names a span of another process; the one that a client sent, one of its own.
  void join_trace(Span& span) const {
    span.flags = draft_.flags | kParentIsTold;
    if (draft_.kind == SpanKind::server) span.flags |= kParentIsRemote;
  }

  bool sampled(const Span& span) const {
    return sampler_ == Sampler::always_on ||
           (sampler_ == Sampler::parent_based && (span.flags & kSampled) != 0);
  }

  // All zeros is no id.
  template <class Id>
  Id random_id() const {
    Id id{};
    while (id == Id{}) {
      for (std::size_t i = 0; i < id.size(); i += sizeof(std::uint64_t)) {
        const std::uint64_t bits = random_();
        std::memcpy(id.data() + i, &bits, sizeof bits);
      }
    }
    return id;
  }

  const Telemetry* telemetry_;
  Sampler sampler_;
  Batcher batcher_;
  RandomBits random_;
  SpanCounts* counts_;
  bool by_owner_;
  SpanDraft draft_;
};

}  // namespace

RandomBits random_bits() {
  std::random_device device;
  std::array<std::uint32_t, 16> words{};
  std::generate(words.begin(), words.end(), std::ref(device));
  std::seed_seq seed(words.begin(), words.end());
  return std::mt19937_64(seed);
}

std::unique_ptr<Sink> make_span_sink(const Telemetry& telemetry, Sampler sampler, Batcher batcher,
                                     RandomBits random, SpanCounts& counts, SpanChoices choices) {
  return std::make_unique<SpanSink>(telemetry, sampler, std::move(batcher), std::move(random), counts,
                                    choices);
}

}  // namespace plumb::otlp
