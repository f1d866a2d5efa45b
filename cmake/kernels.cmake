# The kernels are compiled once per instruction set and chosen at run time (cpp/core/cpu.h).
target_sources(maest_core PRIVATE
  cpp/core/attention_kernels_avx512vnni.cpp
  cpp/core/attention_kernels_dotprod.cpp
  cpp/core/attention_kernels_i8mm.cpp
  cpp/core/float_attention_kernels_neon.cpp
  cpp/core/gelu.cpp
  cpp/core/gelu_kernel_avx2.cpp
  cpp/core/gelu_kernel_avx512.cpp
  cpp/core/gelu_kernel_neon.cpp
  cpp/core/kernels.cpp
  cpp/core/mel_kernels.cpp
  cpp/core/mel_kernels_avx2.cpp
  cpp/core/mel_kernels_avx512.cpp
  cpp/core/mel_kernels_baseline.cpp
  cpp/core/product_kernels.cpp
  cpp/core/product_kernels_avx2.cpp
  cpp/core/product_kernels_avx512.cpp
  cpp/core/product_kernels_avx512vnni.cpp
  cpp/core/product_kernels_avxvnni.cpp
  cpp/core/row_kernels.cpp
  cpp/core/row_kernels_avx2.cpp
  cpp/core/row_kernels_avx512.cpp
  cpp/core/row_kernels_neon.cpp
  cpp/core/word_attention_kernels_avx2.cpp
)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(avx512_options -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma)
  set_source_files_properties(cpp/core/gelu_kernel_avx2.cpp cpp/core/mel_kernels_avx2.cpp
    cpp/core/product_kernels_avx2.cpp cpp/core/row_kernels_avx2.cpp cpp/core/word_attention_kernels_avx2.cpp
    PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma")
  set_source_files_properties(cpp/core/gelu_kernel_avx512.cpp cpp/core/mel_kernels_avx512.cpp
    cpp/core/product_kernels_avx512.cpp cpp/core/row_kernels_avx512.cpp
    PROPERTIES COMPILE_OPTIONS "${avx512_options}")
  # GCC 12 takes its own intrinsics for uses of uninitialised variables (its bug 105593).
  set_source_files_properties(cpp/core/attention_kernels_avx512vnni.cpp
    PROPERTIES COMPILE_OPTIONS
    "${avx512_options};-mavx512vnni;$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>")
  set_source_files_properties(cpp/core/product_kernels_avx512vnni.cpp
    PROPERTIES COMPILE_OPTIONS "${avx512_options};-mavx512vnni")
  set_source_files_properties(cpp/core/product_kernels_avxvnni.cpp
    PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-mavxvnni")
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  set_source_files_properties(cpp/core/attention_kernels_dotprod.cpp
    PROPERTIES COMPILE_OPTIONS -march=armv8.2-a+dotprod)
  set_source_files_properties(cpp/core/attention_kernels_i8mm.cpp
    PROPERTIES COMPILE_OPTIONS -march=armv8.2-a+dotprod+i8mm)
endif()
