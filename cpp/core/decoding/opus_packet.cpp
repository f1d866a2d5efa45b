#include "opus_packet.h"

namespace maest {

int opus_packet_samples(std::string_view packet) {
  constexpr int kMost = kOpusRate * 120 / 1000;
  constexpr int kSilk[] = {480, 960, 1920, 2880};
  constexpr int kCelt[] = {120, 240, 480, 960};
  if (packet.empty()) return 0;
  const auto first = static_cast<unsigned char>(packet[0]);
  const unsigned kind = first >> 3;
  const int frame = kind < 12 ? kSilk[kind & 3] : kind < 16 ? kSilk[kind & 1] : kCelt[kind & 3];
  int frames = (first & 3) == 0 ? 1 : 2;
  if ((first & 3) == 3) {
    if (packet.size() < 2) return 0;
    frames = static_cast<unsigned char>(packet[1]) & 63;
  }
  return frame * frames <= kMost ? frame * frames : 0;
}

}  // namespace maest
