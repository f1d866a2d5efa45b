#include "audio_file.h"

#include <pybind11/stl.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "arrays.h"
#include "decoding/container.h"
#include "decoding/ffmpeg_library.h"
#include "decoding/ffmpeg_memory.h"
#include "decoding/routes.h"
#include "decoding/sndfile_library.h"
#include "error.h"
#include "file_analysis.h"
#include "heard.h"
#include "heard_file.h"
#include "mel_config.h"
#include "register.h"
#include "unlocked.h"

namespace maest::bindings {

namespace py = pybind11;

namespace {

// In the order of `Reader`.
constexpr const char* kReaderNames[] = {"ffmpeg", "sndfile", "extra"};

// What is made room for at first, whatever a header promises, and what is read at a time.
constexpr std::int64_t kMostRoom = std::int64_t{1} << 26;
constexpr std::int64_t kPiece = 10 * kSampleRate;

Skipping skipping(bool one_step) { return one_step ? Skipping::one_step : Skipping::exact; }

// None where nothing can be left out.
std::unique_ptr<GuardedHeardFile> if_it_gains(GuardedAudioFile& file, const HeardSamples& heard,
                                              bool one_step) {
  const Skipping allowed = skipping(one_step);
  return file.alone([&](AudioFile& audio) -> std::unique_ptr<GuardedHeardFile> {
    if (!HeardFile::gains(audio, heard, allowed)) return nullptr;
    return std::make_unique<GuardedHeardFile>(file, HeardFile(audio, heard, allowed));
  });
}

std::unique_ptr<GuardedHeardFile> hear_whole(GuardedAudioFile& file, const Hearing& hearing,
                                             bool one_step) {
  const std::int64_t promised = file.alone([=](AudioFile& audio) -> std::int64_t {
    if (!audio.can_skip(skipping(one_step))) return -1;
    if (audio.position() > 0) audio.restart();
    return audio.promised_exactly();
  });
  if (promised <= 0) return nullptr;
  return if_it_gains(file, HeardSamples(hearing, promised), one_step);
}

std::unique_ptr<GuardedHeardFile> hear_section(GuardedAudioFile& file, const Hearing& hearing,
                                               std::int64_t first_frame, std::int64_t begin,
                                               std::int64_t end, bool one_step) {
  file.alone([=](AudioFile& audio) { audio.seek(begin); });
  return if_it_gains(file, HeardSamples(hearing, first_frame, {begin, end}), one_step);
}

py::array_t<float> read_heard(GuardedHeardFile& self, std::int64_t count) {
  std::vector<float> samples(static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, kPiece)));
  samples.resize(
      self.alone([&](HeardFile& heard) { return heard.read(samples.data(), samples.size()); }));
  const auto found = static_cast<std::int64_t>(samples.size());
  return to_array(std::move(samples), {found});
}

// So that processes that decode know it.
py::tuple state_of(const Hearing& hearing) {
  return py::make_tuple(hearing.segment_frames, hearing.hop_frames, hearing.patch_frames,
                        hearing.first_frames);
}

Hearing hearing_from(const py::tuple& state) {
  if (state.size() != 4) throw InvalidArgument("four values make what is heard");
  Hearing hearing;
  hearing.segment_frames = state[0].cast<std::int64_t>();
  hearing.hop_frames = state[1].cast<std::int64_t>();
  hearing.patch_frames = state[2].cast<int>();
  hearing.first_frames = state[3].cast<std::vector<int>>();
  return hearing;
}

void register_heard(py::module_& module) {
  py::class_<Hearing>(module, "Hearing")
      .def_property_readonly(
          "has_gaps",
          [](const Hearing& hearing) {
            return HeardSamples(hearing, 0, {0, hearing.segment_frames * kHopSize}).has_gaps();
          })
      .def(py::pickle(&state_of, &hearing_from));
  py::class_<GuardedHeardFile>(module, "HeardFile")
      .def("read", &read_heard, py::arg("samples"))
      .def_property_readonly("failed", [](GuardedHeardFile& self) {
        return self.alone([](HeardFile& heard) { return heard.failed(); });
      });
  module.def("hear_whole", &hear_whole, py::arg("audio_file"), py::arg("hearing"),
             py::arg("one_step") = false, py::keep_alive<0, 1>());
  module.def("hear_section", &hear_section, py::arg("audio_file"), py::arg("hearing"),
             py::arg("first_frame"), py::arg("begin"), py::arg("end"), py::arg("one_step") = false,
             py::keep_alive<0, 1>());
}

std::unique_ptr<GuardedAudioFile> open(const std::string& path) {
  const Unlocked unlocked;
  return std::make_unique<GuardedAudioFile>(path);
}

// At most `count` samples; a negative count: all that is left.
std::vector<float> read(AudioFile& file, std::int64_t count) {
  std::vector<float> samples;
  const std::int64_t promised = file.promised() - file.position() + kSampleRate;
  std::int64_t wanted = promised > 0 ? promised : kPiece;
  if (count >= 0) wanted = std::min(wanted, count);
  samples.reserve(static_cast<std::size_t>(std::min(wanted, kMostRoom)));
  for (std::int64_t left = count; left != 0;) {
    const auto some = static_cast<std::size_t>(left < 0 ? kPiece : std::min(left, kPiece));
    const std::size_t before = samples.size();
    samples.resize(before + some);
    const std::size_t found = file.read(samples.data() + before, some);
    samples.resize(before + found);
    if (found < some) break;
    if (left > 0) left -= static_cast<std::int64_t>(some);
  }
  return samples;
}

