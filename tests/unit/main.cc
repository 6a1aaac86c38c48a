#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (::chdir(SOURCE_DIR) != 0) {  // TEST_DATA is relative to it
    std::perror(SOURCE_DIR);
    return 1;
  }
  doctest::Context context(argc, argv);
  return context.run();
}
