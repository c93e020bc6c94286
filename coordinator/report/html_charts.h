// The charts of the page: where they stand, what they are called, their figures as tables, and the data that
// page/report.js draws them of. A chart that would be empty is not there.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "coordinator/report/answer.h"
#include "protos/report.pb.h"

namespace tidemark {

// A chart that report.js draws by its `name`: `label` tells those who do not see it what it shows; `table`, HTML, has
// its figures.
std::string Chart(absl::string_view name, absl::string_view css, absl::string_view title, absl::string_view subtitle,
                  absl::string_view label, absl::string_view table);

std::string LevelTitle(const proto::Report& report);   // what the levels of a sweep are: "connections"
const char* LatencyName(const proto::Report& report);  // the latency that its points are about: "service time"

// HTML of each part of the page; empty if there is nothing to draw.
std::string LevelCharts(const proto::Report& report);  // rate and latency over the levels; of one level over time
std::string CurveChart(const proto::Report& report, const Answer& answer);
std::string TimeCharts(const proto::Report& report);   // heat map and failures, second by second
std::string AgentCharts(const proto::Report& report);  // each agent beside all
std::string GeneratorCharts(const proto::Report& report);

// What they are drawn of, as JSON that may stand in a <script>: without "<", and of figures and names of ours alone.
std::string ChartData(const proto::Report& report, const Answer& answer);

}  // namespace tidemark
