# Debian 12's packages are the floor; nothing is downloaded.
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(absl REQUIRED)
find_package(Protobuf REQUIRED)  # the module: Debian ships no protobuf-config.cmake
find_package(gRPC CONFIG REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(simdjson REQUIRED)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_path(CLI11_INCLUDE_DIR CLI/CLI.hpp REQUIRED)
if(TIDEMARK_TESTS)
  find_package(GTest REQUIRED)
  find_package(benchmark REQUIRED)
  find_package(CURL REQUIRED)  # tests ask its URL parser
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(liburing REQUIRED IMPORTED_TARGET liburing)
endif()
