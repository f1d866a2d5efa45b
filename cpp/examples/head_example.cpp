// Tags a signal with a head of one's own (`maest head fit`), with the engine alone: no Essentia.
//   head_example MODEL.onnx HEAD.onnx LIBONNXRUNTIME SAMPLES
// SAMPLES is a file of raw float32 samples, mono at 16 kHz. Prints one line per class: its name, a
// tab, and its activation for each segment.
#include <essentia_maest/error.h>
#include <essentia_maest/head.h>
#include <essentia_maest/ort_library.h>
#include <essentia_maest/stream.h>

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

void run(const std::string& model, const std::string& head_path, const std::string& onnxruntime,
         const std::string& samples_path) {
  maest::set_ort_library(onnxruntime);
  const auto extractor = std::make_shared<const maest::Extractor>(model);
  const maest::Head head(head_path, 1);
  const maest::HeadFunction predict(head, "", "");
  const std::vector<float> samples = read_samples(samples_path);

  maest::Request request;
  request.outputs = {maest::OutputKind::embeddings};
  request.block = 7;  // what the head was made for: `maest head info HEAD.onnx`
  request.tail = maest::Tail::repeat;
  const maest::Outputs outputs = maest::extract(extractor, request, samples.data(), samples.size());
  const maest::Output& embeddings = outputs.front();
  if (embeddings.segments == 0) throw maest::InvalidArgument("no segment in the signal");
  const std::int64_t values =
      static_cast<std::int64_t>(embeddings.values.size()) / embeddings.segments;
  const auto rows = predict.run(embeddings.values.data(), embeddings.segments, {values}, {});

  const std::vector<std::string> labels = head.labels();
  for (std::size_t label = 0; label < labels.size(); ++label) {
    std::cout << labels[label] << '\t';
    for (const std::vector<float>& row : rows) std::cout << ' ' << row.at(label);
    std::cout << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: head_example MODEL.onnx HEAD.onnx LIBONNXRUNTIME SAMPLES\n";
    return 2;
  }
  std::cout << std::setprecision(std::numeric_limits<float>::max_digits10);
  try {
    run(argv[1], argv[2], argv[3], argv[4]);
  } catch (const std::exception& error) {
    std::cerr << "head_example: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
