// A segment of mel frames seen as a grid of overlapping patches (the paper's section 3.2).
#pragma once

#include <cstdint>

namespace maest {

// Patches of `size` that fit into `length` at distance `stride`.
constexpr int patches_along(int length, int size, int stride) {
  return length < size ? 0 : (length - size) / stride + 1;
}

// The length that `count` such patches cover: the inverse of patches_along.
constexpr int length_of_patches(int count, int size, int stride) {
  return count < 1 ? 0 : size + (count - 1) * stride;
}

// Rows are frequency, columns time. A patch's index is row * columns + column: frequency is the
// outer order, as in the model's position table.
struct PatchGrid {
  int patch_size = 16;    // mel bands and frames that a patch covers
  int patch_stride = 10;  // mel bands and frames between neighbouring patches
  int rows = 0;
  int columns = 0;

  constexpr int first_band(int row) const { return row * patch_stride; }
  constexpr int first_frame(int column) const { return column * patch_stride; }
  constexpr int patch_values() const { return patch_size * patch_size; }
  // Frames that the first `count` columns cover.
  constexpr int frames_of(int count) const {
    return length_of_patches(count, patch_size, patch_stride);
  }
  // Columns whose patches lie wholly inside the first `frames` frames.
  constexpr int columns_within(int frames) const {
    const int fitting = patches_along(frames, patch_size, patch_stride);
    return fitting < columns ? fitting : columns;
  }
};

}  // namespace maest
