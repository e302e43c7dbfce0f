# How every C file of ours is compiled: tidemark-flags. How the library's own files are compiled on
# top of that: tidemark-inside. Neither is installed, neither reaches a consumer.
add_library(tidemark-flags INTERFACE)
target_compile_features(tidemark-flags INTERFACE c_std_11)
target_compile_options(tidemark-flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wstrict-prototypes -Werror
  # profilers and our own sampled stacks walk frame pointers
  -fno-omit-frame-pointer)
# Strict C11, with the POSIX part of libc; a file that needs GNU's defines _GNU_SOURCE itself.
target_compile_definitions(tidemark-flags INTERFACE _DEFAULT_SOURCE)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)

find_package(Threads REQUIRED)
target_link_libraries(tidemark-flags INTERFACE Threads::Threads)
target_link_options(tidemark-flags INTERFACE -Wl,--as-needed)

if(TIDEMARK_SANITIZE)
  list(JOIN TIDEMARK_SANITIZE "," tidemark_sanitizers)
  target_compile_options(tidemark-flags INTERFACE
    -fsanitize=${tidemark_sanitizers} -fno-sanitize-recover=all)
  target_link_options(tidemark-flags INTERFACE -fsanitize=${tidemark_sanitizers})
endif()

# Always defined, because -Wundef makes a forgotten one an error.
add_library(tidemark-inside INTERFACE)
target_link_libraries(tidemark-inside INTERFACE tidemark-flags)
target_include_directories(tidemark-inside INTERFACE
  "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src")
target_compile_definitions(tidemark-inside INTERFACE
  TM_ASSERTS=${TIDEMARK_ASSERTS}
  TM_ACCOUNTING=$<BOOL:${TIDEMARK_ACCOUNTING}>
  TM_STRESS_TRIP=$<STREQUAL:${TIDEMARK_STRESS},trip>
  TM_STRESS_OOM=$<STREQUAL:${TIDEMARK_STRESS},oom>)
# Our exported functions call each other directly: nobody replaces one of them at run time.
target_compile_options(tidemark-inside INTERFACE -fno-semantic-interposition
  # sizes known to be small make gcc inline `rep movs`, which is slower than the call
  $<$<AND:$<C_COMPILER_ID:GNU>,$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},x86_64>>:-mstringop-strategy=libcall>)
