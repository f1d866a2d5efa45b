// A file of MPEG audio as libsndfile's mpg123 gets it: frames and nothing else, and in front of
// them one that says how many there are, and what of them is not sound.
#pragma once

#include <memory>
#include <string>

#include "byte_stream.h"
#include "mpeg_frames.h"

namespace maest {

// Why mpg123 would give other samples than FFmpeg, or complain on the process's stderr; empty: it
// does neither.
std::string mpg123_obstacle(const MpegFrames& frames);

std::unique_ptr<ByteStream> mpeg_stream(std::shared_ptr<FileBytes> file, const MpegFrames& frames);

}  // namespace maest
