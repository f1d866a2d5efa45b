#include "heard_file.h"

#include <algorithm>

namespace maest {

HeardFile::HeardFile(AudioFile& file, const HeardSamples& heard, Skipping allowed)
    : file_(file), heard_(heard), allowed_(allowed), range_(heard_.next()), at_(file.position()) {}

std::size_t HeardFile::read(float* samples, std::size_t count) {
  std::size_t filled = 0;
  while (filled < count && !ended_) {
    if (at_ == range_.end) {
      ended_ = at_ >= heard_.needed();
      if (!ended_) range_ = heard_.next();
      continue;
    }
    if (at_ < range_.begin) {
      filled += fill_gap(samples + filled, count - filled);
      continue;
    }
    const auto left = static_cast<std::size_t>(range_.end - at_);
    const std::size_t wanted = std::min(count - filled, left);
    const std::size_t got = file_.read(samples + filled, wanted);
    filled += got;
    at_ += static_cast<std::int64_t>(got);
    if (!holds() || got == wanted) continue;
    ended_ = true;
    if (at_ < heard_.needed()) fail();
  }
  return filled;
}

// Nobody hears what stands there.
std::size_t HeardFile::fill_gap(float* samples, std::size_t count) {
  if (file_.position() < range_.begin) {
    skipped_ = true;
    if (!file_.skip_to(range_.begin, allowed_)) fail();
    if (!holds()) return 0;
  }
  const std::size_t some = std::min(count, static_cast<std::size_t>(range_.begin - at_));
  std::fill_n(samples, some, 0.0F);
  at_ += static_cast<std::int64_t>(some);
  return some;
}

bool HeardFile::holds() {
  if (!failed_ && skipped_ && file_.has_damage()) fail();
  return !failed_;
}

void HeardFile::fail() {
  failed_ = ended_ = true;
  file_.restart();
}

}  // namespace maest
