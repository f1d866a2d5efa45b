// What all decoders have in common: a file opened, its samples in blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace maest {

// What a file says of itself, and who decodes it.
struct SourceFacts {
  std::string container;  // as container.h names it
  std::string codec;      // likewise
  std::string decoder;    // "FFmpeg 2.8.12 of Essentia", "libsndfile 1.2.2"
  int rate = 0;           // Hz, at the start of the file
  int channels = 0;       // at the start of the file
  // Samples of each channel, at `rate`, that the file promises; -1: it does not say.
  std::int64_t promised = -1;
  bool is_exact = false;  // the promise leaves nothing out that is decoded, nor the other way round
};

// What leaving samples out may change of those that follow.
enum class Skipping {
  exact,     // nothing
  one_step,  // each by one step of 16 bits (1 / 32768) at the most
};

// Samples that follow each other, all channels averaged as MonoMixer does.
struct Block {
  const float* samples = nullptr;  // valid until the source is asked again
  std::size_t count = 0;           // 0: the end of the file
  int rate = 0;                    // Hz; may change from block to block
};

class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  virtual const SourceFacts& facts() const = 0;

  // The next samples. What cannot be decoded is left out and told by damage(); samples that come
  // after it still count. Never throws for a damaged file once it was opened.
  virtual Block next() = 0;

  // Goes to a sample of each channel, counted at the rate of facts(): the next block starts there,
  // as if all before had been decoded. False where that is not possible exactly; the position is
  // what it was.
  virtual bool seek(std::int64_t sample) = 0;

  // Whether skip() can leave anything out.
  virtual bool can_skip(Skipping allowed) const {
    (void)allowed;
    return false;
  }

  // Leaves out the next samples, at most so many, without decoding them, where what follows changes
  // no more than is allowed. Returns how many: fewer (also none) where it is not possible, or at
  // the end.
  virtual std::int64_t skip(std::int64_t samples, Skipping allowed) {
    (void)samples;
    (void)allowed;
    return 0;
  }

  // In one line, what was wrong with the file so far; empty: nothing was.
  virtual const std::string& damage() const = 0;
};

}  // namespace maest
