// The per-sample arithmetic of the mel front end: several frames at once, one frame per SIMD lane.
//
// The kernels are compiled once per instruction set (mel_kernels_<isa>.cpp) and chosen at run time.
// A lane's result depends on that lane's samples alone, through the same operations whichever lane
// it is and whatever the others hold: this is what makes any chunking give the same bits.
#pragma once

#include <cstddef>

#include "fft.h"
#include "mel_config.h"

namespace maest {

enum class Isa;  // cpu.h is not included: it would bring the standard library into the kernels

inline constexpr int kMaxLanes = 16;
inline constexpr int kMaxMelWeights = 512;

// Everything the kernels look up. The weights carry the compression scale, and a quarter because
// the power spectrum that they meet is four times too large.
struct MelTables {
  FftTables fft;
  float window[kFrameSize];
  int first_bin[kMelBands];
  int weight_count[kMelBands];
  float weights[kMaxMelWeights];  // of all rows, one after another
};

// Computed once, at the first call. Safe from several threads.
const MelTables& mel_tables();

// Scratch memory of the kernels. In power and bands, element [i][lane] is at i * lanes + lane.
struct alignas(64) MelWorkspace {
  float frames[kFrameSize *
               kMaxLanes];  // windowed samples of the low half of the lanes, then of the high
  double points[kFftPoints * kMaxLanes];   // the complex FFT of half of the lanes
  float power[kSpectrumSize * kMaxLanes];  // four times the power spectrum
  float bands[kMelBands * kMaxLanes];
};

struct MelKernels {
  int lanes;  // frames computed at once, at most kMaxLanes

  // Whether no sample is NaN, infinite or beyond +-kLargestSample.
  bool (*all_usable)(const float* samples, std::size_t count);

  // Fills workspace.power from (lanes + 1) * kHopSize samples: frame i starts at i * kHopSize.
  void (*power_spectrum)(const MelTables& tables, const float* samples, MelWorkspace& workspace);

  // Writes lanes * kMelBands compressed values, frame by frame, from samples as above.
  void (*mel_frames)(const MelTables& tables, const float* samples, MelWorkspace& workspace,
                     float* frames);
};

// The instruction set that the kernels for `isa` were compiled for.
Isa mel_kernels_isa(Isa isa);

// Throws InvalidArgument if this CPU cannot run `isa`.
const MelKernels& mel_kernels(Isa isa);

// One table per instruction set; only mel_kernels() may use them.
extern const MelKernels mel_kernels_baseline;
extern const MelKernels mel_kernels_avx2;
extern const MelKernels mel_kernels_avx512;

}  // namespace maest
