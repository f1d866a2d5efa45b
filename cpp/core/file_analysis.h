// A file in, the outputs of its segments out: samples go from the decoder to the front end.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "decoding/audio_file.h"
#include "extractor.h"
#include "heard_file.h"
#include "interruptible.h"
#include "stream.h"

namespace maest {

// Reads `file` from its beginning to its end; what no kept patch hears is not decoded where that
// changes no more than is `allowed`. `watch` is as in Stream. Throws as Stream and AudioFile do.
Outputs analyze_file(std::shared_ptr<const Extractor> extractor, const Request& request,
                     AudioFile& file, Skipping allowed = Skipping::exact, const Watch& watch = {});

// What was read of a file.
struct Pushed {
  Outputs outputs;  // of the segments that it completed
  std::int64_t samples = 0;
  float peak = 0;  // largest absolute value of one
};

// Called with true before samples are computed, and with false before others are decoded: who
// keeps an eye on one of them tells them apart. After what push() throws it is not called.
using Turn = std::function<void(bool computing)>;

// Pushes what is left of a file, a piece at a time. Throws as Stream::push() and read() do.
Pushed push_file(Stream& stream, AudioFile& file, const Turn& turn, const Watch& watch = {});
Pushed push_file(Stream& stream, HeardFile& file, const Turn& turn, const Watch& watch = {});

}  // namespace maest
