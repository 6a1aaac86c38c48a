#include "cli/main.h"

#include <string>
#include <vector>

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  return plumb::plumb_main(arguments);
}
