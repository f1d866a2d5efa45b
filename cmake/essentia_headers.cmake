# Essentia's headers come from its source distribution on PyPI, or the mirror that pip was told of;
# Eigen's from a wheel. Both are build requirements in pyproject.toml.
set(MAEST_ESSENTIA_INCLUDE "" CACHE PATH "Folder with Essentia's headers; empty to fetch them")
set(MAEST_EIGEN_INCLUDE "" CACHE PATH "Folder with Eigen's headers; empty for the one of the wheel cmeel-eigen")

# The class layouts have not changed from this version to the newest wheels, which are the same.
set(essentia_version 2.1b6.dev234)
set(essentia_sha256 3c18d91e21d7bf29aece4f79a4fa25490fd155ce6a8e184c08c50183c6f25a29)

# Stops with one sentence. `define` is how options are given to what builds: pip or CMake.
function(headers_missing what variable wanted_file)
  if(SKBUILD)
    set(define "-C cmake.define.")
  else()
    set(define -D)
  endif()
  message(FATAL_ERROR "${what} Set ${define}${variable}=FOLDER, where FOLDER has ${wanted_file}, or \
build without the Essentia algorithms: ${define}MAEST_BUILD_ESSENTIA_PLUGIN=OFF.")
endfunction()

if(NOT MAEST_ESSENTIA_INCLUDE OR NOT MAEST_EIGEN_INCLUDE)
  find_package(Python COMPONENTS Interpreter)
  if(NOT Python_FOUND)
    headers_missing("No Python is here to fetch the headers of Essentia and Eigen."
      MAEST_ESSENTIA_INCLUDE algorithmfactory.h)
  endif()
endif()

if(NOT MAEST_ESSENTIA_INCLUDE)
  set(essentia_archive ${CMAKE_CURRENT_BINARY_DIR}/essentia/essentia-${essentia_version}.tar.gz)
  set(essentia_found "")
  if(EXISTS ${essentia_archive})
    file(SHA256 ${essentia_archive} essentia_found)
  endif()
  if(NOT essentia_found STREQUAL essentia_sha256)
    message(STATUS "Fetching the headers of essentia ${essentia_version}")
    execute_process(
      COMMAND ${Python_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/cmake/fetch_source.py
        essentia==${essentia_version} ${CMAKE_CURRENT_BINARY_DIR}/essentia
      RESULT_VARIABLE fetch_failed ERROR_VARIABLE fetch_reason ERROR_STRIP_TRAILING_WHITESPACE)
    if(fetch_failed)
      headers_missing("Essentia's headers could not be fetched: ${fetch_reason}."
        MAEST_ESSENTIA_INCLUDE algorithmfactory.h)
    endif()
    file(SHA256 ${essentia_archive} essentia_found)
    if(NOT essentia_found STREQUAL essentia_sha256)
      message(FATAL_ERROR "${essentia_archive} has sha256 ${essentia_found}, wanted ${essentia_sha256}")
    endif()
  endif()
  file(ARCHIVE_EXTRACT INPUT ${essentia_archive} DESTINATION ${CMAKE_CURRENT_BINARY_DIR}/essentia
    PATTERNS *.h)
  set(MAEST_ESSENTIA_INCLUDE
    ${CMAKE_CURRENT_BINARY_DIR}/essentia/essentia-${essentia_version}/src/essentia)
elseif(NOT EXISTS ${MAEST_ESSENTIA_INCLUDE}/algorithmfactory.h)
  headers_missing("MAEST_ESSENTIA_INCLUDE is '${MAEST_ESSENTIA_INCLUDE}', which has no algorithmfactory.h."
    MAEST_ESSENTIA_INCLUDE algorithmfactory.h)
endif()
# Its own build writes this one.
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/essentia/generated/version.h
  CONTENT "#define ESSENTIA_VERSION \"@essentia_version@\"\n#define ESSENTIA_GIT_SHA \"\"\n" @ONLY)

if(NOT MAEST_EIGEN_INCLUDE)
  execute_process(
    COMMAND ${Python_EXECUTABLE} -c
      "import cmeel, pathlib; print(pathlib.Path(cmeel.__file__).parents[1] / 'cmeel.prefix/include/eigen3')"
    OUTPUT_VARIABLE MAEST_EIGEN_INCLUDE OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  set(eigen_looked "Eigen's headers are missing: ${Python_EXECUTABLE} has no package cmeel-eigen \
(pip install cmeel-eigen).")
else()
  set(eigen_looked "MAEST_EIGEN_INCLUDE is '${MAEST_EIGEN_INCLUDE}'.")
endif()
if(NOT EXISTS ${MAEST_EIGEN_INCLUDE}/unsupported/Eigen/CXX11/Tensor)
  headers_missing("${eigen_looked}" MAEST_EIGEN_INCLUDE unsupported/Eigen/CXX11/Tensor)
endif()
