// The kernels of product_kernels.h, for the instruction set of the file that includes this. That
// file defines MAEST_KERNELS, has included product_kernels_lanes.h, and has in its namespace
//   kRows, kVectors rows and vectors of columns that are computed at once
//   add_products()  sums, and for each four products of an unsigned and a signed byte
#pragma once

#include "product_kernels.h"

namespace maest::MAEST_KERNEL_NAMESPACE {

constexpr std::size_t kGroup = 4;  // inputs side by side
constexpr std::size_t kPanel = kLanes * kVectors;

static inline std::uint32_t group_at(const std::uint8_t* values) {
  std::uint32_t group = 0;
  __builtin_memcpy(&group, values, kGroup);
  return group;
}

// `rows` rows and `vectors` vectors of columns, all in registers: GCC keeps an array there if no
// loop over it is left, which it is not told by itself of loops that are in no other.
template <int rows, int vectors>
static void tile(const std::uint8_t* values, std::size_t inputs, const std::int8_t* packed,
                 std::int32_t* sums, std::size_t stride) {
  Sums totals[rows * vectors];
#pragma GCC unroll 32
  for (int i = 0; i < rows * vectors; ++i) totals[i] = nothing();
  for (std::size_t at = 0; at < inputs; at += kGroup) {
    Sums weights[vectors];
    for (int vector = 0; vector < vectors; ++vector) {
      weights[vector] = weights_at(packed + vector * kGroup * kLanes);
    }
    packed += kGroup * kLanes * vectors;
    for (int row = 0; row < rows; ++row) {
      const Sums four = four_inputs(group_at(values + row * inputs + at));
      for (int vector = 0; vector < vectors; ++vector) {
        Sums& total = totals[row * vectors + vector];
        total = add_products(total, four, weights[vector]);
      }
    }
  }
#pragma GCC unroll 32
  for (int i = 0; i < rows * vectors; ++i) {
    store(sums + i / vectors * stride + i % vectors * kLanes, totals[i]);
  }
}

using Tile = void (*)(const std::uint8_t*, std::size_t, const std::int8_t*, std::int32_t*,
                      std::size_t);

// tiles()[rows - 1][vectors - 1], for as many rows and vectors as there may be.
struct Tiles {
  Tile of[kRows][kVectors];
};

template <int rows, int vectors>
constexpr void fill(Tiles& tiles) {
  tiles.of[rows - 1][vectors - 1] = tile<rows, vectors>;
  if constexpr (vectors > 1) {
    fill<rows, vectors - 1>(tiles);
  } else if constexpr (rows > 1) {
    fill<rows - 1, kVectors>(tiles);
  }
}

constexpr Tiles make_tiles() {
  Tiles tiles{};
  fill<kRows, kVectors>(tiles);
  return tiles;
}

constexpr Tiles kTiles = make_tiles();

static std::size_t groups_of(std::size_t inputs) { return (inputs + kGroup - 1) / kGroup; }

static std::size_t vectors_of(std::size_t columns) {
  const std::size_t vectors = (columns + kLanes - 1) / kLanes;
  return vectors < kVectors ? vectors : kVectors;
}

// Four inputs of `count` columns side by side, as the numbers whose bytes they are.
static void interleave(const std::int8_t* weights, std::size_t stride, std::size_t count,
                       std::int8_t* packed) {
  const auto byte = [&](std::size_t input, std::size_t column) {
    return static_cast<std::uint32_t>(static_cast<std::uint8_t>(weights[input * stride + column]));
  };
  for (std::size_t column = 0; column < count; ++column) {
    const std::uint32_t group =
        byte(0, column) | byte(1, column) << 8 | byte(2, column) << 16 | byte(3, column) << 24;
    __builtin_memcpy(packed + column * kGroup, &group, kGroup);
  }
}

static void pack(const std::int8_t* weights, std::size_t inputs, std::size_t columns,
                 std::int8_t* packed) {
  __builtin_memset(packed, 0,
                   groups_of(inputs) * kGroup * ((columns + kLanes - 1) / kLanes) * kLanes);
  for (std::size_t first = 0; first < columns; first += kPanel) {
    const std::size_t width = vectors_of(columns - first) * kLanes;
    const std::size_t count = columns - first < width ? columns - first : width;
    for (std::size_t input = 0; input < inputs; input += kGroup) {
      const std::int8_t* const from = weights + input * columns + first;
      if (inputs - input >= kGroup) {
        interleave(from, columns, count, packed);
      } else {
        for (std::size_t i = 0; i < inputs - input; ++i) {
          for (std::size_t column = 0; column < count; ++column) {
            packed[column * kGroup + i] = from[i * columns + column];
          }
        }
      }
      packed += width * kGroup;
    }
  }
}

static void multiply(const std::uint8_t* values, ProductShape shape, const std::int8_t* packed,
                     std::int32_t* sums) {
  const std::size_t stride = (shape.columns + kLanes - 1) / kLanes * kLanes;
  const std::size_t depth = groups_of(shape.inputs) * kGroup;
  for (std::size_t first = 0; first < stride; first += kPanel) {
    const std::size_t vectors = vectors_of(stride - first);
    const std::int8_t* const panel = packed + first * depth;
    for (std::size_t row = 0; row < shape.rows; row += kRows) {
      const std::size_t left = shape.rows - row;
      const std::size_t rows = left < kRows ? left : kRows;
      kTiles.of[rows - 1][vectors - 1](values + row * shape.inputs, shape.inputs, panel,
                                       sums + row * stride + first, stride);
    }
  }
}

}  // namespace maest::MAEST_KERNEL_NAMESPACE

namespace maest {

const ProductKernels MAEST_KERNELS = {
    MAEST_KERNEL_NAMESPACE::kLanes,
    MAEST_KERNEL_NAMESPACE::kRows,
    MAEST_KERNEL_NAMESPACE::pack,
    MAEST_KERNEL_NAMESPACE::multiply,
};

}  // namespace maest
