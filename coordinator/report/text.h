// The report as people read it.
#pragma once

#include <string>

#include "protos/report.pb.h"

namespace tidemark {

struct TextOptions {
  bool has_color = false;
  bool is_explained = false;        // all that is known of each point, and where every request went
  bool has_latency_detail = false;  // every histogram of every point
  int width = 0;                    // characters that a line may have; 0: any number
};

// The answer first, then the table, what must be known besides, and what to do next.
std::string ToText(const proto::Report& report, const TextOptions& options);

}  // namespace tidemark
