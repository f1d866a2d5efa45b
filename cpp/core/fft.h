// Tables of the real FFT of one frame. The arithmetic itself is in mel_kernels_fft.h, where it runs
// on several frames at once.
//
// A real FFT of 512 samples is a complex FFT of 256 points (even samples real, odd samples
// imaginary) and a step that separates the spectra of the even and the odd samples. The complex FFT
// is four passes of radix 4, decimating in frequency. It is in double precision: in float, the
// rounding of a loud tone ends up in quiet bins, where it moves the logarithm by as much as
// Essentia's own rounding does, and the two together exceed what we promise.
#pragma once

#include "mel_config.h"

namespace maest {

inline constexpr int kFftPoints = kFrameSize / 2;  // complex points
static_assert(kFftPoints == 4 * 4 * 4 * 4, "the passes are written for 256 points");

// The factors w, w^2, w^3 of one radix-4 butterfly.
struct Radix4Twiddle {
  double real[3];
  double imag[3];
};

struct ComplexNumber {
  double real;
  double imag;
};

struct FftTables {
  Radix4Twiddle pass_256[64];
  Radix4Twiddle pass_64[16];
  Radix4Twiddle pass_16[4];              // the last pass, of blocks of 4, needs no factors
  ComplexNumber separation[kFftPoints];  // exp(-2 pi i k / 512)
};

// Computed once, at the first call. Safe from several threads.
const FftTables& fft_tables();

}  // namespace maest
