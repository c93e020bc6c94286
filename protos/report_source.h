// report.proto with its comments, which the descriptors of a program lack.
#pragma once

#include <cstddef>

namespace tidemark {

// A FileDescriptorSet with source information, and of what report.proto imports.
extern const unsigned char kReportSource[];
extern const std::size_t kReportSourceSize;

}  // namespace tidemark
