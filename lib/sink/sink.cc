#include "sink/sink.h"

namespace plumb {

Result<void> Sink::stack(const Stack&) {
  return Error{"this format cannot show stacks", "it shows events, one a line",
               "choose folded, svg, pprof or json"};
}

}  // namespace plumb