py::array_t<float> read_array(GuardedAudioFile& self, std::int64_t count) {
  std::vector<float> samples = self.alone([&](AudioFile& file) { return read(file, count); });
  const auto found = static_cast<std::int64_t>(samples.size());
  return to_array(std::move(samples), {found});
}

// Into an array that is there, such as one in memory that two processes share.
std::size_t read_into(GuardedAudioFile& self, py::array_t<float, py::array::c_style> array) {
  if (array.ndim() != 1) throw InvalidArgument("an array of one dimension is wanted");
  float* const samples = array.mutable_data();  // refuses what cannot be written to
  const auto count = static_cast<std::size_t>(array.size());
  return self.alone([&](AudioFile& file) { return file.read(samples, count); });
}

// What a file says of itself may be text or not.
py::str text(const std::string& words) {
  return py::reinterpret_steal<py::str>(
      PyUnicode_DecodeUTF8(words.data(), static_cast<Py_ssize_t>(words.size()), "replace"));
}

template <typename Object>
auto told(std::string Object::* member) {
  return [member](const Object& object) { return text(object.*member); };
}

py::object seconds(const SourceFacts& facts) {
  if (facts.promised < 0 || facts.rate <= 0) return py::none();
  return py::float_(static_cast<double>(facts.promised) / facts.rate);
}

py::tuple reader_names(const Route& route) {
  py::list names;
  for (const Reader reader : route.readers) names.append(kReaderNames[static_cast<int>(reader)]);
  return py::tuple(names);
}

void register_routes(py::module_& module) {
  py::class_<Container>(module, "Container")
      .def_property_readonly("container", told(&Container::container))
      .def_property_readonly("codec", told(&Container::codec))
      .def_property_readonly("foreign", told(&Container::foreign))
      .def_readonly("rate", &Container::rate)
      .def_readonly("channels", &Container::channels)
      .def_readonly("promised", &Container::promised)
      .def_readonly("cut", &Container::cut)
      .def_readonly("chained", &Container::chained);
  py::class_<Route>(module, "Route")
      .def_readonly("container", &Route::container)
      .def_readonly("codec", &Route::codec)
      .def_property_readonly("readers", &reader_names)
      .def_readonly("demuxer", &Route::demuxer)
      .def_readonly("decoder", &Route::decoder)
      .def_readonly("way_out", &Route::way_out);
  module.def(
      "identify",
      [](const std::string& path) {
        const Unlocked unlocked;
        return identify(path);
      },
      py::arg("path"));
  module.def("routes", [] { return py::tuple(py::cast(routes())); });
  module.def("route_of", &route_of, py::arg("container"));
}

void register_libraries(py::module_& module) {
  module.def("set_ffmpeg_library", &set_ffmpeg_library, py::arg("path"));
  module.def("set_sndfile_library", &set_sndfile_library, py::arg("path"));
  module.def("ffmpeg_memory_limit", &FfmpegMemory::limit, py::arg("file_bytes"));
  module.def("ffmpeg_version", [] {
    const Unlocked unlocked;
    return ffmpeg_version();
  });
  module.def("sndfile_version", [] {
    const Unlocked unlocked;
    return sndfile_version();
  });
}

}  // namespace

void register_audio_file(py::module_& module) {
  register_libraries(module);
  register_routes(module);
  py::class_<GuardedAudioFile>(module, "AudioFile")
      .def(py::init(&open), py::arg("path"))
      .def_property_readonly(
          "container", [](const GuardedAudioFile& self) { return text(self.facts().container); })
      .def_property_readonly("codec",
                             [](const GuardedAudioFile& self) { return text(self.facts().codec); })
      .def_property_readonly("decoder",
                             [](const GuardedAudioFile& self) { return self.facts().decoder; })
      .def_property_readonly("sample_rate",
                             [](const GuardedAudioFile& self) { return self.facts().rate; })
      .def_property_readonly("channels",
                             [](const GuardedAudioFile& self) { return self.facts().channels; })
      .def_property_readonly("seconds",
                             [](const GuardedAudioFile& self) { return seconds(self.facts()); })
      .def("read", &read_array, py::arg("samples"))
      .def("read_into", &read_into, py::arg("array").noconvert())
      .def(
          "seek",
          [](GuardedAudioFile& self, std::int64_t sample) {
            self.alone([&](AudioFile& file) { file.seek(sample); });
          },
          py::arg("sample"))
      .def_property_readonly("position",
                             [](GuardedAudioFile& self) {
                               return self.alone([](AudioFile& file) { return file.position(); });
                             })
      .def_property_readonly("ending",
                             [](GuardedAudioFile& self) {
                               return kEndingNames[static_cast<int>(
                                   self.alone([](AudioFile& file) { return file.ending(); }))];
                             })
      .def_property_readonly("found",
                             [](GuardedAudioFile& self) {
                               return self.alone([](AudioFile& file) { return file.found(); });
                             })
      .def_property_readonly("damage", [](GuardedAudioFile& self) {
        return text(self.alone([](AudioFile& file) { return file.damage(); }));
      });

  module.def(
      "analyze_file",
      [](std::shared_ptr<Extractor> extractor, const Request& request, GuardedAudioFile& file,
         bool one_step) {
        SignalWatch signals;
        Outputs outputs = file.alone([&](AudioFile& audio) {
          return analyze_file(std::move(extractor), request, audio, skipping(one_step),
                              signals.watch());
        });
        return to_arrays(std::move(outputs));
      },
      py::arg("extractor"), py::arg("request"), py::arg("audio_file"), py::arg("one_step") = false);
  register_heard(module);
}

}  // namespace maest::bindings
