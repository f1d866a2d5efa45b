// The streaming mel front end: samples in, log mel frames out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cpu.h"
#include "mel_config.h"

namespace maest {

struct MelKernels;
struct MelWorkspace;

// Frame arithmetic, over absolute indices. Frame i is centred on sample 256 i: it covers the
// samples from 256 i - 256 up to, not including, 256 i + 256. Samples before the first and past the
// last are zeros. Both functions throw InvalidArgument if `samples` is negative.

// The frames of a whole signal: the last frame is the first whose centre is at or past the end.
// That is ceil(samples / 256) + 1, and 0 for an empty signal.
std::int64_t frame_count(std::int64_t samples);

// The frames that need no sample past the first `samples`: floor(samples / 256).
std::int64_t completed_frame_count(std::int64_t samples);

// Seconds from the centre of one frame to that of the frame `frames` later.
constexpr double frames_to_seconds(std::int64_t frames) {
  return static_cast<double>(frames) * kHopSize / kSampleRate;
}

// Mono float samples at 16 kHz in, frames of kMelBands values log10(1 + 10000 x) out, not
// normalised, where x is the power in a mel band. Equal to Essentia's streaming FrameCutter(512,
// 256) and TensorflowInputMusiCNN within 1e-4, except that no noise is added to silent frames.
//
// Any division of a signal into pushes gives the same bits. Memory does not grow with the signal.
// One object serves one thread at a time.
class MelFrontend {
 public:
  // Uses default_isa().
  MelFrontend();
  // Throws InvalidArgument if this CPU cannot run `isa`.
  explicit MelFrontend(Isa isa);
  ~MelFrontend();

  // A moved-from front end can only be assigned to or destroyed.
  MelFrontend(MelFrontend&& other) noexcept;
  MelFrontend& operator=(MelFrontend&& other) noexcept;
  MelFrontend(const MelFrontend&) = delete;
  MelFrontend& operator=(const MelFrontend&) = delete;

  // Appends the frames that these samples complete to `frames`, kMelBands values each. Throws
  // InvalidArgument, with nothing changed, after finish(), or if a sample is NaN, infinite or
  // beyond +-kLargestSample: the message names the value and its index since the last reset.
  void push(const float* samples, std::size_t count, std::vector<float>& frames);

  // Ends the signal: appends the frames that need zeros past its end. A second call adds nothing.
  void finish(std::vector<float>& frames);

  // Makes ready for a new signal.
  void reset();

  // What push() demands of samples; throws as it does.
  void require_usable(const float* samples, std::size_t count) const;

  std::int64_t samples_pushed() const { return samples_pushed_; }
  std::int64_t frames_emitted() const { return frames_emitted_; }
  bool finished() const { return finished_; }

 private:
  [[noreturn]] void throw_unusable(const float* samples, std::size_t count) const;
  void take(const float* samples, std::size_t count, std::vector<float>& frames);
  void emit_completed(std::vector<float>& frames);

  const MelKernels* kernels_;
  std::unique_ptr<MelWorkspace> workspace_;
  std::vector<float> partial_frames_;  // where a batch that is not full is written
  std::vector<float> window_;          // samples of the batch being filled; see window_used_
  std::size_t window_used_ = 0;        // it starts where the next frame starts
  std::vector<float> saved_window_;    // to go back to if a long push fails
  std::int64_t samples_pushed_ = 0;
  std::int64_t frames_emitted_ = 0;
  bool finished_ = false;
};

}  // namespace maest
