// The kernels themselves, for mel_kernels_<isa>.cpp only: these define MAEST_KERNEL_NAMESPACE,
// MAEST_LANES and MAEST_KERNEL_TABLE (the name of the table that they define) and include this.
#pragma once

#include "kernel_lanes.h"
#include "mel_kernels.h"
#include "mel_kernels_fft.h"

namespace maest::MAEST_KERNEL_NAMESPACE {

// Puts sample n of every frame, times the window, into vector n of the low and of the high half.
// Even samples thereby become real and odd samples imaginary parts.
static inline void window_frames(const float* window, const float* samples, float* frames) {
  float* const high = frames + kFrameSize * kHalf;
  for (int n = 0; n < kFrameSize; n += 4) {
    Lanes rows[4];
    for (int i = 0; i < 4; ++i) rows[i] = load_quarters(samples + i * kHopSize + n, kHopSize);
    transpose_quarters(rows);
    for (int i = 0; i < 4; ++i) {
      store_halves(frames + (n + i) * kHalf, high + (n + i) * kHalf, rows[i] * window[n + i]);
    }
  }
}

static inline void compress_bands(const MelTables& tables, const float* power, float* bands) {
  const float* weights = tables.weights;
  for (int band = 0; band < kMelBands; ++band) {
    const float* const first = power + tables.first_bin[band] * kLanes;
    const int count = tables.weight_count[band];
    Lanes sum = {};
    for (int i = 0; i < count; ++i) sum += load(first + i * kLanes) * weights[i];
    weights += count;
    store(bands + band * kLanes, log10_of(sum + 1.0F));
  }
}

static inline void transpose_bands(const float* bands, float* frames) {
  for (int band = 0; band < kMelBands; band += 4) {
    Lanes rows[4];
    for (int i = 0; i < 4; ++i) rows[i] = load(bands + (band + i) * kLanes);
    transpose_quarters(rows);
    for (int i = 0; i < 4; ++i) store_quarters(frames + i * kMelBands + band, kMelBands, rows[i]);
  }
}

static bool all_usable(const float* samples, std::size_t count) {
  // Without their sign, floats are ordered as their bits are, and NaN is above infinity.
  const IntLanes largest = reinterpret_cast<IntLanes>(broadcast(kLargestSample));
  IntLanes beyond = {};
  std::size_t at = 0;
  for (; at + kLanes <= count; at += kLanes) {
    const IntLanes bits = reinterpret_cast<IntLanes>(load_unaligned(samples + at));
    beyond |= (bits & 0x7fffffff) > largest;
  }
  int any = 0;
  for (int lane = 0; lane < kLanes; ++lane) any |= beyond[lane];
  for (; at < count; ++at) any |= __builtin_fabsf(samples[at]) <= kLargestSample ? 0 : 1;
  return any == 0;
}

static void power_spectrum(const MelTables& tables, const float* samples, MelWorkspace& workspace) {
  window_frames(tables.window, samples, workspace.frames);
  real_fft_power(tables.fft, workspace.frames, workspace.points, workspace.power);
}

static void mel_frames(const MelTables& tables, const float* samples, MelWorkspace& workspace,
                       float* frames) {
  power_spectrum(tables, samples, workspace);
  compress_bands(tables, workspace.power, workspace.bands);
  transpose_bands(workspace.bands, frames);
}

}  // namespace maest::MAEST_KERNEL_NAMESPACE

namespace maest {

extern const MelKernels MAEST_KERNEL_TABLE = {
    MAEST_LANES,
    MAEST_KERNEL_NAMESPACE::all_usable,
    MAEST_KERNEL_NAMESPACE::power_spectrum,
    MAEST_KERNEL_NAMESPACE::mel_frames,
};

}  // namespace maest
