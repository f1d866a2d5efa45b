#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "decoding/flac_frame.h"

namespace maest {
namespace {

std::optional<FlacFrame> parse(const std::vector<std::uint8_t>& bytes) {
  return parse_flac_frame(bytes.data(), bytes.size());
}

std::uint8_t header_checksum(const std::vector<std::uint8_t>& bytes) {
  unsigned value = 0;
  for (const unsigned byte : bytes) {
    for (int bit = 7; bit >= 0; --bit) {
      const unsigned out = value >> 7 ^ (byte >> bit & 1);
      value = (value << 1 & 0xFF) ^ (out != 0 ? 7U : 0U);
    }
  }
  return static_cast<std::uint8_t>(value);
}

// Sync, counting of samples; block size and rate; channels and bits; then number, what follows it,
// and the checksum.
std::vector<std::uint8_t> header(bool counts_samples, int size_code, int rate_code,
                                 const std::vector<std::uint8_t>& rest) {
  std::vector<std::uint8_t> bytes = {0xFF, static_cast<std::uint8_t>(counts_samples ? 0xF9 : 0xF8),
                                     static_cast<std::uint8_t>(size_code << 4 | rate_code), 0x18};
  bytes.insert(bytes.end(), rest.begin(), rest.end());
  bytes.push_back(header_checksum(bytes));
  bytes.insert(bytes.end(), 4, 0);
  return bytes;
}

TEST(FlacFrame, BlockSizesStandAsCodesOrInFull) {
  EXPECT_EQ(parse(header(false, 1, 9, {0}))->samples, 192);
  EXPECT_EQ(parse(header(false, 2, 9, {0}))->samples, 576);
  EXPECT_EQ(parse(header(false, 5, 9, {0}))->samples, 4608);
  EXPECT_EQ(parse(header(false, 8, 9, {0}))->samples, 256);
  EXPECT_EQ(parse(header(false, 12, 9, {0}))->samples, 4096);
  EXPECT_EQ(parse(header(false, 15, 9, {0}))->samples, 32768);
  EXPECT_EQ(parse(header(false, 6, 9, {0, 0xFF}))->samples, 256);
  EXPECT_EQ(parse(header(false, 7, 9, {0, 0xFF, 0xFF}))->samples, 65536);
  EXPECT_EQ(parse(header(false, 7, 9, {0xC2, 0x80, 0x03, 0xE7}))->samples, 1000);
  EXPECT_FALSE(parse(header(false, 0, 9, {0})));
}

TEST(FlacFrame, NumbersAreWrittenAsUtf8) {
  EXPECT_EQ(parse(header(false, 12, 9, {0x7F}))->number, 127);
  EXPECT_EQ(parse(header(false, 12, 9, {0xC2, 0x80}))->number, 128);
  EXPECT_EQ(parse(header(false, 12, 9, {0xE0, 0xA0, 0x80}))->number, 2048);
  EXPECT_EQ(parse(header(true, 12, 9, {0xFE, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF}))->number,
            (std::int64_t{1} << 36) - 1);
  EXPECT_FALSE(parse(header(false, 12, 9, {0x80})));
  EXPECT_FALSE(parse(header(false, 12, 9, {0xFF, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF})));
  EXPECT_FALSE(parse(header(false, 12, 9, {0xE0, 0xA0})));
}

TEST(FlacFrame, FramesOrSamplesAreCounted) {
  const auto frames = parse(header(false, 12, 9, {5}));
  EXPECT_FALSE(frames->counts_samples);
  EXPECT_EQ(frames->rate_code, 9);
  EXPECT_TRUE(parse(header(true, 12, 10, {5}))->counts_samples);
}

TEST(FlacFrame, WhatBeginsOtherwiseIsNone) {
  EXPECT_FALSE(parse({}));
  EXPECT_FALSE(parse({0xFF, 0xF8, 0xC9, 0x18, 0}));
  EXPECT_FALSE(parse({0xFF, 0xFB, 0x90, 0x64, 0, 0, 0, 0}));
  EXPECT_FALSE(parse(header(false, 7, 9, {0xFE, 0xBF, 0xBF, 0xBF})));
}

TEST(FlacFrame, ChannelsAndBitsAreTold) {
  const auto frame = parse(header(false, 12, 9, {5}));
  EXPECT_EQ(frame->channels, 2);
  EXPECT_EQ(frame->bits, 16);
}

TEST(FlacFrame, HeadersWithAnotherChecksumAreNone) {
  std::vector<std::uint8_t> bytes = header(false, 12, 9, {5});
  ASSERT_TRUE(parse(bytes));
  bytes[5] ^= 1;
  EXPECT_FALSE(parse(bytes));
}

TEST(FlacFrame, ChecksumsGoOn) {
  std::vector<std::uint8_t> bytes;
  for (int i = 0; i < 45; ++i) bytes.push_back(static_cast<std::uint8_t>(i * 37));
  std::uint16_t one_by_one = 0;
  for (const std::uint8_t& byte : bytes) one_by_one = flac_checksum(one_by_one, &byte, 1);
  EXPECT_EQ(flac_checksum(0, bytes.data(), bytes.size()), one_by_one);
  const std::uint16_t half = flac_checksum(0, bytes.data(), 19);
  EXPECT_EQ(flac_checksum(half, bytes.data() + 19, bytes.size() - 19), one_by_one);
  // Behind its own checksum it is 0.
  bytes.push_back(static_cast<std::uint8_t>(one_by_one >> 8));
  bytes.push_back(static_cast<std::uint8_t>(one_by_one));
  EXPECT_EQ(flac_checksum(0, bytes.data(), bytes.size()), 0);
  EXPECT_EQ(flac_checksum(0, reinterpret_cast<const std::uint8_t*>("123456789"), 9), 0xFEE8);
}

}  // namespace
}  // namespace maest
