#include "cpu.h"

#include <cstdlib>

#include "error.h"

namespace maest {
namespace {

constexpr Isa kAll[] = {Isa::kBaseline, Isa::kNeon, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Vnni};

std::string runnable_names() {
  std::string names;
  for (const Isa isa : runnable_isas()) {
    if (!names.empty()) names += ", ";
    names += isa_name(isa);
  }
  return names;
}

}  // namespace

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::kBaseline:
      return "baseline";
    case Isa::kNeon:
      return "neon";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx512Vnni:
      return "avx512vnni";
  }
  throw InvalidArgument(message("unknown instruction set number ", static_cast<int>(isa)));
}

Isa isa_from_name(const std::string& name) {
  for (const Isa isa : kAll) {
    if (name == isa_name(isa)) return isa;
  }
  throw InvalidArgument(message("unknown instruction set '", name,
                                "', wanted one of: baseline, neon, avx2, avx512, avx512vnni"));
}

bool cpu_can_run(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::kBaseline:
      return true;
    case Isa::kNeon:
      return false;
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
             cpu_can_run(Isa::kAvx2);
    case Isa::kAvx512Vnni:
      return __builtin_cpu_supports("avx512vnni") && cpu_can_run(Isa::kAvx512);
  }
  return false;
#elif defined(__aarch64__)
  return isa == Isa::kBaseline || isa == Isa::kNeon;
#else
  return isa == Isa::kBaseline;
#endif
}

std::vector<Isa> runnable_isas() {
  std::vector<Isa> found;
  for (const Isa isa : kAll) {
    if (cpu_can_run(isa)) found.push_back(isa);
  }
  return found;
}

Isa require_runnable(Isa isa) {
  if (!cpu_can_run(isa)) {
    throw InvalidArgument(message("this CPU cannot run the instruction set '", isa_name(isa),
                                  "', wanted one of: ", runnable_names()));
  }
  return isa;
}

Isa default_isa() {
  const char* const wanted = std::getenv("ESSENTIA_MAEST_ISA");
  if (wanted == nullptr || *wanted == '\0') return runnable_isas().back();
  try {
    return require_runnable(isa_from_name(wanted));
  } catch (const InvalidArgument& error) {
    throw InvalidArgument(message("environment variable ESSENTIA_MAEST_ISA: ", error.what()));
  }
}

}  // namespace maest
