#include "file_analysis.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "mel_config.h"
#include "stream.h"

namespace maest {
namespace {

// Samples that are decoded at a time: few enough for the cache, many for each of Stream's calls.
constexpr std::size_t kPiece = 4 * kSampleRate;

void append(Outputs& outputs, const Outputs& more) {
  for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i].append(more[i]);
}

}  // namespace

Outputs analyze_file(std::shared_ptr<const Extractor> extractor, const Request& request,
                     AudioFile& file, std::function<void()> between) {
  Stream stream(extractor, request, std::move(between));
  Outputs outputs = extractor->empty_outputs(stream.plan());
  file.seek(0);
  std::vector<float> piece(kPiece);
  while (const std::size_t count = file.read(piece.data(), piece.size())) {
    append(outputs, stream.push(piece.data(), count));
  }
  append(outputs, stream.finish());
  return outputs;
}

}  // namespace maest
