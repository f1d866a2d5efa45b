# The mel kernels are compiled once an instruction set and chosen at run time (cpp/core/cpu.h).
target_sources(maest_core PRIVATE
  cpp/core/mel_kernels.cpp
  cpp/core/mel_kernels_avx2.cpp
  cpp/core/mel_kernels_avx512.cpp
  cpp/core/mel_kernels_baseline.cpp
)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set_source_files_properties(cpp/core/mel_kernels_avx2.cpp
    PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma")
  set_source_files_properties(cpp/core/mel_kernels_avx512.cpp
    PROPERTIES COMPILE_OPTIONS "-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mavx2;-mfma")
endif()
