// Which instruction sets this CPU can run, and which one the engine's own kernels use.
#pragma once

#include <string>
#include <vector>

namespace maest {

enum class Isa {
  kBaseline,    // what the compiler targets by default: SSE2 on x86-64
  kNeon,        // every aarch64 CPU has it
  kDotprod,     // NEON and sums of four products of 8-bit integers
  kI8mm,        // the same and products of matrices of them
  kAvx2,        // AVX2 and FMA
  kAvxVnni,     // the same and VNNI of 256 bits: products of 8-bit integers
  kAvx512,      // AVX-512 F, BW, DQ, VL
  kAvx512Vnni,  // the same and VNNI: products of 8-bit integers
};

// "baseline", "neon", "dotprod", "i8mm", "avx2", "avxvnni", "avx512" or "avx512vnni".
const char* isa_name(Isa isa);

// The inverse of isa_name. Throws InvalidArgument for any other name.
Isa isa_from_name(const std::string& name);

// The widest of those that `isa` comprises and that add nothing to products of 8-bit integers.
Isa without_byte_products(Isa isa);

// Whether this CPU and operating system can run code compiled for `isa`.
bool cpu_can_run(Isa isa);

// Everything this CPU can run, slowest first.
std::vector<Isa> runnable_isas();

// The ISA to use: the one named by the environment variable ESSENTIA_MAEST_ISA if it is set and not
// empty, else the fastest that this CPU can run. Throws InvalidArgument if the variable holds an
// unknown name or an ISA that this CPU cannot run.
Isa default_isa();

// Throws InvalidArgument unless this CPU can run `isa`; returns it.
Isa require_runnable(Isa isa);

}  // namespace maest
