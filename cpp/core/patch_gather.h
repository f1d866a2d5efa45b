// The only copy between mel frames and the model: the kept patches, normalised.
#pragma once

#include <cstdint>
#include <vector>

#include "patch_grid.h"

namespace maest {

struct Normalization {
  float mean = 0;
  float divisor = 1;
};

// Appends the `kept` patches (row-major indices) of one segment, [kept, patch_values]. Values are
// (x - mean) / divisor, a patch's frames follow one another (time-major): each is one run of
// consecutive bands in `frames`, which is [n, bands] and must hold every kept patch.
void gather_patches(const float* frames, int bands, const PatchGrid& grid,
                    const std::vector<std::int64_t>& kept, const Normalization& normalization,
                    std::vector<float>& patches);

// Appends all `count` values normalised, for graphs that take whole segments.
void normalize(const float* values, std::size_t count, const Normalization& normalization,
               std::vector<float>& normalized);

}  // namespace maest
