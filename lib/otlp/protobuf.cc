// The protobuf encoding. What is around the items of a request has the same field numbers in all signals
// (opentelemetry/proto/collector/SIGNAL/v1, SIGNAL/v1).
#include <array>
#include <protozero/pbf_builder.hpp>
#include <protozero/pbf_message.hpp>
#include <protozero/pbf_writer.hpp>
#include <vector>

#include "base/utf8.h"
#include "otlp/describe.h"

namespace plumb::otlp {
namespace {

using protozero::pbf_builder;

enum class RequestTag : protozero::pbf_tag_type { resources = 1 };
enum class ResourcesTag : protozero::pbf_tag_type { resource = 1, scopes = 2 };
enum class ScopesTag : protozero::pbf_tag_type { scope = 1, items = 2 };
enum class ScopeTag : protozero::pbf_tag_type { name = 1, version = 2 };
enum class ResponseTag : protozero::pbf_tag_type { partial_success = 1 };
enum class PartialSuccessTag : protozero::pbf_tag_type { rejected = 1, error_message = 2 };
enum class StatusTag : protozero::pbf_tag_type { message = 2 };  // google/rpc/status.proto

// Writes each message into a text of its own, and that into the one around it when it is closed.
class ProtobufWriter final : public MessageWriter {
 public:
  explicit ProtobufWriter(std::string& out) : texts_{&out} {}

