# What can be switched. Every option has the project's prefix, so that a parent project sees no
# name of ours by accident.
include(CMakeDependentOption)
option(TIDEMARK_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(TIDEMARK_BUILD_EXAMPLES "Build the examples" ${PROJECT_IS_TOP_LEVEL})
option(TIDEMARK_BUILD_BENCH "Build the benchmarks" OFF)
option(TIDEMARK_BUILD_MONITOR "Build the monitor (needs libuv and llhttp)" ON)
option(TIDEMARK_BUILD_PRELOAD "Build the library that serves unmodified programs" ON)
option(TIDEMARK_BUILD_PYTHON "Build the Python package (needs Python.h)" ON)
cmake_dependent_option(TIDEMARK_BUILD_CLI "Build the tidemark command (needs the monitor)" ON
  "TIDEMARK_BUILD_MONITOR" OFF)

set(TIDEMARK_SANITIZE "" CACHE STRING
  "Sanitizers, a list of: address, undefined, thread")
set(TIDEMARK_ASSERTS 0 CACHE STRING
  "Checks of the library's own logic: 0 none, 1 cheap ones, 2 also those that walk lists")
set(TIDEMARK_STRESS none CACHE STRING
  "none, trip (every slow path crosses a trip) or oom (requests to the system fail now and then)")
option(TIDEMARK_ACCOUNTING "Count the bytes; OFF is for measuring what the counting costs" ON)

set_property(CACHE TIDEMARK_ASSERTS PROPERTY STRINGS 0 1 2)
set_property(CACHE TIDEMARK_STRESS PROPERTY STRINGS none trip oom)

foreach(sanitizer IN LISTS TIDEMARK_SANITIZE)
  if(NOT sanitizer MATCHES "^(address|undefined|thread)$")
    message(FATAL_ERROR "TIDEMARK_SANITIZE: '${sanitizer}' is none of address, undefined, thread")
  endif()
endforeach()
if(NOT TIDEMARK_ASSERTS MATCHES "^[012]$")
  message(FATAL_ERROR "TIDEMARK_ASSERTS must be 0, 1 or 2, it is '${TIDEMARK_ASSERTS}'")
endif()
if(NOT TIDEMARK_STRESS MATCHES "^(none|trip|oom)$")
  message(FATAL_ERROR "TIDEMARK_STRESS must be none, trip or oom, it is '${TIDEMARK_STRESS}'")
endif()
if(NOT TIDEMARK_ACCOUNTING AND TIDEMARK_BUILD_TESTS)
  message(FATAL_ERROR "TIDEMARK_ACCOUNTING=OFF is for benchmarks: its books are empty, "
    "set TIDEMARK_BUILD_TESTS=OFF with it")
endif()

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Kind of build" FORCE)
endif()
