# What `cmake --install` puts where, and how others find it: find_package(tidemark) with the
# components pymem and monitor, or pkg-config tidemark, tidemark-pymem, tidemark-monitor.
include(CMakePackageConfigHelpers)
set(tidemark_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/tidemark")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/tidemark"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h" PATTERN "*.def")

# tidemark_install(component target...): a library, its CMake export and its pkg-config file.
function(tidemark_install component)
  install(TARGETS ${ARGN} EXPORT tidemark-${component})
  install(EXPORT tidemark-${component} NAMESPACE tidemark::
    FILE tidemark-${component}-targets.cmake DESTINATION "${tidemark_package_dir}")
  list(GET ARGN 0 name)
  configure_file("${PROJECT_SOURCE_DIR}/cmake/${name}.pc.in" "${name}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/${name}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endfunction()

# A package file that can be moved with its tree: the prefix is where the file is, going up.
file(RELATIVE_PATH tidemark_prefix_from_pc
  "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")

tidemark_install(core tidemark tidemark-static)
if(TARGET tidemark-pymem)
  tidemark_install(pymem tidemark-pymem)
endif()
if(TARGET tidemark-monitor)
  tidemark_install(monitor tidemark-monitor)
endif()
if(TARGET tidemark-preload)
  install(TARGETS tidemark-preload LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
endif()
if(TARGET tidemark-cli)
  install(TARGETS tidemark-cli)
  install(FILES "${PROJECT_SOURCE_DIR}/docs/man/tidemark.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
endif()
if(TARGET tidemark-view)
  install(TARGETS tidemark-view RUNTIME DESTINATION "${CMAKE_INSTALL_LIBEXECDIR}/tidemark")
endif()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/deploy" DESTINATION "${CMAKE_INSTALL_DATADIR}/tidemark")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/tidemark-config.cmake.in"
  tidemark-config.cmake INSTALL_DESTINATION "${tidemark_package_dir}")
write_basic_package_version_file(tidemark-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/tidemark-config.cmake"
  "${PROJECT_BINARY_DIR}/tidemark-config-version.cmake"
  DESTINATION "${tidemark_package_dir}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
