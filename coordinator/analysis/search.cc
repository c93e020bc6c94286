#include "coordinator/analysis/search.h"

#include <algorithm>
#include <cmath>

#include "common/plan/measured.h"
#include "coordinator/analysis/own_part.h"

namespace tidemark {
namespace {

// Without an interval, how far from the limit a figure must be to decide.
constexpr double kGuard = 1.25;
constexpr int kLongest = 4;  // times the first trial
constexpr std::size_t kMaxTrials = 64;

Estimate Exactly(double value) { return {.value = value, .interval = Interval{.low = value, .high = value}}; }

// Where the figure may truly lie, for all that is known.
Interval RangeOf(const Estimate& estimate) {
  return estimate.interval ? *estimate.interval
                           : Interval{.low = estimate.value / kGuard, .high = estimate.value * kGuard};
}

// Wilson's interval of failed / planned, in percent.  REQUIRES: planned > 0.
Interval ErrorRate(const Evidence& evidence) {
  const ShareInterval share = WilsonInterval(evidence.failed, evidence.planned);
  return {.low = 100 * share.low, .high = 100 * share.high};
}

// In percent.  REQUIRES: asked_ns > 0.
double Availability(const Evidence& evidence) {
  return 100 * static_cast<double>(evidence.up_ns) / static_cast<double>(evidence.asked_ns);
}

// Whether there was nothing to measure the figure of: no request, message, or time.
bool IsUnknown(const Expectation& e, const Evidence& evidence) {
  switch (e.figure) {
    case Expectation::Figure::kErrorRate:
      return evidence.is_listening ? evidence.asked_ns == 0 : evidence.planned == 0;
    case Expectation::Figure::kAvailability:
      return evidence.asked_ns == 0;
    case Expectation::Figure::kDeadSeconds:
      return evidence.duration <= 0 || (evidence.is_listening && evidence.messages == 0);
    case Expectation::Figure::kRequestsPerSecond:
    case Expectation::Figure::kMessagesPerSecond:
      return evidence.duration <= 0;
    case Expectation::Figure::kFinding:
      return evidence.messages <= evidence.findings[static_cast<std::size_t>(Finding::kUnread)] &&
             evidence.findings[static_cast<std::size_t>(e.finding)] == 0 && IsOfMessages(e.finding);
    case Expectation::Figure::kMean:
    case Expectation::Figure::kQuantile:
      return false;  // EstimateLatency looks
  }
  return false;
}

Estimate EstimateLatency(const Expectation& e, const Evidence& evidence) {
  Histogram all;
  for (const Histogram& second : evidence.seconds) all.Add(second);
  if (e.figure == Expectation::Figure::kMean) {
    if (all.count() == 0 || evidence.unanswered.count() > 0) return {.is_unknown = true};
    return {.value = all.Mean(), .interval = BatchMeanInterval(evidence.seconds)};
  }
  all.Add(evidence.unanswered);
  const Nanos quantile = all.Quantile(e.numerator, e.denominator);
  const auto value = static_cast<double>(quantile);
  if (all.count() == 0 || (evidence.unanswered.count() > 0 && quantile >= evidence.unanswered.min()))
    return {.value = value, .is_unknown = true};
  if (e.numerator == e.denominator) return Exactly(value);  // a maximum is what it is
  return {.value = value, .interval = BatchInterval(evidence.seconds, e.numerator, e.denominator)};
}

Assessment AssessAll(const std::vector<Expectation>& expectations, const Evidence& evidence,
                     std::vector<Assessment>* each) {
  Assessment all = Assessment::kMet;
  each->clear();
  for (const Expectation& expectation : expectations) {
    each->push_back(Assess(expectation, evidence));
    if (each->back() == Assessment::kMissed || (each->back() == Assessment::kUnsure && all == Assessment::kMet))
      all = each->back();
  }
  return all;
}

}  // namespace

void Evidence::Add(const Evidence& other) {
  seconds.insert(seconds.end(), other.seconds.begin(), other.seconds.end());
  unanswered.Add(other.unanswered);
  stamped.Add(other.stamped);
  on_wire.Add(other.on_wire);
  planned += other.planned;
  failed += other.failed;
  responses += other.responses;
  drained_success += other.drained_success;
  up_ns += other.up_ns;
  asked_ns += other.asked_ns;
  dead_seconds += other.dead_seconds;
  is_listening = is_listening || other.is_listening;
  is_failing = is_failing || other.is_failing;
  messages += other.messages;
  for (std::size_t i = 0; i < findings.size(); ++i) findings[i] += other.findings[i];
  duration += other.duration;
}

Estimate EstimateOf(const Expectation& e, const Evidence& evidence) {
  if (IsUnknown(e, evidence)) return {.is_unknown = true};
  const double seconds = static_cast<double>(evidence.duration) / 1e9;
  switch (e.figure) {
    case Expectation::Figure::kErrorRate: {
      if (evidence.is_listening) return Exactly(100 - Availability(evidence));
      const double value = 100 * static_cast<double>(evidence.failed) / static_cast<double>(evidence.planned);
      // To show that a rate is below x takes 4 / x requests without a failure, more than a short trial has: without one
      // it is taken as it is. None allowed means that none must have been seen.
      const bool is_plain = evidence.failed == 0 || e.limit == 0;
      if (is_plain) return Exactly(value);
      return {.value = value, .interval = ErrorRate(evidence)};
    }
    case Expectation::Figure::kRequestsPerSecond:
      return {
          .value = static_cast<double>(evidence.responses) / seconds,
          .interval = Interval{.low = static_cast<double>(evidence.responses) / seconds,
                               .high = static_cast<double>(evidence.responses + evidence.drained_success) / seconds}};
    case Expectation::Figure::kAvailability:
      return Exactly(Availability(evidence));
    case Expectation::Figure::kDeadSeconds:
      return Exactly(static_cast<double>(evidence.dead_seconds));
    case Expectation::Figure::kMessagesPerSecond:
      return Exactly(static_cast<double>(evidence.messages) / seconds);
    case Expectation::Figure::kFinding:
      return Exactly(static_cast<double>(evidence.findings[static_cast<std::size_t>(e.finding)]));
    case Expectation::Figure::kMean:
    case Expectation::Figure::kQuantile:
      break;
  }
  return EstimateLatency(e, evidence);
}

Assessment Assess(const Expectation& e, const Evidence& evidence) {
  const Estimate estimate = EstimateOf(e, evidence);
  if (estimate.is_unknown) return Assessment::kMissed;
  const auto [low, high] = RangeOf(estimate);
  if (e.is_at_most ? high <= e.limit : low >= e.limit) return Assessment::kMet;
  if ((e.is_at_most ? low > e.limit : high < e.limit) && !IsMetOnWire(e, evidence)) return Assessment::kMissed;
  return Assessment::kUnsure;
}

bool IsMetOnWire(const Expectation& e, const Evidence& evidence) {
  // What a quantile says needs ten values beyond it.
  const double beyond = e.figure == Expectation::Figure::kMean
                            ? 1
                            : static_cast<double>(e.denominator - e.numerator) / static_cast<double>(e.denominator);
  if (!e.IsLatency() || !e.is_at_most || static_cast<double>(evidence.on_wire.count()) * beyond < 10) return false;
  const Estimate estimate = EstimateOf(e, evidence);
  if (estimate.is_unknown || estimate.value <= e.limit) return false;
  const auto of = [&e](const Histogram& histogram) {
    return e.figure == Expectation::Figure::kMean ? histogram.Mean()
                                                  : static_cast<double>(histogram.Quantile(e.numerator, e.denominator));
  };
  return estimate.value - OwnPart(estimate.value, of(evidence.stamped), of(evidence.on_wire)) <= e.limit;
}

bool IsMet(const Expectation& e, const Evidence& evidence) {
  const Estimate estimate = EstimateOf(e, evidence);
  return !estimate.is_unknown && (e.is_at_most ? estimate.value <= e.limit : estimate.value >= e.limit);
}

std::int64_t Search::LowestMissed() const {
  for (const auto& [level, answer] : answers_) {
    if (answer == Assessment::kMissed) return level;
  }
  return 0;
}

std::int64_t Search::HighestMet() const {
  const std::int64_t missed = LowestMissed();
  std::int64_t met = 0;
  for (const auto& [level, answer] : answers_) {
    if (answer == Assessment::kMet && (missed == 0 || level < missed)) met = level;
  }
  return met;
}

bool Search::IsMonotone() const {
  const std::int64_t missed = LowestMissed();
  return missed == 0 || std::none_of(answers_.begin(), answers_.end(), [missed](const auto& entry) {
           return entry.second == Assessment::kMet && entry.first > missed;
         });
}

// A level in the middle, if the two are too far apart to be one answer.
std::optional<std::int64_t> Search::Between(std::int64_t low, std::int64_t high) const {
  if (static_cast<double>(high) <= static_cast<double>(low) * (1 + resolution_)) return std::nullopt;
  const auto middle =
      static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(low) * static_cast<double>(high))));
  if (middle <= low || middle >= high) return std::nullopt;
  return middle;
}

