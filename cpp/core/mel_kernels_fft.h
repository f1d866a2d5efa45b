// The real FFT of kLanes frames, half of them at once; fft.h has the plan. Included as
// kernel_lanes.h is.
#pragma once

#include "fft.h"
#include "kernel_lanes.h"

namespace maest::MAEST_KERNEL_NAMESPACE {

// One complex number per lane.
struct Complex {
  Doubles real;
  Doubles imag;
};

static inline Complex add(Complex a, Complex b) { return {a.real + b.real, a.imag + b.imag}; }

static inline Complex subtract(Complex a, Complex b) { return {a.real - b.real, a.imag - b.imag}; }

static inline Complex turn_clockwise(Complex a) { return {a.imag, -a.real}; }

static inline Complex multiply(Complex a, double real, double imag) {
  return {a.real * real - a.imag * imag, a.real * imag + a.imag * real};
}

// The four sums of a radix-4 butterfly, before their factors.
static inline void butterfly(Complex (&z)[4]) {
  const Complex even_sum = add(z[0], z[2]);
  const Complex even_difference = subtract(z[0], z[2]);
  const Complex odd_sum = add(z[1], z[3]);
  const Complex odd_difference = turn_clockwise(subtract(z[1], z[3]));
  z[0] = add(even_sum, odd_sum);
  z[1] = add(even_difference, odd_difference);
  z[2] = subtract(even_sum, odd_sum);
  z[3] = subtract(even_difference, odd_difference);
}

static inline Complex load_point(const double* points, int index) {
  const double* const point = points + index * 2 * kHalf;
  return {load(point), load(point + kHalf)};
}

static inline void store_point(double* points, int index, Complex value) {
  double* const point = points + index * 2 * kHalf;
  store(point, value.real);
  store(point + kHalf, value.imag);
}

// The first pass: from samples, even ones real and odd ones imaginary.
static inline void first_pass(const Radix4Twiddle* twiddles, const float* samples, double* points) {
  for (int j = 0; j < 64; ++j) {
    Complex z[4];
    for (int i = 0; i < 4; ++i) {
      const float* const sample = samples + (j + i * 64) * 2 * kHalf;
      z[i] = {load_doubles(sample), load_doubles(sample + kHalf)};
    }
    butterfly(z);
    store_point(points, j, z[0]);
    for (int i = 1; i < 4; ++i) {
      store_point(points, j + i * 64,
                  multiply(z[i], twiddles[j].real[i - 1], twiddles[j].imag[i - 1]));
    }
  }
}

// The second pass, on four blocks of 64 points, in place.
static inline void second_pass(const Radix4Twiddle* twiddles, double* points) {
  for (int j = 0; j < 16; ++j) {
    for (int first = j; first < kFftPoints; first += 64) {
      Complex z[4];
      for (int i = 0; i < 4; ++i) z[i] = load_point(points, first + i * 16);
      butterfly(z);
      store_point(points, first, z[0]);
      for (int i = 1; i < 4; ++i) {
        store_point(points, first + i * 16,
                    multiply(z[i], twiddles[j].real[i - 1], twiddles[j].imag[i - 1]));
      }
    }
  }
}

// What the first two passes leave falls into 16 blocks of 16 points; a block holds the bins of one
// residue modulo 16. The last two passes of such a block: bins[m] is bin 16 m + residue.
static inline void last_passes(const Radix4Twiddle* twiddles, const double* points, int residue,
                               Complex (&bins)[16]) {
  const int block = 16 * (residue % 4 * 4 + residue / 4);
  Complex partial[16];
  for (int j = 0; j < 4; ++j) {
    Complex z[4];
    for (int i = 0; i < 4; ++i) z[i] = load_point(points, block + j + 4 * i);
    butterfly(z);
    partial[j] = z[0];
    for (int i = 1; i < 4; ++i) {
      partial[4 * i + j] = multiply(z[i], twiddles[j].real[i - 1], twiddles[j].imag[i - 1]);
    }
  }
  for (int i = 0; i < 4; ++i) {
    Complex z[4] = {partial[4 * i], partial[4 * i + 1], partial[4 * i + 2], partial[4 * i + 3]};
    butterfly(z);
    for (int j = 0; j < 4; ++j) bins[i + 4 * j] = z[j];
  }
}

static inline Doubles squared(Complex a) { return a.real * a.real + a.imag * a.imag; }

// Four times the power of the real signal in bins k and 256 - k, from these two bins of the FFT of
// its even samples plus i times its odd samples: 2 X[k] = sum + w difference and
// 2 X[256 - k] = conj(sum - w difference). Bin 256 of that FFT is its bin 0.
static inline void separate(const FftTables& tables, int k, Complex bin, Complex opposite,
                            float* power) {
  const Complex mirrored = {opposite.real, -opposite.imag};
  const Complex sum = add(bin, mirrored);
  const Complex difference = multiply(turn_clockwise(subtract(bin, mirrored)),
                                      tables.separation[k].real, tables.separation[k].imag);
  store_doubles(power + k * kLanes, squared(add(sum, difference)));
  store_doubles(power + (kFftPoints - k) * kLanes, squared(subtract(sum, difference)));
}

// The last passes and the separation for half of the lanes. Opposite bins have opposite residues.
static inline void finish_half(const FftTables& tables, const double* points, float* power) {
  Complex bins[16];
  Complex opposite[16];
  last_passes(tables.pass_16, points, 0, bins);
  for (int m = 0; m <= 8; ++m) separate(tables, 16 * m, bins[m], bins[(16 - m) % 16], power);
  for (int residue = 1; residue < 8; ++residue) {
    last_passes(tables.pass_16, points, residue, bins);
    last_passes(tables.pass_16, points, 16 - residue, opposite);
    for (int m = 0; m < 16; ++m) {
      separate(tables, 16 * m + residue, bins[m], opposite[15 - m], power);
    }
  }
  last_passes(tables.pass_16, points, 8, bins);
  for (int m = 0; m < 8; ++m) separate(tables, 16 * m + 8, bins[m], bins[15 - m], power);
}

// Four times the power spectrum of kLanes frames of windowed samples: first those of the low half
// of the lanes, then those of the high half.
static inline void real_fft_power(const FftTables& tables, const float* frames, double* points,
                                  float* power) {
  for (int half = 0; half < 2; ++half) {
    first_pass(tables.pass_256, frames + half * kFrameSize * kHalf, points);
    second_pass(tables.pass_64, points);
    finish_half(tables, points, power + half * kHalf);
  }
}

}  // namespace maest::MAEST_KERNEL_NAMESPACE
