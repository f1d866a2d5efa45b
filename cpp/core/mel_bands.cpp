#include "mel_bands.h"

#include <cmath>

namespace maest {
namespace {

// Slaney's mel scale: linear up to 1000 Hz, logarithmic above. Where a constant or an intermediate
// is rounded to float matters to the last bit of the weights.
constexpr float kBreakFrequency = 1000.0F;
constexpr float kMelPerHertz = static_cast<float>(3 / 200.);

float log_step() { return static_cast<float>(std::log(6.4) / 27.0); }

float hertz_to_mel(float hertz) {
  if (hertz < kBreakFrequency) return hertz * kMelPerHertz;
  return kBreakFrequency * kMelPerHertz + std::log(hertz / kBreakFrequency) / log_step();
}

float mel_to_hertz(float mel) {
  const float break_mel = kBreakFrequency * kMelPerHertz;
  if (mel < break_mel) return mel / kMelPerHertz;
  return kBreakFrequency * std::exp((mel - break_mel) * log_step());
}

// The corners of all triangles: row i rises from corner i to i + 1 and falls to i + 2.
std::vector<float> corner_frequencies() {
  const float lowest = hertz_to_mel(0.0F);
  const float step = (hertz_to_mel(kSampleRate / 2.0F) - lowest) / (kMelBands + 1);
  std::vector<float> corners;
  float mel = lowest;
  for (int i = 0; i < kMelBands + 2; ++i) {
    corners.push_back(mel_to_hertz(mel));
    mel += step;
  }
  return corners;
}

MelRow make_row(float low, float peak, float high) {
  const float bin_width = static_cast<float>(kSampleRate / 2.0 / (kSpectrumSize - 1));
  const float rise = peak - low;
  const float fall = high - peak;
  const float area = static_cast<float>((rise + fall) / 2.);
  const int first = static_cast<int>(std::ceil(low / bin_width));
  const int last = static_cast<int>(std::floor(high / bin_width));
  MelRow row;
  for (int bin = first; bin <= last; ++bin) {
    const float frequency = bin * bin_width;
    const float height = frequency < peak ? (frequency - low) / rise : (high - frequency) / fall;
    const float weight = height / area;
    if (!(weight > 0.0F)) continue;  // a bin right on a corner
    if (row.weights.empty()) row.first_bin = bin;
    row.weights.push_back(weight);
  }
  return row;
}

std::vector<MelRow> make_rows() {
  const std::vector<float> corners = corner_frequencies();
  std::vector<MelRow> rows;
  for (int i = 0; i < kMelBands; ++i) {
    rows.push_back(make_row(corners[i], corners[i + 1], corners[i + 2]));
  }
  return rows;
}

std::vector<float> make_window() {
  std::vector<float> window;
  for (int i = 0; i < kFrameSize; ++i) {
    const double angle = 2.0 * 3.14159265358979323846 * i / (kFrameSize - 1.0);
    window.push_back(static_cast<float>(0.5 - 0.5 * std::cos(angle)));
  }
  return window;
}

}  // namespace

const std::vector<MelRow>& mel_rows() {
  static const std::vector<MelRow> rows = make_rows();
  return rows;
}

const std::vector<float>& hann_window() {
  static const std::vector<float> window = make_window();
  return window;
}

}  // namespace maest
