#include "mel_frontend.h"

#include <mutex>
#include <utility>
#include <vector>

#include "arrays.h"
#include "mel_config.h"
#include "register.h"
#include "unlocked.h"

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
    const Unlocked unlocked;
    work(frames);
  }
  return frames_array(std::move(frames));
}

// A front end has state, and the GIL is not held while it computes: calls from several threads
// queue.
class GuardedMelFrontend {
 public:
  template <typename Work>
  py::array frames_of(const Work& work) {
    return bindings::frames_of([&](std::vector<float>& frames) {
      const std::lock_guard<std::mutex> lock(mutex_);
      work(front_end_, frames);
    });
  }

  void reset() {
    const Unlocked unlocked;
    const std::lock_guard<std::mutex> lock(mutex_);
    front_end_.reset();
  }

 private:
  std::mutex mutex_;
  MelFrontend front_end_;
};

}  // namespace

void register_mel_frontend(py::module_& module) {
  py::class_<GuardedMelFrontend>(module, "MelFrontend")
      .def(py::init<>())
      .def("push",
           [](GuardedMelFrontend& self, const Samples& samples) {
             const float* data = samples.data();
             const auto count = static_cast<std::size_t>(samples.size());
             return self.frames_of([&](MelFrontend& front_end, std::vector<float>& frames) {
               front_end.push(data, count, frames);
             });
           })
      .def("finish",
           [](GuardedMelFrontend& self) {
             return self.frames_of([](MelFrontend& front_end, std::vector<float>& frames) {
               front_end.finish(frames);
             });
           })
      .def("reset", &GuardedMelFrontend::reset);
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
