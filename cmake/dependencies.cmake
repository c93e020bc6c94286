# Debian 12's packages are the floor; nothing is downloaded.
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS url json)
find_package(absl REQUIRED)
find_package(Protobuf REQUIRED)  # the module: Debian ships no protobuf-config.cmake
find_package(gRPC CONFIG REQUIRED)
find_package(yaml-cpp REQUIRED)
find_path(CLI11_INCLUDE_DIR CLI/CLI.hpp REQUIRED)
if(TIDEMARK_TESTS)
  find_package(GTest REQUIRED)
endif()
