#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "golden.h"

int main(int argc, char** argv) {
  if (::chdir(SOURCE_DIR) != 0) {
    std::perror(SOURCE_DIR);
    return 1;
  }
  for (int i = 1; i < argc; ++i) plumb::golden::updating |= std::string_view(argv[i]) == "--update";
  ::setenv("TZ", "IST-5:30", 1);  // local times must not depend on the machine
  doctest::Context context(argc, argv);
  return context.run();
}
