#include "sample_formats.h"

#include <cstdint>
#include <type_traits>
#include <vector>

#include "mono_mix.h"

namespace maest {
namespace {

// Scales are powers of two: only the conversion to float rounds.
float to_float(std::uint8_t value) { return static_cast<float>(value - 0x80) * 0x1p-7F; }
float to_float(std::int16_t value) { return static_cast<float>(value) * 0x1p-15F; }
float to_float(std::int32_t value) { return static_cast<float>(value) * 0x1p-31F; }
float to_float(std::int64_t value) { return static_cast<float>(value) * 0x1p-63F; }
float to_float(double value) { return static_cast<float>(value); }

// Floats that are there already need no copy.
template <typename Sample>
void mix_interleaved_as(const void* plane, std::size_t channels, std::size_t begin,
                        std::size_t count, float* mono) {
  const Sample* samples = static_cast<const Sample*>(plane) + begin * channels;
  if constexpr (std::is_same_v<Sample, float>) {
    mix_interleaved(samples, count, static_cast<int>(channels), mono);
  } else if (channels == 1) {
    for (std::size_t i = 0; i < count; ++i) mono[i] = to_float(samples[i]);
  } else if (channels == 2) {
    for (std::size_t i = 0; i < count; ++i) {
      mono[i] = (to_float(samples[2 * i]) + to_float(samples[2 * i + 1])) * 0.5F;
    }
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      double sum = 0;
      for (std::size_t c = 0; c < channels; ++c) sum += to_float(samples[i * channels + c]);
      mono[i] = static_cast<float>(sum / static_cast<double>(channels));
    }
  }
}

template <typename Sample>
void mix_planar_as(const void* const* planes, std::size_t channels, std::size_t begin,
                   std::size_t count, float* mono) {
  const auto plane = [=](std::size_t c) { return static_cast<const Sample*>(planes[c]) + begin; };
  if constexpr (std::is_same_v<Sample, float>) {
    std::vector<const float*> begins(channels);
    for (std::size_t c = 0; c < channels; ++c) begins[c] = plane(c);
    mix_planar(begins.data(), count, static_cast<int>(channels), mono);
  } else if (channels == 1) {
    const Sample* const only = plane(0);
    for (std::size_t i = 0; i < count; ++i) mono[i] = to_float(only[i]);
  } else if (channels == 2) {
    const Sample* const left = plane(0);
    const Sample* const right = plane(1);
    for (std::size_t i = 0; i < count; ++i) {
      mono[i] = (to_float(left[i]) + to_float(right[i])) * 0.5F;
    }
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      double sum = 0;
      for (std::size_t c = 0; c < channels; ++c) sum += to_float(plane(c)[i]);
      mono[i] = static_cast<float>(sum / static_cast<double>(channels));
    }
  }
}

template <typename Work>
auto with_type(SampleType type, const Work& work) {
  switch (type) {
    case SampleType::u8:
      return work(std::uint8_t{});
    case SampleType::s16:
      return work(std::int16_t{});
    case SampleType::s32:
      return work(std::int32_t{});
    case SampleType::s64:
      return work(std::int64_t{});
    case SampleType::f64:
      return work(double{});
    case SampleType::f32:
      break;
  }
  return work(float{});
}

}  // namespace

std::size_t sample_size(SampleType type) {
  return with_type(type, [](auto sample) { return sizeof(sample); });
}

void mix_samples(SampleFormat format, const void* const* planes, int channels, std::size_t begin,
                 std::size_t count, float* mono) {
  const auto width = static_cast<std::size_t>(channels);
  with_type(format.type, [&](auto sample) {
    if (format.planar) {
      mix_planar_as<decltype(sample)>(planes, width, begin, count, mono);
    } else {
      mix_interleaved_as<decltype(sample)>(planes[0], width, begin, count, mono);
    }
  });
}

}  // namespace maest
