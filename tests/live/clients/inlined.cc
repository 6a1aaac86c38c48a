// Spends CPU time in a function that is inlined into one that is inlined into outer().
#include <chrono>
#include <cstdint>
#include <cstdlib>

volatile std::uint64_t sink;

namespace deep {

struct Mixer {
  std::uint64_t state = 1;
  [[gnu::always_inline]] std::uint64_t mix() {
    for (int i = 0; i < 2000; i++) state = state * 6364136223846793005ULL + 1;
    return state;
  }
};

[[gnu::always_inline]] inline void middle(Mixer& mixer) {
  for (int i = 0; i < 10; i++) sink = mixer.mix();
}

}  // namespace deep

[[gnu::noinline]] void outer() {
  deep::Mixer mixer;
  deep::middle(mixer);
}

int main(int count, char** arguments) {
  const std::chrono::duration<double> time(count > 1 ? std::atof(arguments[1]) : 1.0);
  const auto start = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - start < time) outer();
}
