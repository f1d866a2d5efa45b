// The constants of the front end that every public MAEST model was trained on. This header is also
// read by the sources that are compiled for one instruction set: keep functions out of it.
#pragma once

namespace maest {

inline constexpr int kSampleRate = 16000;                 // Hz
inline constexpr int kFrameSize = 512;                    // samples
inline constexpr int kHopSize = 256;                      // samples
inline constexpr int kSpectrumSize = kFrameSize / 2 + 1;  // bins
inline constexpr int kMelBands = 96;

// Compression: log10(1 + kCompressionScale * x).
inline constexpr float kCompressionScale = 10000.0F;
inline constexpr char kCompression[] = "log10(1+10000x)";  // as model files write it

// Model input: (x - kNormalizationMean) / kNormalizationDivisor; the divisor is two deviations.
inline constexpr double kNormalizationMean = 2.06755686098554;
inline constexpr double kNormalizationDivisor = 2 * 1.268292820667291;

// Louder samples are refused: beyond this the power spectrum could overflow a float.
inline constexpr float kLargestSample = 1e12F;

static_assert(kHopSize * 2 == kFrameSize, "frames overlap by exactly one hop");

}  // namespace maest
