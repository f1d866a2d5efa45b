// The kernels themselves, for mel_kernels_<isa>.cpp only: these define MAEST_KERNEL_NAMESPACE,
// MAEST_LANES and MAEST_KERNEL_TABLE (the name of the table that they define) and include this.
#pragma once

#include "mel_kernels.h"
#include "mel_kernels_fft.h"
#include "mel_kernels_lanes.h"

namespace maest::MAEST_KERNEL_NAMESPACE {

// Puts sample n of every frame, times the window, into vector n. Even samples thereby become real
// and odd samples imaginary parts.
static inline void window_frames(const float* window, const float* samples, float* frames) {
  for (int n = 0; n < kFrameSize; n += 4) {
    Lanes rows[4];
    for (int i = 0; i < 4; ++i) rows[i] = load_quarters(samples + i * kHopSize + n, kHopSize);
    transpose_quarters(rows);
    for (int i = 0; i < 4; ++i) store(frames + (n + i) * kLanes, rows[i] * window[n + i]);
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
    MAEST_KERNEL_NAMESPACE::power_spectrum,
    MAEST_KERNEL_NAMESPACE::mel_frames,
};

}  // namespace maest
