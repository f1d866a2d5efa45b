// Vectors of kLanes floats. Only for the kernels of an instruction set, <...>_<isa>.cpp, which
// define MAEST_KERNEL_NAMESPACE and MAEST_LANES first: everything here lives in the namespace of
// one instruction set, and nothing from the standard library is used, so that the linker never
// merges a function compiled for one CPU with that of another.
#pragma once

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace maest::MAEST_KERNEL_NAMESPACE {

constexpr int kLanes = MAEST_LANES;
constexpr int kHalf = kLanes / 2;
static_assert(kLanes == 4 || kLanes == 8 || kLanes == 16, "lanes come in fours");

typedef float Lanes __attribute__((vector_size(sizeof(float) * MAEST_LANES)));
typedef int IntLanes __attribute__((vector_size(sizeof(int) * MAEST_LANES)));
typedef float HalfLanes __attribute__((vector_size(sizeof(float) * MAEST_LANES / 2)));
typedef double Doubles __attribute__((vector_size(sizeof(double) * MAEST_LANES / 2)));
typedef float Four __attribute__((vector_size(16)));
typedef Four UnalignedFour __attribute__((aligned(4)));
typedef Lanes UnalignedLanes __attribute__((aligned(4)));
typedef UnalignedLanes AliasingUnalignedLanes __attribute__((may_alias));
typedef Lanes AliasingLanes __attribute__((may_alias));
typedef HalfLanes AliasingHalfLanes __attribute__((may_alias));
typedef Doubles AliasingDoubles __attribute__((may_alias));
typedef UnalignedFour AliasingFour __attribute__((may_alias));

static inline Lanes load(const float* from) {
  return *reinterpret_cast<const AliasingLanes*>(from);
}

static inline void store(float* to, Lanes value) { *reinterpret_cast<AliasingLanes*>(to) = value; }

static inline Lanes load_unaligned(const float* from) {
  return *reinterpret_cast<const AliasingUnalignedLanes*>(from);
}

// The low and the high half of the lanes, each to its own place.
static inline void store_halves(float* low, float* high, Lanes value) {
  HalfLanes halves[2];
  __builtin_memcpy(halves, &value, sizeof(value));
  *reinterpret_cast<AliasingHalfLanes*>(low) = halves[0];
  *reinterpret_cast<AliasingHalfLanes*>(high) = halves[1];
}

// Half of the lanes, in double. GCC 12 splits the general conversion of four and eight numbers into
// pieces that go through memory, so these are spelled out (masked for AVX-512, because its header's
// unmasked forms do not compile without warnings).
#if MAEST_LANES == 16
constexpr unsigned char kAllEight = 0xff;
#endif

static inline Doubles load_doubles(const float* from) {
  const HalfLanes value = *reinterpret_cast<const AliasingHalfLanes*>(from);
#if defined(__AVX512F__) && MAEST_LANES == 16
  return (Doubles)_mm512_maskz_cvtps_pd(kAllEight, (__m256)value);
#elif defined(__AVX__) && MAEST_LANES == 8
  return (Doubles)_mm256_cvtps_pd((__m128)value);
#else
  return __builtin_convertvector(value, Doubles);
#endif
}

static inline void store_doubles(float* to, Doubles value) {
#if defined(__AVX512F__) && MAEST_LANES == 16
  const HalfLanes rounded = (HalfLanes)_mm512_maskz_cvtpd_ps(kAllEight, (__m512d)value);
#elif defined(__AVX__) && MAEST_LANES == 8
  const HalfLanes rounded = (HalfLanes)_mm256_cvtpd_ps((__m256d)value);
#else
  const HalfLanes rounded = __builtin_convertvector(value, HalfLanes);
#endif
  *reinterpret_cast<AliasingHalfLanes*>(to) = rounded;
}

static inline Doubles load(const double* from) {
  return *reinterpret_cast<const AliasingDoubles*>(from);
}

static inline void store(double* to, Doubles value) {
  *reinterpret_cast<AliasingDoubles*>(to) = value;
}

static inline Four load_four(const float* from) {
  return *reinterpret_cast<const AliasingFour*>(from);
}

static inline void store_four(float* to, Four value) {
  *reinterpret_cast<AliasingFour*>(to) = value;
}

static inline Lanes broadcast(float value) { return value - Lanes{}; }

// Four consecutive samples of the frames frame, frame + 4, ...: quarter q of the result belongs to
// frame + 4 q. The frames are `stride` samples apart.
static inline Lanes load_quarters(const float* samples, int stride) {
#if MAEST_LANES == 4
  (void)stride;
  return load_four(samples);
#elif MAEST_LANES == 8
  return __builtin_shufflevector(load_four(samples), load_four(samples + 4 * stride), 0, 1, 2, 3, 4,
                                 5, 6, 7);
#else
  typedef float Eight __attribute__((vector_size(32)));
  const Eight low = __builtin_shufflevector(load_four(samples), load_four(samples + 4 * stride), 0,
                                            1, 2, 3, 4, 5, 6, 7);
  const Eight high = __builtin_shufflevector(
      load_four(samples + 8 * stride), load_four(samples + 12 * stride), 0, 1, 2, 3, 4, 5, 6, 7);
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#endif
}

// The inverse of load_quarters.
static inline void store_quarters(float* to, int stride, Lanes value) {
#if MAEST_LANES == 4
  (void)stride;
  store_four(to, value);
#else
  store_four(to, __builtin_shufflevector(value, value, 0, 1, 2, 3));
  store_four(to + 4 * stride, __builtin_shufflevector(value, value, 4, 5, 6, 7));
#if MAEST_LANES == 16
  store_four(to + 8 * stride, __builtin_shufflevector(value, value, 8, 9, 10, 11));
  store_four(to + 12 * stride, __builtin_shufflevector(value, value, 12, 13, 14, 15));
#endif
#endif
}

// Interleaves the low (or high) halves of every quarter of a and b: a0 b0 a1 b1 | a4 b4 a5 b5 ...
static inline Lanes interleave_low(Lanes a, Lanes b) {
#if MAEST_LANES == 4
  return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#elif MAEST_LANES == 8
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
#else
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
#endif
}

static inline Lanes interleave_high(Lanes a, Lanes b) {
#if MAEST_LANES == 4
  return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#elif MAEST_LANES == 8
  return __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
#else
  return __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
#endif
}

// Transposes every quarter of rows[0..3], seen as a matrix of 4 x 4. Its own inverse.
static inline void transpose_quarters(Lanes (&rows)[4]) {
  const Lanes even_low = interleave_low(rows[0], rows[2]);
  const Lanes even_high = interleave_high(rows[0], rows[2]);
  const Lanes odd_low = interleave_low(rows[1], rows[3]);
  const Lanes odd_high = interleave_high(rows[1], rows[3]);
  rows[0] = interleave_low(even_low, odd_low);
  rows[1] = interleave_high(even_low, odd_low);
  rows[2] = interleave_low(even_high, odd_high);
  rows[3] = interleave_high(even_high, odd_high);
}

// log10(y) for finite y >= 1, within 2e-7 absolute (plus the rounding of results above 1).
static inline Lanes log10_of(Lanes y) {
  // y = 2^exponent * (1 + f) with 1 + f between sqrt(1/2) and sqrt(2).
  const IntLanes bits = reinterpret_cast<IntLanes>(y);
  const IntLanes exponent = (bits - 0x3f3504f3) >> 23;
  const Lanes f = reinterpret_cast<Lanes>(bits - (exponent << 23)) - 1.0F;
  // Minimax polynomial of log10(1 + f) / f on that range (Lawson's iteration, error 3e-9).
  Lanes sum = broadcast(0.0377528965F);
  sum = sum * f + -0.0633076131F;
  sum = sum * f + 0.0654377192F;
  sum = sum * f + -0.071801506F;
  sum = sum * f + 0.0865932852F;
  sum = sum * f + -0.108587898F;
  sum = sum * f + 0.144772112F;
  sum = sum * f + -0.217147127F;
  sum = sum * f + 0.434294432F;
  return __builtin_convertvector(exponent, Lanes) * 0.301029995663981F + sum * f;
}

}  // namespace maest::MAEST_KERNEL_NAMESPACE
