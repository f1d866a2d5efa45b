#include "mpeg_source.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "error.h"
#include "mpeg_frames.h"
#include "mpeg_header.h"
#include "mpeg_stream.h"
#include "sndfile_library.h"
#include "sndfile_stream.h"

namespace maest {
namespace {

constexpr int kMostFailures = 10000;  // one after the other; each is a frame

// A sample in steps of 16 bits, clipped, as FFmpeg's decoder gives them, which MonoLoader has. With
// 1.5 * 2^23 added, the last bits of a float are a whole number; and as whole numbers, the bits of
// floats keep their order, but for those below zero, which come first. Without branches, and in
// what every processor has vectors for.
std::int32_t step_of(float sample) {
  constexpr float kScale = 32768.0F;
  constexpr float kRound = 12582912.0F;
  constexpr std::int32_t kZero = 0x4B400000;  // kRound's bits
  const float moved = sample * kScale + kRound;
  std::int32_t bits = 0;
  std::memcpy(&bits, &moved, sizeof bits);
  bits = bits < kZero - 32768 ? kZero - 32768 : bits;
  bits = bits > kZero + 32767 ? kZero + 32767 : bits;
  return bits - kZero;
}

// Of one channel, or the mean of two.
void mix_steps(const float* samples, std::size_t count, float* mono, int channels) {
  if (channels == 1) {
    for (std::size_t i = 0; i < count; ++i) {
      mono[i] = static_cast<float>(step_of(samples[i])) * (1.0F / 32768);
    }
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t sum = step_of(samples[2 * i]) + step_of(samples[2 * i + 1]);
    mono[i] = static_cast<float>(sum) * (1.0F / 65536);
  }
}

class MpegSource : public Source {
 public:
  MpegSource(const std::string& path, const Container& container)
      : path_(path), frames_(walk_mpeg_frames(path)) {
    const std::string obstacle = mpg123_obstacle(frames_);
    if (!obstacle.empty()) {
      throw AudioError(message("libsndfile is not asked for this MPEG audio: ", obstacle));
    }
    begin();
    // Where no frame says how many there are mpg123 estimates, and stops there.
    const SndfileInfo& info = stream_->info();
    samples_there_ = frames_.samples_there();
    if (info.frames < samples_there_ || info.rate != frames_.rate ||
        info.channels != frames_.channels) {
      throw AudioError("libsndfile would not read all of this MPEG audio");
    }
    facts_ = {container.container, container.codec,  sndfile_version(),
              frames_.rate,        frames_.channels, frames_.promised_samples()};
    frame_ = frames_.samples_per_frame;
    late_ = frames_.lame ? frames_.delay + kMpegDecoderDelay : 0;
    samples_.resize(static_cast<std::size_t>(frame_ * info.channels));
    mono_.resize(static_cast<std::size_t>(frame_));
    if (frames_.missing > 0) note(message("the last frame lacks ", frames_.missing, " bytes"));
  }

  const SourceFacts& facts() const override { return facts_; }
  const std::string& damage() const override { return damage_; }

  Block next() override {
    for (int failures = 0; failures < kMostFailures; ++failures) {
      const std::size_t got = read(left_of_frame());
      if (got > 0) {
        mix_steps(samples_.data(), got, mono_.data(), facts_.channels);
        return {mono_.data(), got, facts_.rate};
      }
      if (!stream_->failed()) break;
      note(stream_->reason());
    }
    return {};
  }

  bool seek(std::int64_t sample) override {
    if (sample < 0 || sample > samples_there_) return false;
    if (sample > 0 && !bytes_->can_leave_out()) return false;
    if (sample < position_) begin();
    if (sample > position_) {
      skip(sample - position_, Skipping::exact);
      discard(sample - position_);
    }
    if (position_ != sample) note("it cannot be searched");
    return true;
  }

  bool can_skip(Skipping) const override { return bytes_->can_leave_out(); }

  std::int64_t skip(std::int64_t samples, Skipping allowed) override {
    const std::int64_t start = position_;
    const std::int64_t wanted = start + samples;
    // A decoder that has given nothing may not have begun yet.
    const std::int64_t pending = start == 0 || !at_frame() ? left_of_frame() : 0;
    if (!can_skip(allowed) || pending > samples || wanted >= samples_there_) return 0;
    discard(pending);
    if (position_ != start + pending || !at_frame()) return position_ - start;
    const std::int64_t next = (position_ + late_) / frame_;
    const std::int64_t first = bytes_->leave_out(next, (wanted + late_) / frame_, allowed);
    if (first < 0) return pending;
    position_ = first * frame_ - late_;
    discard(wanted - position_);
    return position_ - start;
  }

 private:
  void begin() {
    stream_.reset();
    bytes_ = std::make_unique<MpegStream>(path_, frames_);
    stream_ = std::make_unique<SndfileStream>(*bytes_);
    position_ = 0;
  }

  bool at_frame() const { return (position_ + late_) % frame_ == 0; }
  std::int64_t left_of_frame() const { return frame_ - (position_ + late_) % frame_; }

  std::size_t read(std::int64_t count) {
    // Where frames were left out mpg123 does not know where the last sample is.
    count = std::min(count, stream_->info().frames - position_);
    const std::size_t got = count > 0 ? stream_->read(samples_.data(), count) : 0;
    position_ += static_cast<std::int64_t>(got);
    return got;
  }

  void discard(std::int64_t samples) {
    while (samples > 0) {
      const std::size_t got = read(std::min(samples, frame_));
      if (got == 0) break;
      samples -= static_cast<std::int64_t>(got);
    }
  }

  void note(const std::string& what) {
    if (damage_.empty()) damage_ = what;
  }

  std::string path_;
  MpegFrames frames_;
  SourceFacts facts_;
  std::string damage_;
  std::unique_ptr<MpegStream> bytes_;
  std::unique_ptr<SndfileStream> stream_;
  std::int64_t frame_ = 1152;  // samples of each channel
  std::int64_t late_ = 0;      // samples that are left out at the beginning
  std::int64_t samples_there_ = 0;
  std::int64_t position_ = 0;
  std::vector<float> samples_;
  std::vector<float> mono_;
};

}  // namespace

std::unique_ptr<Source> open_mpeg(const std::string& path, const Container& container) {
  return std::make_unique<MpegSource>(path, container);
}

}  // namespace maest
