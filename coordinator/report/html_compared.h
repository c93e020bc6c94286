// The page of several runs: two sides, one beside the other.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/report/compared.h"

namespace tidemark {

// A document as that of a run. `compared` is what CompareSides said of the two: where that is why they may not be
// compared, the page says so, and shows them all the same.  REQUIRES: neither side is empty.
std::string ToHtml(const std::vector<Result>& before, const std::vector<Result>& after,
                   const absl::StatusOr<std::vector<ComparedFigure>>& compared);

}  // namespace tidemark
