// Bytes as an audio file: opened, heard, and heard once more from another place.
// MAEST_FUZZ_SNDFILE names libsndfile; FFmpeg is in Essentia's extension library, which no process
// without Python can open.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "decoding/open_audio_file.h"
#include "decoding/sndfile_library.h"
#include "error.h"
#include "one_file.h"

namespace {

constexpr std::int64_t kMostSamples = 16000 * 60;

bool name_library() {
  if (const char* path = std::getenv("MAEST_FUZZ_SNDFILE")) maest::set_sndfile_library(path);
  return true;
}

// A few bytes may promise days of silence.
void hear(maest::AudioFile& audio) {
  std::vector<float> samples(4096);
  while (audio.position() < kMostSamples && audio.read(samples.data(), samples.size()) > 0) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  static maest::fuzz::OneFile file;
  static const bool named = name_library();
  static_cast<void>(named);
  file.write(bytes, count);
  try {
    maest::AudioFile audio = maest::open_audio_file(file.path());
    hear(audio);
    audio.seek(audio.position() / 3);
    hear(audio);
  } catch (const maest::AudioError&) {  // as it should be; nothing else may be thrown
  }
  return 0;
}
