// What is the same for all models and both sides need: told here, so that Python repeats none of
// it.
#include <pybind11/stl.h>

#include <iterator>
#include <string>
#include <vector>

#include "extractor.h"
#include "mel_config.h"
#include "mel_frontend.h"
#include "model_info.h"
#include "patch_grid.h"
#include "register.h"
#include "threads.h"

namespace maest::bindings {

namespace py = pybind11;

namespace {

constexpr PatchGrid kGrid{};  // that of every public model

template <std::size_t count>
py::tuple names(const char* const (&values)[count]) {
  return py::tuple(py::cast(std::vector<std::string>(std::begin(values), std::end(values))));
}

void register_front_end(py::module_& module) {
  py::module_ front_end = module.def_submodule("front_end", "Samples -> mel frames.");
  front_end.attr("sample_rate") = kSampleRate;
  front_end.attr("frame_size") = kFrameSize;
  front_end.attr("hop_size") = kHopSize;
  front_end.attr("mel_bands") = kMelBands;
  front_end.attr("compression") = kCompression;
  front_end.attr("normalization_mean") = kNormalizationMean;
  front_end.attr("normalization_divisor") = kNormalizationDivisor;
  front_end.def("frame_count", &frame_count, py::arg("samples"));
  front_end.def("frames_to_seconds", &frames_to_seconds, py::arg("frames"));
}

void register_patches(py::module_& module) {
  py::module_ patches = module.def_submodule("patches", "Segments -> grids of patches.");
  patches.attr("size") = kGrid.patch_size;
  patches.attr("stride") = kGrid.patch_stride;
  patches.attr("rows") = patches_along(kMelBands, kGrid.patch_size, kGrid.patch_stride);
  patches.def(
      "columns",
      [](int frames) { return patches_along(frames, kGrid.patch_size, kGrid.patch_stride); },
      py::arg("segment_frames"));
  patches.def(
      "segment_frames",
      [](int columns) { return length_of_patches(columns, kGrid.patch_size, kGrid.patch_stride); },
      py::arg("columns"));
  patches.def("own_hop_frames", &own_hop_frames, py::arg("segment_frames"));
}

}  // namespace

void register_facts(py::module_& module) {
  register_front_end(module);
  register_patches(module);
  module.attr("MODEL_FORMAT") = kModelFormat;
  module.attr("TAILS") = names(kTailNames);
  module.attr("TOKENS") = names(kPoolingNames);
  module.attr("MOST_THREADS") = kMostThreads;
  module.def("available_cpus", &available_cpus);
}

}  // namespace maest::bindings
