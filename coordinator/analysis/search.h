// The highest level of load at which a target keeps what is expected of it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/clock.h"
#include "common/plan/expectation.h"
#include "common/stats/histogram.h"
#include "common/stats/outcome.h"
#include "coordinator/analysis/confidence.h"

namespace tidemark {

// What was measured at one level, of one trial or of several added up.
struct Evidence {
  std::vector<Histogram> seconds = {};  // headline latency of successes, per second
  Histogram unanswered = {};            // time-outs and the like: with the time at which they were given up
  // Where the kernel stamped enough of them: those latencies, counted as `on_wire` is, and what passed between the two
  // drivers; empty else.
  Histogram stamped = {};
  Histogram on_wire = {};
  std::uint64_t planned = 0;
  std::uint64_t failed = 0;
  std::uint64_t responses = 0;        // within the duration
  std::uint64_t drained_success = 0;  // ... and successes after it
  std::uint64_t messages = 0;         // of streams ...
  std::array<std::uint64_t, kFindingCount> findings = {};
  std::uint64_t up_ns = 0;     // connection time that there was ...
  std::uint64_t asked_ns = 0;  // ... and that was asked for
  std::uint64_t dead_seconds = 0;
  bool is_listening = false;  // the error rate is that of connection time
  bool is_failing = false;    // the target failed its users: nothing is held, whatever was expected
  Nanos duration = 0;

  void Add(const Evidence& other);
};

enum class Assessment { kMet, kMissed, kUnsure };

// A figure and where it may truly lie. Latencies in ns, shares in percent, rates per second.
struct Estimate {
  double value = 0;                       // 0: there was nothing to measure
  std::optional<Interval> interval = {};  // 95 %; of what was counted it is the value itself; nothing if none is known
  bool is_unknown = false;  // nothing to measure, or the quantile lies among what was not answered: at least the value
};
Estimate EstimateOf(const Expectation& expectation, const Evidence& evidence);

// Whether `evidence` meets the expectation. By the 95 % interval of a quantile (batch means) or of an error rate
// (Wilson 1927), if there is one; a rate of responses is unsure where what it lacks came after the end: met if it lies
// on the right side of the limit, missed if on the other. Without an interval a figure within a quarter of the limit is
// unsure, and so is a latency that is missed, but would be met without what the generator itself took of it, by the
// stamps. A quantile among the unanswered is never met, nor a figure of which there was nothing to measure: latencies
// without an answer, findings without a message, rates without time; an error rate without an error always is.
Assessment Assess(const Expectation& expectation, const Evidence& evidence);

// Whether a latency that is missed would be met without what the generator itself took of it. False if it is met, or
// nothing was stamped.
bool IsMetOnWire(const Expectation& expectation, const Evidence& evidence);

// The same by the figure itself, without its uncertainty.
bool IsMet(const Expectation& expectation, const Evidence& evidence);

// The level to try next, from the answers so far: doubling until one is missed, halving until one is met, then
// bisection in the logarithm, until met and missed, or either and the levels between that remain unsure, are
// `resolution` apart. Source: the search of MLRsearch (draft-ietf-bmwg-mlrsearch), with three answers instead of two.
class Search {
 public:
  // REQUIRES: 1 <= from <= to.
  Search(std::int64_t from, std::int64_t to, double resolution) : from_(from), to_(to), resolution_(resolution) {}

  std::optional<std::int64_t> Next() const;
  void Report(std::int64_t level, Assessment answer) { answers_[level] = answer; }

  std::int64_t LowestMissed() const;  // 0: none
  std::int64_t HighestMet() const;    // below the lowest missed; 0: none
  // A level was met above one that was missed: then the target does not get worse evenly.
  bool IsMonotone() const;
  const std::map<std::int64_t, Assessment>& answers() const { return answers_; }

 private:
  std::optional<std::int64_t> Between(std::int64_t low, std::int64_t high) const;

  const std::int64_t from_;
  const std::int64_t to_;
  const double resolution_;
  std::map<std::int64_t, Assessment> answers_;
};

struct SearchOptions {
  std::int64_t from = 100;
  std::int64_t to = 1'000'000;
  double resolution = 0.02;
  Nanos trial = 5 * kSecond;
};

struct Trial {
  std::int64_t level = 0;
  Nanos duration = 0;  // of this level so far
  bool is_confirmation = false;
  Assessment answer = Assessment::kUnsure;
  std::vector<Assessment> answers = {};  // by expectation
};

struct SearchResult {
  std::int64_t met = 0;              // highest level that was met, and confirmed; 0: none
  std::int64_t missed = 0;           // lowest level that was missed; 0: none
  std::vector<std::int64_t> unsure;  // levels between them that no trial could decide
  bool is_confirmed = false;
  bool is_monotone = true;
  bool is_complete = true;  // false: a trial could not be made, or there were too many
  std::vector<Trial> trials;
};

// Searches. `make_trial(level, duration)` makes one, or returns nothing to end the search. A trial that leaves an
// answer open is repeated at the same level, its seconds added, up to four times as long; the answer is confirmed by a
// trial of that length. `show` sees each trial.
SearchResult FindHighest(const SearchOptions& options, const std::vector<Expectation>& expectations,
                         absl::FunctionRef<std::optional<Evidence>(std::int64_t level, Nanos duration)> make_trial,
                         absl::FunctionRef<void(const Trial&)> show);

}  // namespace tidemark
