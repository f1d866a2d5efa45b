// Bytes as a model file: what is looked at before ONNX Runtime, ONNX Runtime, and the metadata.
#include <cstddef>
#include <cstdint>

#include "error.h"
#include "model_info.h"
#include "one_file.h"
#include "ort_session.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  static maest::fuzz::OneFile file;
  file.write(bytes, count);
  try {
    const maest::Session session(file.path(), 1);
    maest::read_model_info(session);
  } catch (const maest::ModelError&) {  // as it should be; nothing else may be thrown
  }
  return 0;
}
