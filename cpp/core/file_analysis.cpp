#include "file_analysis.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "heard.h"
#include "mel_config.h"

namespace maest {
namespace {

// Samples that are decoded at a time: few enough for the cache, many for each of Stream's calls.
constexpr std::size_t kPiece = 4 * kSampleRate;

void append(Outputs& outputs, const Outputs& more) {
  for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i].append(more[i]);
}

// Reads to the end; takes each piece.
template <typename File, typename Take>
void read_all(File& file, const Take& take) {
  std::vector<float> piece(kPiece);
  std::size_t count = 0;
  do {
    count = file.read(piece.data(), piece.size());
    take(piece.data(), count);
  } while (count == piece.size());
}

// Of several lanes at once, as compilers do not take the largest of floats out of order.
float peak_of(const float* samples, std::size_t count) {
  constexpr std::size_t kLanes = 16;
  float most[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float value = std::fabs(samples[i + lane]);
      most[lane] = value > most[lane] ? value : most[lane];
    }
  }
  for (; i < count; ++i) most[0] = std::max(most[0], std::fabs(samples[i]));
  return *std::max_element(most, most + kLanes);
}

template <typename File>
Pushed push_all(Stream& stream, File& file, const Turn& turn, const Watch& watch) {
  Pushed pushed;
  pushed.outputs = stream.no_outputs();
  read_all(file, [&](const float* samples, std::size_t count) {
    turn(true);
    pushed.samples += static_cast<std::int64_t>(count);
    pushed.peak = std::max(pushed.peak, peak_of(samples, count));
    append(pushed.outputs, stream.push(samples, count, watch));
    turn(false);
  });
  return pushed;
}

class Analysis {
 public:
  Analysis(std::shared_ptr<const Extractor> extractor, const Request& request, AudioFile& file,
           const Watch& watch)
      : extractor_(std::move(extractor)),
        stream_(extractor_, request),
        file_(file),
        watch_(watch),
        outputs_(extractor_->empty_outputs(stream_.plan())) {}

  // Only what the model hears is decoded, where the source can leave samples out. False where the
  // file is not as long as it promises: what was taken for a whole segment may be a tail, which
  // hears everything.
  bool hear_parts(Skipping allowed) {
    if (!file_.can_skip(allowed)) return false;
    const std::int64_t promised = file_.promised_exactly();
    if (promised <= 0) return false;
    const HeardSamples heard(hearing_of(stream_.plan(), extractor_->info().grid), promised);
    if (!HeardFile::gains(file_, heard, allowed)) return false;
    HeardFile parts(file_, heard, allowed);
    hear(parts);
    return !parts.failed();
  }

  void hear_all() {
    stream_.reset();
    outputs_ = extractor_->empty_outputs(stream_.plan());
    hear(file_);
  }

  Outputs finish() {
    append(outputs_, stream_.finish(watch_));
    return std::move(outputs_);
  }

 private:
  template <typename File>
  void hear(File& file) {
    read_all(file, [this](const float* samples, std::size_t count) {
      append(outputs_, stream_.push(samples, count, watch_));
    });
  }

  std::shared_ptr<const Extractor> extractor_;
  Stream stream_;
  AudioFile& file_;
  const Watch& watch_;
  Outputs outputs_;
};

}  // namespace

Outputs analyze_file(std::shared_ptr<const Extractor> extractor, const Request& request,
                     AudioFile& file, Skipping allowed, const Watch& watch) {
  Analysis analysis(std::move(extractor), request, file, watch);
  if (file.position() > 0) file.restart();
  if (!analysis.hear_parts(allowed)) analysis.hear_all();
  return analysis.finish();
}

Pushed push_file(Stream& stream, AudioFile& file, const Turn& turn, const Watch& watch) {
  return push_all(stream, file, turn, watch);
}

Pushed push_file(Stream& stream, HeardFile& file, const Turn& turn, const Watch& watch) {
  return push_all(stream, file, turn, watch);
}

}  // namespace maest
