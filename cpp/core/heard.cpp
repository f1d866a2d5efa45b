#include "heard.h"

#include <algorithm>
#include <limits>

#include "mel_frontend.h"

namespace maest {
namespace {

// A gap that is shorter holds no packet of common codecs.
constexpr std::int64_t kShortestGap = 2048;

constexpr std::int64_t kNoEnd = std::numeric_limits<std::int64_t>::max();

}  // namespace

Hearing hearing_of(const Plan& plan, const PatchGrid& grid) {
  Hearing hearing;
  hearing.segment_frames = plan.segment_frames;
  hearing.hop_frames = plan.hop_frames;
  hearing.patch_frames = grid.patch_size;
  std::vector<int>& frames = hearing.first_frames;
  for (const std::int64_t patch : plan.kept) {
    frames.push_back(grid.first_frame(static_cast<int>(patch % plan.columns)));
  }
  std::sort(frames.begin(), frames.end());
  frames.erase(std::unique(frames.begin(), frames.end()), frames.end());
  return hearing;
}

HeardSamples::HeardSamples(const Hearing& hearing, std::int64_t samples)
    : hearing_(hearing), needed_(samples), all_{0, kNoEnd} {
  const std::int64_t spare = frame_count(samples) - hearing_.segment_frames;
  segments_ = spare < 0 ? 0 : spare / hearing_.hop_frames + 1;
  // Nothing is after the end, but the end has to be seen.
  const std::int64_t tail = (segments_ * hearing_.hop_frames - 1) * kHopSize;
  tail_ = {std::max<std::int64_t>(std::min(tail, samples - 1), 0), kNoEnd};
  look_for_gaps();
}

HeardSamples::HeardSamples(const Hearing& hearing, std::int64_t first_frame, SampleRange section)
    : hearing_(hearing),
      first_frame_(first_frame),
      needed_(section.end),
      all_(section),
      tail_{section.end - 1, section.end} {
  look_for_gaps();
}

void HeardSamples::look_for_gaps() {
  const std::vector<int>& first = hearing_.first_frames;
  if (first.empty() || segments_ == 0) return;
  // Segments that overlap by more than a patch fill each other's gaps, mostly.
  if (segments_ > 1 && first.back() > hearing_.hop_frames) return;
  const std::int64_t behind = segments_ > 1 ? hearing_.hop_frames : hearing_.segment_frames;
  has_gaps_ = behind - first.back() > hearing_.patch_frames;
  for (std::size_t i = 1; i < first.size(); ++i) {
    const std::int64_t gap = first[i] - first[i - 1] - hearing_.patch_frames - 1;
    has_gaps_ = has_gaps_ || gap * kHopSize >= kShortestGap;
  }
}

bool HeardSamples::has_end(const SampleRange& range) { return range.end != kNoEnd; }

// Frame i covers the samples from 256 (i - 1) to 256 (i + 1).
SampleRange HeardSamples::window() const {
  if (segment_ == segments_) return tail_;
  const std::int64_t first =
      first_frame_ + segment_ * hearing_.hop_frames + hearing_.first_frames[column_];
  return {std::max<std::int64_t>((first - 1) * kHopSize, 0),
          (first + hearing_.patch_frames) * kHopSize};
}

void HeardSamples::advance() {
  if (++column_ < hearing_.first_frames.size()) return;
  column_ = 0;
  ++segment_;
}

SampleRange HeardSamples::next() {
  if (!has_gaps_) return all_;
  SampleRange range = window();
  while (segment_ < segments_) {
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
