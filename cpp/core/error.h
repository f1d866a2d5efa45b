// The exceptions of the engine. Every message names what was found and what is wanted; checks are
// never compiled out.
#pragma once

#include <stdexcept>
#include <string>
#include <type_traits>

#include "text_numbers.h"

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

// An audio file cannot be decoded.
class AudioError : public Error {
 public:
  using Error::Error;
};

// Somebody ended the computation before its end.
class Stopped : public Error {
 public:
  using Error::Error;
};

// Builds a message out of texts, characters and numbers.
template <typename... Pieces>
std::string message(const Pieces&... pieces) {
  std::string text;
  const auto append = [&text](const auto& piece) {
    using Piece = std::decay_t<decltype(piece)>;
    if constexpr (std::is_arithmetic_v<Piece> && !std::is_same_v<Piece, char>) {
      append_number(text, piece);
    } else {
      text += piece;
    }
  };
  (append(pieces), ...);
  return text;
}

}  // namespace maest
