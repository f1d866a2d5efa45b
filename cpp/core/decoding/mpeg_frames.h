// All frame headers of a file of MPEG audio (layers 1 to 3): what it promises, what is there.
#pragma once

#include <cstdint>
#include <string>

namespace maest {

struct MpegFrames {
  int layer = 0;              // 1 to 3, of the first frame; 0: there is none
  int version = 0;            // 1; 2; 25 is MPEG 2.5
  int rate = 0;               // Hz, of the first frame
  int channels = 0;           // likewise
  int samples_per_frame = 0;  // of each channel
  bool free_format = false;   // its headers do not tell their frames' size
  bool uniform = false;       // every frame has the first one's layer, version, rate, channels

  std::int64_t frames = 0;            // with sound: without the Xing, Info or VBRI frame
  std::int64_t promised_frames = -1;  // by that frame; -1: it does not say, or there is none
  bool info = false;                  // such a frame is there
  int delay = -1, padding = -1;       // samples that LAME's part of it tells; -1: not told

  std::int64_t first = 0;    // byte where the first frame begins, the info frame included
  std::int64_t junk = 0;     // bytes between frames that are neither frames nor tags
  std::int64_t tags = 0;     // bytes of ID3, APE and Lyrics3, wherever they stand
  std::int64_t missing = 0;  // bytes of the last frame that are not there

  // Samples of each channel that the file promises, what LAME says is not sound left out: as
  // decoded by FFmpeg.
  std::int64_t promised_samples() const;
};

// Throws `AudioError` where the file cannot be read.
MpegFrames walk_mpeg_frames(const std::string& path);

}  // namespace maest
