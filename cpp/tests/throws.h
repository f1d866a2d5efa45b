// GoogleTest's check of an exception, and of the words in its message.
#pragma once

#include <gtest/gtest.h>

#include <string>

namespace maest::test {

template <typename Exception, typename Work>
testing::AssertionResult throws(const Work& work, const std::string& words) {
  try {
    work();
  } catch (const Exception& error) {
    if (std::string(error.what()).find(words) != std::string::npos) {
      return testing::AssertionSuccess();
    }
    return testing::AssertionFailure()
           << "the message is '" << error.what() << "', wanted it to hold '" << words << "'";
  }
  return testing::AssertionFailure() << "it did not throw";
}

}  // namespace maest::test

// `words` must be part of the exception's message.
#define EXPECT_THROWS(expression, Exception, words) \
  EXPECT_TRUE(::maest::test::throws<Exception>([&] { (void)(expression); }, words))
