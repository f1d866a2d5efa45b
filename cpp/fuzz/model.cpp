// Bytes as a model file: what is looked at before ONNX Runtime, ONNX Runtime, and the metadata.
#include <cstddef>
#include <cstdint>

#include "one_file.h"
#include "opened.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  static maest::fuzz::OneFile file;
  file.write(bytes, count);
  maest::fuzz::open_model(file.path());
  return 0;
}
