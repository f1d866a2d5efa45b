// Any frame of a file of MPEG audio, by its number.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "file_bytes.h"
#include "mpeg_frames.h"

namespace maest {

class MpegMap {
 public:
  struct Frame {
    std::int64_t at = 0;  // byte where it begins
    int bytes = 0;        // 0: it is not there, as in a file that was changed meanwhile
    int side_bytes = 0;   // of these: header, checksum and side information
    int borrowed = 0;     // layer 3: bytes of its own that stand in the frames before
  };

  // `frames`: of this file, each of which tells its size, with nothing between them.
  MpegMap(const std::string& path, const MpegFrames& frames);

  // A whole one with sound, from 0.
  Frame frame(std::int64_t number);

 private:
  struct Part {
    std::int64_t number = -1;  // how many parts of as many frames are before
    std::vector<Frame> frames;
  };
  const std::vector<Frame>& part(std::int64_t number);

  FileBytes file_;
  std::vector<std::int64_t> places_;
  std::array<Part, 2> parts_;  // two that follow each other
};

}  // namespace maest
