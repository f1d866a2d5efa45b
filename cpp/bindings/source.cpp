// One decoder by itself, for those who compare and measure decoders: AudioFile chooses among them.
#include "decoding/source.h"

#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "arrays.h"
#include "decoding/container.h"
#include "decoding/ffmpeg_source.h"
#include "register.h"
#include "unlocked.h"

namespace py = pybind11;

namespace maest::bindings {
namespace {

// A source has a place, and the lock is not held while it decodes: calls from several threads
// queue.
class GuardedSource {
 public:
  explicit GuardedSource(std::unique_ptr<Source> source) : source_(std::move(source)) {}

  template <typename Work>
  auto alone(const Work& work) {
    const Unlocked unlocked;
    const std::lock_guard<std::mutex> lock(mutex_);
    return work(*source_);
  }

  const SourceFacts& facts() const { return source_->facts(); }

 private:
  std::mutex mutex_;
  std::unique_ptr<Source> source_;
};

std::unique_ptr<GuardedSource> open(const std::string& path, const std::string& demuxer,
                                    const std::string& decoder) {
  const Unlocked unlocked;
  return std::make_unique<GuardedSource>(open_ffmpeg(path, identify(path), demuxer, decoder));
}

// Samples and their rate.
py::tuple next(GuardedSource& self) {
  std::vector<float> samples;
  const int rate = self.alone([&](Source& source) {
    const Block block = source.next();
    samples.assign(block.samples, block.samples + block.count);
    return block.rate;
  });
  const auto count = static_cast<std::int64_t>(samples.size());
  return py::make_tuple(to_array(std::move(samples), {count}), rate);
}

}  // namespace

void register_source(py::module_& module) {
  py::class_<GuardedSource>(module, "Source")
      .def_property_readonly("codec", [](const GuardedSource& self) { return self.facts().codec; })
      .def_property_readonly("decoder",
                             [](const GuardedSource& self) { return self.facts().decoder; })
      .def_property_readonly("rate", [](const GuardedSource& self) { return self.facts().rate; })
      .def_property_readonly("channels",
                             [](const GuardedSource& self) { return self.facts().channels; })
      .def_property_readonly("promised",
                             [](const GuardedSource& self) { return self.facts().promised; })
      .def("next", &next)
      .def(
          "seek",
          [](GuardedSource& self, std::int64_t sample) {
            return self.alone([=](Source& source) { return source.seek(sample); });
          },
          py::arg("sample"))
      .def(
          "skip",
          [](GuardedSource& self, std::int64_t samples) {
            return self.alone(
                [=](Source& source) { return source.skip(samples, Skipping::exact); });
          },
          py::arg("samples"))
      .def("damage", [](GuardedSource& self) {
        return self.alone([](Source& source) { return source.damage(); });
      });
  module.def("open_ffmpeg", &open, py::arg("path"), py::arg("demuxer"), py::arg("decoder") = "");
}

}  // namespace maest::bindings
