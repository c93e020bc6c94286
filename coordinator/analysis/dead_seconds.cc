#include "coordinator/analysis/dead_seconds.h"

#include <algorithm>
#include <cstddef>

namespace tidemark {
namespace {

constexpr std::uint64_t kManyFailures = 10;
constexpr double kUsual = 10;             // successes a second
constexpr std::size_t kHistory = 5;       // seconds that say what is usual ...
constexpr std::size_t kLeastHistory = 3;  // ... and how many there must be for streams, which tell nothing else
constexpr double kExplained = 1.5;        // times the usual gap
constexpr Nanos kStoodStill = 100 * kMillisecond;
constexpr Nanos kLeastSecond = 100 * kMillisecond;

// What the seconds before say of the next.
class Usual {
 public:
  void Add(const SecondFacts& second) { seconds_.push_back(second); }

  // Whether `empty` seconds in a row without a success are more than chance.
  bool Forbids(std::size_t empty, bool is_listening) const {
    const std::size_t count = std::min(kHistory, seconds_.size());
    if (count < (is_listening ? kLeastHistory : 1)) return false;
    double success = 0;
    double gap_sum = 0;  // weighted by successes
    for (auto second = seconds_.end() - static_cast<std::ptrdiff_t>(count); second != seconds_.end(); ++second) {
      success += static_cast<double>(second->success);
      gap_sum += static_cast<double>(second->success) * static_cast<double>(second->usual_gap);
    }
    if (success < kUsual * static_cast<double>(count)) return false;
    return static_cast<double>(empty) * static_cast<double>(kSecond) > kExplained * gap_sum / success;
  }

 private:
  std::vector<SecondFacts> seconds_;
};

}  // namespace

std::vector<Second> JudgeSeconds(const std::vector<SecondFacts>& facts, Nanos length, bool is_listening) {
  const auto count = static_cast<std::size_t>((length + kSecond - kLeastSecond) / kSecond);
  // One entry per second, with nothing where no agent told of it; those after the end follow.
  std::size_t size = count;
  if (!facts.empty()) size = std::max<std::size_t>(size, facts.back().second + 1);
  std::vector<SecondFacts> seconds(size);
  std::vector<bool> is_told(size, false);
  std::vector<bool> has_stood_still(size, false);
  // Seconds in which something was under way that succeeded later, as far as the longest time of each second tells.
  std::vector<bool> is_alive(size, false);
  for (const SecondFacts& second : facts) {
    const auto at = static_cast<std::size_t>(second.second);
    seconds[at] = second;
    is_told[at] = true;
    if (second.stood_still >= kStoodStill) {
      const auto reach = static_cast<std::size_t>(second.stood_still / kSecond);
      for (std::size_t i = at; i <= std::min(size - 1, at + reach); ++i) has_stood_still[i] = true;
    }
    if (second.success == 0) continue;
    const auto back = static_cast<std::size_t>((second.longest + kSecond - 1) / kSecond);
    for (std::size_t i = at - std::min(at, back); i <= at; ++i) is_alive[i] = true;
  }

  std::vector<Second> out(count, Second::kServed);
  Usual usual;
  std::uint64_t failures = 0;  // in a row
  std::size_t empty_from = 0;  // begin of the stretch without a success that the current second belongs to
  for (std::size_t i = 0; i < count; ++i) {
    const SecondFacts& second = seconds[i];
    if (second.success > 0) {
      failures = 0;
      empty_from = i + 1;
      usual.Add(second);
      continue;
    }
    failures += second.failures;
    const bool is_whole = static_cast<Nanos>(i + 1) * kSecond <= length;
    if (!is_told[i] || has_stood_still[i]) {
      out[i] = Second::kGenerator;
    } else if (is_listening) {
      // The stretch as a whole is unusual, its first seconds too.
      if (is_whole && usual.Forbids(i - empty_from + 1, true))
        for (std::size_t k = empty_from; k <= i; ++k) out[k] = out[k] == Second::kGenerator ? out[k] : Second::kDead;
    } else if (!second.is_asked) {
      out[i] = Second::kUnasked;
      empty_from = i + 1;
    } else if (failures >= kManyFailures || !is_alive[i]) {
      out[i] = Second::kDead;
    } else if (is_whole && usual.Forbids(i - empty_from + 1, false)) {
      for (std::size_t k = empty_from; k <= i; ++k) out[k] = out[k] == Second::kServed ? Second::kDead : out[k];
    }
    // A second that is no more than explained is part of what is usual.
    if (out[i] == Second::kServed) usual.Add(second);
  }
  return out;
}

}  // namespace tidemark
