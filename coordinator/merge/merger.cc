#include "coordinator/merge/merger.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/stats/histogram_codec.h"
#include "common/status_macros.h"
#include "coordinator/merge/fits.h"
#include "coordinator/merge/occasions.h"

namespace tidemark {
namespace {

absl::Status DataLoss(const proto::ShardKey& key, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("agent ", key.agent(), ", point ", key.point(), ", shard ", key.seq(), ": ", what));
}

template <typename Counts>
bool SubtractAll(const Counts& now, const Counts& before, Counts* delta) {
  bool is_monotonic = true;
  for (std::size_t i = 0; i < now.size(); ++i) {
    is_monotonic = is_monotonic && now[i] >= before[i];
    (*delta)[i] = now[i] - before[i];
  }
  return is_monotonic;
}

// What was added between two cumulative counts; false if any of them went down.
bool Subtract(const Counters& now, const Counters& before, Counters* delta) {
  bool is_monotonic = true;
  for (const CounterRow& row : kCounterRows) {
    if (row.field == &Counters::schedule_hash) continue;  // a sum modulo 2^64
    is_monotonic = is_monotonic && now.*row.field >= before.*row.field;
    delta->*row.field = now.*row.field - before.*row.field;
  }
  for (std::size_t i = 0; i < kConnectResultCount; ++i) {
    is_monotonic = is_monotonic && now.connects[i] >= before.connects[i];
    delta->connects[i] = now.connects[i] - before.connects[i];
  }
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    is_monotonic = is_monotonic && now.outcomes[i] >= before.outcomes[i];
    delta->outcomes[i] = now.outcomes[i] - before.outcomes[i];
  }
  for (std::size_t i = 0; i < kNeverSentCount; ++i) {
    is_monotonic = is_monotonic && now.never_sent[i] >= before.never_sent[i];
    delta->never_sent[i] = now.never_sent[i] - before.never_sent[i];
  }
  return is_monotonic && SubtractAll(now.closings, before.closings, &delta->closings) &&
         SubtractAll(now.findings, before.findings, &delta->findings) &&
         SubtractAll(now.tls_alerts, before.tls_alerts, &delta->tls_alerts);
}

// Sums of times stay below it.
constexpr std::uint64_t kMaxTime = std::uint64_t{1} << 63;

// Adds `delta` to `sum`; the name of a figure that would be beyond all sense, else empty, and then `sum` is as before.
std::string AddChecked(const Counters& delta, Counters* sum) {
  for (const CounterRow& row : kCounterRows) {
    if (row.field == &Counters::schedule_hash) continue;
    const std::uint64_t most = absl::EndsWith(row.name, "_ns") ? kMaxTime : kMaxCount;
    if (delta.*row.field > most || sum->*row.field > most - delta.*row.field) return std::string(row.name);
  }
  const auto fits = [](const auto& added, const auto& to) {
    for (std::size_t i = 0; i < added.size(); ++i) {
      if (added[i] > kMaxCount || to[i] > kMaxCount - added[i]) return false;
    }
    return true;
  };
  if (!fits(delta.never_sent, sum->never_sent)) return "never_sent";
  if (!fits(delta.outcomes, sum->outcomes)) return "outcomes";
  if (!fits(delta.connects, sum->connects)) return "connects";
  if (!fits(delta.closings, sum->closings)) return "closings";
  if (!fits(delta.findings, sum->findings)) return "findings";
  if (!fits(delta.tls_alerts, sum->tls_alerts)) return "tls_alerts";
  sum->Add(delta);
  return "";
}

struct Part {
  std::uint64_t part;
  std::uint64_t whole;
  absl::string_view what;
};

