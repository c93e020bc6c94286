// The JSON of results of any content: an error, or a report of which each form can be made, and whose JSON reads back.
#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/check.h"
#include "coordinator/report/csv.h"
#include "coordinator/report/html.h"
#include "coordinator/report/json.h"
#include "coordinator/report/markdown.h"
#include "coordinator/report/read_json.h"
#include "coordinator/report/tables.h"
#include "coordinator/report/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto report = tidemark::ParseReport(absl::string_view(reinterpret_cast<const char*>(bytes), size), "fuzz");
  if (!report.ok()) return 0;
  tidemark::ToText(*report, {.is_explained = true, .has_latency_detail = true, .width = 80});
  tidemark::ToHtml(*report);
  tidemark::ToMarkdown(*report);
  tidemark::ToCsv(*report);
  tidemark::ToPointsCsv(*report);
  const std::string json = tidemark::ToJson(*report);
  const auto again = tidemark::ParseReport(json, "again");
  CHECK(again.ok());
  CHECK(tidemark::ToJson(*again) == json);
  return 0;
}
