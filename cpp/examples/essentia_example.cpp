// Creates OnnxPredictMAEST by name in a program that is linked to Essentia, in both modes.
//   essentia_example MODEL.onnx LIBONNXRUNTIME AUDIO
// Prints one line per segment: the mode, the segment, its values (block 7: cls, dist, average).
#include <algorithmfactory.h>
#include <dlfcn.h>
#include <essentia.h>
#include <essentia_maest/plugin.h>
#include <pool.h>
#include <scheduler/network.h>
#include <streaming/algorithms/poolstorage.h>

#include <exception>
#include <iomanip>
#include <iostream>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using essentia::Pool;
using essentia::Real;
using EssentiaTensor = essentia::Tensor<Real>;

// After essentia::init(), and before other threads use its factories.
void load_plugin(const std::string& path, const std::string& onnxruntime) {
  // Never closed: Essentia keeps pointers to its code.
  void* plugin = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) throw std::runtime_error(dlerror());
  const auto add_algorithms = reinterpret_cast<decltype(&essentia_maest_register)>(
      dlsym(plugin, "essentia_maest_register"));
  if (add_algorithms == nullptr) throw std::runtime_error(dlerror());
  const char* problem = add_algorithms(onnxruntime.c_str());
  if (problem != nullptr) throw std::runtime_error(problem);
}

// The first dimension is the segments.
void print(const std::string& mode, int first_segment, const EssentiaTensor& tensor) {
  const auto segments = tensor.dimension(0);
  const Real* value = tensor.data();
  for (auto segment = 0 * segments; segment < segments; ++segment) {
    std::cout << mode << ' ' << first_segment + segment;
    for (auto i = 0 * segments; i < tensor.size() / segments; ++i) std::cout << ' ' << *value++;
    std::cout << '\n';
  }
}

void run_standard(const std::string& model, const std::string& audio_path) {
  using essentia::standard::Algorithm;
  using essentia::standard::AlgorithmFactory;
  const std::unique_ptr<Algorithm> loader(AlgorithmFactory::create(
      "MonoLoader", "filename", audio_path, "sampleRate", 16000, "resampleQuality", 4));
  const std::unique_ptr<Algorithm> predict(
      AlgorithmFactory::create("OnnxPredictMAEST", "graphFilename", model, "output", "embeddings",
                               "block", 7, "lastPatchMode", "repeat"));

  std::vector<Real> audio;
  EssentiaTensor predictions;
  loader->output("audio").set(audio);
  predict->input("signal").set(audio);
  predict->output("predictions").set(predictions);
  loader->compute();
  predict->compute();
  print("standard", 0, predictions);
}

void run_streaming(const std::string& model, const std::string& audio_path) {
  using essentia::streaming::Algorithm;
  using essentia::streaming::AlgorithmFactory;
  Algorithm* loader = AlgorithmFactory::create("MonoLoader", "filename", audio_path, "sampleRate",
                                               16000, "resampleQuality", 4);
  Algorithm* predict =
      AlgorithmFactory::create("OnnxPredictMAEST", "graphFilename", model, "output", "embeddings",
                               "block", 7, "lastPatchMode", "repeat");

  Pool pool;
  essentia::streaming::connect(loader->output("audio"), predict->input("signal"));
  essentia::streaming::connect(predict->output("predictions"), pool, "embeddings");
  essentia::scheduler::Network network(loader);  // takes the algorithms over
  network.run();

  int segment = 0;
  for (const EssentiaTensor& each : pool.getTensorRealPool().at("embeddings")) {
    print("streaming", segment++, each);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: essentia_example MODEL.onnx LIBONNXRUNTIME AUDIO\n";
    return 2;
  }
  std::cout << std::setprecision(std::numeric_limits<Real>::max_digits10);
  try {
    essentia::init();
    load_plugin(MAEST_PLUGIN, argv[2]);
    run_standard(argv[1], argv[3]);
    run_streaming(argv[1], argv[3]);
    essentia::shutdown();
  } catch (const std::exception& error) {
    std::cerr << "essentia_example: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
