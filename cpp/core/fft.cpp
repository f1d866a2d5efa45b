#include "fft.h"

#include <cmath>

namespace maest {
namespace {

// exp(-2 pi i index / period), exact at the multiples of a quarter turn.
ComplexNumber turn(int index, int period) {
  const double angle = -2.0 * 3.14159265358979323846 * index / period;
  const ComplexNumber exact = {std::cos(angle), std::sin(angle)};
  if ((4 * index) % period != 0) return exact;
  return {std::round(exact.real), std::round(exact.imag)};
}

void fill_pass(Radix4Twiddle* twiddles, int block) {
  for (int j = 0; j < block / 4; ++j) {
    for (int power = 1; power <= 3; ++power) {
      const ComplexNumber factor = turn(j * power, block);
      twiddles[j].real[power - 1] = factor.real;
      twiddles[j].imag[power - 1] = factor.imag;
    }
  }
}

FftTables make_tables() {
  FftTables tables{};
  fill_pass(tables.pass_256, 256);
  fill_pass(tables.pass_64, 64);
  fill_pass(tables.pass_16, 16);
  for (int k = 0; k < kFftPoints; ++k) tables.separation[k] = turn(k, kFrameSize);
  return tables;
}

}  // namespace

const FftTables& fft_tables() {
  static const FftTables tables = make_tables();
  return tables;
}

}  // namespace maest
