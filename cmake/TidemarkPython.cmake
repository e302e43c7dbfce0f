# The Python package `tidemark`, in lib/tidemark/python/ of the build and of an installation, where
# no interpreter looks: `tidemark run` lets it be imported from there (hosts/cpython/finder.c). pip
# puts it into site-packages instead (setup.py). The extension is built for the stable ABI, so that
# one binary serves every interpreter from 3.8 on; any of their headers will do.
set(tidemark_python_dir "${CMAKE_INSTALL_LIBDIR}/tidemark/python/tidemark")

# The headers' own CMake module would take the first python3 of the PATH, and ask it for a version
# that does not matter here.
find_program(TIDEMARK_PYTHON python3 HINTS /usr/bin)
if(NOT TIDEMARK_PYTHON_INCLUDE AND TIDEMARK_PYTHON)
  execute_process(
    COMMAND "${TIDEMARK_PYTHON}" -c "import sysconfig; print(sysconfig.get_path('include'), end='')"
    OUTPUT_VARIABLE include ERROR_QUIET)
  if(EXISTS "${include}/Python.h")
    set(TIDEMARK_PYTHON_INCLUDE "${include}" CACHE PATH "Where Python.h is")
  endif()
endif()

if(NOT TIDEMARK_BUILD_PYTHON)
  message(STATUS "tidemark: TIDEMARK_BUILD_PYTHON is off, the Python package is left out")
elseif(TIDEMARK_SANITIZE)
  message(STATUS "tidemark: an interpreter has no sanitizer, the Python package is left out")
elseif(NOT TIDEMARK_PYTHON_INCLUDE)
  message(STATUS "tidemark: there is no Python.h (Debian: apt-get install python3-dev), "
    "the Python package is left out")
else()
  tidemark_room_files(tidemark_python_files hosts/python_module)
  # Hidden helpers that read and write text and know nothing of a heap, once more.
  set(tidemark_python_text base/os_linux.c base/report.c gc/allowance.c gc/memory.c
    gc/policy_text.c stats/emit.c stats/memcg.c
    stats/process.c stats/units.c)
  list(TRANSFORM tidemark_python_text REPLACE "(.+)" "${PROJECT_SOURCE_DIR}/src/\\1")
  add_library(tidemark-python MODULE ${tidemark_python_files} ${tidemark_python_text})
  target_compile_definitions(tidemark-python PRIVATE Py_LIMITED_API=0x03080000)
  target_include_directories(tidemark-python SYSTEM PRIVATE "${TIDEMARK_PYTHON_INCLUDE}")
  target_link_libraries(tidemark-python PRIVATE tidemark-inside tidemark)
  set_target_properties(tidemark-python PROPERTIES
    PREFIX "" OUTPUT_NAME _tidemark SUFFIX ".abi3.so"
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib/tidemark/python/tidemark"
    # pip's place for the libraries, and CMake's
    INSTALL_RPATH "\$ORIGIN/_native/lib:\$ORIGIN/../../.." BUILD_WITH_INSTALL_RPATH ON)
  install(TARGETS tidemark-python LIBRARY DESTINATION "${tidemark_python_dir}")

  file(GLOB tidemark_python_sources CONFIGURE_DEPENDS
    "${PROJECT_SOURCE_DIR}/src/hosts/python_module/tidemark/*.py"
    "${PROJECT_SOURCE_DIR}/src/hosts/python_module/tidemark/*.pyi"
    "${PROJECT_SOURCE_DIR}/src/hosts/python_module/tidemark/py.typed")
  foreach(file IN LISTS tidemark_python_sources)
    get_filename_component(name "${file}" NAME)
    configure_file("${file}" "${PROJECT_BINARY_DIR}/lib/tidemark/python/tidemark/${name}" COPYONLY)
  endforeach()
  install(FILES ${tidemark_python_sources} DESTINATION "${tidemark_python_dir}")
endif()
