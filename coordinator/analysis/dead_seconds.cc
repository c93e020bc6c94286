#include "coordinator/analysis/dead_seconds.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace tidemark {
namespace {

constexpr std::uint64_t kManyFailures = 10;
constexpr double kUsual = 10;           // successes a second
constexpr std::size_t kNeighbours = 5;  // seconds on each side that say what is usual ...
constexpr std::size_t kEnough = 3;  // ... and in how many messages of streams must have come, which tell no more ...
constexpr double kCovered = 0.5;    // ... unless their intervals cover so much of the time
constexpr double kExplained = 1.5;  // times the usual gap
constexpr Nanos kStoodStill = 100 * kMillisecond;
constexpr Nanos kHalf = kSecond / 2;
constexpr Nanos kLeastSecond = 100 * kMillisecond;

class Judge {
 public:
  Judge(const std::vector<SecondFacts>& facts, Nanos length, bool is_listening)
      : is_listening_(is_listening),
        count_(static_cast<std::size_t>((length + kSecond - (length < kSecond ? kLeastSecond : kHalf)) / kSecond)),
        whole_(static_cast<std::size_t>(length / kSecond)),
        out_(count_, Second::kServed) {
    // One entry per second, with nothing where no agent told of it; those after the end follow.
    std::size_t size = count_;
    if (!facts.empty()) size = std::max<std::size_t>(size, facts.back().second + 1);
    seconds_.resize(size);
    is_told_.resize(size, false);
    pause_.resize(size, 0);
    is_alive_.resize(size, false);
    for (const SecondFacts& second : facts) {
      const auto at = static_cast<std::size_t>(second.second);
      seconds_[at] = second;
      is_told_[at] = true;
      // A pause is told by the second in which it began, perhaps at its end.
      pause_[at] = std::max(pause_[at], second.stood_still);
      Nanos left = second.stood_still < kHalf ? 0 : second.stood_still;
      for (std::size_t i = at + 1; i < size && left >= kStoodStill; ++i, left -= kSecond)
        pause_[i] = std::max(pause_[i], left);
    }
    for (std::size_t i = 0; i < size; ++i) MarkAlive(i);
  }

  std::vector<Second> Seconds() {
    std::uint64_t failures = 0;  // since the last success
    for (std::size_t i = 0; i < count_;) {
      if (seconds_[i].success > 0) {
        failures = 0;
        ++i;
      } else if (!IsAsked(i)) {
        failures += seconds_[i].failures;
        out_[i++] = Second::kUnasked;
      } else {
        std::size_t end = i;
        while (end < count_ && seconds_[end].success == 0 && IsAsked(end)) ++end;
        JudgeStretch(i, end, &failures);
        i = end;
      }
    }
    return out_;
  }

 private:
  // One of which nobody told belongs to the stretch around it.
  bool IsAsked(std::size_t i) const { return !is_told_[i] || seconds_[i].is_asked; }

  // What succeeded in second `i` was under way before, for as long as the longest took.
  void MarkAlive(std::size_t i) {
    if (seconds_[i].success == 0) return;
    is_alive_[i] = true;
    Nanos left = seconds_[i].longest;
    for (std::size_t k = i; k-- > 0 && left > 0; left -= kSecond) {
      if (is_told_[k] && !seconds_[k].is_carried) return;
      is_alive_[k] = true;
    }
  }

  // Seconds [begin, end) have no success.
  void JudgeStretch(std::size_t begin, std::size_t end, std::uint64_t* failures) {
    const bool is_unusual = IsUnusual(begin, end);
    for (std::size_t i = begin; i < end; ++i) {
      *failures += seconds_[i].failures;
      bool is_dead = is_unusual && i < whole_ && (is_listening_ || IsUnderWayThroughout(i, end));
      if (!is_listening_) is_dead = is_dead || *failures >= kManyFailures || !is_alive_[i];
      if (is_dead) out_[i] = Second::kDead;
    }
    std::vector<bool> is_ours(end - begin, false);
    for (std::size_t i = begin; i < end; ++i) {
      is_ours[i - begin] = !is_told_[i] || pause_[i] >= kStoodStill;
    }
    // A short pause within a time without service hides nothing.
    const auto join = [&](std::size_t i, std::size_t beside) {
      if (is_ours[i - begin] && !is_ours[beside - begin] && out_[i] == Second::kDead && out_[beside] == Second::kDead &&
          is_told_[i] && pause_[i] < kHalf)
        is_ours[i - begin] = false;
    };
    for (std::size_t i = begin + 1; i < end; ++i) join(i, i - 1);
    for (std::size_t i = end - 1; i-- > begin;) join(i, i + 1);
    for (std::size_t i = begin; i < end; ++i) {
      if (is_ours[i - begin]) out_[i] = Second::kGenerator;
    }
  }

