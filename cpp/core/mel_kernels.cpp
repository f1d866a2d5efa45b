#include "mel_kernels.h"

#include <algorithm>

#include "cpu.h"
#include "error.h"
#include "mel_bands.h"

namespace maest {
namespace {

MelTables make_tables() {
  MelTables tables{};
  tables.fft = fft_tables();
  std::copy(hann_window().begin(), hann_window().end(), tables.window);
  int used = 0;
  for (int band = 0; band < kMelBands; ++band) {
    const MelRow& row = mel_rows()[band];
    tables.first_bin[band] = row.first_bin;
    tables.weight_count[band] = static_cast<int>(row.weights.size());
    if (used + tables.weight_count[band] > kMaxMelWeights) {
      throw Error(message("mel filterbank has more weights than ", kMaxMelWeights));
    }
    for (const float weight : row.weights) {
      tables.weights[used++] = weight * (kCompressionScale / 4);
    }
  }
  return tables;
}

}  // namespace

const MelTables& mel_tables() {
  static const MelTables tables = make_tables();
  return tables;
}

Isa mel_kernels_isa(Isa isa) { return without_byte_products(isa); }

const MelKernels& mel_kernels(Isa isa) {
  require_runnable(isa);
#if defined(__x86_64__)
  if (mel_kernels_isa(isa) == Isa::kAvx2) return mel_kernels_avx2;
  if (mel_kernels_isa(isa) == Isa::kAvx512) return mel_kernels_avx512;
#endif
  return mel_kernels_baseline;
}

}  // namespace maest
