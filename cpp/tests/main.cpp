// Runs every TEST, or those whose name holds the first argument. Closing line: 'N passed, N
// failed'.
#include <cstdio>
#include <exception>
#include <string>

#include "check.h"

namespace maest::test {

std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

}  // namespace maest::test

int main(int argc, char** argv) {
  const std::string filter = argc > 1 ? argv[1] : "";
  int passed = 0;
  int failed = 0;
  for (const auto& test : maest::test::cases()) {
    if (test.name.find(filter) == std::string::npos) continue;
    try {
      test.body();
      ++passed;
    } catch (const std::exception& error) {
      ++failed;
      std::printf("FAILED %s\n  %s\n", test.name.c_str(), error.what());
    }
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
