// Loops of nothing but products, with all in registers: no gemm of this kind is faster. x86-64 with
// AVX2; GCC or Clang. Prints an instruction set, a name, and thousand millions of operations a
// second, for each loop that this CPU can run.
#include <cstdio>
#include <ctime>

namespace {

constexpr int kTurns = 3'000'000;
constexpr int kRounds = 15;
constexpr int kSums = 11;  // that do not wait for each other: what registers are left for

double cpu_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

#define EACH_SUM(STEP) \
  STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7) STEP(8) STEP(9) STEP(10)
#define WIDE_FLOATS(n) "vfmadd231ps %%zmm12, %%zmm13, %%zmm" #n "\n"
#define WIDE_BYTES(n) "vpdpbusd %%zmm12, %%zmm13, %%zmm" #n "\n"
#define FLOATS(n) "vfmadd231ps %%ymm12, %%ymm13, %%ymm" #n "\n"
#define WORDS(n)                         \
  "vpmaddwd %%ymm12, %%ymm13, %%ymm14\n" \
  "vpaddd %%ymm14, %%ymm" #n ", %%ymm" #n "\n"
#define BYTES(n)                           \
  "vpmaddubsw %%ymm12, %%ymm13, %%ymm14\n" \
  "vpmaddwd %%ymm14, %%ymm15, %%ymm14\n"   \
  "vpaddd %%ymm14, %%ymm" #n ", %%ymm" #n "\n"

// The fastest of all rounds: what else the machine does only slows it down.
template <typename Turn>
void measure(const char* name, int operations, const Turn& turn) {
  double least = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const double start = cpu_seconds();
    for (int i = 0; i < kTurns; ++i) turn();
    const double taken = cpu_seconds() - start;
    if (taken < least) least = taken;
  }
  std::printf("%s %.1f\n", name, 1e-9 * kTurns * kSums * operations / least);
}

}  // namespace

#define RUN(STEP)                                                                           \
  asm volatile(                                                                             \
      "vxorps %%xmm12, %%xmm12, %%xmm12\nvxorps %%xmm13, %%xmm13, %%xmm13\n"                \
      "vxorps %%xmm15, %%xmm15, %%xmm15\n" EACH_SUM(STEP)::                                 \
          : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", \
            "xmm10", "xmm12", "xmm13", "xmm14", "xmm15")

int main() {
  measure("avx2 float32", 2 * 8, [] { RUN(FLOATS); });
  measure("avx2 16 bits", 2 * 16, [] { RUN(WORDS); });
  measure("avx2 8 bits", 2 * 32, [] { RUN(BYTES); });
  if (!__builtin_cpu_supports("avx512vnni")) return 0;
  measure("avx512vnni float32", 2 * 16, [] { RUN(WIDE_FLOATS); });
  measure("avx512vnni 8 bits", 2 * 64, [] { RUN(WIDE_BYTES); });
}