// Says which part is more than its whole; empty if none is.
std::string BrokenPart(const Counters& c) {
  const std::uint64_t complete = c.Complete();
  const Part parts[] = {{c.drained, complete, "drained responses, complete ones"},
                        {c.drained_sent, c.sent, "requests sent in the drain, all sent"},
                        {c.drained_success, c.success, "drained successes, all"},
                        {c.drained_success, c.drained, "drained successes, drained responses"},
                        {c.drained_messages, c.messages, "drained messages, all"},
                        {c.drained_bytes, c.bytes_received, "drained bytes, all received"},
                        {c.drained_busy_ns, c.busy_ns, "ns of requests in the drain, in all"},
                        {c.orphan_messages, c.messages, "orphan messages, all"},
                        {c.compressed_messages, c.messages, "compressed messages, all"},
                        {c.late_by_us, c.sent, "requests late by the generator, sent"},
                        {c.sent_without_continue, c.sent, "bodies without 100 Continue, requests sent"}};
  for (const Part& part : parts) {
    if (part.part > part.whole) return absl::StrCat(part.part, " > ", part.whole, ": ", part.what);
  }
  return "";
}

std::uint64_t FailedConnects(const Counters& counters) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kConnectResultCount; ++i) {
    const auto result = static_cast<ConnectResult>(i);
    if (result != ConnectResult::kEstablished && result != ConnectResult::kAbandoned) sum += counters.connects[i];
  }
  return sum;
}

// Whether the shard's statuses are those of what was added between two cumulative counts.
absl::Status CheckStatuses(const proto::Shard& shard, const Counters& before, const Counters& now,
                           const Counters& delta) {
  const auto failed = static_cast<std::size_t>(ConnectResult::kUpgradeFailed);
  if (now.connects[failed] < before.connects[failed]) return absl::DataLossError("its counters went backwards");
  return StatusCounts::Check(shard.statuses(), delta.outcomes, now.connects[failed] - before.connects[failed]);
}

constexpr double kMicros = 1e3;

}  // namespace

Merger::Merger(std::size_t agent_count, const MergeSettings& settings)
    : settings_(settings),
      headline_(static_cast<std::size_t>(settings.headline)),
      agents_(agent_count),
      requests_(agent_count, settings.requests),
      traces_(settings.headline == Metric::kResponse, settings.requests) {
  if (agent_count > kMaxTimelines) return;
  for (AgentSum& agent : agents_) agent.timeline.KeepLatencies();
}

