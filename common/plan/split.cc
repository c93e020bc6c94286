#include "common/plan/split.h"

#include <algorithm>
#include <numeric>

#include "absl/numeric/int128.h"
#include "common/check.h"

namespace tidemark {

std::vector<std::int64_t> SplitEvenly(std::int64_t total, std::int64_t parts) {
  return SplitByWeight(total, std::vector<std::int64_t>(static_cast<std::size_t>(parts), 1));
}

std::vector<std::int64_t> SplitByWeight(std::int64_t total, const std::vector<std::int64_t>& weights) {
  const std::int64_t weight_sum = std::accumulate(weights.begin(), weights.end(), std::int64_t{0});
  CHECK(total >= 0 && weight_sum >= 1);
  std::vector<std::int64_t> shares(weights.size());
  std::vector<std::int64_t> remainders(weights.size());
  std::int64_t left = total;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const absl::int128 exact = absl::int128(total) * weights[i];
    shares[i] = static_cast<std::int64_t>(exact / weight_sum);
    remainders[i] = static_cast<std::int64_t>(exact % weight_sum);
    left -= shares[i];
  }
  std::vector<std::size_t> order(weights.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainders[a] > remainders[b]; });
  for (std::size_t i = 0; left > 0; ++i, --left) ++shares[order[i]];
  return shares;
}

}  // namespace tidemark
