# libFuzzer's targets: one program for each file of cpp/fuzz, with the core built for it.
if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "libFuzzer comes with Clang, and the compiler is ${CMAKE_CXX_COMPILER_ID}: \
configure with -DCMAKE_CXX_COMPILER=clang++, or without MAEST_BUILD_FUZZERS")
endif()
target_compile_options(maest_core PRIVATE -fsanitize=fuzzer-no-link)
file(GLOB fuzz_sources CONFIGURE_DEPENDS cpp/fuzz/*.cpp)
foreach(source IN LISTS fuzz_sources)
  get_filename_component(name ${source} NAME_WE)
  add_executable(fuzz_${name} ${source})
  target_link_libraries(fuzz_${name} PRIVATE maest_core)
  target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer-no-link)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endforeach()
