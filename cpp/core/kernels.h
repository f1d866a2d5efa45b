// Which of the engine's own kernels are at work: results depend on them in their last digits, and
// those of int8 models in more.
#pragma once

#include <string>

namespace maest {

enum class Isa;

// What a kernel is called where the engine has none, or a session uses none.
inline constexpr char kLeftToOrt[] = "onnxruntime";

// Names of instruction sets (cpu.h), or kLeftToOrt.
struct KernelNames {
  std::string isa;        // the one chosen
  std::string mel;        // the one that each kernel was compiled for: the chosen one, or the best
  std::string gelu;       // below it
  std::string attention;  // of int8 models: attention_kind()
  std::string rows;       // of 8-bit integers
};

KernelNames kernels_for(Isa isa);

// The domain of the names of our operators in a graph.
inline constexpr char kOperatorDomain[] = "essentia_maest";

// What the names of those begin with whose second input, weights, is packed once (row_sums.h).
inline constexpr char kPackingOperators[] = "Multiply";

// An operator of ours in one session.
struct OperatorUse {
  std::string name;
  int nodes = 0;       // that the engine computes
  std::string kernel;  // the instruction set of its kernel; kLeftToOrt without nodes
};

}  // namespace maest
