#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "decoding/flac_frame.h"

namespace maest {
namespace {

std::optional<FlacFrame> parse(const std::vector<std::uint8_t>& bytes) {
  return parse_flac_frame(bytes.data(), bytes.size());
}

// Sync, counting of samples; block size and rate; channels and bits; then number and what follows.
std::vector<std::uint8_t> header(bool counts_samples, int size_code, int rate_code,
                                 const std::vector<std::uint8_t>& rest) {
  std::vector<std::uint8_t> bytes = {0xFF, static_cast<std::uint8_t>(counts_samples ? 0xF9 : 0xF8),
                                     static_cast<std::uint8_t>(size_code << 4 | rate_code), 0x18};
  bytes.insert(bytes.end(), rest.begin(), rest.end());
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

}  // namespace
}  // namespace maest