  void text(Key key, std::string_view v) override {
    const std::string_view valid = valid_utf8(v, scratch_);
    writer().add_string(key.number, valid.data(), valid.size());
  }
  void identity(Key key, std::span<const std::byte> bytes) override {
    writer().add_bytes(key.number, reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void boolean(Key key, bool v) override { writer().add_bool(key.number, v); }
  void small(Key key, std::uint32_t v) override { writer().add_uint32(key.number, v); }
  void integer(Key key, std::int64_t v) override { writer().add_int64(key.number, v); }
  void wide(Key key, std::uint64_t v) override { writer().add_uint64(key.number, v); }
  void fixed32(Key key, std::uint32_t v) override { writer().add_fixed32(key.number, v); }
  void fixed64(Key key, std::uint64_t v) override { writer().add_fixed64(key.number, v); }
  void signed_fixed64(Key key, std::int64_t v) override { writer().add_sfixed64(key.number, v); }
  void number(Key key, double v) override { writer().add_double(key.number, v); }
  void all_fixed64(Key key, std::span<const std::uint64_t> v) override {
    writer().add_packed_fixed64(key.number, v.begin(), v.end());
  }
  void all_numbers(Key key, std::span<const double> v) override {
    writer().add_packed_double(key.number, v.begin(), v.end());
  }
  void all_small(Key key, std::span<const std::int64_t> v) override { all_integers(key, v); }
  void all_integers(Key key, std::span<const std::int64_t> v) override {
    writer().add_packed_int64(key.number, v.begin(), v.end());
  }
  void all_texts(Key key, std::span<const std::string> v) override {
    for (const std::string& s : v) text(key, s);
  }

  void open(Key key) override {
    keys_[depth_] = key.number;
    inner_[depth_].clear();
    texts_[depth_ + 1] = &inner_[depth_];
    ++depth_;
  }
  void close() override {
    --depth_;
    writer().add_message(keys_[depth_], inner_[depth_]);
  }
  void open_list(Key) override {}
  void close_list() override {}

 private:
  static constexpr std::size_t kDeepest = 16;  // describe.cc opens eight at most

  protozero::pbf_writer writer() { return protozero::pbf_writer(*texts_[depth_]); }

  std::array<std::string*, kDeepest + 1> texts_{};
  std::array<std::string, kDeepest> inner_;
  std::array<std::uint32_t, kDeepest> keys_{};
  std::size_t depth_ = 0;
  std::string scratch_;
};

class ProtobufEncoding final : public Encoding {
 public:
  explicit ProtobufEncoding(const Source& source) : source_(source), resource_(resource({})) {
    pbf_builder<ScopesTag> scopes(scope_);
    pbf_builder<ScopeTag> scope(scopes, ScopesTag::scope);
    scope.add_string(ScopeTag::name, "plumb");
    scope.add_string(ScopeTag::version, source.version);
  }

  std::string_view content_type() const override { return "application/x-protobuf"; }

  void append(std::string& items, const Record& record) override { append_item(items, record); }
  void append(std::string& items, const Span& span) override { append_item(items, span); }
  void append(std::string& items, const Metric& metric) override { append_item(items, metric); }

  void append(std::string& items, const Describe& item) override {
    item_.clear();
    ProtobufWriter writer(item_);
    item(writer);
    pbf_builder<ScopesTag>(items).add_message(ScopesTag::items, item_);
  }
  std::string beside(const Describe& fields) const override {
    std::string out;
    ProtobufWriter writer(out);
    fields(writer);
    return out;
  }

  std::string request(std::string_view items, std::string_view beside,
                      std::span<const OwnedItems> owned) const override {
    std::string out;
    if (!items.empty() || owned.empty()) block(out, resource_, items);
    for (const OwnedItems& o : owned) block(out, resource(o.owner), o.items);
    out += beside;
    return out;
  }

  Answer answer(std::string_view body, bool success) const override {
    try {
      return success ? partial_success(body) : status(body);
    } catch (const protozero::exception&) {
      return {};
    }
  }

 private:
  static Answer partial_success(std::string_view body) {
    Answer out;
    protozero::pbf_message<ResponseTag> response(body.data(), body.size());
    while (response.next(ResponseTag::partial_success, protozero::pbf_wire_type::length_delimited)) {
      protozero::pbf_message<PartialSuccessTag> partial = response.get_message();
      while (partial.next()) {
        switch (partial.tag_and_type()) {
          case tag_and_type(PartialSuccessTag::rejected, protozero::pbf_wire_type::varint): {
            const std::int64_t n = partial.get_int64();
            out.rejected = n > 0 ? static_cast<std::uint64_t>(n) : 0;
            break;
          }
          case tag_and_type(PartialSuccessTag::error_message, protozero::pbf_wire_type::length_delimited):
            out.message = std::string(partial.get_view());
            break;
          default:
            partial.skip();
        }
      }
    }
    return out;
  }

  static Answer status(std::string_view body) {
    Answer out;
    protozero::pbf_message<StatusTag> status(body.data(), body.size());
    while (status.next(StatusTag::message, protozero::pbf_wire_type::length_delimited))
      out.message = std::string(status.get_view());
    return out;
  }

  template <class Item>
  void append_item(std::string& items, const Item& item) {
    item_.clear();
    ProtobufWriter writer(item_);
    describe(writer, item);
    pbf_builder<ScopesTag>(items).add_message(ScopesTag::items, item_);
  }

  // As a field of what holds it.
  std::string resource(std::span<const Pair> owner) const {
    const std::vector<Pair> pairs = resource_of(source_, owner);
    std::vector<Attribute> attributes;
    for (const Pair& p : pairs) attributes.push_back({p.key, std::string_view(p.value)});
    std::string text;
    ProtobufWriter writer(text);
    describe_attributes(writer, {1, "attributes"}, attributes);
    std::string out;
    pbf_builder<ResourcesTag>(out).add_message(ResourcesTag::resource, text);
    return out;
  }

  // A resource with its items.
  void block(std::string& out, std::string resources, std::string_view items) const {
    std::string scopes = scope_;
    scopes += items;
    pbf_builder<ResourcesTag>(resources).add_message(ResourcesTag::scopes, scopes);
    pbf_builder<RequestTag>(out).add_message(RequestTag::resources, resources);
  }

  const Source source_;
  std::string resource_;  // plumb's own
  std::string scope_;     // the scope, likewise
  std::string item_;
};

}  // namespace

std::unique_ptr<Encoding> make_protobuf_encoding(const Source& source, Signal /*signal*/) {
  return std::make_unique<ProtobufEncoding>(source);
}

}  // namespace plumb::otlp
