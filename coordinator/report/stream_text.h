// The lines of a text report that are about WebSockets.
#pragma once

#include <string>
#include <vector>

#include "coordinator/report/text_table.h"
#include "protos/report.pb.h"

namespace tidemark {

// The table of points that listened, and what one of them has heard.
std::vector<TextColumn> StreamColumns();
std::vector<std::string> StreamCells(const std::string& name, const proto::Point& point);
// Below it: the staleness of the sampled messages when they came from the driver.
std::vector<std::string> StreamWireCells(const proto::Latency& wire);

// Below the table, of one point; each line begins with `who`.
void AppendStreams(const proto::Point& point, const std::string& who, std::string* out);

// What came over WebSockets, and how the target ended them, the warm-up with it.
void AppendWebSockets(const proto::Accounting& point, const proto::Accounting& warmup, std::string* out);

}  // namespace tidemark
