// All frame headers of a file of MPEG audio (layers 1 to 3): what it promises, what is there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "file_bytes.h"

namespace maest {

inline constexpr std::int64_t kMpegPlaces = 256;

struct MpegFrames {
  int layer = 0;              // 1 to 3, of the first frame; 0: there is none
  int version = 0;            // 1; 2; 25 is MPEG 2.5
  int rate = 0;               // Hz, of the first frame
  int channels = 0;           // likewise
  int samples_per_frame = 0;  // of each channel
  bool free_format = false;   // its headers do not tell their frames' size
  bool uniform = true;        // every frame has the first one's layer, version, rate, channels

  std::int64_t frames = 0;            // whole ones with sound: without the Xing, Info or VBRI frame
  std::int64_t promised_frames = -1;  // by that frame; -1: it does not say, or there is none
  bool info = false;                  // such a frame is there
  bool lame = false;                  // it has LAME's part, by LAME or by FFmpeg
  int delay = 0, padding = 0;         // samples that this part tells
  double seconds = 0;                 // of these frames, each at its own rate

  // Layer 3: frames whose side information cannot be, or that want more of the frames before them
  // than there is, as where a file was cut out of a longer one.
  std::int64_t broken = 0;

  bool in_order = true;  // layer 3: no frame's bits begin before those of the one before end

  std::int64_t begin = 0;    // byte where the first frame begins, with sound or not
  std::int64_t first = 0;    // byte where the first frame with sound begins
  std::int64_t end = 0;      // byte where the last one ends; it may not be whole
  std::uint32_t header = 0;  // of the first frame with sound
  std::int64_t missing = 0;  // bytes of the last frame that are not there; it is not counted
  std::int64_t junk = 0;     // bytes before and between frames that are neither frames nor tags
  int gaps = 0;              // how often there is such junk
  int tags_inside = 0;       // tags between frames: files joined to one
  std::int64_t tags = 0;     // bytes of ID3, APE and Lyrics3, wherever they stand

  // Where frames with sound begin: every kMpegPlaces-th, from the first on.
  std::vector<std::int64_t> places;

  // Samples of each channel as FFmpeg gives them, and so MonoLoader: without what LAME's part calls
  // delay and padding. There are fewer than promised where the end of the file is missing; a last
  // frame that is not whole counts.
  std::int64_t samples_there() const;
  std::int64_t promised_samples() const;

 private:
  std::int64_t samples_of(std::int64_t there) const;
};

// Throws `AudioError` where the file cannot be read.
MpegFrames walk_mpeg_frames(const std::string& path);

}  // namespace maest
