# tidemark_precompile(NAME LIBS ... HEADERS ...): headers that are read once. tidemark_reuse(TARGET NAME): ... and used by
# TARGET. Reading headers is more than half of a compilation. g++ refuses them where a macro differs that they mention,
# so NAME is a target with LIBS alone. A build with CMAKE_DISABLE_PRECOMPILE_HEADERS shows what a file forgot to include.
function(tidemark_precompile name)
  cmake_parse_arguments(arg "" "" "LIBS;HEADERS" ${ARGN})
  file(CONFIGURE OUTPUT ${name}.cc CONTENT "")
  add_library(${name} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cc)
  target_link_libraries(${name} PRIVATE tidemark_options ${arg_LIBS})
  target_precompile_headers(${name} PRIVATE ${arg_HEADERS})
endfunction()
function(tidemark_reuse target name)
  target_precompile_headers(${target} REUSE_FROM ${name})
endfunction()
