// Patchout at inference (the paper's section 4.5): which patches of a grid the model is given.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "patch_grid.h"

namespace maest {

struct Patchout {
  // How many rows the named policy drops: 0 (none), 3 (the first and the last two) or 4 (the first
  // two and the last two). Ignored when `kept_rows` is not empty.
  int dropped_rows = 0;
  // Explicit rows to keep, ascending.
  std::vector<int> kept_rows;
  // One of every `time_stride` columns is kept, the first always.
  int time_stride = 1;
};

// Reads "F3T5" and the like. T0 means no patchout in time, as the paper's tables write it.
// Throws `InvalidArgument` naming what can be given.
Patchout parse_patchout(const std::string& text);

// The inverse of parse_patchout, for a policy without explicit rows.
std::string patchout_name(const Patchout& policy);

// Row-major indices, ascending, of the patches kept among the first `columns` columns of `grid`.
// Throws `InvalidArgument` when the policy does not fit the grid or keeps nothing.
std::vector<std::int64_t> kept_patches(const PatchGrid& grid, const Patchout& policy, int columns);

}  // namespace maest
