#include "ffmpeg_check.h"

#include <cstdint>
#include <cstring>
#include <vector>

#include "error.h"
#include "ffmpeg_input.h"

namespace maest {
namespace {

// Unlike any default, and more samples than a packet has.
constexpr int kRate = 8123;
constexpr int kChannels = 3;
constexpr int kCount = 5000;

std::int16_t sample(int channel, int index) {
  return static_cast<std::int16_t>((index * 7919 + channel * 12345) % 65536 - 32768);
}

void append(std::vector<std::uint8_t>& bytes, const char* letters) {
  bytes.insert(bytes.end(), letters, letters + 4);
}

void append(std::vector<std::uint8_t>& bytes, unsigned value, int size) {
  for (int i = 0; i < size; ++i) bytes.push_back(static_cast<std::uint8_t>(value >> 8 * i));
}

// A WAV of 16 bits.
std::vector<std::uint8_t> test_sound() {
  constexpr unsigned kStride = 2 * kChannels;
  std::vector<std::uint8_t> bytes;
  append(bytes, "RIFF");
  append(bytes, 36 + kCount * kStride, 4);
  append(bytes, "WAVE");
  append(bytes, "fmt ");
  append(bytes, 16, 4);
  append(bytes, 1, 2);
  append(bytes, kChannels, 2);
  append(bytes, kRate, 4);
  append(bytes, kRate * kStride, 4);
  append(bytes, kStride, 2);
  append(bytes, 16, 2);
  append(bytes, "data");
  append(bytes, kCount * kStride, 4);
  for (int i = 0; i < kCount; ++i) {
    for (int channel = 0; channel < kChannels; ++channel) {
      append(bytes, static_cast<std::uint16_t>(sample(channel, i)), 2);
    }
  }
  return bytes;
}

std::string difference(const FfmpegFrame& frame, int begin) {
  if (frame.rate != kRate) return message("a frame's rate is ", frame.rate);
  if (frame.channels != kChannels) return message("a frame's channels are ", frame.channels);
  if (frame.format.type != SampleType::s16 || frame.format.planar) {
    return "a frame's samples are not of 16 bits";
  }
  const int count = static_cast<int>(frame.count);
  if (begin + count > kCount) return message("there are ", begin + count, " samples");
  const auto* samples = static_cast<const std::int16_t*>(frame.planes[0]);
  for (int i = 0; i < count; ++i) {
    for (int channel = 0; channel < kChannels; ++channel) {
      if (*samples++ != sample(channel, begin + i)) return "samples are others";
    }
  }
  return {};
}

std::string fault_of(FfmpegInput& input) {
  if (input.codec_id() != ffmpeg::kPcmS16Le) return message("the codec is ", input.codec_id());
  const ffmpeg::AVRational base = input.time_base();
  if (base.num != 1 || base.den != kRate) return message("time is in ", base.num, "/", base.den);
  int begin = 0;
  FfmpegFrame frame;
  while (!input.ended()) {
    if (!input.decode(frame)) {
      input.read_packet();
      continue;
    }
    const std::string found = difference(frame, begin);
    if (!found.empty()) return found;
    begin += static_cast<int>(frame.count);
  }
  if (begin != kCount) return message("there are ", begin, " samples");
  return {};
}

}  // namespace

std::string find_fault(const FfmpegLibrary& library) {
  const std::vector<std::uint8_t> sound = test_sound();
  FfmpegBytes bytes(library, sound.data(), sound.size());
  try {
    FfmpegInput input(library, bytes, "wav", "");
    return fault_of(input);
  } catch (const AudioError& error) {
    return error.what();
  }
}

}  // namespace maest
