// The engine's exceptions become Essentia's, with the engine's own words.
#pragma once

#include <exception>
#include <string>

#include "essentia_headers.h"

namespace maest::plugin {

// Calls `work`. What is thrown comes out as an EssentiaException that begins with `algorithm`.
template <typename Work>
auto guarded(const std::string& algorithm, const Work& work) {
  try {
    return work();
  } catch (const essentia::EssentiaException&) {
    throw;
  } catch (const std::exception& error) {
    throw essentia::EssentiaException(algorithm + ": " + error.what());
  }
}

}  // namespace maest::plugin