  // Whether the seconds around [begin, end) say that so long a stretch is more than chance.
  bool IsUnusual(std::size_t begin, std::size_t end) const {
    end = std::min(end, whole_);
    if (begin >= end) return false;
    std::vector<std::size_t> before;
    for (std::size_t i = begin; i-- > 0 && before.size() < kNeighbours;) {
      if (out_[i] == Second::kServed) before.push_back(i);
    }
    // What ends the stretch carries its length in its own gaps.
    std::vector<std::size_t> after;
    for (std::size_t i = end + 1; i < count_ && after.size() < kNeighbours; ++i) {
      if (is_told_[i] && seconds_[i].is_asked) after.push_back(i);
    }
    if (!AreMany(before) && !AreMany(after)) return false;
    before.insert(before.end(), after.begin(), after.end());
    return static_cast<double>(end - begin) * static_cast<double>(kSecond) > kExplained * UsualGap(before);
  }

  // The median of the seconds' gaps, so that what another stretch has left there does not explain this one. The first
  // burst of a stream has no interval that counts: seconds of streams weigh as much as their intervals cover.
  double UsualGap(const std::vector<std::size_t>& seconds) const {
    std::vector<std::pair<Nanos, double>> gaps;
    double left = 0;
    for (const std::size_t i : seconds) {
      if (seconds_[i].success == 0) continue;
      const double weight = is_listening_ ? std::min(1.0, seconds_[i].covered) : 1;
      gaps.emplace_back(seconds_[i].usual_gap, weight);
      left += weight / 2;
    }
    std::sort(gaps.begin(), gaps.end());
    for (const auto& [gap, weight] : gaps) {
      left -= weight;
      if (left <= 0) return static_cast<double>(gap);
    }
    return gaps.empty() ? 0 : static_cast<double>(gaps.back().first);
  }

  bool AreMany(const std::vector<std::size_t>& seconds) const {
    double success = 0;
    double covered = 0;
    std::size_t served = 0;
    for (const std::size_t i : seconds) {
      success += static_cast<double>(seconds_[i].success);
      covered += seconds_[i].covered;
      served += seconds_[i].success > 0 ? 1 : 0;
    }
    const auto count = static_cast<double>(seconds.size());
    if (is_listening_ && served < kEnough && covered < kCovered * count) return false;
    return !seconds.empty() && success >= kUsual * count;
  }

  // Of a second in a stretch that ends before second `end`.
  bool IsUnderWayThroughout(std::size_t i, std::size_t end) const {
    if (seconds_[i].failures > 0 || (i > 0 && seconds_[i - 1].is_carried)) return true;
    return end < seconds_.size() && seconds_[end].longest >= static_cast<Nanos>(end - i) * kSecond;
  }

  const bool is_listening_;
  const std::size_t count_;  // seconds that are judged
  const std::size_t whole_;  // ... of them those that the point has in full
  std::vector<SecondFacts> seconds_;
  std::vector<bool> is_told_;
  std::vector<Nanos> pause_;    // of our workers, as much of it as that second may have had
  std::vector<bool> is_alive_;  // something was under way that succeeded
  std::vector<Second> out_;
};

}  // namespace

std::vector<Second> JudgeSeconds(const std::vector<SecondFacts>& facts, Nanos length, bool is_listening) {
  return Judge(facts, length, is_listening).Seconds();
}

}  // namespace tidemark
