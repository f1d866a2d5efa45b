#include "mel_frontend.h"

#include <algorithm>
#include <cmath>

#include "error.h"
#include "mel_kernels.h"

namespace maest {
namespace {

constexpr std::size_t kHop = kHopSize;

void require_not_negative(std::int64_t samples) {
  if (samples < 0) {
    throw InvalidArgument(message("a signal of ", samples, " samples, wanted 0 or more"));
  }
}

bool usable(float sample) { return std::abs(sample) <= kLargestSample; }  // false for NaN

// Without an early exit, so that the compiler can vectorise it.
bool all_usable(const float* samples, std::size_t count) {
  int unusable = 0;
  for (std::size_t i = 0; i < count; ++i) unusable |= usable(samples[i]) ? 0 : 1;
  return unusable == 0;
}

}  // namespace

std::int64_t frame_count(std::int64_t samples) {
  require_not_negative(samples);
  if (samples == 0) return 0;
  return (samples - 1) / kHopSize + 2;
}

std::int64_t completed_frame_count(std::int64_t samples) {
  require_not_negative(samples);
  return samples / kHopSize;
}

MelFrontend::MelFrontend() : MelFrontend(default_isa()) {}

MelFrontend::MelFrontend(Isa isa)
    : kernels_(&mel_kernels(isa)),
      workspace_(std::make_unique<MelWorkspace>()),
      partial_frames_(static_cast<std::size_t>(kernels_->lanes) * kMelBands),
      window_((kernels_->lanes + 1) * kHop) {
  reset();
}

MelFrontend::~MelFrontend() = default;
MelFrontend::MelFrontend(MelFrontend&& other) noexcept = default;
MelFrontend& MelFrontend::operator=(MelFrontend&& other) noexcept = default;

void MelFrontend::reset() {
  std::fill(window_.begin(), window_.end(), 0.0F);
  window_used_ = kHop;  // frame 0 starts with one hop of zeros
  samples_pushed_ = 0;
  frames_emitted_ = 0;
  finished_ = false;
}

void MelFrontend::push(const float* samples, std::size_t count, std::vector<float>& frames) {
  if (finished_) {
    throw InvalidArgument(
        message("push of ", count, " samples after finish(), wanted reset() first"));
  }
  if (count == 0) return;
  require_usable(samples, count);
  const std::int64_t pushed = samples_pushed_ + static_cast<std::int64_t>(count);
  const std::int64_t emitted = completed_frame_count(pushed);
  const std::size_t old_size = frames.size();
  frames.resize(old_size + static_cast<std::size_t>(emitted - frames_emitted_) * kMelBands);
  emit_completed(take(samples, count, frames.data() + old_size));
  samples_pushed_ = pushed;
  frames_emitted_ = emitted;
}

void MelFrontend::finish(std::vector<float>& frames) {
  if (finished_) return;
  const std::int64_t emitted = frame_count(samples_pushed_);
  const std::size_t missing = static_cast<std::size_t>(emitted - frames_emitted_);
  const std::size_t old_size = frames.size();
  frames.resize(old_size + missing * kMelBands);
  if (missing > 0) {
    const float zeros[2 * kHop] = {};
    emit_completed(take(zeros, (missing + 1) * kHop - window_used_, frames.data() + old_size));
  }
  frames_emitted_ = emitted;
  finished_ = true;
}

void MelFrontend::require_usable(const float* samples, std::size_t count) const {
  if (samples == nullptr) {
    throw InvalidArgument(message("null pointer for ", count, " samples"));
  }
  if (all_usable(samples, count)) return;
  const float* const bad = std::find_if_not(samples, samples + count, usable);
  throw InvalidArgument(message("sample ", samples_pushed_ + (bad - samples), " is ", *bad,
                                ", wanted finite samples within +-", kLargestSample));
}

// Moves samples into the window, and emits a batch whenever it is full. Returns the end of what was
// written to `out`.
float* MelFrontend::take(const float* samples, std::size_t count, float* out) {
  while (count > 0) {
    const std::size_t taken = std::min(count, window_.size() - window_used_);
    std::copy(samples, samples + taken, window_.begin() + window_used_);
    window_used_ += taken;
    samples += taken;
    count -= taken;
    if (window_used_ == window_.size()) out = emit_completed(out);
  }
  return out;
}

// Computes all frames that lie wholly in the window, and drops the samples before the next frame.
float* MelFrontend::emit_completed(float* out) {
  const std::size_t frames = window_used_ / kHop - 1;
  if (frames == 0) return out;
  const std::size_t values = frames * kMelBands;
  if (frames == static_cast<std::size_t>(kernels_->lanes)) {
    kernels_->mel_frames(mel_tables(), window_.data(), *workspace_, out);
  } else {
    // The other lanes compute whatever the window still holds; their frames are not used.
    kernels_->mel_frames(mel_tables(), window_.data(), *workspace_, partial_frames_.data());
    std::copy(partial_frames_.begin(), partial_frames_.begin() + values, out);
  }
  std::copy(window_.begin() + frames * kHop, window_.begin() + window_used_, window_.begin());
  window_used_ -= frames * kHop;
  return out + values;
}

}  // namespace maest
