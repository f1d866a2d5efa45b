// Between NumPy arrays and the engine's vectors.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <vector>

#include "extractor.h"

namespace maest::bindings {

// One-dimensional, C-contiguous float32: the Python layer has converted and checked.
using Samples = pybind11::array_t<float, pybind11::array::c_style>;

// Hands `values` over to NumPy without a copy; the array owns them.
pybind11::array to_array(std::vector<float> values, std::vector<std::int64_t> shape);

// One array an output, [segments, ...].
pybind11::tuple to_arrays(Outputs outputs);

}  // namespace maest::bindings
