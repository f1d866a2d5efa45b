#pragma once

#include <pybind11/pybind11.h>

namespace maest::bindings {

void register_audio_file(pybind11::module_& module);
void register_exceptions(pybind11::module_& module);
void register_end(pybind11::module_& module);
void register_facts(pybind11::module_& module);
void register_head(pybind11::module_& module);
void register_kernels(pybind11::module_& module);
void register_mel_frontend(pybind11::module_& module);
void register_model(pybind11::module_& module);
void register_request(pybind11::module_& module);
void register_resampler(pybind11::module_& module);
void register_source(pybind11::module_& module);
void register_stream(pybind11::module_& module);

}  // namespace maest::bindings
