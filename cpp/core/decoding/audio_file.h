// Audio files as the models hear them: mono at 16 kHz, piece by piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "resampler.h"
#include "source.h"

namespace maest {

enum class Ending {
  unknown,    // nobody has read as far
  complete,   // all that the file promises, as far as it promises anything
  truncated,  // less
  damaged,    // as long as it promises, but parts could not be decoded
};

// What users call them, in the order of `Ending`.
inline constexpr const char* kEndingNames[] = {"unknown", "complete", "truncated", "damaged"};

// What is known of a file beside what its source says.
struct FileHeader {
  bool cut = false;            // by its own sizes the file would be longer than it is
  std::int64_t promised = -1;  // samples of each channel, then
};

class AudioFile {
 public:
  // Gives a source from its beginning, each time it is called.
  using Open = std::function<std::unique_ptr<Source>()>;

  // `between` is called in the calling thread whenever some more was decoded; what it throws ends
  // the call: a way to be interrupted. Throws `AudioError` where the source has no sample.
  // open_audio_file.h opens files.
  explicit AudioFile(Open open, FileHeader header = {}, std::function<void()> between = {});

  const SourceFacts& facts() const { return facts_; }

  // Mono samples at 16 kHz; fewer than `count` only at the end. What cannot be decoded is left out.
  std::size_t read(float* samples, std::size_t count);

  // The next sample that read() gives, from 0.
  std::int64_t position() const { return position_; }

  // Goes there, or to the end if that is before: what follows is the same, to the bit, as if all
  // had been read. By the source's own seeking where that is exact, else by decoding. Throws
  // `InvalidArgument` for a negative sample.
  void seek(std::int64_t sample);

  // As seek(), but only where nothing has to be decoded for it; else nothing changes.
  bool seek_at_once(std::int64_t sample);

  // Goes forward; what lies between is not decoded where the source can leave it out. False where
  // it cannot be done: the file ends before, or its rate changes. Then only restart() goes on.
  bool skip_to(std::int64_t sample, Skipping allowed = Skipping::exact);
  // Whether the source can leave anything out.
  bool can_skip(Skipping allowed) const { return source_->can_skip(allowed); }

  // Whether anything was wrong with the file so far.
  bool has_damage() const { return !source_->damage().empty(); }

  // Begins anew, as if it had just been opened.
  void restart() { begin(); }

  // Samples at 16 kHz that the file promises, to one or two; -1: it does not say.
  std::int64_t promised() const;
  // Exactly as many as come if the file keeps its promise; -1 also where it promises days.
  std::int64_t promised_exactly() const;

  // What is known once the end was reached, whatever was done since.
  Ending ending() const { return ending_; }
  std::int64_t found() const { return found_; }  // samples at 16 kHz
  const std::string& damage() const { return damage_; }

 private:
  void begin();
  bool fill();
  bool next_block();
  void reach_end();
  void discard_until(std::int64_t sample);
  bool leave_out(std::int64_t samples, Skipping allowed);

  Open open_;
  FileHeader header_;
  std::function<void()> between_;
  std::unique_ptr<Source> source_;
  SourceFacts facts_;
  std::optional<Resampler> resampler_;
  bool one_rate_ = true;  // since the beginning
  Block block_;           // what of the source's is not resampled yet
  std::vector<float> ready_;
  std::size_t used_ = 0;  // of ready_
  std::int64_t position_ = 0;
  bool at_end_ = false;
  bool jumped_ = false;  // since then no sample came: where the end is was not seen
  Ending ending_ = Ending::unknown;
  std::int64_t found_ = 0;
  std::string damage_;
};

}  // namespace maest
