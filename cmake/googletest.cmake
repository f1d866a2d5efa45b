# The unit tests' framework. Its sources are compiled here, with the core's string layout and
# sanitizers: those of a folder, as tests/python/core_program.py names that of a wheel, or those that
# Debian's package libgtest-dev installs.
set(MAEST_GOOGLETEST "" CACHE PATH "Folder with GoogleTest's src and include; empty for the system's")

find_path(googletest_folder src/gtest-all.cc PATHS ${MAEST_GOOGLETEST} NO_DEFAULT_PATH NO_CACHE)
if(NOT googletest_folder AND NOT MAEST_GOOGLETEST)
  find_path(googletest_folder src/gtest-all.cc PATHS /usr/src/googletest/googletest NO_CACHE)
endif()
if(NOT googletest_folder)
  message(FATAL_ERROR "The unit tests need GoogleTest's sources: name their folder with \
-DMAEST_GOOGLETEST=FOLDER (pip install ros-gtest-vendor puts them into src/gtest_vendor of the \
environment), or install Debian's libgtest-dev")
endif()
add_library(maest_googletest STATIC
  ${googletest_folder}/src/gtest-all.cc ${googletest_folder}/src/gtest_main.cc)
target_include_directories(maest_googletest SYSTEM PUBLIC ${googletest_folder}/include)
target_include_directories(maest_googletest SYSTEM PRIVATE ${googletest_folder})
target_compile_options(maest_googletest PRIVATE -w)
target_link_libraries(maest_googletest PUBLIC Threads::Threads)
# The string layout.
target_link_libraries(maest_googletest PRIVATE maest_headers)
