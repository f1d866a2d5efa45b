// A file in, the outputs of its segments out: samples go from the decoder to the front end.
#pragma once

#include <memory>

#include "decoding/audio_file.h"
#include "extractor.h"
#include "interruptible.h"

namespace maest {

// Reads `file` from its beginning to its end; what no kept patch hears is not decoded where that
// changes no more than is `allowed`. `watch` is as in Stream. Throws as Stream and AudioFile do.
Outputs analyze_file(std::shared_ptr<const Extractor> extractor, const Request& request,
                     AudioFile& file, Skipping allowed = Skipping::exact, const Watch& watch = {});

}  // namespace maest
