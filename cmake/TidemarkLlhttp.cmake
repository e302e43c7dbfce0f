# llhttp, the HTTP parser, as Debian's node-llhttp ships it: generated C that is compiled here and
# never copied into the project. Makes the object library tidemark-llhttp.
find_path(TIDEMARK_LLHTTP_INCLUDE llhttp.h
  PATHS /usr/share/include /usr/include PATH_SUFFIXES llhttp)
find_path(TIDEMARK_LLHTTP_SOURCE llhttp.c PATHS /usr/share/llhttp)
mark_as_advanced(TIDEMARK_LLHTTP_INCLUDE TIDEMARK_LLHTTP_SOURCE)
if(NOT TIDEMARK_LLHTTP_INCLUDE OR NOT TIDEMARK_LLHTTP_SOURCE)
  message(FATAL_ERROR "The monitor needs llhttp's C sources (Debian: apt-get install node-llhttp). "
    "Set TIDEMARK_LLHTTP_INCLUDE and TIDEMARK_LLHTTP_SOURCE to the folders of llhttp.h and "
    "llhttp.c, or build without it: -DTIDEMARK_BUILD_MONITOR=OFF")
endif()

add_library(tidemark-llhttp OBJECT
  "${TIDEMARK_LLHTTP_SOURCE}/api.c"
  "${TIDEMARK_LLHTTP_SOURCE}/http.c"
  "${TIDEMARK_LLHTTP_SOURCE}/llhttp.c")
target_include_directories(tidemark-llhttp SYSTEM PUBLIC "${TIDEMARK_LLHTTP_INCLUDE}")
# The strict grammar: what it cannot parse is not HTTP.
target_compile_definitions(tidemark-llhttp PUBLIC LLHTTP_STRICT_MODE=1)
target_compile_options(tidemark-llhttp PRIVATE -w)
set_target_properties(tidemark-llhttp PROPERTIES POSITION_INDEPENDENT_CODE ON)
