# What C++ programs use: docs/cpp.md. It is the component `cpp`; pip installs `python` only.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Headers and string layout, for programs that use the plugin but not the core.
add_library(maest_headers INTERFACE)
if(NOT string_layout STREQUAL "")
  target_compile_definitions(maest_headers INTERFACE _GLIBCXX_USE_CXX11_ABI=${string_layout})
endif()
if(MAEST_BUILD_ESSENTIA_PLUGIN)
  # Tensors are made on one side and freed on the other: both must allocate them with malloc.
  target_compile_definitions(maest_headers INTERFACE
    $<INSTALL_INTERFACE:EIGEN_MAX_ALIGN_BYTES=16>
    $<INSTALL_INTERFACE:EIGEN_MALLOC_ALREADY_ALIGNED=1>)
endif()
target_compile_features(maest_headers INTERFACE cxx_std_17)
target_link_libraries(maest_core PUBLIC maest_headers)

set_target_properties(maest_headers PROPERTIES EXPORT_NAME headers)
set_target_properties(maest_core PROPERTIES EXPORT_NAME core)
install(TARGETS maest_headers maest_core EXPORT essentia_maest
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT cpp
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(public_headers
  cpp/core/cpu.h
  cpp/core/error.h
  cpp/core/extractor.h
  cpp/core/head.h
  cpp/core/interruptible.h
  cpp/core/kernels.h
  cpp/core/mel_config.h
  cpp/core/mel_frontend.h
  cpp/core/model_info.h
  cpp/core/ort_library.h
  cpp/core/ort_session.h
  cpp/core/patch_grid.h
  cpp/core/patchout.h
  cpp/core/segmenter.h
  cpp/core/stop.h
  cpp/core/stream.h
  cpp/core/text_numbers.h
  cpp/core/threads.h
)
if(MAEST_BUILD_ESSENTIA_PLUGIN)
  list(APPEND public_headers cpp/essentia/plugin.h)
  set_target_properties(_essentia_plugin PROPERTIES EXPORT_NAME essentia_plugin)
  install(TARGETS _essentia_plugin EXPORT essentia_maest
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/essentia_maest COMPONENT cpp)
endif()
install(FILES ${public_headers}
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/essentia_maest COMPONENT cpp)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT cpp)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/essentia_maest)
install(EXPORT essentia_maest NAMESPACE essentia_maest:: FILE essentia_maest-targets.cmake
  DESTINATION ${package_folder} COMPONENT cpp)
configure_package_config_file(cmake/essentia_maest-config.cmake.in essentia_maest-config.cmake
  INSTALL_DESTINATION ${package_folder})

# The version's only home.
file(STRINGS pyproject.toml version_line REGEX "^version = ")
string(REGEX REPLACE "^version = \"(.*)\"$" "\\1" package_version "${version_line}")
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/essentia_maest-config-version.cmake
  VERSION ${package_version} COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/essentia_maest-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/essentia_maest-config-version.cmake
  DESTINATION ${package_folder} COMPONENT cpp)
