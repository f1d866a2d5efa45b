#include "file_analysis.h"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "heard.h"
#include "heard_file.h"
#include "mel_config.h"
#include "stream.h"

namespace maest {
namespace {

// Samples that are decoded at a time: few enough for the cache, many for each of Stream's calls.
constexpr std::size_t kPiece = 4 * kSampleRate;

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
    append(stream_.finish(watch_));
    return std::move(outputs_);
  }

 private:
  template <typename File>
  void hear(File& file) {
    std::size_t count = 0;
    do {
      count = file.read(piece_.data(), piece_.size());
      append(stream_.push(piece_.data(), count, watch_));
    } while (count == piece_.size());
  }

  void append(const Outputs& more) {
    for (std::size_t i = 0; i < outputs_.size(); ++i) outputs_[i].append(more[i]);
  }

  std::shared_ptr<const Extractor> extractor_;
  Stream stream_;
  AudioFile& file_;
  const Watch& watch_;
  Outputs outputs_;
  std::vector<float> piece_ = std::vector<float>(kPiece);
};

}  // namespace

Outputs analyze_file(std::shared_ptr<const Extractor> extractor, const Request& request,
                     AudioFile& file, Skipping allowed, const Watch& watch) {
  Analysis analysis(std::move(extractor), request, file, watch);
  if (file.position() > 0) file.restart();
  if (!analysis.hear_parts(allowed)) analysis.hear_all();
  return analysis.finish();
}

}  // namespace maest
