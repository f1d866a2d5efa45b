#include "mpeg_map.h"

#include <limits>

#include "mpeg_header.h"
#include "mpeg_side.h"

namespace maest {
namespace {

constexpr std::size_t kWindow = 1U << 16;

}  // namespace

MpegMap::MpegMap(const std::string& path, const MpegFrames& frames)
    : file_(path, kWindow, std::numeric_limits<std::int64_t>::max()), places_(frames.places) {}

MpegMap::Frame MpegMap::frame(std::int64_t number) {
  const auto place = static_cast<std::size_t>(number / kMpegPlaces);
  if (number < 0 || place >= places_.size()) return {};
  const std::vector<Frame>& frames = part(number / kMpegPlaces);
  const auto inside = static_cast<std::size_t>(number % kMpegPlaces);
  return inside < frames.size() ? frames[inside] : Frame{};
}

const std::vector<MpegMap::Frame>& MpegMap::part(std::int64_t number) {
  Part& part = parts_[static_cast<std::size_t>(number % 2)];
  if (part.number == number) return part.frames;
  part.number = number;
  part.frames.clear();
  std::int64_t at = places_[static_cast<std::size_t>(number)];
  for (std::int64_t i = 0; i < kMpegPlaces; ++i) {
    const auto header = read_mpeg_header(static_cast<std::uint32_t>(file_.big(at, 4)));
    if (!header || header->bytes == 0) break;  // the last frame is behind, or the file was changed
    Frame frame{at, header->bytes, header->side_bytes};
    if (header->layer == 3) {
      const auto side = static_cast<std::size_t>(header->side_bytes);
      frame.borrowed = read_mpeg_side(file_.at(at, side), *header).borrowed;
    }
    part.frames.push_back(frame);
    at += frame.bytes;
  }
  return part.frames;
}

}  // namespace maest
