#include "coordinator/merge/occasions.h"

#include <cstddef>
#include <optional>

#include "absl/strings/str_cat.h"

namespace tidemark {
namespace {

std::optional<std::uint64_t> OccasionsOf(Metric metric, const Ends& ends) {
  const auto outcome = [&ends](Outcome o) { return ends.outcomes[static_cast<std::size_t>(o)]; };
  const std::uint64_t complete = CompleteOf(ends.outcomes);
  switch (metric) {
    case Metric::kService:
      return ends.success;
    case Metric::kResponse:
      return ends.is_open_loop ? ends.success : 0;
    case Metric::kOther:
      return complete - ends.success;
    case Metric::kFirstByte:
      return complete;
    case Metric::kCensored:
      return outcome(Outcome::kRequestTimeout) + outcome(Outcome::kCutOff);
    case Metric::kLateness:
      return ends.sent;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string BrokenHistogram(Metric metric, const HistogramFacts& facts, const Ends& ends) {
  const auto occasions = OccasionsOf(metric, ends);
  const std::uint64_t values = facts.count + facts.clock_error;
  if (!occasions || values == *occasions) return "";
  return absl::StrCat("histogram '", Label(metric), "': ", values, " values of ", *occasions, " occasions");
}

}  // namespace tidemark
