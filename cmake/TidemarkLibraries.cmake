# The libraries and the command, one target per group of rooms:
#
#   src/base, stats, gc, profile, heap,
#       hosts/cpython                  -> libtidemark.so, libtidemark.a
#   src/pymem                          -> libtidemark-pymem.so
#   src/monitor                        -> libtidemark-monitor.so
#   src/hosts/malloc                   -> libtidemark-preload.so, with the core compiled in
#   src/hosts/python_module            -> lib/tidemark/python/tidemark/, the package for Python
#   src/cli                            -> tidemark
#   src/view                           -> tidemark-view, which tidemark becomes for top and others
#
# bin/ and lib/ lie side by side in the build as they do when installed, so that the command finds
# the preload library in the same way in both.
#
# Every file is compiled once into tidemark-ROOM-objects. The shared library is linked from them,
# and so is an archive, tidemark-ROOM-static: hidden symbols are visible inside an archive, which is
# what the tests and the command link.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")

# tidemark_room_files(out room...): the C files of the rooms; a new file is found by the next build.
function(tidemark_room_files out)
  list(TRANSFORM ARGN REPLACE "(.+)" "${PROJECT_SOURCE_DIR}/src/\\1/*.c" OUTPUT_VARIABLE patterns)
  file(GLOB files CONFIGURE_DEPENDS ${patterns})
  set(${out} "${files}" PARENT_SCOPE)
endfunction()

# tidemark_objects(name file...): compiles the library's own files, position-independent.
function(tidemark_objects name)
  add_library(${name} OBJECT ${ARGN})
  target_link_libraries(${name} PRIVATE tidemark-inside)
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()

# tidemark_archive(name object-library...): an archive for the tests and the command.
function(tidemark_archive name)
  list(TRANSFORM ARGN REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
  add_library(${name} STATIC ${objects})
  target_link_libraries(${name} PUBLIC Threads::Threads m)
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE C)
endfunction()

# A missing symbol is an error now and not at load time; a sanitizer's come with the program.
if(NOT TIDEMARK_SANITIZE)
  set(tidemark_whole -Wl,-z,defs)
endif()

