// The mel filterbank and the window of the front end.
#pragma once

#include <vector>

#include "mel_config.h"

namespace maest {

// One triangular filter: weights[i] belongs to spectrum bin first_bin + i.
struct MelRow {
  int first_bin = 0;
  std::vector<float> weights;  // all positive
};

// The filterbank: kMelBands triangles on a power spectrum of kSpectrumSize bins, spaced evenly on
// Slaney's mel scale from 0 Hz to half the sample rate, each of area 1 (in Hz). Computed in float,
// operation by operation as Essentia's MelBands does, so that the weights are equal to its own.
const std::vector<MelRow>& mel_rows();

// The Hann window of kFrameSize points, symmetric: first and last point are 0.
const std::vector<float>& hann_window();

}  // namespace maest
