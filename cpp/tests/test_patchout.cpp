#include <gtest/gtest.h>

#include <vector>

#include "error.h"
#include "patch_gather.h"
#include "patch_grid.h"
#include "patchout.h"
#include "throws.h"

using maest::InvalidArgument;
using maest::kept_patches;
using maest::parse_patchout;
using maest::PatchGrid;

namespace {

constexpr PatchGrid kGrid{16, 10, 9, 187};

std::vector<std::int64_t> kept(const char* name, const PatchGrid& grid = kGrid) {
  return kept_patches(grid, parse_patchout(name), grid.columns);
}

}  // namespace

TEST(Patchout, patches_along_a_length) {
  EXPECT_EQ(maest::patches_along(96, 16, 10), 9);
  EXPECT_EQ(maest::patches_along(1876, 16, 10), 187);
  EXPECT_EQ(maest::patches_along(1875, 16, 10), 186);
  EXPECT_EQ(maest::patches_along(16, 16, 10), 1);
  EXPECT_EQ(maest::patches_along(15, 16, 10), 0);
}

TEST(Patchout, columns_within_a_shorter_segment) {
  EXPECT_EQ(kGrid.columns_within(1876), 187);
  EXPECT_EQ(kGrid.columns_within(5000), 187);
  EXPECT_EQ(kGrid.columns_within(100), 9);
  EXPECT_EQ(kGrid.columns_within(0), 0);
}

// 9 rows of 187 columns, less what each policy drops.
TEST(Patchout, patchout_keeps_the_papers_counts) {
  EXPECT_EQ(kept("F0T0").size(), std::size_t{1683});
  EXPECT_EQ(kept("F3T0").size(), std::size_t{6 * 187});
  EXPECT_EQ(kept("F3T2").size(), std::size_t{564});
  EXPECT_EQ(kept("F3T5").size(), std::size_t{228});
  EXPECT_EQ(kept("F4T10").size(), std::size_t{5 * 19});
}

TEST(Patchout, patchout_keeps_the_middle_rows) {
  const PatchGrid narrow{16, 10, 9, 1};
  EXPECT_TRUE(kept("F3T1", narrow) == (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(kept("F4T1", narrow) == (std::vector<std::int64_t>{2, 3, 4, 5, 6}));
}

TEST(Patchout, patchout_is_row_major_and_starts_at_the_first_column) {
  const PatchGrid grid{16, 10, 2, 5};
  EXPECT_TRUE(kept("F0T2", grid) == (std::vector<std::int64_t>{0, 2, 4, 5, 7, 9}));
  EXPECT_TRUE(kept_patches(grid, parse_patchout("F0T2"), 3) ==
              (std::vector<std::int64_t>{0, 2, 5, 7}));
}

TEST(Patchout, patchout_with_explicit_rows) {
  const maest::Patchout policy{0, {0, 8}, 100};
  EXPECT_TRUE(kept_patches(kGrid, policy, kGrid.columns) ==
              (std::vector<std::int64_t>{0, 100, 8 * 187, 8 * 187 + 100}));
}

TEST(Patchout, patchout_that_does_not_exist) {
  for (const char* name : {"", "F", "F3", "T5", "F3T", "F2T5", "f3t5", "F3T5 ", "F3T-1", "F3T5x",
                           "F3T99999999999", "F-3T5"}) {
    EXPECT_THROWS(parse_patchout(name), InvalidArgument, "does not exist");
  }
  EXPECT_THROWS(kept("F0T188"), InvalidArgument, "187");
  EXPECT_THROWS(kept("F4T1", PatchGrid{16, 10, 4, 3}), InvalidArgument, "drops all 4");
  EXPECT_THROWS(kept_patches(kGrid, {0, {9}, 1}, 187), InvalidArgument, "rows 0 to 8");
  EXPECT_THROWS(kept_patches(kGrid, {0, {-1}, 1}, 187), InvalidArgument, "row -1");
  EXPECT_THROWS(kept_patches(kGrid, {0, {3, 3}, 1}, 187), InvalidArgument, "ascend");
  EXPECT_THROWS(kept_patches(kGrid, {0, {1}, 0}, 187), InvalidArgument, "one of every 0");
}

TEST(Patchout, gathered_patches_are_normalised_and_time_major) {
  const PatchGrid grid{16, 10, 9, 2};
  constexpr int kBands = 96;
  std::vector<float> frames(26 * kBands);
  for (std::size_t i = 0; i < frames.size(); ++i) frames[i] = static_cast<float>(i);
  std::vector<float> patches = {-1.0F};  // what is there already stays
  maest::gather_patches(frames.data(), kBands, grid, {3}, {2.0F, 4.0F}, patches);
  maest::gather_patches(frames.data(), kBands, grid, {2 * 8 + 1}, {0.0F, 1.0F}, patches);
  EXPECT_EQ(patches.size(), std::size_t{1 + 2 * 256});
  EXPECT_EQ(patches[0], -1.0F);
  // Patch 3: row 1 (bands 10..25), column 1 (frames 10..25).
  EXPECT_EQ(patches[1], (10.0F * kBands + 10.0F - 2.0F) / 4.0F);
  EXPECT_EQ(patches[1 + 16 * 5 + 7], (15.0F * kBands + 17.0F - 2.0F) / 4.0F);
  // Patch 17: row 8 (bands 80..95), column 1; its last value is the last of all.
  EXPECT_EQ(patches.back(), 25.0F * kBands + 95.0F);
}
