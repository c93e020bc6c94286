// The report as people read it.
#pragma once

#include <string>

#include "protos/report.pb.h"

namespace tidemark {

struct TextOptions {
  bool has_color = false;
  bool has_latency_detail = false;  // every histogram of every point
};

std::string ToText(const proto::Report& report, const TextOptions& options);

}  // namespace tidemark
