#include "coordinator/verdict/split.h"

#include <algorithm>
#include <utility>

#include "coordinator/analysis/own_part.h"
#include "coordinator/verdict/generator.h"
#include "coordinator/verdict/printed.h"

namespace tidemark {
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
  if (facts.wire == nullptr || facts.stamped == nullptr || facts.target_time == nullptr || facts.measured->count() == 0)
    return {};
  const std::uint64_t stamps = std::min(facts.wire->count(), facts.target_time->count());
  if (static_cast<double>(stamps) < gate::kStamps || !StampedAreLikeAll(facts)) return {};
  // Those that were stamped may be others than all: what they lost on the way to us is taken off, and nothing else;
  // what is not the network's by them is the target's.
  const auto split = [](const char* name, double whole, double stamped, double wire, double target) {
    const double on_wire = whole - OwnPart(whole, stamped, wire);
    return Split(name, whole, on_wire, on_wire - std::max(0.0, wire - target));
  };
  std::vector<SplitFigure> splits = {
      split("mean_us", facts.measured->Mean(), facts.stamped->Mean(), facts.wire->Mean(), facts.target_time->Mean())};
  for (const Printed& q : kPrinted) {
    if (!q.HasEnough(stamps)) continue;
    splits.push_back(
        split(q.json, q.Of(*facts.measured), q.Of(*facts.stamped), q.Of(*facts.wire), q.Of(*facts.target_time)));
  }
  return splits;
}

}  // namespace tidemark
