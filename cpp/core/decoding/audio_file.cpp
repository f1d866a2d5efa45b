#include "audio_file.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "error.h"
#include "mel_config.h"

namespace maest {
namespace {

// Samples that are resampled at a time: of a rate that is very low, they become many.
constexpr std::size_t kSlice = 1 << 16;

// What a file may be shorter than its header says without being truncated: docs/formats.md.
constexpr double kToleratedSeconds = 0.1;

// Samples by which promised() may be wrong.
constexpr std::int64_t kRounding = 2;

// Samples at 16 kHz, 18 hours: at some rates every step to a place has to be taken to find it, and
// a header may promise any number.
constexpr std::int64_t kFarthest = std::int64_t{1} << 30;

constexpr char kNothing[] = "no audio samples could be decoded";

}  // namespace

AudioFile::AudioFile(Open open, FileHeader header, std::function<void()> between)
    : open_(std::move(open)), header_(header), between_(std::move(between)) {
  begin();
  facts_ = source_->facts();
  // Some decoders correct the header by the file's size.
  if (header_.cut) facts_.promised = std::max(facts_.promised, header_.promised);
}

void AudioFile::begin() {
  source_ = open_();
  block_ = source_->next();
  if (block_.count == 0) {
    const std::string& damage = source_->damage();
    throw AudioError(damage.empty() ? kNothing : message(kNothing, " (", damage, ")"));
  }
  try {
    resampler_.emplace(block_.rate);
  } catch (const InvalidArgument& error) {
    throw AudioError(error.what());
  }
  one_rate_ = block_.rate == source_->facts().rate;
  ready_.clear();
  used_ = 0;
  position_ = 0;
  at_end_ = false;
  jumped_ = false;
}

std::size_t AudioFile::read(float* samples, std::size_t count) {
  std::size_t filled = 0;
  while (filled < count && (used_ < ready_.size() || fill())) {
    const std::size_t some = std::min(count - filled, ready_.size() - used_);
    std::copy_n(ready_.begin() + static_cast<std::ptrdiff_t>(used_), some, samples + filled);
    used_ += some;
    position_ += static_cast<std::int64_t>(some);
    filled += some;
  }
  return filled;
}

// Gets the next samples ready; false at the end.
bool AudioFile::fill() {
  ready_.clear();
  used_ = 0;
  while (ready_.empty()) {
    if (block_.count == 0) {
      if (!next_block()) return false;
      continue;
    }
    const std::size_t some = std::min(block_.count, kSlice);
    resampler_->push(block_.samples, some, ready_);
    block_.samples += some;
    block_.count -= some;
    if (between_) between_();
  }
  jumped_ = false;
  return true;
}

bool AudioFile::next_block() {
  if (at_end_) return false;
  block_ = source_->next();
  if (block_.count == 0) {
    reach_end();
    return !at_end_;
  }
  if (block_.rate != resampler_->rate()) {
    one_rate_ = false;
    try {
      resampler_.emplace(block_.rate);
    } catch (const InvalidArgument& error) {
      // As damaged as can be: what follows is not heard.
      block_ = {};
      reach_end();
      damage_ = error.what();
      if (ending_ == Ending::complete) ending_ = Ending::damaged;
      return false;
    }
  }
  return true;
}

void AudioFile::reach_end() {
  const std::int64_t there = promised();
  if (jumped_ && std::abs(position_ - there) > kRounding) {
    // A source may take any place past its end: only decoding tells where that is.
    const std::int64_t wanted = position_;
    begin();
    discard_until(wanted);
    return;
  }
  at_end_ = true;
  found_ = position_;
  damage_ = source_->damage();
  const auto codecs_own = static_cast<std::int64_t>(kToleratedSeconds * kSampleRate);
  const std::int64_t tolerated = header_.cut || facts_.is_exact ? kRounding : codecs_own;
  if (there >= 0 ? found_ + tolerated < there : header_.cut) {
    ending_ = Ending::truncated;
  } else {
    ending_ = damage_.empty() ? Ending::complete : Ending::damaged;
  }
}

void AudioFile::discard_until(std::int64_t sample) {
  while (position_ < sample && (used_ < ready_.size() || fill())) {
    const auto left = static_cast<std::int64_t>(ready_.size() - used_);
    const std::int64_t some = std::min(sample - position_, left);
    used_ += static_cast<std::size_t>(some);
    position_ += some;
  }
}

void AudioFile::seek(std::int64_t sample) {
  if (sample < 0) {
    throw InvalidArgument(message("the sample to go to is ", sample, "; 0 or more is wanted"));
  }
  if (seek_at_once(sample)) return;
  if (sample < position_) begin();
  discard_until(sample);
}

bool AudioFile::seek_at_once(std::int64_t sample) {
  const auto left = static_cast<std::int64_t>(ready_.size() - used_);
  if (sample >= position_ && sample - position_ <= left) {
    used_ += static_cast<std::size_t>(sample - position_);
    position_ = sample;
    return true;
  }
  // Number 0 of a rate that came later is none of the file.
  if (!one_rate_ || sample > kFarthest) return false;
  Resampler there = *resampler_;
  if (!source_->seek(there.start_at(sample))) return false;
  resampler_ = std::move(there);
  block_ = {};
  ready_.clear();
  used_ = 0;
  position_ = sample;
  at_end_ = false;
  jumped_ = true;
  return true;
}

bool AudioFile::skip_to(std::int64_t sample, Skipping allowed) {
  if (sample < position_) return false;
  const auto left = static_cast<std::int64_t>(ready_.size() - used_);
  Resampler there = *resampler_;
  const std::int64_t first = sample - position_ > left ? there.start_at(sample) : 0;
  if (sample - position_ <= left || !one_rate_ || first < resampler_->next_sample()) {
    discard_until(sample);
    return position_ == sample;
  }
  if (!leave_out(first - resampler_->next_sample(), allowed)) return false;
  resampler_ = std::move(there);
  ready_.clear();
  used_ = 0;
  position_ = sample;
  return true;
}

// Of the source's samples, as many; false where they end before, or another rate begins.
bool AudioFile::leave_out(std::int64_t samples, Skipping allowed) {
  while (samples > 0) {
    if (block_.count == 0) {
      samples -= source_->skip(samples, allowed);
      if (samples == 0) break;
      block_ = source_->next();
      if (block_.count == 0 || block_.rate != resampler_->rate()) return false;
    }
    const std::int64_t some = std::min(samples, static_cast<std::int64_t>(block_.count));
    block_.samples += some;
    block_.count -= static_cast<std::size_t>(some);
    samples -= some;
    if (between_) between_();
  }
  return true;
}

std::int64_t AudioFile::promised_exactly() const {
  const std::int64_t about = promised();
  if (about < 0 || about > kFarthest || !one_rate_) return -1;
  return resampler_->count_of(facts_.promised);
}

std::int64_t AudioFile::promised() const {
  if (facts_.promised < 0) return -1;
  if (facts_.rate <= 0) return -1;
  return std::llround(static_cast<double>(facts_.promised) / facts_.rate * kSampleRate);
}

}  // namespace maest
