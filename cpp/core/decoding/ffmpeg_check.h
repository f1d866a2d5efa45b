// Whether a library is as ffmpeg_layout.h believes.
#pragma once

#include <string>

#include "ffmpeg_library.h"

namespace maest {

// Decodes a sound made in memory. In words, what came out otherwise; empty: nothing.
std::string find_fault(const FfmpegLibrary& library);

}  // namespace maest
