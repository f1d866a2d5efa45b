// A file in, the outputs of its segments out: samples go from the decoder to the front end.
#pragma once

#include <memory>

#include "decoding/audio_file.h"
#include "extractor.h"
#include "interruptible.h"

namespace maest {

// Reads `file` from its beginning to its end. `watch` is as in Stream. Throws as Stream and
// AudioFile do.
Outputs analyze_file(std::shared_ptr<const Extractor> extractor, const Request& request,
                     AudioFile& file, const Watch& watch = {});

}  // namespace maest
