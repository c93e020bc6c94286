# Every flag of the project lives in one interface target.
add_library(tidemark_options INTERFACE)
target_include_directories(tidemark_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
target_compile_definitions(tidemark_options INTERFACE TIDEMARK_VERSION="${PROJECT_VERSION}")
target_compile_options(tidemark_options INTERFACE -Wall -Wextra -Wshadow -Wconversion)
if(TIDEMARK_WERROR)
  target_compile_options(tidemark_options INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  target_compile_options(tidemark_options INTERFACE -Wthread-safety)
else()
  # g++ 12 warns falsely about the copies inside std::string at -O2 (its bugs 105329 and 105651).
  target_compile_options(tidemark_options INTERFACE -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
endif()
if(TIDEMARK_LIBFUZZER)
  target_compile_options(tidemark_options INTERFACE -fsanitize=fuzzer-no-link)  # coverage of all code, not of the targets alone
endif()
if(TIDEMARK_SANITIZE)
  target_compile_options(tidemark_options INTERFACE -fsanitize=${TIDEMARK_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(tidemark_options INTERFACE -fsanitize=${TIDEMARK_SANITIZE})
  if(TIDEMARK_SANITIZE MATCHES undefined)
    target_compile_options(tidemark_options INTERFACE -fno-sanitize-recover=undefined)
    if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
      # clang 14 cannot emit its check of function types for coroutines ("difference across sections").
      target_compile_options(tidemark_options INTERFACE -fno-sanitize=function)
    endif()
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # Beast's parser trips this warning under g++'s sanitizers.
    target_compile_options(tidemark_options INTERFACE -Wno-error=maybe-uninitialized)
  endif()
endif()

# Code that runs once a run, reads a command line, or plays a part in tests is not optimised under sanitizers: most of
# its compilation would be that, of templates that are used once.
function(tidemark_runs_once)
  if(TIDEMARK_SANITIZE)
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -O0 SKIP_PRECOMPILE_HEADERS ON)
  endif()
endfunction()
