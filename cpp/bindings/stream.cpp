#include "stream.h"

#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "arrays.h"
#include "audio_file.h"
#include "file_analysis.h"
#include "register.h"
#include "unlocked.h"

namespace maest::bindings {

namespace py = pybind11;

namespace {

// A stream has state, and the GIL is not held while it computes: calls from several threads queue.
class GuardedStream {
 public:
  GuardedStream(std::shared_ptr<const Extractor> extractor, const Request& request)
      : stream_(std::move(extractor), request) {}

  template <typename Work>
  auto result_of(const Work& work) {
    SignalWatch signals;
    const Unlocked unlocked;
    const std::lock_guard<std::mutex> lock(mutex_);
    return work(stream_, signals.watch());
  }

  template <typename Work>
  py::tuple outputs_of(const Work& work) {
    return to_arrays(result_of(work));
  }

  void reset(std::int64_t lead_frames) {
    const Unlocked unlocked;
    const std::lock_guard<std::mutex> lock(mutex_);
    stream_.reset(lead_frames);
  }

  // Not queued behind the call that it ends.
  void stop() {
    const Unlocked unlocked;
    stream_.stop();
  }

  const Plan& plan() const { return stream_.plan(); }
  Spent spent() const { return stream_.spent(); }

 private:
  std::mutex mutex_;
  Stream stream_;
};

template <typename File>
py::tuple push_file_into(GuardedStream& self, File& file, const py::object& turn) {
  Pushed pushed = self.result_of([&](Stream& stream, const Watch& watch) {
    return file.alone_unlocked([&](auto& opened) {
      return push_file(stream, opened, [&](bool computing) { tell(turn, computing); }, watch);
    });
  });
  return py::make_tuple(to_arrays(std::move(pushed.outputs)), pushed.samples, pushed.peak);
}

}  // namespace

void register_stream(py::module_& module) {
  py::class_<GuardedStream>(module, "Stream")
      .def(py::init<std::shared_ptr<Extractor>, const Request&>(), py::arg("extractor"),
           py::arg("request"))
      .def("push",
           [](GuardedStream& self, const Samples& samples) {
             const float* data = samples.data();
             const auto count = static_cast<std::size_t>(samples.size());
             return self.outputs_of([&](Stream& stream, const Watch& watch) {
               return stream.push(data, count, watch);
             });
           })
      .def("finish",
           [](GuardedStream& self) {
             return self.outputs_of(
                 [](Stream& stream, const Watch& watch) { return stream.finish(watch); });
           })
      .def("push_file", &push_file_into<GuardedAudioFile>, py::arg("file"), py::arg("turn"))
      .def("push_file", &push_file_into<GuardedHeardFile>, py::arg("file"), py::arg("turn"))
      .def("reset", &GuardedStream::reset, py::arg("lead_frames") = 0)
      .def("stop", &GuardedStream::stop)
      .def_property_readonly("plan", &GuardedStream::plan)
      .def_property_readonly("seconds", [](const GuardedStream& self) {
        const Spent spent = self.spent();
        return py::make_tuple(spent.front_end, spent.model);
      });

  module.def(
      "extract",
      [](std::shared_ptr<Extractor> extractor, const Request& request, const Samples& samples) {
        const float* data = samples.data();
        const auto count = static_cast<std::size_t>(samples.size());
        SignalWatch signals;
        Outputs outputs;
        {
          const Unlocked unlocked;
          outputs = extract(std::move(extractor), request, data, count, signals.watch());
        }
        return to_arrays(std::move(outputs));
      },
      py::arg("extractor"), py::arg("request"), py::arg("samples"));
}

}  // namespace maest::bindings
