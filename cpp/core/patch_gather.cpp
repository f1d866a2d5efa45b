#include "patch_gather.h"

namespace maest {

void gather_patches(const float* frames, int bands, const PatchGrid& grid,
                    const std::vector<std::int64_t>& kept, const Normalization& normalization,
                    std::vector<float>& patches) {
  const std::size_t begin = patches.size();
  patches.resize(begin + kept.size() * static_cast<std::size_t>(grid.patch_values()));
  float* out = patches.data() + begin;
  for (const std::int64_t index : kept) {
    const int row = static_cast<int>(index / grid.columns);
    const int column = static_cast<int>(index % grid.columns);
    const float* corner = frames + static_cast<std::ptrdiff_t>(grid.first_frame(column)) * bands +
                          grid.first_band(row);
    for (int frame = 0; frame < grid.patch_size; ++frame) {
      const float* from = corner + static_cast<std::ptrdiff_t>(frame) * bands;
      for (int band = 0; band < grid.patch_size; ++band) {
        *out++ = (from[band] - normalization.mean) / normalization.divisor;
      }
    }
  }
}

void normalize(const float* values, std::size_t count, const Normalization& normalization,
               std::vector<float>& normalized) {
  const std::size_t begin = normalized.size();
  normalized.resize(begin + count);
  float* out = normalized.data() + begin;
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = (values[i] - normalization.mean) / normalization.divisor;
  }
}

}  // namespace maest
