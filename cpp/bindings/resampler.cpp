#include "decoding/resampler.h"

#include <mutex>
#include <utility>
#include <vector>

#include "arguments.h"
#include "arrays.h"
#include "error.h"
#include "register.h"
#include "unlocked.h"

namespace maest::bindings {

namespace py = pybind11;

namespace {

py::array one_dimensional(std::vector<float> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return to_array(std::move(values), {count});
}

std::int64_t not_negative(std::int64_t count, const char* what) {
  if (count < 0) throw InvalidArgument(message(what, " is ", count, "; 0 or more is wanted"));
  return count;
}

// It has state, and the GIL is not held while it computes: calls from several threads queue.
class GuardedResampler {
 public:
  explicit GuardedResampler(const py::object& rate) : resampler_(whole_number(rate, "rate")) {}

  py::array push(const Samples& samples) {
    const float* data = samples.data();
    const auto count = static_cast<std::size_t>(samples.size());
    std::vector<float> resampled;
    {
      const Unlocked unlocked;
      const std::lock_guard<std::mutex> lock(mutex_);
      resampler_.push(data, count, resampled);
    }
    return one_dimensional(std::move(resampled));
  }

  std::int64_t start_at(std::int64_t output) {
    const Unlocked unlocked;
    const std::lock_guard<std::mutex> lock(mutex_);
    return resampler_.start_at(output);
  }

  const Resampler& resampler() const { return resampler_; }

 private:
  std::mutex mutex_;
  Resampler resampler_;
};

}  // namespace

void register_resampler(py::module_& module) {
  py::class_<GuardedResampler>(module, "Resampler")
      .def(py::init<const py::object&>(), py::arg("rate"))
      .def_property_readonly("rate",
                             [](const GuardedResampler& self) { return self.resampler().rate(); })
      .def("push", &GuardedResampler::push, py::arg("samples"))
      .def(
          "start_at",
          [](GuardedResampler& self, std::int64_t output) {
            return self.start_at(not_negative(output, "output"));
          },
          py::arg("output"))
      .def(
          "count_of",
          [](const GuardedResampler& self, std::int64_t samples) {
            not_negative(samples, "samples");
            const Unlocked unlocked;
            return self.resampler().count_of(samples);
          },
          py::arg("samples"));
}

}  // namespace maest::bindings
