// Exact shares of a whole.
#pragma once

#include <cstdint>
#include <vector>

namespace tidemark {

// Divides `total` into `parts` shares by largest remainder (Hare quota); ties go to the lower index.
// The shares add up to `total` and differ by at most one.  REQUIRES: total >= 0, parts >= 1.
std::vector<std::int64_t> SplitEvenly(std::int64_t total, std::int64_t parts);

// The same in proportion to `weights`: |share - ideal| < 1 for each.
// REQUIRES: weights not empty, each >= 0, sum in [1, 2^31), 0 <= total < 2^62.
std::vector<std::int64_t> SplitByWeight(std::int64_t total, const std::vector<std::int64_t>& weights);

}  // namespace tidemark