std::optional<std::int64_t> Search::Next() const {
  if (answers_.empty()) return from_;
  const std::int64_t missed = LowestMissed();
  const std::int64_t met = HighestMet();
  if (missed == 0) {
    const std::int64_t highest = answers_.rbegin()->first;
    if (highest < to_) return std::min(to_, highest * 2);
  }
  if (met == 0) {
    const std::int64_t lowest = answers_.begin()->first;
    if (lowest == 1) return std::nullopt;
    return lowest / 2;
  }
  // Between the highest met and the lowest missed lie the unsure, if any.
  std::int64_t first_unsure = missed;
  std::int64_t last_unsure = met;
  for (const auto& [level, answer] : answers_) {
    if (answer != Assessment::kUnsure || level < met || (missed != 0 && level > missed)) continue;
    if (first_unsure == missed) first_unsure = level;
    last_unsure = level;
  }
  if (first_unsure != 0) {
    if (const auto middle = Between(met, first_unsure)) return middle;
  }
  if (missed != 0 && last_unsure != met) return Between(last_unsure, missed);
  return std::nullopt;
}

SearchResult FindHighest(const SearchOptions& options, const std::vector<Expectation>& expectations,
                         absl::FunctionRef<std::optional<Evidence>(std::int64_t level, Nanos duration)> make_trial,
                         absl::FunctionRef<void(const Trial&)> show) {
  SearchResult result;
  Search search(options.from, options.to, options.resolution);
  std::map<std::int64_t, Evidence> evidence;
  // Adds a trial of `duration` to what is known of `level`; false if it could not be made.
  const auto try_level = [&](std::int64_t level, Nanos duration, bool is_confirmation) {
    const std::optional<Evidence> more = make_trial(level, duration);
    if (!more) return false;
    Evidence& sum = evidence[level];
    sum.Add(*more);
    Trial& trial =
        result.trials.emplace_back(Trial{.level = level, .duration = sum.duration, .is_confirmation = is_confirmation});
    trial.answer = AssessAll(expectations, sum, &trial.answers);
    if (sum.is_failing) trial.answer = Assessment::kMissed;
    search.Report(level, trial.answer);
    show(trial);
    return true;
  };
  while (result.is_complete && result.trials.size() < kMaxTrials) {
    if (const std::optional<std::int64_t> level = search.Next()) {
      for (const int length : {1, 1, 2}) {  // up to kLongest together
        result.is_complete = try_level(*level, options.trial * length, false);
        if (!result.is_complete || search.answers().at(*level) != Assessment::kUnsure) break;
      }
      continue;
    }
    const std::int64_t met = search.HighestMet();
    if (met == 0) break;
    result.is_complete = try_level(met, options.trial * kLongest, true);
    result.is_confirmed =
        result.is_complete && search.answers().at(met) == Assessment::kMet && search.HighestMet() == met;
    if (result.is_confirmed) break;
  }
  result.is_complete = result.is_complete && result.trials.size() < kMaxTrials;
  result.met = search.HighestMet();
  result.missed = search.LowestMissed();
  result.is_monotone = search.IsMonotone();
  for (const auto& [level, answer] : search.answers()) {
    if (answer == Assessment::kUnsure && level > result.met && (result.missed == 0 || level < result.missed))
      result.unsure.push_back(level);
  }
  return result;
}

}  // namespace tidemark
