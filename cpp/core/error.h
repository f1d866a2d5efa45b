// The exceptions of the engine. Every message names what was found and what is wanted; checks are
// never compiled out.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace maest {

// Base of everything the engine throws on purpose.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// An argument, or the audio, is not usable.
class InvalidArgument : public Error {
 public:
  using Error::Error;
};

// A model file is missing, damaged, foreign or does not fit what is asked of it.
class ModelError : public Error {
 public:
  using Error::Error;
};

// ONNX Runtime is missing, too old, or failed while computing.
class RuntimeUnavailable : public Error {
 public:
  using Error::Error;
};

// Builds a message out of streamable pieces.
template <typename... Pieces>
std::string message(const Pieces&... pieces) {
  std::ostringstream out;
  (out << ... << pieces);
  return out.str();
}

}  // namespace maest
