#include "mpeg_stream.h"

#include <algorithm>
#include <utility>

#include "error.h"
#include "mpeg_header.h"

namespace maest {
namespace {

void put(std::string& bytes, std::size_t at, std::uint64_t number, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    bytes[at + i] = static_cast<char>(number >> 8 * (count - 1 - i) & 0xFF);
  }
}

// A frame of silence, without a checksum.
std::string silent_frame(std::uint32_t header) {
  header |= 1U << 16;
  const auto read = read_mpeg_header(header);
  std::string frame(static_cast<std::size_t>(read ? read->bytes : 4), '\0');
  put(frame, 0, header, 4);
  return frame;
}

// LAME's frame about the others. `bytes`: of all of them.
std::string info_frame(std::uint32_t header, std::int64_t frames, std::int64_t bytes, int delay,
                       int padding) {
  constexpr int kFields = 4 + 4 + 4 + 4 + 36;  // name, flags, frames, bytes, LAME's part
  header &= ~(15U << 12 | 1U << 9);
  std::string frame;
  std::size_t at = 0;
  // The smallest that has room for it.
  for (std::uint32_t bits = 1; bits < 15; ++bits) {
    const std::uint32_t with = header | 1U << 16 | bits << 12;
    const auto read = read_mpeg_header(with);
    if (!read || read->bytes < read->side_bytes + kFields) continue;
    frame = silent_frame(with);
    at = static_cast<std::size_t>(read->side_bytes);
    break;
  }
  constexpr std::uint64_t kFramesAndBytes = 3;
  frame.replace(at, 4, "Info");
  put(frame, at + 4, kFramesAndBytes, 4);
  put(frame, at + 8, static_cast<std::uint64_t>(frames), 4);
  put(frame, at + 12, static_cast<std::uint64_t>(bytes) + frame.size(), 4);
  frame.replace(at + 16, 9, "LAME3.100");
  put(frame, at + 16 + 21, static_cast<std::uint64_t>(delay) << 12 | static_cast<unsigned>(padding),
      3);
  return frame;
}

}  // namespace

std::string mpg123_obstacle(const MpegFrames& frames) {
  const std::int64_t there = frames.frames + (frames.missing > 0 ? 1 : 0);
  if (there == 0) return "no frame of MPEG audio is in it";
  if (!frames.uniform) return "its rate or channels change";
  if (frames.gaps > 0) return "junk stands between its frames";
  if (frames.tags_inside > 0) return "files were joined";
  if (frames.broken > 0) return "frames are damaged, or miss what stood before them";
  if (frames.promised_frames >= 0 && frames.promised_frames < there) {
    return "it has more frames than it says";
  }
  return "";
}

std::unique_ptr<ByteStream> mpeg_stream(std::shared_ptr<FileBytes> file, const MpegFrames& frames) {
  const std::int64_t last = std::max<std::int64_t>(frames.missing, 0);
  if (frames.layer != 3 || frames.free_format || !read_mpeg_header(frames.header)) {
    const std::int64_t begin = frames.free_format ? frames.begin : frames.first;
    return std::make_unique<FilePart>(std::move(file), begin, frames.end, "", last);
  }
  std::int64_t count = frames.frames + (last > 0 ? 1 : 0);
  // mpg123 leaves out as many samples as it is late and `delay`, and at the end `padding` without
  // the former. FFmpeg leaves out nothing where LAME's part is not there: then a silent frame comes
  // first, which is left out as a whole.
  std::string before;
  int delay = frames.delay;
  int padding = kMpegDecoderDelay;
  if (!frames.lame) {
    before = silent_frame(frames.header);
    ++count;
    delay = frames.samples_per_frame - kMpegDecoderDelay;
  } else if (frames.promised_frames == count) {
    padding = std::max(frames.padding, kMpegDecoderDelay);
  }
  const std::int64_t bytes =
      static_cast<std::int64_t>(before.size()) + frames.end - frames.first + last;
  before.insert(0, info_frame(frames.header, count, bytes, delay, padding));
  return std::make_unique<FilePart>(std::move(file), frames.first, frames.end, std::move(before),
                                    last);
}

}  // namespace maest
