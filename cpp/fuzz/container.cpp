// Bytes as an audio file: what it says that it is.
#include "decoding/container.h"

#include <cstddef>
#include <cstdint>

#include "error.h"
#include "one_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  static maest::fuzz::OneFile file;
  file.write(bytes, count);
  try {
    maest::identify(file.path());
  } catch (const maest::AudioError&) {  // as it should be; nothing else may be thrown
  }
  return 0;
}
