#include "otlp/exporter.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <limits>

namespace plumb::otlp {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kFirstBackoffNs = kSecond;
constexpr std::int64_t kLongestBackoffNs = 5 * kSecond;
constexpr std::int64_t kLongestRetryAfterS = 86'400;

bool worth_another_try(unsigned status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

struct StatusHint {
  unsigned first, last;  // statuses
  const char* hint;
};
constexpr StatusHint kHints[] = {
    {300, 399, "plumb follows no redirects: push to where this one points"},
    {401, 403, "OTEL_EXPORTER_OTLP_HEADERS carries credentials: authorization=Bearer%20..."},
    {404, 404,
     "no receiver of OTLP at this path; /v1/traces and the like are appended to --otlp=URL and "
     "OTEL_EXPORTER_OTLP_ENDPOINT alone"},
    {405, 405, "nothing takes POST there: receivers of OTLP over HTTP are on port 4318"},
    {413, 413, "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE and OTEL_BSP_MAX_EXPORT_BATCH_SIZE make requests smaller"},
    {415, 415,
     "it does not take this encoding: try OTEL_EXPORTER_OTLP_PROTOCOL=http/json, or http/protobuf, or no "
     "OTEL_EXPORTER_OTLP_COMPRESSION"},
};

const char* hint_of(unsigned status) {
  for (const StatusHint& h : kHints) {
    if (status >= h.first && status <= h.last) return h.hint;
  }
  return "";
}

}  // namespace

void Exporter::run() {
  while (const std::optional<Batch> batch = queue_.take()) {
    if (!deliver(*batch)) return;
  }
}

void Exporter::note(std::string problem) {
  const std::lock_guard lock(mutex_);
  progress_.problem = std::move(problem);
}

Progress Exporter::progress() const {
  const std::lock_guard lock(mutex_);
  return progress_;
}

bool Exporter::deliver(const Batch& batch) {
  std::string body = encoding_.request(batch.records, batch.beside, batch.owned);
  if (body.size() > kLongestRequest) {
    const std::lock_guard lock(mutex_);
    refuse(batch, "a request of more than 64 MiB is never sent", hint_of(413));
    return true;
  }
  if (gzip_) body = gzipped(body);
  for (int attempt = 0;; ++attempt) {
    const std::int64_t left_ns = pacer_.left_ns();
    if (left_ns <= 0) return false;
    const auto answer = transport_.post(body, std::min(timeout_ns_, left_ns));
    const auto wait_ns = judge(answer, batch, attempt);
    if (!wait_ns) return true;
    if (!pacer_.pause(*wait_ns)) return false;
  }
}

std::optional<std::int64_t> Exporter::judge(const Result<Response>& answer, const Batch& batch, int attempt) {
  const std::lock_guard lock(mutex_);
  ++progress_.requests;
  if (attempt != 0) ++progress_.retries;
  if (!answer) {
    const Error& error = answer.error();
    progress_.problem = error.why.empty() ? error.what : error.what + ": " + error.why;
    progress_.hint = error.hint;
    return backoff_ns(attempt);
  }
  if (answer->status == 0)
    return refuse(batch, "what comes back is no answer of HTTP/1.1", kGrpcHint), std::nullopt;
  if (answer->too_long) {
    return refuse(batch, fmt::format("HTTP status {}, with an answer of more than 4 MiB", answer->status),
                  ""),
           std::nullopt;
  }
  const bool success = answer->status >= 200 && answer->status < 300;
  const Answer says = encoding_.answer(answer->body, success);
  if (success) {
    const std::uint64_t rejected = std::min<std::uint64_t>(says.rejected, batch.count);
    progress_.delivered += batch.count - rejected;
    progress_.refused += rejected;
    if (rejected != 0) {
      progress_.problem = says.message;
      progress_.hint.clear();
    }
    return std::nullopt;
  }
  std::string problem =
      fmt::format("HTTP status {}{}{}", answer->status, says.message.empty() ? "" : ", ", says.message);
  if (!worth_another_try(answer->status)) {
    return refuse(batch, std::move(problem), hint_of(answer->status)), std::nullopt;
  }
  progress_.problem = std::move(problem);
  progress_.hint.clear();
  if (const auto told = retry_after_ns(answer->retry_after, pacer_.real())) return told;
  return backoff_ns(attempt);
}

// With the mutex held.
void Exporter::refuse(const Batch& batch, std::string problem, const char* hint) {
  progress_.refused += batch.count;
  progress_.problem = std::move(problem);
  progress_.hint = hint;
}

// Exponential, and from half to all of it by chance, so that many senders do not come back together.
std::int64_t Exporter::backoff_ns(int attempt) {
  const std::int64_t least = std::min(kFirstBackoffNs << std::min(attempt, 8), kLongestBackoffNs) / 2;
  return least + static_cast<std::int64_t>(static_cast<double>(least) * pacer_.random());
}

std::optional<std::int64_t> retry_after_ns(std::string_view value, UnixTime now) {
  std::int64_t seconds = 0;
  const char* end = value.data() + value.size();
  if (const auto [rest, status] = std::from_chars(value.data(), end, seconds);
      status == std::errc{} && rest == end && seconds >= 0) {
    return std::min(seconds, kLongestRetryAfterS) * kSecond;
  }
  std::tm date{};
  const std::string text(value);
  const char* rest = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (rest == nullptr || *rest != '\0') return std::nullopt;
  return std::clamp<std::int64_t>(::timegm(&date) - now.ns / kSecond, 0, kLongestRetryAfterS) * kSecond;
}

std::string gzipped(std::string_view text) {
  constexpr int kGzip = 16;  // deflateInit2(): a gzip header instead of zlib's
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return {};
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);  // takes all in one step: there is room
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace plumb::otlp
