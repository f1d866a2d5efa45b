#include "mpeg_header.h"

namespace maest {
namespace {

// kbit/s, by the header's index; of MPEG 1, then of MPEG 2 and 2.5.
constexpr int kBits1[3][15] = {
    {0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
    {0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
    {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
};
constexpr int kBits2[2][15] = {
    {0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
    {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
};
constexpr int kRates[3] = {44100, 48000, 32000};

}  // namespace

std::optional<MpegHeader> read_mpeg_header(std::uint32_t word) {
  const unsigned version = word >> 19 & 3;
  const unsigned layer = word >> 17 & 3;
  const unsigned bits = word >> 12 & 15;
  const unsigned rate = word >> 10 & 3;
  if (word >> 21 != 0x7FF || version == 1 || layer == 0 || bits == 15 || rate == 3) {
    return std::nullopt;
  }
  MpegHeader header;
  header.version = version == 3 ? 1 : version == 2 ? 2 : 25;
  header.layer = 4 - static_cast<int>(layer);
  header.rate = kRates[rate] / (version == 3 ? 1 : version == 2 ? 2 : 4);
  header.channels = (word >> 6 & 3) == 3 ? 1 : 2;
  const bool half = header.version != 1;
  header.samples = header.layer == 1 ? 384 : header.layer == 3 && half ? 576 : 1152;
  header.padded = (word >> 9 & 1) != 0;
  const int kilobits =
      half ? kBits2[header.layer == 1 ? 0 : 1][bits] : kBits1[header.layer - 1][bits];
  if (kilobits > 0) {
    const int slot = mpeg_slot(header.layer);
    const int slots = header.samples / 8 / slot * kilobits * 1000 / header.rate;
    header.bytes = (slots + (header.padded ? 1 : 0)) * slot;
  }
  const bool has_checksum = (word >> 16 & 1) == 0;
  const int side = half ? (header.channels == 1 ? 9 : 17) : (header.channels == 1 ? 17 : 32);
  header.side_bytes = 4 + (has_checksum ? 2 : 0) + (header.layer == 3 ? side : 0);
  return header;
}

}  // namespace maest
