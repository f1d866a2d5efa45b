#include "segmenter.h"

#include <algorithm>
#include <iterator>

#include "error.h"

namespace maest {

Tail parse_tail(const std::string& text) {
  for (std::size_t i = 0; i < std::size(kTailNames); ++i) {
    if (text == kTailNames[i]) return static_cast<Tail>(i);
  }
  throw InvalidArgument(
      message("tail '", text, "' does not exist; wanted is 'discard', 'repeat' or 'pad'"));
}

Segmenter::Segmenter(int segment_frames, int hop_frames, int bands)
    : segment_frames_(segment_frames), hop_frames_(hop_frames), bands_(bands) {
  if (segment_frames < 1 || hop_frames < 1 || bands < 1) {
    throw InvalidArgument(message("segments of ", segment_frames, " frames every ", hop_frames,
                                  " frames of ", bands,
                                  " bands cannot be made; all must be 1 or more"));
  }
}

std::int64_t Segmenter::frames_seen() const {
  return buffer_start_ + static_cast<std::int64_t>(frames_.size()) / bands_;
}

std::int64_t Segmenter::ready() const {
  const std::int64_t spare = frames_seen() - next_start_ - segment_frames_;
  return spare < 0 ? 0 : spare / hop_frames_ + 1;
}

Segment Segmenter::segment(std::int64_t index) const {
  const std::int64_t first = next_start_ + index * hop_frames_;
  return {first, segment_frames_, frames_.data() + (first - buffer_start_) * bands_};
}

void Segmenter::release(std::int64_t count) {
  next_start_ += count * hop_frames_;
  // With a hop longer than a segment, the next start may not have been reached yet.
  const std::int64_t unused = std::min(next_start_, frames_seen()) - buffer_start_;
  frames_.erase(frames_.begin(), frames_.begin() + unused * bands_);
  buffer_start_ += unused;
}

Segment Segmenter::tail(Tail policy) {
  release(0);
  if (policy == Tail::discard || left() <= 0) return {};
  if (policy == Tail::repeat) {
    const auto values = static_cast<std::size_t>(segment_frames_) * bands_;
    frames_.reserve(values);
    const std::size_t period = frames_.size();
    for (std::size_t i = period; i < values; ++i) frames_.push_back(frames_[i - period]);
    return {next_start_, segment_frames_, frames_.data()};
  }
  return {next_start_, static_cast<int>(left()), frames_.data()};
}

void Segmenter::reset(std::int64_t lead_frames) {
  if (lead_frames < 0) {
    throw InvalidArgument(message("lead_frames is ", lead_frames, "; 0 or more wanted"));
  }
  buffer_start_ = 0;
  next_start_ = lead_frames;
  frames_.clear();
}

}  // namespace maest
