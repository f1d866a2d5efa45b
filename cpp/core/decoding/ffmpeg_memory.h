// What FFmpeg may take at once. It believes what a file says of the sizes in it, and takes that
// much before it reads.
#pragma once

#include <cstdint>

#include "ffmpeg_library.h"

namespace maest {

// As long as any is there, FFmpeg takes no more at once than the largest of the files could need.
// The limit is one of the whole process; without a file, it is as it was.
class FfmpegMemory {
 public:
  // Bytes that a file of so many could need at once.
  static std::int64_t limit(std::int64_t file_bytes);

  FfmpegMemory(const FfmpegLibrary& library, std::int64_t file_bytes);
  FfmpegMemory(const FfmpegMemory&) = delete;
  FfmpegMemory& operator=(const FfmpegMemory&) = delete;
  ~FfmpegMemory();

 private:
  const FfmpegLibrary& library_;
  const std::int64_t bytes_;
};

}  // namespace maest
