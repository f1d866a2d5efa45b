// Channels to one, as Essentia's MonoMixer: the mean, in float for two channels.
#pragma once

#include <cstddef>

namespace maest {

// `mono` has room for `count` samples; it may be where the input is. For more than two channels the
// sum is in double.
void mix_interleaved(const float* samples, std::size_t count, int channels, float* mono);
void mix_planar(const float* const* planes, std::size_t count, int channels, float* mono);

}  // namespace maest
