// Opens a model and prints what it gives for a signal, with the engine alone: no Essentia.
//   core_example MODEL.onnx LIBONNXRUNTIME [SAMPLES]
// SAMPLES is a file of raw float32 samples, mono at 16 kHz; without it, a tone of 440 Hz as long as
// one segment. Prints one line per segment and output: its name, the segment, its values.
#include <essentia_maest/error.h>
#include <essentia_maest/mel_config.h>
#include <essentia_maest/ort_library.h>
#include <essentia_maest/stream.h>

#include <cmath>
#include <cstdint>
#include <exception>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace {

std::vector<float> read_samples(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw maest::InvalidArgument("cannot open '" + path + "'");
  std::vector<float> samples(static_cast<std::size_t>(file.tellg()) / sizeof(float));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(samples.data()),
            static_cast<std::streamsize>(samples.size() * sizeof(float)));
  return samples;
}

std::vector<float> make_tone(int frames) {
  constexpr double kPi = 3.14159265358979323846;
  std::vector<float> samples(static_cast<std::size_t>(frames) * maest::kHopSize);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const double seconds = static_cast<double>(i) / maest::kSampleRate;
    samples[i] = static_cast<float>(0.5 * std::sin(2 * kPi * 440 * seconds));
  }
  return samples;
}

void print(const std::string& name, const maest::Output& output) {
  auto value = output.values.begin();
  const std::int64_t values =
      output.segments > 0 ? static_cast<std::int64_t>(output.values.size()) / output.segments : 0;
  for (std::int64_t segment = 0; segment < output.segments; ++segment) {
    std::cout << name << ' ' << segment;
    for (std::int64_t i = 0; i < values; ++i) std::cout << ' ' << *value++;
    std::cout << '\n';
  }
}

void run(const std::string& model, const std::string& onnxruntime,
         const std::string& samples_path) {
  maest::set_ort_library(onnxruntime);
  const auto extractor = std::make_shared<const maest::Extractor>(model);
  const std::vector<float> samples = samples_path.empty()
                                         ? make_tone(extractor->info().segment_frames)
                                         : read_samples(samples_path);

  maest::Request request;
  request.outputs = {maest::OutputKind::activations, maest::OutputKind::embeddings};
  request.block = 7;
  request.tail = maest::Tail::repeat;
  const maest::Outputs outputs = maest::extract(extractor, request, samples.data(), samples.size());
  print("activations", outputs[0]);
  print("embeddings", outputs[1]);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::cerr << "usage: core_example MODEL.onnx LIBONNXRUNTIME [SAMPLES]\n";
    return 2;
  }
  std::cout << std::setprecision(std::numeric_limits<float>::max_digits10);
  try {
    run(argv[1], argv[2], argc == 4 ? argv[3] : "");
  } catch (const std::exception& error) {
    std::cerr << "core_example: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
