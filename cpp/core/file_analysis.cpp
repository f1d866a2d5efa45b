#include "file_analysis.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "heard.h"
#include "mel_config.h"
#include "stream.h"

namespace maest {
namespace {

// Samples that are decoded at a time: few enough for the cache, many for each of Stream's calls.
constexpr std::int64_t kPiece = 4 * kSampleRate;

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
  bool hear_parts() {
    const std::int64_t promised = file_.promised_exactly();
    if (promised <= 0) return false;
    HeardSamples heard(stream_.plan(), extractor_->info().grid, promised);
    if (!heard.has_gaps()) return false;
    SampleRange range;
    do {
      range = heard.next();
      if (!leave_out(range.begin) || (!hear(range.end) && range.end <= promised)) return false;
    } while (range.end <= promised);
    return file_.position() >= promised;
  }

  void hear_all() {
    file_.restart();
    stream_.reset();
    outputs_ = extractor_->empty_outputs(stream_.plan());
    hear(INT64_MAX);
  }

  Outputs finish() {
    append(stream_.finish(watch_));
    return std::move(outputs_);
  }

 private:
  // False where the file ends before.
  bool hear(std::int64_t end) {
    piece_.resize(static_cast<std::size_t>(kPiece));
    while (file_.position() < end) {
      const auto wanted = static_cast<std::size_t>(std::min(end - file_.position(), kPiece));
      const std::size_t count = file_.read(piece_.data(), wanted);
      append(stream_.push(piece_.data(), count, watch_));
      if (count < wanted) return false;
    }
    return true;
  }

  // Nobody hears what stands there instead.
  bool leave_out(std::int64_t end) {
    std::int64_t left = end - file_.position();
    if (left <= 0) return true;
    if (!file_.skip_to(end)) return false;
    piece_.assign(static_cast<std::size_t>(std::min(left, kPiece)), 0.0F);
    while (left > 0) {
      const std::int64_t some = std::min(left, kPiece);
      append(stream_.push(piece_.data(), static_cast<std::size_t>(some), watch_));
      left -= some;
    }
    return true;
  }

  void append(const Outputs& more) {
    for (std::size_t i = 0; i < outputs_.size(); ++i) outputs_[i].append(more[i]);
  }

  std::shared_ptr<const Extractor> extractor_;
  Stream stream_;
  AudioFile& file_;
  const Watch& watch_;
  Outputs outputs_;
  std::vector<float> piece_;
};

}  // namespace

Outputs analyze_file(std::shared_ptr<const Extractor> extractor, const Request& request,
                     AudioFile& file, const Watch& watch) {
  Analysis analysis(std::move(extractor), request, file, watch);
  if (file.position() > 0) file.restart();
  if (!analysis.hear_parts()) analysis.hear_all();
  return analysis.finish();
}

}  // namespace maest
