// Native FLAC as whole frames, found by their own headers and checksums. FFmpeg's parser, which
// does the same, may not come to an end where frames are damaged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "file_bytes.h"
#include "flac_frame.h"

namespace maest {

class FlacFrames {
 public:
  // Throws `AudioError` where the file cannot be read, or does not begin as FLAC.
  explicit FlacFrames(const std::string& path);

  // The beginning of a FLAC file that has nothing else in front of its frames.
  const std::vector<std::uint8_t>& head() const { return head_; }

  // Goes to the next frame; false: there is none. Takes time in proportion to the bytes it passes.
  bool next();

  void rewind();

  // Of the frame; valid until next(). There may be bytes behind it that belong to nothing.
  std::string_view bytes() const { return bytes_; }
  const FlacFrame& frame() const { return frame_; }
  // Its checksum is right.
  bool sound() const { return sound_; }

  // What was wrong with the frames so far, and between them, in one line.
  std::string damage() const;

 private:
  std::string_view view(std::int64_t at, std::size_t count);
  std::int64_t behind_metadata(std::int64_t at);
  std::int64_t behind_other(std::int64_t at);
  bool take(std::int64_t at);
  bool find_end(std::string_view from, bool is_all);
  bool end_at(std::string_view from, std::size_t end, bool sound);
  void take_last(std::string_view from);
  std::size_t longest(const FlacFrame& frame) const;

  FileBytes file_;
  std::int64_t begin_ = 0;  // of "fLaC"
  std::int64_t end_ = 0;    // of all that is no tag
  std::vector<std::uint8_t> head_;
  int bits_ = 0;  // of a sample, by the head

  std::int64_t at_ = 0;  // where the next frame should be
  std::string_view bytes_;
  FlacFrame frame_;
  bool sound_ = false;

  std::int64_t unsound_ = 0;  // frames
  std::int64_t lost_ = 0;     // bytes
  bool is_cut_ = false;       // the last frame
  bool unread_ = false;       // the file did not give what it has
};

}  // namespace maest
