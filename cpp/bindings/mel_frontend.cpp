#include "mel_frontend.h"

#include <utility>
#include <vector>

#include "arrays.h"
#include "mel_config.h"
#include "register.h"

namespace maest::bindings {

namespace py = pybind11;

namespace {

// [frames, bands]
py::array frames_array(std::vector<float> values) {
  const auto frames = static_cast<std::int64_t>(values.size()) / kMelBands;
  return to_array(std::move(values), {frames, kMelBands});
}

template <typename Work>
py::array frames_of(const Work& work) {
  std::vector<float> frames;
  {
    const py::gil_scoped_release release;
    work(frames);
  }
  return frames_array(std::move(frames));
}

}  // namespace

void register_mel_frontend(py::module_& module) {
  py::class_<MelFrontend>(module, "MelFrontend")
      .def(py::init<>())
      .def("push",
           [](MelFrontend& self, const Samples& samples) {
             const float* data = samples.data();
             const auto count = static_cast<std::size_t>(samples.size());
             return frames_of([&](std::vector<float>& frames) { self.push(data, count, frames); });
           })
      .def("finish",
           [](MelFrontend& self) {
             return frames_of([&](std::vector<float>& frames) { self.finish(frames); });
           })
      .def("reset", &MelFrontend::reset);
  module.def("mel_spectrogram", [](const Samples& samples) {
    const float* data = samples.data();
    const auto count = static_cast<std::size_t>(samples.size());
    return frames_of([&](std::vector<float>& frames) {
      MelFrontend front_end;
      front_end.push(data, count, frames);
      front_end.finish(frames);
    });
  });
}

}  // namespace maest::bindings
