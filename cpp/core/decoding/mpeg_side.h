// The side information of one frame of layer 3: where its bits are, and whether that can be.
#pragma once

#include <string>
#include <string_view>

#include "mpeg_header.h"

namespace maest {

struct MpegSide {
  bool valid = false;  // no field says what no encoder writes
  int borrowed = 0;    // bytes of its own that stand in the frames before
  int bits = 0;        // that it needs
};

// `frame`: its bytes from the header on, at least as many as header.side_bytes.
MpegSide read_mpeg_side(std::string_view frame, const MpegHeader& header);

// Has a frame say that it is silent, and that `borrowed` bytes before it are kept for others. A
// checksum stays as it was.
void write_silent_side(std::string& frame, const MpegHeader& header, int borrowed);

}  // namespace maest