absl::Status Merger::Apply(const proto::Shard& shard) {
  const proto::ShardKey& key = shard.key();
  CHECK(key.agent() < agents_.size());
  AgentSum& agent = agents_[key.agent()];
  if (shard.window() > kMaxWindow) return DataLoss(key, "its window lies beyond the longest run");
  if (agent.is_final) return DataLoss(key, "it follows the final one");
  if (static_cast<std::int64_t>(shard.window()) <= agent.last_window)
    return DataLoss(key, absl::StrCat("its window ", shard.window(), " does not follow window ", agent.last_window));

  Counters counters;
  Pending pending;
  if (!FromProto(shard.counters(), &counters, &pending))
    return DataLoss(key, "it has counters this version does not know");
  Counters delta;
  if (!Subtract(counters, agent.counters, &delta)) return DataLoss(key, "its counters went backwards");
  Counters total = total_;
  if (const std::string name = AddChecked(delta, &total); !name.empty())
    return DataLoss(key, absl::StrCat("with it ", name, " is beyond all sense"));
  if (pending.waiting > kMaxCount || pending.in_flight > kMaxCount)
    return DataLoss(key, "more requests are pending than there can be");
  if (const std::string broken = BrokenIdentity(counters, pending); !broken.empty()) return DataLoss(key, broken);
  if (const std::string broken = BrokenPart(counters); !broken.empty()) return DataLoss(key, broken);
  if (shard.is_final() && (pending.waiting != 0 || pending.in_flight != 0))
    return DataLoss(key, "it is final, yet requests are pending");

  // Decode and check all before adding any.
  std::array<bool, kMetricCount> is_decoded{};
  std::array<HistogramFacts, kMetricCount> facts = agent.facts;
  for (const proto::HistogramDelta& part : shard.deltas()) {
    const std::uint32_t metric = part.summary().metric();
    if (metric >= kMetricCount || is_decoded[metric])
      return DataLoss(key, "it has a histogram this version does not know, or twice");
    is_decoded[metric] = true;
    TIDEMARK_RETURN_IF_ERROR(DecodeDelta(part, &decoded_[metric]));
    if (!AddFits(FactsFromProto(part.summary()), histograms_[metric]))
      return DataLoss(key, "it has more values than any agent can measure");
    facts[metric].Add(FactsFromProto(part.summary()));
  }
  std::array<bool, kMetricCount> is_claimed{};
  for (const proto::HistogramSummary& claimed : shard.cumulative()) {
    if (claimed.metric() >= kMetricCount || FactsFromProto(claimed) != facts[claimed.metric()]) {
      return DataLoss(key, "what was merged is not what the agent says it adds up to");
    }
    is_claimed[claimed.metric()] = true;
  }
  for (std::size_t i = 0; i < kMetricCount; ++i) {
    if (!is_claimed[i] && facts[i] != HistogramFacts()) return DataLoss(key, "a cumulative sum is missing");
  }
  const Ends ends = {.sent = counters.sent,
                     .success = counters.success,
                     .outcomes = counters.outcomes,
                     .is_open_loop = headline() == Metric::kResponse};
  for (std::size_t i = 0; i < kMetricCount; ++i) {
    if (const std::string broken = BrokenHistogram(static_cast<Metric>(i), facts[i], ends); !broken.empty())
      return DataLoss(key, absl::StrCat("its ", broken));
  }

  if (facts[headline_].count > SparseHistogram::kMaxCount)
    return DataLoss(key, "it has more values than any agent can measure");
  if (const absl::Status status = CheckStatuses(shard, agent.counters, counters, delta); !status.ok())
    return DataLoss(key, status.message());
  if (const absl::Status status = AddressCounts::Check(shard.addresses(), delta, IsListening()); !status.ok())
    return DataLoss(key, status.message());
  if (const absl::Status status = NamedCounts::Check(shard); !status.ok()) return DataLoss(key, status.message());
  if (const absl::Status status = requests_.Check(shard, counters, headline() == Metric::kResponse); !status.ok())
    return DataLoss(key, status.message());
  if (const absl::Status status = traces_.Check(shard); !status.ok()) return DataLoss(key, status.message());
  if (const absl::Status status = fan_out_.Add(shard.events()); !status.ok()) return DataLoss(key, status.message());
  total_ = total;
  named_.Add(shard);
  requests_.Add(shard);
  traces_.Add(shard);
  statuses_.Add(shard.statuses(), shard.window(), key.agent());
  addresses_.Add(shard.addresses(), shard.window());

  for (std::size_t i = 0; i < kMetricCount; ++i) {
    if (is_decoded[i]) histograms_[i].Add(decoded_[i]);
  }
  if (is_decoded[headline_] && decoded_[headline_].count() > 0) {
    agent.latency.Add(decoded_[headline_], &scratch_);
    agent.means.push_back(decoded_[headline_].Mean());
  }
  if (settings_.length == 0 || shard.window() * kSecond < settings_.length)
    agent.timeline.Add(shard.window(), delta, is_decoded[headline_] ? &decoded_[headline_] : nullptr, &scratch_);
  agent.host = shard.host();
  if (shard.has_target_clock()) agent.target_clock = shard.target_clock();
  agent.facts = facts;
  agent.recently_sent[agent.shards % agent.recently_sent.size()] = delta.RequestsSent();
  agent.counters = counters;
  agent.pending = pending;
  constexpr auto kLateness = static_cast<std::size_t>(Metric::kLateness);
  NoteLast(delta, shard.length_ns() - agent.length, is_decoded[headline_], is_decoded[kLateness], &agent);
  agent.length = std::max<Nanos>(agent.length, shard.length_ns());
  agent.stood_still = std::max<Nanos>(agent.stood_still, shard.stood_still_ns());
  agent.start_late = std::max<Nanos>(agent.start_late, shard.start_late_ns());
  agent.last_window = std::max<std::int64_t>(agent.last_window, shard.window());
  agent.is_final = shard.is_final();
  ++agent.shards;

  const bool is_listening = IsListening();
  const Failures failures = FailuresOf(delta, shard.statuses(), settings_.success);
  failures_.Add(failures);
  if (!closed_.empty() && shard.window() <= closed_.back().second) {
    ++late_;
  } else {
    auto& window = open_[shard.window()];
    if (window == nullptr) window = std::make_unique<OpenWindow>();
    if (is_decoded[headline_]) window->latency.Add(decoded_[headline_]);
    if (is_decoded[kLateness]) window->lateness.Add(decoded_[kLateness]);
    window->delta.Add(delta);
    window->failures.Add(failures);
    constexpr auto kService = static_cast<std::size_t>(Metric::kService);
    if (is_decoded[kService]) window->longest = std::max(window->longest, decoded_[kService].max());
    const std::size_t gap = is_listening ? static_cast<std::size_t>(Metric::kInterval) : kService;
    if (is_decoded[gap]) {
      decoded_[gap].ForEach([&window](std::uint32_t slot, std::uint64_t count) {
        const auto time = static_cast<double>(HistogramLayout::HighestOf(slot));
        window->gap_sum += static_cast<double>(count) * time;
        window->gap_squares += static_cast<double>(count) * time * time;
      });
    }
    // An agent that went on reading would have seen what the others did not.
    window->stood_still = std::min<Nanos>(window->stood_still.value_or(shard.stood_still_ns()), shard.stood_still_ns());
    window->pending += pending.waiting + pending.in_flight;
  }
  CloseCompleteWindows();
  return absl::OkStatus();
}

