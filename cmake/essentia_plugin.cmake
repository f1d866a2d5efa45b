# The Essentia algorithms. Nothing of Essentia is linked: its symbols are found in the process that
# loads the plugin.
include(cmake/essentia_headers.cmake)

add_library(_essentia_plugin MODULE
  cpp/essentia/head_description.cpp
  cpp/essentia/head_setup.cpp
  cpp/essentia/head_standard.cpp
  cpp/essentia/head_streaming.cpp
  cpp/essentia/maest_description.cpp
  cpp/essentia/maest_setup.cpp
  cpp/essentia/maest_standard.cpp
  cpp/essentia/maest_streaming.cpp
  cpp/essentia/model_cache.cpp
  cpp/essentia/model_names.cpp
  cpp/essentia/output_names.cpp
  cpp/essentia/plugin.cpp
  cpp/essentia/python_host.cpp
  cpp/essentia/registration.cpp
)
target_include_directories(_essentia_plugin SYSTEM PRIVATE
  ${MAEST_ESSENTIA_INCLUDE} ${MAEST_ESSENTIA_INCLUDE}/scheduler ${MAEST_ESSENTIA_INCLUDE}/streaming
  ${MAEST_ESSENTIA_INCLUDE}/utils ${MAEST_ESSENTIA_INCLUDE}/../3rdparty
  ${CMAKE_CURRENT_BINARY_DIR}/essentia/generated ${MAEST_EIGEN_INCLUDE})
# Tensors are allocated on one side and freed on the other: both must use plain malloc and free, as
# the wheels do. Eigen would choose otherwise for wider instruction sets and for sanitizers.
target_compile_definitions(_essentia_plugin PRIVATE
  EIGEN_MAX_ALIGN_BYTES=16 EIGEN_MALLOC_ALREADY_ALIGNED=1)
target_link_libraries(_essentia_plugin PRIVATE maest_core)
# Strings and exceptions pass between Essentia and the plugin: both must have them from the process's
# own libstdc++, also where the linker is told -static-libstdc++.
set(CMAKE_REQUIRED_LIBRARIES -l:libstdc++.so.6)
check_cxx_source_compiles("
#include <string>
#ifndef __GLIBCXX__
#error another standard library
#endif
int main() { return 0; }" maest_shared_libstdcxx)
unset(CMAKE_REQUIRED_LIBRARIES)
if(maest_shared_libstdcxx)
  target_link_libraries(_essentia_plugin PRIVATE -l:libstdc++.so.6)
endif()
# Where to look for Essentia's symbols first. python/essentia_maest/plugin/library.py writes the path
# of the loaded Essentia over these letters; a library that is not there is ignored.
string(REPEAT "essentia" 512 essentia_path_room)
target_link_options(_essentia_plugin PRIVATE
  -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/cpp/essentia/exports.map
  -Wl,--auxiliary,/${essentia_path_room})
set_target_properties(_essentia_plugin PROPERTIES PREFIX "")
if(MAEST_BUILD_PYTHON)
  install(TARGETS _essentia_plugin DESTINATION . COMPONENT python ${only_by_name})
endif()
