// Spends CPU time for as many seconds as it is told, in functions that call one another.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <vector>

volatile std::uint64_t sink;

[[gnu::noinline]] std::uint64_t multiply(std::uint64_t n) {
  for (int i = 0; i < 200; i++) n = n * 6364136223846793005ULL + 1;
  return n;
}

[[gnu::noinline]] std::uint64_t recurse(unsigned n) {
  return n < 2 ? n : recurse(n - 1) + recurse(n - 2);
}

[[gnu::noinline]] void sort_some() {
  std::vector<std::uint64_t> v(20000);
  for (auto& e : v) e = multiply(e);
  std::sort(v.begin(), v.end());
  sink = v[5];
}

[[gnu::noinline]] void work() {
  sort_some();
  sink = recurse(29);
}

int main(int count, char** arguments) {
  const std::chrono::duration<double> time(count > 1 ? std::atof(arguments[1]) : 1.0);
  const auto start = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - start < time) work();
}