// What comes while a point drains has no length, and is no second.
void Merger::NoteLast(const Counters& delta, Nanos length, bool has_latency, bool has_lateness, AgentSum* agent) const {
  constexpr Nanos kLeast = 100 * kMillisecond;
  if (length < kLeast) return;
  const auto p99 = [this](bool has_any, std::size_t metric) {
    return has_any && decoded_[metric].count() > 0 ? decoded_[metric].Quantile(99, 100) : Nanos{-1};
  };
  agent->last = {.length = length,
                 .requests = delta.Complete() - delta.drained,
                 .messages = delta.messages - delta.drained_messages - delta.early_messages,
                 .cpu_ns = delta.cpu_ns,
                 .p99 = p99(has_latency, headline_),
                 .lateness_p99 = p99(has_lateness, static_cast<std::size_t>(Metric::kLateness))};
}

void Merger::CloseCompleteWindows() {
  std::int64_t complete = std::numeric_limits<std::int64_t>::max();
  for (const AgentSum& agent : agents_) {
    if (!agent.is_final && !agent.is_lost) complete = std::min(complete, agent.last_window);
  }
  while (!open_.empty() && (open_.begin()->first < complete || open_.size() > kMaxOpenWindows)) CloseWindow();
}

void Merger::CloseWindow() {
  const auto first = open_.extract(open_.begin());
  const OpenWindow& window = *first.mapped();
  const Histogram& latency = window.latency;
  const auto micros = [](Nanos time) { return static_cast<double>(time) / kMicros; };
  WindowSum sum{.second = first.key(),
                .requests = window.delta.Complete(),
                .success = window.delta.success,
                .errors = window.delta.OutcomeTotal() - window.delta.success + window.delta.NeverSentTotal(),
                .mean_us = latency.Mean() / kMicros,
                .p50_us = micros(latency.Quantile(50, 100)),
                .p90_us = micros(latency.Quantile(90, 100)),
                .p99_us = micros(latency.Quantile(99, 100)),
                .p99_9_us = micros(latency.Quantile(999, 1'000)),
                .max_us = micros(latency.max()),
                .lateness_p99_us = window.lateness.count() == 0 ? -1 : micros(window.lateness.Quantile(99, 100)),
                .cpu_ns = window.delta.cpu_ns,
                .failures = window.failures,
                .messages = window.delta.messages - window.delta.early_messages,
                .planned = window.delta.planned,
                .failed_connects = FailedConnects(window.delta),
                .pending = window.pending,
                .longest = window.longest,
                .usual_gap = window.gap_sum == 0 ? 0 : static_cast<Nanos>(window.gap_squares / window.gap_sum),
                .covered = window.delta.up_ns == 0 ? 0 : window.gap_sum / static_cast<double>(window.delta.up_ns),
                .stood_still = window.stood_still.value_or(0),
                .availability = window.delta.asked_ns == 0 ? -1
                                                           : static_cast<double>(window.delta.up_ns) /
                                                                 static_cast<double>(window.delta.asked_ns),
                .latency_v2 = ""};
  if (latency.count() > 0) sum.latency_v2 = EncodeV2(latency);
  closed_.push_back(std::move(sum));
}

void Merger::Lose(std::size_t agent) {
  agents_[agent].is_lost = true;
  CloseCompleteWindows();
}

absl::Status Merger::Finish() {
  while (!open_.empty()) CloseWindow();
  for (AgentSum& agent : agents_) {
    const Histogram latency = std::exchange(agent.latency, SparseHistogram()).ToHistogram();
    agent.p50 = latency.Quantile(50, 100);
    agent.p99 = latency.Quantile(99, 100);
    agent.max = latency.max();
  }
  FinishTimelines();
  for (std::size_t i = 0; i < kMetricCount; ++i) {
    HistogramFacts sum;
    for (const AgentSum& agent : agents_) sum.Add(agent.facts[i]);
    if (histograms_[i].Facts() != sum) {
      return absl::DataLossError(
          absl::StrCat("the merged histogram '", Label(static_cast<Metric>(i)), "' is not the sum of the agents'"));
    }
  }
  TIDEMARK_RETURN_IF_ERROR(requests_.Finish());
  const Counters sum = counters();
  if (const std::string broken = BrokenIdentity(sum, pending()); !broken.empty()) return absl::DataLossError(broken);
  if (!AllFinal()) return absl::OkStatus();
  absl::uint128 times = sum.failed_ns;
  for (const Metric metric : {Metric::kService, Metric::kOther, Metric::kCensored}) times += histogram(metric).sum();
  if (times != sum.busy_ns) {
    return absl::DataLossError(absl::StrCat("the requests in flight add up to ", sum.busy_ns / kMillisecond,
                                            " ms over time, their own times to ",
                                            absl::Uint128Low64(times) / kMillisecond, " ms (Little's law)"));
  }
  return absl::OkStatus();
}

void Merger::FinishTimelines() {
  std::vector<AgentSum*> worst;
  for (AgentSum& agent : agents_) worst.push_back(&agent);
  std::stable_sort(worst.begin(), worst.end(), [](const AgentSum* a, const AgentSum* b) { return a->p99 > b->p99; });
  for (std::size_t i = 0; i < worst.size(); ++i)
    i < kMaxTimelines ? worst[i]->timeline.Finish() : void(worst[i]->timeline = Timeline());
}

bool Merger::AllFinal() const {
  return std::all_of(agents_.begin(), agents_.end(), [](const AgentSum& agent) { return agent.is_final; });
}

Counters Merger::counters() const {
  Counters sum;
  for (const AgentSum& agent : agents_) sum.Add(agent.counters);
  return sum;
}

Pending Merger::pending() const {
  Pending sum;
  for (const AgentSum& agent : agents_) {
    sum.waiting += agent.pending.waiting;
    sum.in_flight += agent.pending.in_flight;
  }
  return sum;
}

Nanos Merger::length() const {
  Nanos last = 0;
  for (const AgentSum& agent : agents_) last = std::max(last, agent.length);
  return last;
}

std::vector<Histogram> SecondsOf(const Merger& merger) {
  std::vector<Histogram> seconds;
  for (const WindowSum& window : merger.windows()) {
    absl::StatusOr<Histogram> histogram = Histogram();
    if (!window.latency_v2.empty()) histogram = DecodeHdr(window.latency_v2);
    CHECK(histogram.ok());
    seconds.push_back(*std::move(histogram));
  }
  return seconds;
}

}  // namespace tidemark
