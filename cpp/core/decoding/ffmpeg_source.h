// Files decoded by the FFmpeg inside Essentia: MonoLoader's samples before it resamples them.
#pragma once

#include <memory>
#include <string>

#include "container.h"
#include "source.h"

namespace maest {

// Opens a file; `container` is what identify() said of it, `demuxer` and `decoder` are FFmpeg's
// names (of the file's route; an empty decoder is the codec's own). Throws `AudioError` where
// FFmpeg is not there or cannot open the file, or nothing of it can be decoded.
std::unique_ptr<Source> open_ffmpeg(const std::string& path, const Container& container,
                                    const std::string& demuxer, const std::string& decoder);

}  // namespace maest
