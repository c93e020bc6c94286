// The report back from its JSON, whoever wrote it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "protos/report.pb.h"

namespace tidemark {

inline constexpr std::size_t kMaxReportBytes = 256 << 20;

// What ToJson was given: of what it made of a report ToJson makes the same again. `file` stands in errors. Of a former
// version's JSON what it does not have is absent. Texts are made inert; numbers are at most 10^18, and what is printed
// as a time is not negative. Errors: InvalidArgument, one line: no JSON, no result of tidemark, or the place of an
// unknown field, of one that is there twice, of a value of the wrong kind or outside its range.
absl::StatusOr<proto::Report> ParseReport(absl::string_view json, const std::string& file);

// The same of a file.  Errors: as ParseReport; NotFound, and InvalidArgument of more than kMaxReportBytes.
absl::StatusOr<proto::Report> ReadReportFile(const std::string& path);

}  // namespace tidemark
