#include "cpu.h"

#include <cstdlib>
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

#include "error.h"

namespace maest {
namespace {

constexpr Isa kAll[] = {Isa::kBaseline, Isa::kNeon,    Isa::kDotprod, Isa::kI8mm,
                        Isa::kAvx2,     Isa::kAvxVnni, Isa::kAvx512,  Isa::kAvx512Vnni};

std::string runnable_names() {
  std::string names;
  for (const Isa isa : runnable_isas()) {
    if (!names.empty()) names += ", ";
    names += isa_name(isa);
  }
  return names;
}

#if defined(__x86_64__)
// Not every compiler that knows the instructions knows a name for asking.
bool has_avx_vnni() {
  constexpr unsigned kAvxVnni = 1U << 4;
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & kAvxVnni) != 0;
}
#endif

#if defined(__aarch64__)
// What Linux tells of the CPUs of a machine. The numbers are of its interface and never change
// (its documentation, arm64/elf_hwcaps); headers may be older than them.
bool has_dot_products() {
#if defined(__linux__)
  constexpr unsigned long kAsimdDp = 1UL << 20;
  return (getauxval(AT_HWCAP) & kAsimdDp) != 0;
#else
  return false;
#endif
}

bool has_matrix_products() {
#if defined(__linux__)
  constexpr unsigned long kI8mm = 1UL << 13;
  return has_dot_products() && (getauxval(AT_HWCAP2) & kI8mm) != 0;
#else
  return false;
#endif
}
#endif

}  // namespace

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::kBaseline:
      return "baseline";
    case Isa::kNeon:
      return "neon";
    case Isa::kDotprod:
      return "dotprod";
    case Isa::kI8mm:
      return "i8mm";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvxVnni:
      return "avxvnni";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx512Vnni:
      return "avx512vnni";
  }
  throw InvalidArgument(message("unknown instruction set number ", static_cast<int>(isa)));
}

Isa isa_from_name(const std::string& name) {
  std::string known;
  for (const Isa isa : kAll) {
    if (name == isa_name(isa)) return isa;
    if (!known.empty()) known += ", ";
    known += isa_name(isa);
  }
  throw InvalidArgument(message("unknown instruction set '", name, "', wanted one of: ", known));
}

Isa without_byte_products(Isa isa) {
  if (isa == Isa::kDotprod || isa == Isa::kI8mm) return Isa::kNeon;
  if (isa == Isa::kAvxVnni) return Isa::kAvx2;
  return isa == Isa::kAvx512Vnni ? Isa::kAvx512 : isa;
}

bool cpu_can_run(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::kBaseline:
      return true;
    case Isa::kNeon:
    case Isa::kDotprod:
    case Isa::kI8mm:
      return false;
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::kAvxVnni:
      return has_avx_vnni() && cpu_can_run(Isa::kAvx2);
    case Isa::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
             cpu_can_run(Isa::kAvx2);
    case Isa::kAvx512Vnni:
      return __builtin_cpu_supports("avx512vnni") && cpu_can_run(Isa::kAvx512);
  }
  return false;
#elif defined(__aarch64__)
  switch (isa) {
    case Isa::kBaseline:
    case Isa::kNeon:
      return true;
    case Isa::kDotprod:
      return has_dot_products();
    case Isa::kI8mm:
      return has_matrix_products();
    case Isa::kAvx2:
    case Isa::kAvxVnni:
    case Isa::kAvx512:
    case Isa::kAvx512Vnni:
      return false;
  }
  return false;
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
