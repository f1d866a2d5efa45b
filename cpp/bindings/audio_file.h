// Files as Python has them.
#pragma once

#include <mutex>
#include <string>

#include "decoding/audio_file.h"
#include "decoding/open_audio_file.h"
#include "heard_file.h"
#include "unlocked.h"

namespace maest::bindings {

// A file has a place, and the GIL is not held while it is decoded: calls from several threads
// queue.
class GuardedAudioFile {
 public:
  explicit GuardedAudioFile(const std::string& path)
      : file_(open_audio_file(path, check_signals)) {}

  // Calls `work` with the file, without the GIL, alone.
  template <typename Work>
  auto alone(const Work& work) {
    const Unlocked unlocked;
    return alone_unlocked(work);
  }

  // The same, of a caller that does not have the GIL.
  template <typename Work>
  auto alone_unlocked(const Work& work) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return work(file_);
  }

  // What never changes needs no lock.
  const SourceFacts& facts() const { return file_.facts(); }

 private:
  std::mutex mutex_;
  AudioFile file_;
};

// A file, of which only what is heard is decoded.
class GuardedHeardFile {
 public:
  GuardedHeardFile(GuardedAudioFile& file, const HeardFile& heard) : file_(file), heard_(heard) {}

  // Calls `work` with it, without the GIL, alone.
  template <typename Work>
  auto alone(const Work& work) {
    return file_.alone([&](AudioFile&) { return work(heard_); });
  }

  // See GuardedAudioFile.
  template <typename Work>
  auto alone_unlocked(const Work& work) {
    return file_.alone_unlocked([&](AudioFile&) { return work(heard_); });
  }

 private:
  GuardedAudioFile& file_;
  HeardFile heard_;
};

}  // namespace maest::bindings
