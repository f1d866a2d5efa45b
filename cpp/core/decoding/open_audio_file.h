// From a path to what is heard of it: what the file is, who reads it, and its samples.
#pragma once

#include <functional>
#include <string>

#include "audio_file.h"

namespace maest {

// Opens a file with the first reader of its route that finds a sample in it; `between` is as in
// AudioFile. Throws `AudioError` with the readers' reasons, or with the way out where none is for
// it; the file is not named.
AudioFile open_audio_file(const std::string& path, std::function<void()> between = {});

}  // namespace maest
