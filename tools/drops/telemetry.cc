// Lost, resent and reset as metrics. OpenTelemetry's semantic conventions (1.44) have none of these; the names of the
// attributes are theirs where they have one.
#include "drops/telemetry.h"

#include "drops/event.h"

namespace plumb {
namespace {

enum : std::size_t { kDropped, kRetransmits, kResets, kCounters };
constexpr otlp::Instrument kInstruments[] = {
    {"plumb.packets.dropped", "{packet}", "Packets that the kernel threw away, by reason."},
    {"plumb.tcp.retransmits", "{segment}", "TCP segments that were sent again, by kind and cause."},
    {"plumb.tcp.resets", "{segment}", "TCP resets that were sent or received."},
    {"plumb.kernel.losses", "{loss}", "By how much the kernel's loss counters grew."},
};

std::string_view direction_name(const DropLine& l) {
  switch (l.direction) {
    case DIRECTION_OUT:
      return "out";
    case DIRECTION_FORWARD:
      return "forward";
    case DIRECTION_IN:
      return "in";
    default:
      return {};
  }
}

void measure(const Row& row, otlp::Measures& measures) {
  const auto* l = row.event<DropLine>();
  if (l == nullptr) return;
  otlp::AttributeSet out;
  out.text("network.interface.name", l->dev);
  if (l->type == DROPS_COUNTER) {
    out.text("plumb.counter", l->counter);
    return measures.add(kCounters, static_cast<double>(l->delta), out);
  }
  out.text("error.type", l->reason);
  out.text("network.transport", l->protocol);
  out.text("plumb.direction", direction_name(*l));
  if (l->type == DROPS_RETRANSMIT) {
    out.text("plumb.kind", kind_name(l->kind));
    out.text("plumb.cause", l->cause);
  }
  const std::size_t instrument = l->type == DROPS_DROP         ? kDropped
                                 : l->type == DROPS_RETRANSMIT ? kRetransmits
                                                               : kResets;
  measures.add(instrument, static_cast<double>(l->count), out);
}

}  // namespace

const otlp::Telemetry kDropsTelemetry{.instruments = kInstruments, .measure = measure};

}  // namespace plumb
