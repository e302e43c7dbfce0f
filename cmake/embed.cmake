# Run by the build: cmake -DWEB=src/monitor/web -DUPLOT=folder-or-nothing -DOUT=folder -P embed.cmake
# Writes OUT/assets.c, the table of monitor/asset.h.
cmake_minimum_required(VERSION 3.25)
set(rows "")
set(arrays "")

# as_array(name file): the file's bytes as a C array.
function(as_array name file)
  file(READ "${file}" hex HEX)
  # the time in a gzip stream's head: without it a build can be repeated
  string(REGEX REPLACE "^(1f8b08..)........" "\\100000000" hex "${hex}")
  string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  set(arrays "${arrays}static const unsigned char ${name}[] = {\n${bytes}};\n\n" PARENT_SCOPE)
endfunction()

# embed(path type file): one file under its path.
function(embed path type file)
  string(MAKE_C_IDENTIFIER "file${path}" name)
  # one file, raw: a plain gzip stream
  file(ARCHIVE_CREATE OUTPUT "${OUT}/${name}.gz" PATHS "${file}" FORMAT raw COMPRESSION GZip
    COMPRESSION_LEVEL 9)
  as_array(${name} "${file}")
  as_array(${name}_gzip "${OUT}/${name}.gz")
  file(SHA256 "${file}" sum)
  string(SUBSTRING "${sum}" 0 16 sum)
  set(rows "${rows}    {\"${path}\", \"${type}\", \"\\\"${sum}\\\"\", \"\\\"${sum}-gzip\\\"\",
     ${name}, ${name}_gzip, sizeof ${name}, sizeof ${name}_gzip},\n" PARENT_SCOPE)
  set(arrays "${arrays}" PARENT_SCOPE)
endfunction()

# joined(out file...): several files as one.
function(joined out)
  file(WRITE "${out}" "")
  foreach(part IN LISTS ARGN)
    file(READ "${part}" text)
    file(APPEND "${out}" "${text}\n")
  endforeach()
endfunction()

# The page names the charts' files only where there are such files.
set(CHARTS "")
if(UPLOT)
  set(CHARTS "<link rel=\"stylesheet\" href=\"/charts.css\">\n<script src=\"/charts.js\" defer></script>")
endif()
configure_file("${WEB}/index.html" "${OUT}/index.html" @ONLY)
embed("/" "text/html; charset=utf-8" "${OUT}/index.html")
embed("/app.css" "text/css; charset=utf-8" "${WEB}/app.css")
file(GLOB scripts "${WEB}/*.js")
list(SORT scripts)
foreach(script IN LISTS scripts)
  get_filename_component(name "${script}" NAME)
  embed("/${name}" "text/javascript; charset=utf-8" "${script}")
endforeach()
if(UPLOT)
  # its licence asks to stand beside it
  file(READ "${UPLOT}/LICENSE" licence)
  file(WRITE "${OUT}/licence" "/*\n${licence}*/")
  joined("${OUT}/charts.js" "${OUT}/licence" "${UPLOT}/dist/uPlot.iife.min.js")
  joined("${OUT}/charts.css" "${OUT}/licence" "${UPLOT}/dist/uPlot.min.css")
  embed("/charts.js" "text/javascript; charset=utf-8" "${OUT}/charts.js")
  embed("/charts.css" "text/css; charset=utf-8" "${OUT}/charts.css")
endif()

file(WRITE "${OUT}/assets.c.new" "/* Made by cmake/embed.cmake. */
#include \"monitor/asset.h\"

${arrays}const tm__asset tm__assets[] = {
${rows}    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0}};
")
file(RENAME "${OUT}/assets.c.new" "${OUT}/assets.c")
