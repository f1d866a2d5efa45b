#include "mpeg_stream.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "error.h"
#include "mpeg_header.h"
#include "mpeg_side.h"

namespace maest {
namespace {

constexpr std::size_t kWindow = 1U << 16;

void put(std::string& bytes, std::size_t at, std::uint64_t number, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    bytes[at + i] = static_cast<char>(number >> 8 * (count - 1 - i) & 0xFF);
  }
}

std::uint32_t word_of(const std::string& frame) {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < 4; ++i) word = word << 8 | static_cast<unsigned char>(frame[i]);
  return word;
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

// What a decoder carries from frame to frame: layer 3 adds half of each block of its last transform
// to the next one, and the filter bank of all layers sums up 16 of its slots, of which a frame has
// 36, 18 (layer 3 of MPEG 2) or 12 (layer 1). So with its own bits, the frame before leaves behind
// what it should, or the two before where they have less. Layer 3's bits may stand in frames before
// these; of those no more is needed than their bytes, so they come as silence ("carriers"). mpg123
// keeps the slots in a ring and sums them up in the order in which they stand there, which decides
// about last bits: a frame has to find it turned as in the whole file.
MpegStream::MpegStream(const std::string& path, const MpegFrames& frames)
    : file_(path, kWindow, std::numeric_limits<std::int64_t>::max()),
      map_(path, frames),
      frames_(frames) {
  const std::int64_t last = frames.missing;
  if (frames.layer != 3 || frames.free_format || !read_mpeg_header(frames.header)) {
    file_begin_ = frames.free_format ? frames.begin : frames.first;
    can_leave_out_ = frames.layer != 3 && !frames.free_format;
  } else {
    std::int64_t count = frames.frames + (last > 0 ? 1 : 0);
    // mpg123 leaves out as many samples as it is late and `delay`, and at the end `padding` without
    // the former. FFmpeg leaves out nothing where LAME's part is not there: then a silent frame
    // comes first, which is left out as a whole.
    int delay = frames.delay;
    int padding = kMpegDecoderDelay;
    if (!frames.lame) {
      before_ = silent_frame(frames.header);
      ++count;
      silent_ = first_number_ = 1;
      delay = frames.samples_per_frame - kMpegDecoderDelay;
    } else if (frames.promised_frames == count) {
      padding = std::max(frames.padding, kMpegDecoderDelay);
    }
    const std::int64_t bytes =
        static_cast<std::int64_t>(before_.size()) + frames.end - frames.first + last;
    before_.insert(0, info_frame(frames.header, count, bytes, delay, padding));
    file_begin_ = frames.first;
    can_leave_out_ = frames.in_order;
  }
  first_at_ = static_cast<std::int64_t>(before_.size());
  size_ = first_at_ + frames.end - file_begin_ + last;
}

std::size_t MpegStream::read(std::int64_t at, char* bytes, std::size_t count) {
  std::size_t done = 0;
  while (done < count && at + static_cast<std::int64_t>(done) >= begin_) {
    const std::int64_t here = at + static_cast<std::int64_t>(done) - begin_;
    const std::int64_t in_file = here - static_cast<std::int64_t>(before_.size());
    const std::int64_t there = frames_.end - file_begin_;
    const std::size_t left = count - done;
    std::string_view some;
    if (in_file < 0) {
      some = std::string_view(before_).substr(static_cast<std::size_t>(here), left);
    } else if (in_file < there) {
      const auto most = static_cast<std::size_t>(there - in_file);
      some = file_.at(file_begin_ + in_file, std::min(std::min(left, most), kWindow));
    } else {
      const std::int64_t zeros = there + frames_.missing - in_file;
      const auto more = std::min(left, static_cast<std::size_t>(std::max<std::int64_t>(zeros, 0)));
      std::memset(bytes + done, 0, more);
      done += more;
      break;
    }
    if (some.empty()) break;  // the file has become shorter
    std::memcpy(bytes + done, some.data(), some.size());
    done += some.size();
  }
  read_until_ = at + static_cast<std::int64_t>(done);
  return done;
}

std::int64_t MpegStream::leave_out(std::int64_t next, std::int64_t wanted, Skipping allowed) {
  const bool half = frames_.layer == 1 || (frames_.layer == 3 && frames_.version != 1);
  const std::int64_t right = wanted - (half ? 2 : 1);  // from here on bits have to be right
  if (!can_leave_out_ || right < 0 || wanted >= frames_.frames) return -1;
  std::int64_t first = right;
  for (int left = map_.frame(right).borrowed; left > 0;) {
    if (--first < 0) return -1;
    const MpegMap::Frame frame = map_.frame(first);
    left -= frame.bytes - frame.side_bytes;
  }
  const std::int64_t number = first_number_ + next - first_;
  // Turns of the ring come again after so many frames.
  const int turns = allowed == Skipping::one_step ? 1 : half && frames_.layer == 3 ? 8 : 4;
  first -= ((first + silent_ - number) % turns + turns) % turns;
  if (first <= next) return -1;
  const MpegMap::Frame after = map_.frame(next);
  // A decoder that reads ahead has more than it should.
  if (read_until_ != first_at_ + after.at - map_.frame(first_).at) return -1;
  std::string before;
  if (!carry(first, right, before)) return -1;
  begin_ = first_at_ = read_until_;
  before_ = std::move(before);
  file_begin_ = map_.frame(right).at;
  first_ = first;
  first_number_ = number;
  return first;
}

// Frames as silence, with the bytes that frame `right` borrows from them.
bool MpegStream::carry(std::int64_t first, std::int64_t right, std::string& frames) {
  // Of layer 1 and 2 they are what they are.
  const bool layer3 = frames_.layer == 3;
  int kept = layer3 ? map_.frame(right).borrowed : 0;
  for (std::int64_t number = right - 1; number >= first; --number) {
    const MpegMap::Frame place = map_.frame(number);
    const auto bytes = static_cast<std::size_t>(place.bytes);
    std::string frame(file_.at(place.at, bytes));
    if (frame.size() < bytes || bytes == 0) return false;
    if (layer3) {
      kept = std::max(kept - (place.bytes - place.side_bytes), 0);
      const auto header = read_mpeg_header(word_of(frame));
      if (!header) return false;
      write_silent_side(frame, *header, kept);
    }
    frames.insert(0, frame);
  }
  return true;
}

}  // namespace maest
