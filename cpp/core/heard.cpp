#include "heard.h"

#include <algorithm>
#include <limits>

#include "mel_frontend.h"

namespace maest {
namespace {

// A gap that is shorter holds no packet of common codecs.
constexpr std::int64_t kShortestGap = 2048;

std::vector<int> first_frames(const Plan& plan, const PatchGrid& grid) {
  std::vector<int> frames;
  for (const std::int64_t patch : plan.kept) {
    frames.push_back(grid.first_frame(static_cast<int>(patch % plan.columns)));
  }
  std::sort(frames.begin(), frames.end());
  frames.erase(std::unique(frames.begin(), frames.end()), frames.end());
  return frames;
}

}  // namespace

HeardSamples::HeardSamples(const Plan& plan, const PatchGrid& grid, std::int64_t samples)
    : patch_frames_(grid.patch_size),
      hop_frames_(plan.hop_frames),
      first_frames_(first_frames(plan, grid)) {
  const std::int64_t spare = frame_count(samples) - plan.segment_frames;
  segments_ = spare < 0 ? 0 : spare / plan.hop_frames + 1;
  // Nothing is after the end, but the end has to be seen.
  const std::int64_t tail = (plan.start_frame(segments_) - 1) * kHopSize;
  tail_ = {std::max<std::int64_t>(std::min(tail, samples - 1), 0),
           std::numeric_limits<std::int64_t>::max()};
  // Segments that overlap by more than a patch fill each other's gaps, mostly.
  const bool in_order = !first_frames_.empty() && first_frames_.back() <= hop_frames_;
  bool wide = hop_frames_ - (first_frames_.empty() ? 0 : first_frames_.back()) > patch_frames_;
  for (std::size_t i = 1; i < first_frames_.size(); ++i) {
    wide = wide ||
           (first_frames_[i] - first_frames_[i - 1] - patch_frames_ - 1) * kHopSize >= kShortestGap;
  }
  has_gaps_ = in_order && wide && segments_ > 0;
  if (!has_gaps_) tail_.begin = 0;
}

// Frame i covers the samples from 256 (i - 1) to 256 (i + 1).
SampleRange HeardSamples::window() const {
  if (segment_ == segments_) return tail_;
  const std::int64_t first = segment_ * hop_frames_ + first_frames_[column_];
  return {std::max<std::int64_t>((first - 1) * kHopSize, 0), (first + patch_frames_) * kHopSize};
}

void HeardSamples::advance() {
  if (++column_ < first_frames_.size()) return;
  column_ = 0;
  ++segment_;
}

SampleRange HeardSamples::next() {
  if (!has_gaps_) return tail_;
  SampleRange range = window();
  while (range.end != tail_.end) {
    advance();
    // What begins in the tail is a part of it.
    if (segment_ < segments_ && window().begin >= tail_.begin) segment_ = segments_;
    const SampleRange more = window();
    if (more.begin - range.end >= kShortestGap) break;
    range.end = std::max(range.end, more.end);
  }
  return range;
}

}  // namespace maest
