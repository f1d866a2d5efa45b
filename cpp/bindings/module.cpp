// The extension module `essentia_maest._core`: one register function a core noun.
#include "register.h"

PYBIND11_MODULE(_core, module) {
  module.doc() = "The C++ engine of essentia-maest; use it through essentia_maest.";
  maest::bindings::register_exceptions(module);
  maest::bindings::register_end(module);
  maest::bindings::register_facts(module);
  maest::bindings::register_head(module);
  maest::bindings::register_kernels(module);
  maest::bindings::register_mel_frontend(module);
  maest::bindings::register_model(module);
  maest::bindings::register_request(module);
  maest::bindings::register_resampler(module);
  maest::bindings::register_source(module);
  maest::bindings::register_stream(module);
  maest::bindings::register_audio_file(module);
}
