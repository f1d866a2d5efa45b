#include "flac_frames.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "error.h"
#include "file_tags.h"

namespace maest {
namespace {

constexpr std::size_t kStreamInfo = 34;  // bytes
constexpr std::size_t kHead = 4 + 4 + kStreamInfo;
constexpr std::size_t kWindow = std::size_t{1} << 18;
constexpr std::size_t kFirstLook = std::size_t{1} << 16;  // most frames are shorter
constexpr int kMostBlocks = 256;  // of metadata; past them, frames are searched for
// Headers that a frame may seem to have inside before it is taken for damaged: by accident it has
// one in eight million bytes.
constexpr int kMostInside = 16;

const std::uint8_t* raw(std::string_view bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

// From `from` on; npos: there is none.
std::size_t find_header(std::string_view bytes, std::size_t from) {
  while (from < bytes.size()) {
    from = bytes.find('\xFF', from);
    if (from == std::string_view::npos) break;
    if (parse_flac_frame(raw(bytes) + from, bytes.size() - from)) return from;
    ++from;
  }
  return std::string_view::npos;
}

}  // namespace

FlacFrames::FlacFrames(const std::string& path)
    : file_(path, kWindow, std::numeric_limits<std::int64_t>::max()) {
  begin_ = end_of_leading_tags(file_);
  end_ = begin_of_trailing_tags(file_);
  const std::string_view head = file_.at(begin_, kHead);
  if (head.size() < kHead || head.substr(0, 4) != "fLaC" || (head[4] & 0x7F) != 0 ||
      head.substr(5, 3) != std::string_view("\0\0\x22", 3)) {
    throw AudioError("it does not begin as FLAC does: with STREAMINFO");
  }
  head_.assign(head.begin(), head.end());
  head_[4] = 0x80;  // the last block
  bits_ = ((head_[20] & 1) << 4 | head_[21] >> 4) + 1;
  rewind();
}

void FlacFrames::rewind() {
  at_ = behind_metadata(begin_);
  unsound_ = lost_ = 0;
  is_cut_ = false;
  bytes_ = {};
}

// Where the blocks end; where they have no sense, behind the first one.
std::int64_t FlacFrames::behind_metadata(std::int64_t at) {
  const std::int64_t first = at + static_cast<std::int64_t>(kHead);
  at += 4;
  for (int blocks = 0; blocks < kMostBlocks; ++blocks) {
    const std::uint64_t block = file_.big(at, 4);
    at += 4 + static_cast<std::int64_t>(block & 0xFFFFFF);
    if (at >= end_ || (block >> 24 & 0x7F) == 0x7F) return first;
    if (block >> 31 != 0) return at;
  }
  return first;
}

std::string_view FlacFrames::view(std::int64_t at, std::size_t count) {
  const auto there = static_cast<std::size_t>(std::max<std::int64_t>(end_ - at, 0));
  count = std::min(count, there);
  const std::string_view found = file_.at(at, count);
  if (found.size() < count) unread_ = true;
  return found;
}

// An encoder never makes more of it than twice what the samples take.
std::size_t FlacFrames::longest(const FlacFrame& frame) const {
  const int bits = (frame.bits != 0 ? frame.bits : bits_) + 1;
  const auto values = static_cast<std::size_t>(frame.samples) * frame.channels;
  return 64 + values * static_cast<std::size_t>(bits) / 4;
}

bool FlacFrames::next() {
  while (at_ < end_ && !unread_) {
    if (take(at_)) {
      if (!sound_ && at_ >= end_) {
        is_cut_ = true;  // or damaged; there is no telling
        break;
      }
      if (!sound_) ++unsound_;
      return true;
    }
    const std::int64_t other = behind_other(at_);
    if (other > at_) {
      at_ = other;
      continue;
    }
    // Lost: only what is sound is believed, as pictures and damage may look like a header. What
    // no frame follows is no damage: tags and other things that nobody knows.
    const std::int64_t from = at_++;
    while (at_ < end_ && !unread_) {
      const std::string_view bytes = view(at_, kWindow / 2);
      const std::size_t found = find_header(bytes, 0);
      if (found == std::string_view::npos) {
        const bool is_rest = at_ + static_cast<std::int64_t>(bytes.size()) >= end_;
        at_ = is_rest ? end_ : at_ + static_cast<std::int64_t>(bytes.size() - kFlacHeader);
        continue;
      }
      at_ += static_cast<std::int64_t>(found);
      const std::int64_t here = at_;
      if (take(here) && sound_) {
        lost_ += here - from;
        return true;
      }
      at_ = here + 1;
    }
  }
  bytes_ = {};
  return false;
}

// What another file that was joined to this one has in front of its frames.
std::int64_t FlacFrames::behind_other(std::int64_t at) {
  const std::int64_t tag = tag_bytes(file_, at);
  if (tag > 0) return std::min(at + tag, end_);
  if (file_.starts(at, "fLaC")) return behind_metadata(at);
  return at;
}

// The frame that begins there; false: none does. Moves `at_` behind it.
bool FlacFrames::take(std::int64_t at) {
  const std::string_view start = view(at, kFlacHeader);
  const auto header = parse_flac_frame(raw(start), start.size());
  if (!header) return false;
  frame_ = *header;
  const std::size_t most = longest(frame_) + kFlacHeader;
  for (std::size_t count = std::min(most, kFirstLook);; count = std::min(most, count * 2)) {
    const std::string_view from = view(at, count);
    const bool is_all = count == most || from.size() < count;
    if (find_end(from, is_all)) break;
    if (!is_all) continue;
    take_last(from);
    break;
  }
  at_ = at + static_cast<std::int64_t>(bytes_.size());
  return true;
}

// Where the next header begins and the checksum is right; else, where a header begins. False: more
// has to be seen, or no header follows.
bool FlacFrames::find_end(std::string_view from, bool is_all) {
  std::size_t first = 0;
  std::size_t done = 0;
  std::uint16_t checksum = 0;
  for (int inside = 0; inside < kMostInside; ++inside) {
    const std::size_t at = find_header(from, done + 1);
    const bool none = at == std::string_view::npos;
    if (none && !is_all) return false;
    const std::size_t end = none ? from.size() : at;
    checksum = flac_checksum(checksum, raw(from) + done, end - done);
    done = end;
    if (checksum == 0) return end_at(from, end, true);
    if (none) break;
    if (first == 0) first = at;
  }
  // The last one of a file, with another behind it.
  for (const std::string_view start : {std::string_view("fLaC"), std::string_view("ID3")}) {
    const std::size_t end = from.substr(0, done).find(start);
    if (end != std::string_view::npos && flac_checksum(0, raw(from), end) == 0) {
      return end_at(from, end, true);
    }
  }
  return first != 0 && end_at(from, first, false);
}

bool FlacFrames::end_at(std::string_view from, std::size_t end, bool sound) {
  bytes_ = from.substr(0, end);
  sound_ = sound;
  return true;
}

// No header follows. Whatever may stand behind the frame, somewhere its checksum is right.
void FlacFrames::take_last(std::string_view from) {
  bytes_ = from;
  std::uint16_t checksum = 0;
  sound_ = false;
  for (std::size_t i = 0; i < from.size() && !sound_; ++i) {
    checksum = flac_checksum(checksum, raw(from) + i, 1);
    sound_ = checksum == 0 && i >= 8;
  }
}

std::string FlacFrames::damage() const {
  std::string words;
  const auto add = [&words](const std::string& more) {
    words += (words.empty() ? "" : "; ") + more;
  };
  if (unsound_ > 0) {
    add(message(unsound_, unsound_ == 1 ? " frame is damaged" : " frames are damaged",
                ": the checksum is another"));
  }
  if (lost_ > 0) add(message(lost_, " bytes are no frames"));
  if (is_cut_) add("the last frame is not whole");
  if (unread_) add("the file cannot be read to its end");
  return words;
}

}  // namespace maest