# tidemark_shared(name object-library...): the library that is installed.
function(tidemark_shared name)
  list(TRANSFORM ARGN REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
  add_library(${name} SHARED ${objects})
  target_include_directories(${name} INTERFACE
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
    "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  target_link_libraries(${name} PRIVATE "$<BUILD_INTERFACE:tidemark-flags;m>")
  target_link_options(${name} PRIVATE ${tidemark_whole})
  string(REGEX REPLACE "^tidemark-" "" short ${name})
  set_target_properties(${name} PROPERTIES
    LINKER_LANGUAGE C EXPORT_NAME ${short}
    # our libraries stand side by side, also where the system's loader does not look
    INSTALL_RPATH "\$ORIGIN"
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  add_library(tidemark::${short} ALIAS ${name})
endfunction()

# ---- core ---------------------------------------------------------------------------------------
# CPython's host needs nothing of Python: its names are weak, see hosts/cpython/pyapi.h.
tidemark_room_files(tidemark_core_files base stats gc profile heap hosts/cpython)
tidemark_objects(tidemark-core-objects ${tidemark_core_files})
tidemark_shared(tidemark tidemark-core-objects)
# Threads that used the heap call its destructor when they end: it must still be there.
target_link_options(tidemark PRIVATE -Wl,-z,nodelete)
tidemark_archive(tidemark-static tidemark-core-objects)
target_include_directories(tidemark-static INTERFACE
  "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
  "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
set_target_properties(tidemark-static PROPERTIES OUTPUT_NAME tidemark EXPORT_NAME static)
add_library(tidemark::static ALIAS tidemark-static)

# ---- pymem --------------------------------------------------------------------------------------
tidemark_room_files(tidemark_pymem_files pymem)
if(tidemark_pymem_files)
  tidemark_objects(tidemark-pymem-objects ${tidemark_pymem_files})
  tidemark_archive(tidemark-pymem-static tidemark-pymem-objects)
  tidemark_shared(tidemark-pymem tidemark-pymem-objects)
  target_link_libraries(tidemark-pymem PUBLIC tidemark)
else()
  message(STATUS "tidemark: src/pymem has no C file yet, its library is left out")
endif()

# ---- monitor ------------------------------------------------------------------------------------
tidemark_room_files(tidemark_monitor_files monitor)
if(NOT TIDEMARK_BUILD_MONITOR)
  message(STATUS "tidemark: TIDEMARK_BUILD_MONITOR is off, the monitor is left out")
elseif(tidemark_monitor_files)
  pkg_check_modules(TIDEMARK_UV REQUIRED IMPORTED_TARGET "libuv>=1.44")
  include(TidemarkLlhttp)
  include(TidemarkDashboard)
  set(tidemark_text_files
    base/os_linux.c base/report.c gc/allowance.c stats/emit.c stats/families.c stats/memcg.c
    stats/names.c stats/process.c stats/units.c)
  tidemark_objects(tidemark-monitor-objects ${tidemark_monitor_files} ${tidemark_dashboard_files})
  target_link_libraries(tidemark-monitor-objects PRIVATE PkgConfig::TIDEMARK_UV tidemark-llhttp)
  tidemark_archive(tidemark-monitor-static tidemark-monitor-objects tidemark-llhttp)
  target_link_libraries(tidemark-monitor-static PUBLIC PkgConfig::TIDEMARK_UV)
  # Hidden helpers of the core that read the system, write text and know nothing of a heap: libtidemark.so does not
  # export them, so this library has its own copy.
  list(TRANSFORM tidemark_text_files REPLACE "(.+)" "${PROJECT_SOURCE_DIR}/src/\\1")
  tidemark_objects(tidemark-text-objects ${tidemark_text_files})
  tidemark_shared(tidemark-monitor
    tidemark-monitor-objects tidemark-text-objects tidemark-llhttp)
  target_link_libraries(tidemark-monitor
    PRIVATE $<BUILD_INTERFACE:PkgConfig::TIDEMARK_UV> PUBLIC tidemark)
else()
  message(STATUS "tidemark: src/monitor has no C file yet, its library is left out")
endif()

# ---- preload ------------------------------------------------------------------------------------
tidemark_room_files(tidemark_host_files hosts/malloc)
if(NOT TIDEMARK_BUILD_PRELOAD)
  message(STATUS "tidemark: TIDEMARK_BUILD_PRELOAD is off, the preload library is left out")
elseif(TIDEMARK_SANITIZE)
  message(STATUS "tidemark: a sanitizer has its own malloc, the preload library is left out")
elseif(tidemark_host_files)
  # What every process runs stands in the first 64 KiB, see there. One segment for all that is read
  # only: the loader's tables, constants and code share those 64 KiB.
  set(tidemark_preload_script "${PROJECT_SOURCE_DIR}/cmake/preload.ld")
  set(tidemark_preload_layout
    -Wl,--gc-sections -Wl,-z,noseparate-code -Wl,-z,max-page-size=65536
    "-Wl,-T,${tidemark_preload_script}")
  include(CheckLinkerFlag)
  check_linker_flag(C "${tidemark_preload_layout}" TIDEMARK_LINKER_TAKES_LAYOUT)
  if(NOT TIDEMARK_LINKER_TAKES_LAYOUT)
    message(STATUS "tidemark: this linker takes no layout: the preload library costs more memory")
    set(tidemark_preload_layout)
  endif()
  # The core once more: no call through a table, no dependency on libtidemark.so.
  add_library(tidemark-preload MODULE ${tidemark_core_files} ${tidemark_host_files})
  target_link_libraries(tidemark-preload PRIVATE tidemark-inside m)
  target_compile_options(tidemark-preload PRIVATE
    -ftls-model=initial-exec
    # the compiler must not turn the inside of our calloc into a call of calloc
    -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free
    # for the layout; a call of the C library goes through its table, not through a page of stubs
    -ffunction-sections -fdata-sections -fno-plt)
  target_link_options(tidemark-preload PRIVATE
    # before the constructors of the libraries whose malloc it is: see preload.c
    -Wl,-z,nodelete -Wl,-z,now -Wl,-z,initfirst ${tidemark_whole} ${tidemark_preload_layout})
  set_target_properties(tidemark-preload PROPERTIES LINK_DEPENDS "${tidemark_preload_script}")
else()
  message(STATUS "tidemark: src/hosts has no C file yet, the preload library is left out")
endif()

# ---- command ------------------------------------------------------------------------------------
tidemark_room_files(tidemark_cli_files cli)
if(NOT TIDEMARK_BUILD_CLI)
  message(STATUS "tidemark: TIDEMARK_BUILD_CLI is off, the command is left out")
elseif(tidemark_cli_files AND TARGET tidemark-monitor-static)
  tidemark_objects(tidemark-cli-objects ${tidemark_cli_files})
  target_link_libraries(tidemark-cli-objects PRIVATE PkgConfig::TIDEMARK_UV)
  add_executable(tidemark-cli $<TARGET_OBJECTS:tidemark-cli-objects>)
  target_link_libraries(tidemark-cli
    PRIVATE tidemark-flags tidemark-monitor-static tidemark-static)
  set_target_properties(tidemark-cli PROPERTIES OUTPUT_NAME tidemark LINKER_LANGUAGE C)
else()
  message(STATUS "tidemark: src/cli or src/monitor has no C file yet, the command is left out")
endif()

# ---- view ---------------------------------------------------------------------------------------
# The commands that read JSON from a running process: a program of their own, so that `tidemark run`
# loads no library for them.
tidemark_room_files(tidemark_view_files view)
if(NOT TARGET tidemark-cli)
  message(STATUS "tidemark: without the command there is no tidemark-view either")
else()
  pkg_check_modules(TIDEMARK_JANSSON IMPORTED_TARGET "jansson>=2.13")
  if(TIDEMARK_JANSSON_FOUND)
    set(tidemark_view_shared
      "${PROJECT_SOURCE_DIR}/src/cli/complaint.c" "${PROJECT_SOURCE_DIR}/src/cli/similar.c")
    tidemark_objects(tidemark-view-objects ${tidemark_view_files} ${tidemark_view_shared})
    target_link_libraries(tidemark-view-objects PRIVATE PkgConfig::TIDEMARK_JANSSON)
    add_executable(tidemark-view $<TARGET_OBJECTS:tidemark-view-objects>)
    target_link_libraries(tidemark-view
      PRIVATE tidemark-flags tidemark-static PkgConfig::TIDEMARK_JANSSON)
    set_target_properties(tidemark-view PROPERTIES LINKER_LANGUAGE C
      RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/libexec/tidemark")
  else()
    message(STATUS "tidemark: no jansson: tidemark top, stat, log and doctor are left out")
  endif()
endif()
