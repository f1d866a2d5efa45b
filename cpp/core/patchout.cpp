#include "patchout.h"

#include <algorithm>

#include "error.h"

namespace maest {
namespace {

[[noreturn]] void unknown(const std::string& text) {
  throw InvalidArgument(message("patchout '", text,
                                "' does not exist; wanted is F0, F3 or F4 followed by T and the "
                                "number of columns of which one is kept, such as 'F0T0' (all "
                                "patches), 'F3T2' or 'F4T10'"));
}

// Reads the digits from `position` on; false when there is none or they are too many for a stride.
bool read_number(const std::string& text, std::size_t& position, int& number) {
  const std::size_t begin = position;
  number = 0;
  while (position < text.size() && text[position] >= '0' && text[position] <= '9') {
    if (position - begin >= 6) return false;
    number = number * 10 + (text[position++] - '0');
  }
  return position > begin;
}

std::vector<int> rows_to_keep(const PatchGrid& grid, const Patchout& policy) {
  if (!policy.kept_rows.empty()) {
    for (std::size_t i = 0; i < policy.kept_rows.size(); ++i) {
      const int row = policy.kept_rows[i];
      if (row < 0 || row >= grid.rows) {
        throw InvalidArgument(message("patch row ", row,
                                      " does not exist; this model has rows 0 to ", grid.rows - 1));
      }
      if (i > 0 && row <= policy.kept_rows[i - 1]) {
        throw InvalidArgument(message("kept patch rows must ascend without repeats, found ", row,
                                      " after ", policy.kept_rows[i - 1]));
      }
    }
    return policy.kept_rows;
  }
  const int dropped_first = policy.dropped_rows == 0 ? 0 : policy.dropped_rows - 2;
  const int dropped_last = policy.dropped_rows == 0 ? 0 : 2;
  std::vector<int> rows;
  for (int row = dropped_first; row < grid.rows - dropped_last; ++row) rows.push_back(row);
  if (rows.empty()) {
    throw InvalidArgument(message("patchout F", policy.dropped_rows, " drops all ", grid.rows,
                                  " patch rows of this model"));
  }
  return rows;
}

}  // namespace

Patchout parse_patchout(const std::string& text) {
  Patchout policy;
  std::size_t position = 0;
  if (text.empty() || text[position++] != 'F') unknown(text);
  if (!read_number(text, position, policy.dropped_rows)) unknown(text);
  if (policy.dropped_rows != 0 && policy.dropped_rows != 3 && policy.dropped_rows != 4) {
    unknown(text);
  }
  if (position >= text.size() || text[position++] != 'T') unknown(text);
  if (!read_number(text, position, policy.time_stride) || position != text.size()) unknown(text);
  policy.time_stride = std::max(policy.time_stride, 1);
  return policy;
}

std::string patchout_name(const Patchout& policy) {
  const int stride = policy.time_stride == 1 ? 0 : policy.time_stride;
  return "F" + std::to_string(policy.dropped_rows) + "T" + std::to_string(stride);
}

std::vector<std::int64_t> kept_patches(const PatchGrid& grid, const Patchout& policy, int columns) {
  if (policy.time_stride < 1) {
    throw InvalidArgument(message("patchout keeps one of every ", policy.time_stride,
                                  " patch columns; a stride of 1 or more is wanted"));
  }
  if (policy.time_stride > grid.columns) {
    throw InvalidArgument(message("patchout T", policy.time_stride,
                                  " keeps one of more patch columns than the ", grid.columns,
                                  " that a segment of this model has"));
  }
  std::vector<std::int64_t> kept;
  for (const int row : rows_to_keep(grid, policy)) {
    for (int column = 0; column < columns; column += policy.time_stride) {
      kept.push_back(static_cast<std::int64_t>(row) * grid.columns + column);
    }
  }
  return kept;
}

}  // namespace maest
