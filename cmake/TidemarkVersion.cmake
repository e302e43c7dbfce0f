# The version is written once, in the public header; everything else reads it from there.
file(STRINGS "${CMAKE_CURRENT_SOURCE_DIR}/include/tidemark/version.h" tidemark_version_line
  REGEX "^#define TM_VERSION_STRING \"[0-9]+\\.[0-9]+\\.[0-9]+\"$")
if(NOT tidemark_version_line MATCHES "\"([0-9.]+)\"")
  message(FATAL_ERROR "include/tidemark/version.h has no TM_VERSION_STRING")
endif()
set(TIDEMARK_VERSION "${CMAKE_MATCH_1}")
