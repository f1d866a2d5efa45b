#include "mel_frontend.h"

#include <algorithm>
#include <cmath>

#include "error.h"
#include "mel_kernels.h"

namespace maest {
namespace {

constexpr std::size_t kHop = kHopSize;
constexpr std::size_t kBlock = 16384;  // samples

void require_not_negative(std::int64_t samples) {
  if (samples < 0) {
    throw InvalidArgument(message("a signal of ", samples, " samples, wanted 0 or more"));
  }
}

void require_pointer(const float* samples, std::size_t count) {
  if (samples == nullptr) {
    throw InvalidArgument(message("null pointer for ", count, " samples"));
  }
}

bool usable(float sample) { return std::abs(sample) <= kLargestSample; }  // false for NaN

// Makes all later growth by so many frames free of failure, and growth by many small pushes cheap.
void make_room(std::vector<float>& frames, std::int64_t count) {
  const std::size_t wanted = frames.size() + static_cast<std::size_t>(count) * kMelBands;
  if (wanted > frames.capacity()) frames.reserve(std::max(wanted, 2 * frames.capacity()));
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
      window_((kernels_->lanes + 1) * kHop),
      saved_window_(window_) {
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
  require_pointer(samples, count);
  const std::int64_t pushed = samples_pushed_ + static_cast<std::int64_t>(count);
  const std::int64_t emitted = completed_frame_count(pushed);
  make_room(frames, emitted - frames_emitted_);

  // Block by block, so that a block is still in the cache when it is computed. If a later block is
  // bad, the earlier ones are taken back.
  const std::size_t old_size = frames.size();
  const std::size_t old_window_used = window_used_;
  if (count > kBlock) saved_window_ = window_;
  for (std::size_t done = 0; done < count; done += kBlock) {
    const std::size_t block = std::min(kBlock, count - done);
    if (!kernels_->all_usable(samples + done, block)) {
      if (done > 0) window_.swap(saved_window_);
      window_used_ = old_window_used;
      frames.resize(old_size);
      throw_unusable(samples, count);
    }
    take(samples + done, block, frames);
  }
  emit_completed(frames);
  samples_pushed_ = pushed;
  frames_emitted_ = emitted;
}

void MelFrontend::finish(std::vector<float>& frames) {
  if (finished_) return;
  const std::int64_t emitted = frame_count(samples_pushed_);
  const std::int64_t missing = emitted - frames_emitted_;
  make_room(frames, missing);
  if (missing > 0) {
    const float zeros[2 * kHop] = {};
    take(zeros, (static_cast<std::size_t>(missing) + 1) * kHop - window_used_, frames);
    emit_completed(frames);
  }
  frames_emitted_ = emitted;
  finished_ = true;
}

void MelFrontend::require_usable(const float* samples, std::size_t count) const {
  if (count == 0) return;
  require_pointer(samples, count);
  if (!kernels_->all_usable(samples, count)) throw_unusable(samples, count);
}

void MelFrontend::throw_unusable(const float* samples, std::size_t count) const {
  const float* const bad = std::find_if_not(samples, samples + count, usable);
  throw InvalidArgument(message("sample ", samples_pushed_ + (bad - samples), " is ", *bad,
                                ", wanted finite samples within +-", kLargestSample));
}

// Moves samples into the window, and emits a batch whenever it is full.
void MelFrontend::take(const float* samples, std::size_t count, std::vector<float>& frames) {
  while (count > 0) {
    const std::size_t taken = std::min(count, window_.size() - window_used_);
    std::copy(samples, samples + taken, window_.begin() + window_used_);
    window_used_ += taken;
    samples += taken;
    count -= taken;
    if (window_used_ == window_.size()) emit_completed(frames);
  }
}

// Computes all frames that lie wholly in the window, and drops the samples before the next frame.
void MelFrontend::emit_completed(std::vector<float>& frames) {
  const std::size_t count = window_used_ / kHop - 1;
  if (count == 0) return;
  const std::size_t old_size = frames.size();
  frames.resize(old_size + count * kMelBands);
  float* const out = frames.data() + old_size;
  if (count == static_cast<std::size_t>(kernels_->lanes)) {
    kernels_->mel_frames(mel_tables(), window_.data(), *workspace_, out);
  } else {
    // The other lanes compute whatever the window still holds; their frames are not used.
    kernels_->mel_frames(mel_tables(), window_.data(), *workspace_, partial_frames_.data());
    std::copy(partial_frames_.begin(), partial_frames_.begin() + count * kMelBands, out);
  }
  std::copy(window_.begin() + count * kHop, window_.begin() + window_used_, window_.begin());
  window_used_ -= count * kHop;
}

}  // namespace maest
