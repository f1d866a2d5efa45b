// Samples as decoders give them, whatever their type: converted and mixed in one pass.
#pragma once

#include <cstddef>

namespace maest {

enum class SampleType { u8, s16, s32, s64, f32, f64 };

struct SampleFormat {
  SampleType type = SampleType::f32;
  bool planar = false;  // each channel has a plane of its own
};

// Bytes of one sample of one channel.
std::size_t sample_size(SampleType type);

// Whole numbers become floats in [-1, 1) as in FFmpeg's libswresample; then channels are averaged
// as mono_mix.h says. `planes` has one address for each channel where they are planar, else one.
// Leaves out the first `begin` samples; `mono` has room for `count`.
void mix_samples(SampleFormat format, const void* const* planes, int channels, std::size_t begin,
                 std::size_t count, float* mono);

}  // namespace maest
