// The forms in which the result of a run is written, a row each.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "coordinator/merge/run_result.h"
#include "protos/report.pb.h"

namespace tidemark {

struct FormatRow {
  absl::string_view name;  // "json" is written to FILE.json, or with json=FILE
  absl::string_view what;  // for the help
  // One text, or where it has `is_per_point` one for each point, in their order. Only where it has `needs` it looks at
  // `result`.
  std::vector<std::string> (*render)(const RunResult& result, const proto::Report& report);
  absl::string_view needs = "";  // what of the run it is made of, that the report lacks; empty: nothing
  bool is_per_point = false;
  bool is_folder = false;  // of a file for each chart of the one text, a page
  bool is_last = false;    // it says with which code all that was written ended
};

absl::Span<const FormatRow> Formats();
// "FILE.json, FILE.csv or FILE.hgrm": of those that are files.
std::string FormatEndings();
// Null if there is none of that name.
const FormatRow* FindFormat(absl::string_view name);

}  // namespace tidemark
