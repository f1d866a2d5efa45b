# The C++ compiler, and that it can do what the engine needs; one sentence says what to install.
include(CheckLanguage)
check_language(CXX)
if(NOT CMAKE_CXX_COMPILER)
  if(DEFINED ENV{CXX})
    set(asked_for ": CXX is '$ENV{CXX}'")
  endif()
  message(FATAL_ERROR "No C++ compiler that works was found${asked_for}. Install one, for example \
with `apt install g++` or `dnf install gcc-c++`, or build with CXX=/path/of/one.")
endif()
enable_language(CXX)

include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_FLAGS -std=c++17)
check_cxx_source_compiles("
#include <charconv>
int main(int count, char** words) {
  char text[32];
  double number = count;
  std::from_chars(words[0], words[0] + 1, number);
  return std::to_chars(text, text + 32, number, std::chars_format::general, 6).ptr == text;
}" maest_charconv_works)
unset(CMAKE_REQUIRED_FLAGS)
if(NOT maest_charconv_works)
  message(FATAL_ERROR "${CMAKE_CXX_COMPILER} (${CMAKE_CXX_COMPILER_ID} \
${CMAKE_CXX_COMPILER_VERSION}) has no std::from_chars and std::to_chars for double. GCC 11 or newer \
is wanted, or Clang with the standard library of one.")
endif()
