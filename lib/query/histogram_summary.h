// --histogram: how a run's latencies are spread, below the table of its summary. A stage around another.
//
//      LATENCY     COUNT   UP TO
//     1ms - 2ms       14   70.0%  ##############################
//     2ms - 5ms        4   90.0%  #########
//     5ms - 10ms       0   90.0%
//    10ms - 20ms       2  100.0%  #####
//
// A longer gap is a line of dots.
//   20 rows; 3 more without a latency
#pragma once

#include <memory>

#include "query/summary.h"

namespace plumb {

// Of `rows` those of the types `counted` are drawn. They have a latency.
std::unique_ptr<Summary> with_histogram(std::unique_ptr<Summary> summary, const Schema& rows,
                                        TypeMask counted);

}  // namespace plumb
