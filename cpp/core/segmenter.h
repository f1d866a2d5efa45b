// Frames in, segments out: hop and tail policy. Holds the frames that a segment still needs and no
// more, so that a frame shared by overlapping segments is computed once and memory is bounded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace maest {

// What becomes of the frames after the last full segment.
enum class Tail {
  discard,  // dropped, as Essentia's default
  repeat,   // repeated until they fill a segment, as Essentia's lastPatchMode=repeat
  pad,      // kept as a shorter segment: only patches that exist are computed
};

// What users call them, in the order of `Tail`.
inline constexpr const char* kTailNames[] = {"discard", "repeat", "pad"};

// Reads one of kTailNames. Throws `InvalidArgument`.
Tail parse_tail(const std::string& text);

// Frames of one segment, valid until the segmenter is next changed.
struct Segment {
  std::int64_t first_frame = 0;  // absolute index of the first frame
  int frames = 0;                // rows of `data`
  const float* data = nullptr;   // [frames, bands]
};

class Segmenter {
 public:
  // `bands` values per frame; a segment starts every `hop_frames` (> 0) frames.
  Segmenter(int segment_frames, int hop_frames, int bands);

  // Where the front end appends frames.
  std::vector<float>& frames() { return frames_; }

  // Segments that are complete.
  std::int64_t ready() const;
  // The `index`-th of them; `index` < ready().
  Segment segment(std::int64_t index) const;
  // Lets go of the first `count` complete segments and of the frames that no later one needs.
  void release(std::int64_t count);

  // Frames from the next segment's start on: after the last frame and once all complete segments
  // are released, those of the tail.
  std::int64_t left() const { return frames_seen() - next_start_; }

  // After the last frame: the segment made of what is left, or one of 0 frames when there is
  // nothing to make it of. All complete segments must have been released. Call it once.
  Segment tail(Tail policy);

  // Frames seen since the start or the last reset.
  std::int64_t frames_seen() const;
  // The first segment starts at frame `lead_frames`.
  void reset(std::int64_t lead_frames = 0);

 private:
  int segment_frames_;
  int hop_frames_;
  int bands_;
  std::int64_t buffer_start_ = 0;  // absolute index of the first frame held
  std::int64_t next_start_ = 0;    // absolute index of the next segment's first frame
  std::vector<float> frames_;
};

}  // namespace maest
