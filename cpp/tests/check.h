// A unit test is a TEST(name) { ... CHECK(...); } anywhere in a file of this folder.
#pragma once

#include <cmath>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace maest::test {

struct Case {
  std::string name;
  std::function<void()> body;
};

std::vector<Case>& cases();

struct Registrar {
  Registrar(std::string name, std::function<void()> body) {
    cases().push_back({std::move(name), std::move(body)});
  }
};

class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <typename... Pieces>
[[noreturn]] void fail(const char* file, int line, const Pieces&... pieces) {
  std::ostringstream out;
  out << file << ':' << line << ": ";
  (out << ... << pieces);
  throw Failure(out.str());
}

}  // namespace maest::test

#define TEST(name)                                                             \
  static void test_##name();                                                   \
  static const ::maest::test::Registrar registrar_##name(#name, &test_##name); \
  static void test_##name()

#define CHECK(condition)                                                                \
  do {                                                                                  \
    if (!(condition)) ::maest::test::fail(__FILE__, __LINE__, "CHECK(" #condition ")"); \
  } while (false)

#define CHECK_EQUAL(found, wanted)                                                     \
  do {                                                                                 \
    const auto found_value = (found);                                                  \
    const auto wanted_value = (wanted);                                                \
    if (!(found_value == wanted_value))                                                \
      ::maest::test::fail(__FILE__, __LINE__, #found " is ", found_value, ", wanted ", \
                          wanted_value);                                               \
  } while (false)

#define CHECK_NEAR(found, wanted, tolerance)                                           \
  do {                                                                                 \
    const double found_value = (found);                                                \
    const double wanted_value = (wanted);                                              \
    if (!(std::abs(found_value - wanted_value) <= (tolerance)))                        \
      ::maest::test::fail(__FILE__, __LINE__, #found " is ", found_value, ", wanted ", \
                          wanted_value, " within ", (tolerance));                      \
  } while (false)

// `text` must be part of the exception's message.
#define CHECK_THROWS(expression, Type, text)                                            \
  do {                                                                                  \
    bool thrown = false;                                                                \
    try {                                                                               \
      (void)(expression);                                                               \
    } catch (const Type& error) {                                                       \
      thrown = true;                                                                    \
      if (std::string(error.what()).find(text) == std::string::npos)                    \
        ::maest::test::fail(__FILE__, __LINE__, "message is '", error.what(),           \
                            "', wanted it to hold '", text, "'");                       \
    }                                                                                   \
    if (!thrown) ::maest::test::fail(__FILE__, __LINE__, #expression " did not throw"); \
  } while (false)
