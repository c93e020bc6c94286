#include "coordinator/verdict/split.h"

#include <algorithm>
#include <utility>

namespace tidemark {
namespace {

struct Printed {
  const char* name;
  std::uint64_t numerator;
  std::uint64_t denominator;
};
constexpr Printed kPrinted[] = {{"p50_us", 50, 100}, {"p90_us", 90, 100},      {"p95_us", 95, 100},
                                {"p99_us", 99, 100}, {"p99_9_us", 999, 1'000}, {"p99_99_us", 9'999, 10'000}};

}  // namespace

std::string ShownName(const std::string& name) {
  std::string shown = name.substr(0, name.rfind('_'));
  std::replace(shown.begin(), shown.end(), '_', '.');
  return shown;
}

SplitFigure Split(std::string name, double whole, double wire, double target) {
  wire = std::clamp(wire, 0.0, whole);
  target = std::clamp(target, 0.0, wire);
  return {.name = std::move(name), .whole = whole, .ours = whole - wire, .network = wire - target, .target = target};
}

std::vector<SplitFigure> SplitsOf(const PointFacts& facts) {
  if (facts.wire == nullptr || facts.target_time == nullptr || facts.measured->count() == 0) return {};
  const auto stamps = static_cast<double>(std::min(facts.wire->count(), facts.target_time->count()));
  if (stamps < gate::kStamps) return {};
  std::vector<SplitFigure> splits = {
      Split("mean_us", facts.measured->Mean(), facts.wire->Mean(), facts.target_time->Mean())};
  for (const Printed& q : kPrinted) {
    const double beyond = static_cast<double>(q.denominator - q.numerator) / static_cast<double>(q.denominator);
    if (stamps * beyond < gate::kBeyond) continue;
    const auto at = [&q](const Histogram& histogram) {
      return static_cast<double>(histogram.Quantile(q.numerator, q.denominator));
    };
    splits.push_back(Split(q.name, at(*facts.measured), at(*facts.wire), at(*facts.target_time)));
  }
  return splits;
}

}  // namespace tidemark
