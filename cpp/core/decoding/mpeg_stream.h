// A file of MPEG audio as libsndfile's mpg123 gets it: frames and nothing else, and in front of
// them one that says how many there are, and what of them is not sound. Frames that nobody needs
// can be left out.
#pragma once

#include <cstdint>
#include <string>

#include "byte_stream.h"
#include "file_bytes.h"
#include "mpeg_frames.h"
#include "mpeg_map.h"
#include "source.h"

namespace maest {

// Why mpg123 would give other samples than FFmpeg, or complain on the process's stderr; empty: it
// does neither.
std::string mpg123_obstacle(const MpegFrames& frames);

class MpegStream : public ByteStream {
 public:
  // `frames`: of this file. Throws `AudioError` where it cannot be read.
  MpegStream(const std::string& path, const MpegFrames& frames);

  std::int64_t size() const override { return size_; }
  std::size_t read(std::int64_t at, char* bytes, std::size_t count) override;

  // Whether frames can be left out.
  bool can_leave_out() const { return can_leave_out_; }

  // A decoder that has had all frames before `next`, and nothing of those from there on, gets
  // others instead: so that frame `wanted` comes out of it as if all had been decoded, to the bit
  // where nothing else is allowed. Returns the frame that comes out first: it and those after it,
  // up to the wanted one, are not as they should be. -1, and nothing has changed, where none can be
  // left out. Frames count from 0, the first one with sound.
  std::int64_t leave_out(std::int64_t next, std::int64_t wanted, Skipping allowed);

 private:
  bool carry(std::int64_t first, std::int64_t right, std::string& frames);

  FileBytes file_;
  MpegMap map_;
  MpegFrames frames_;
  std::int64_t size_ = 0;
  std::int64_t read_until_ = 0;  // bytes of the stream
  bool can_leave_out_ = false;

  // From byte `begin_` of the stream on: `before_`, then the file from `file_begin_` to its last
  // frame's end, then zeros.
  std::int64_t begin_ = 0;
  std::string before_;
  std::int64_t file_begin_ = 0;
  // Frame `first_` of the file begins at byte `first_at_` of the stream, where it is number
  // `first_number_`.
  std::int64_t first_ = 0;
  std::int64_t first_at_ = 0;
  std::int64_t first_number_ = 0;
  std::int64_t silent_ = 0;  // frames of silence before all others
};

}  // namespace maest
