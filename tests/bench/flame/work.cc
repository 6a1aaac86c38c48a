// Spends so many seconds of CPU time in three functions, of which hot() takes about 30 % of the time, times a factor: work SECONDS FACTOR
#include <cstdint>
#include <cstdlib>
#include <ctime>

volatile std::uint64_t sink;

[[gnu::always_inline]] inline std::uint64_t spin(std::uint64_t n) {
  std::uint64_t x = n;
  for (std::uint64_t i = 0; i < n; i++) x = x * 6364136223846793005ULL + 1;
  return x;
}

[[gnu::noinline]] void hot(std::uint64_t n) {
  sink = spin(n);
}
[[gnu::noinline]] void warm(std::uint64_t n) {
  sink = spin(n) + 1;
}
[[gnu::noinline]] void cold(std::uint64_t n) {
  sink = spin(n) + 2;
}

int main(int count, char** arguments) {
  if (count < 3) return 2;
  // Of CPU time, so that a capture has as many samples on a busy machine as on a quiet one.
  const auto end = static_cast<std::clock_t>(std::atof(arguments[1]) * CLOCKS_PER_SEC);
  const auto hot_work = static_cast<std::uint64_t>(30'000 * std::atof(arguments[2]));
  while (std::clock() < end) {
    hot(hot_work);
    warm(45'000);
    cold(25'000);
  }
}
