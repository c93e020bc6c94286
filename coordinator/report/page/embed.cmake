# cmake -D OUT=FILE.cc -D STYLE=... -D SCRIPT=... -D FILES=... -D LICENCE=... -D "LIBRARY=a.js;b.js" -P embed.cmake
# Writes the sources of the page into a C++ file, as html_page.h declares them.
function(as_text out)
  set(text "")
  foreach(file IN LISTS ARGN)
    file(READ ${file} content)
    string(APPEND text "${content}\n")
  endforeach()
  if(text MATCHES "</script|</style|<!--|\\)page\"")
    message(FATAL_ERROR "${ARGN}: would end the element, or the literal, that it is put into")
  endif()
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

as_text(style ${STYLE})
as_text(script ${SCRIPT})
file(READ ${FILES} files)
as_text(library ${LICENCE} ${LIBRARY})
file(WRITE ${OUT} "#include \"coordinator/report/html_page.h\"\n\nnamespace tidemark {\n\n"
  "const absl::string_view kPageStyle = R\"page(${style})page\";\n"
  "const absl::string_view kPageLibrary = R\"page(${library})page\";\n"
  "const absl::string_view kPageScript = R\"page(${script})page\";\n"
  "const absl::string_view kPageFiles = R\"page(${files})page\";\n\n}  // namespace tidemark\n")
