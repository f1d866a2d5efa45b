# The Essentia algorithms. Essentia's headers come from its source distribution on PyPI and Eigen's
# from a wheel, both through the build requirements of pyproject.toml. Nothing of Essentia is linked:
# its symbols are found in the process that loads the plugin.
set(MAEST_ESSENTIA_INCLUDE "" CACHE PATH "Folder with Essentia's headers; empty to fetch them")
set(MAEST_EIGEN_INCLUDE "" CACHE PATH "Folder with Eigen's headers; empty for the one of the wheel cmeel-eigen")

# The class layouts have not changed from this version to the newest wheels, which are the same.
set(essentia_version 2.1b6.dev234)
set(essentia_sha256 3c18d91e21d7bf29aece4f79a4fa25490fd155ce6a8e184c08c50183c6f25a29)

if(NOT MAEST_ESSENTIA_INCLUDE)
  set(essentia_archive ${CMAKE_CURRENT_BINARY_DIR}/essentia/essentia-${essentia_version}.tar.gz)
  set(essentia_found "")
  if(EXISTS ${essentia_archive})
    file(SHA256 ${essentia_archive} essentia_found)
  endif()
  if(NOT essentia_found STREQUAL essentia_sha256)
    message(STATUS "Fetching the headers of essentia ${essentia_version}")
    execute_process(
      COMMAND ${Python_EXECUTABLE} -m unearth "essentia==${essentia_version}" --no-binary
        --download ${CMAKE_CURRENT_BINARY_DIR}/essentia
      OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
    file(SHA256 ${essentia_archive} essentia_found)
    if(NOT essentia_found STREQUAL essentia_sha256)
      message(FATAL_ERROR "${essentia_archive} has sha256 ${essentia_found}, wanted ${essentia_sha256}")
    endif()
  endif()
  file(ARCHIVE_EXTRACT INPUT ${essentia_archive} DESTINATION ${CMAKE_CURRENT_BINARY_DIR}/essentia
    PATTERNS *.h)
  set(MAEST_ESSENTIA_INCLUDE
    ${CMAKE_CURRENT_BINARY_DIR}/essentia/essentia-${essentia_version}/src/essentia)
endif()
# Its own build writes this one.
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/essentia/generated/version.h
  CONTENT "#define ESSENTIA_VERSION \"@essentia_version@\"\n#define ESSENTIA_GIT_SHA \"\"\n" @ONLY)

if(NOT MAEST_EIGEN_INCLUDE)
  execute_process(
    COMMAND ${Python_EXECUTABLE} -c
      "import cmeel, pathlib; print(pathlib.Path(cmeel.__file__).parents[1] / 'cmeel.prefix/include/eigen3')"
    OUTPUT_VARIABLE MAEST_EIGEN_INCLUDE OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()

add_library(_essentia_plugin MODULE
  cpp/essentia/head.cpp
  cpp/essentia/head_description.cpp
  cpp/essentia/head_setup.cpp
  cpp/essentia/head_standard.cpp
  cpp/essentia/head_streaming.cpp
  cpp/essentia/maest_description.cpp
  cpp/essentia/maest_setup.cpp
  cpp/essentia/maest_standard.cpp
  cpp/essentia/maest_streaming.cpp
  cpp/essentia/model_cache.cpp
  cpp/essentia/output_names.cpp
  cpp/essentia/plugin.cpp
  cpp/essentia/python_host.cpp
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
# Where to look for Essentia's symbols first. python/essentia_maest/registration.py writes the path
# of the loaded Essentia over these letters; a library that is not there is ignored.
string(REPEAT "essentia" 512 essentia_path_room)
target_link_options(_essentia_plugin PRIVATE
  -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/cpp/essentia/exports.map
  -Wl,--auxiliary,/${essentia_path_room})
set_target_properties(_essentia_plugin PROPERTIES PREFIX "")
if(MAEST_BUILD_PYTHON)
  install(TARGETS _essentia_plugin DESTINATION . COMPONENT python EXCLUDE_FROM_ALL)
endif()
