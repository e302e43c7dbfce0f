# The dashboard's files as C: src/monitor/web/ and, for the charts, uPlot from npm, which is fetched
# here and never copied into the project. Without npm, or without a network, everything is built all
# the same, and the page says that it has no charts. Sets tidemark_dashboard_files.
option(TIDEMARK_BUILD_CHARTS "Fetch uPlot from npm for the dashboard's charts" ON)
set(tidemark_web "${PROJECT_SOURCE_DIR}/src/monitor/web")
set(tidemark_web_build "${PROJECT_BINARY_DIR}/web")

# tidemark_fetch_charts(out): the folder of uPlot in this build, or "".
function(tidemark_fetch_charts out)
  set(${out} "" PARENT_SCOPE)
  if(NOT TIDEMARK_BUILD_CHARTS)
    message(STATUS "tidemark: TIDEMARK_BUILD_CHARTS is off, the dashboard has no charts")
    return()
  endif()
  set(folder "${tidemark_web_build}/node_modules/uplot")
  foreach(file package.json package-lock.json)
    set_property(DIRECTORY "${PROJECT_SOURCE_DIR}" APPEND PROPERTY
      CMAKE_CONFIGURE_DEPENDS "${tidemark_web}/${file}")
  endforeach()
  file(SHA256 "${tidemark_web}/package-lock.json" wanted)
  set(there "")
  if(EXISTS "${tidemark_web_build}/fetched")
    file(READ "${tidemark_web_build}/fetched" there)
  endif()
  if(NOT there STREQUAL wanted)
    find_program(TIDEMARK_NPM npm)
    mark_as_advanced(TIDEMARK_NPM)
    if(NOT TIDEMARK_NPM)
      message(STATUS "tidemark: there is no npm, the dashboard has no charts")
      return()
    endif()
    file(COPY "${tidemark_web}/package.json" "${tidemark_web}/package-lock.json"
      DESTINATION "${tidemark_web_build}")
    # what is fetched is data to us: nothing of it runs
    execute_process(
      COMMAND "${TIDEMARK_NPM}" ci --ignore-scripts --no-audit --no-fund --prefer-offline
        --fetch-retries=1 --fetch-timeout=30000
      WORKING_DIRECTORY "${tidemark_web_build}" TIMEOUT 120
      RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said)
    if(NOT result EQUAL 0 OR NOT EXISTS "${folder}/dist/uPlot.iife.min.js")
      message(STATUS "tidemark: npm could not fetch uPlot, the dashboard has no charts: ${said}")
      return()
    endif()
    file(WRITE "${tidemark_web_build}/fetched" "${wanted}")
  endif()
  set(${out} "${folder}" PARENT_SCOPE)
endfunction()

tidemark_fetch_charts(tidemark_uplot)
file(GLOB tidemark_web_files CONFIGURE_DEPENDS
  "${tidemark_web}/*.js" "${tidemark_web}/*.css" "${tidemark_web}/*.html")
set(tidemark_dashboard_files "${tidemark_web_build}/assets.c")
add_custom_command(OUTPUT "${tidemark_dashboard_files}"
  COMMAND "${CMAKE_COMMAND}" "-DWEB=${tidemark_web}" "-DUPLOT=${tidemark_uplot}"
    "-DOUT=${tidemark_web_build}" -P "${PROJECT_SOURCE_DIR}/cmake/embed.cmake"
  DEPENDS ${tidemark_web_files} "${PROJECT_SOURCE_DIR}/cmake/embed.cmake"
  COMMENT "Embedding the dashboard" VERBATIM)
