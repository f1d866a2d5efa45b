#include "mono_mix.h"

#include <cstring>

namespace maest {
namespace {

// `sample(channel, index)`.
template <typename Sample>
void mix_many(const Sample& sample, std::size_t count, int channels, float* mono) {
  for (std::size_t i = 0; i < count; ++i) {
    double sum = 0;
    for (int channel = 0; channel < channels; ++channel) sum += sample(channel, i);
    mono[i] = static_cast<float>(sum / channels);
  }
}

}  // namespace

void mix_interleaved(const float* samples, std::size_t count, int channels, float* mono) {
  if (channels == 1) {
    if (samples != mono) std::memmove(mono, samples, count * sizeof(float));
  } else if (channels == 2) {
    for (std::size_t i = 0; i < count; ++i) mono[i] = (samples[2 * i] + samples[2 * i + 1]) * 0.5F;
  } else {
    const auto stride = static_cast<std::size_t>(channels);
    const auto sample = [=](int channel, std::size_t i) {
      return samples[i * stride + static_cast<std::size_t>(channel)];
    };
    mix_many(sample, count, channels, mono);
  }
}

void mix_planar(const float* const* planes, std::size_t count, int channels, float* mono) {
  if (channels == 1) {
    if (planes[0] != mono) std::memmove(mono, planes[0], count * sizeof(float));
  } else if (channels == 2) {
    const float* left = planes[0];
    const float* right = planes[1];
    for (std::size_t i = 0; i < count; ++i) mono[i] = (left[i] + right[i]) * 0.5F;
  } else {
    const auto sample = [=](int channel, std::size_t i) { return planes[channel][i]; };
    mix_many(sample, count, channels, mono);
  }
}

}  // namespace maest
