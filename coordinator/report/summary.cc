#include "coordinator/report/summary.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <numeric>
#include <optional>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/check.h"
#include "common/expectation.h"
#include "common/histogram_codec.h"
#include "common/measured.h"
#include "common/plan.h"
#include "common/units.h"
#include "coordinator/analysis/confidence.h"
#include "coordinator/analysis/dead_seconds.h"
#include "coordinator/analysis/usl.h"
#include "coordinator/report/absent.h"
#include "coordinator/verdict/generator.h"
#include "coordinator/verdict/split.h"
#include "coordinator/verdict/verdict.h"

namespace tidemark {
namespace {

double Micros(Nanos value) { return static_cast<double>(value) / 1e3; }

// `values` by the names of their rows.
template <std::size_t N>
void FillCounts(const std::array<std::uint64_t, N>& values, const std::array<EndRow, N>& rows, proto::Counts* out) {
  for (std::size_t i = 0; i < N; ++i) {
    proto::Count* const count = out->add_list();
    count->set_name(std::string(rows[i].json));
    count->set_count(values[i]);
  }
}

// The counters that are shown there, in the fields of their names, or in `others` if there is none.
void FillCounters(const Counters& counters, Shown shown, google::protobuf::Message* message, proto::Counts* others) {
  for (const CounterRow& row : kCounterRows) {
    if (row.shown != shown) continue;
    const auto* const field = message->GetDescriptor()->FindFieldByName(std::string(row.name));
    if (field != nullptr) {
      message->GetReflection()->SetUInt64(message, field, counters.*row.field);
      continue;
    }
    proto::Count* const count = others->add_list();
    count->set_name(std::string(row.name));
    count->set_count(counters.*row.field);
  }
}

// What the plan does not measure is filled in as zero, as elsewhere here; DropUnmeasured takes it out.
void FillAccounting(const Counters& counters, const Pending& pending, bool has_replies, proto::Accounting* out) {
  FillCounters(counters, Shown::kAccount, out, out->mutable_counters());
  if (out->counters().list().empty()) out->clear_counters();
  out->set_never_sent(counters.NeverSentTotal());
  FillCounts(counters.never_sent, kNeverSentRows, out->mutable_never_sent_by_reason());
  FillCounts(counters.outcomes, kOutcomeRows, out->mutable_outcomes());
  FillCounts(counters.connects, kConnectResultRows, out->mutable_connections());
  proto::WebSocketCounts* const counts = out->mutable_web_socket();
  FillCounters(counters, Shown::kWebSocket, counts, counts->mutable_counters());
  if (counts->counters().list().empty()) counts->clear_counters();
  if (has_replies) counts->set_missing_replies(counters.OutcomeTotal() - counters.Complete());
  FillCounts(counters.findings, kFindingRows, counts->mutable_streams());
  FillCounts(counters.closings, kClosingRows, counts->mutable_closings());
  out->set_waiting(pending.waiting);
  out->set_in_flight(pending.in_flight);
  out->set_identity_holds(BrokenIdentity(counters, pending).empty());
}

// The alerts that came.
void FillAlerts(const Counters& counters, proto::Accounting* out) {
  for (std::size_t i = 0; i < kTlsAlertCount; ++i) {
    if (counters.tls_alerts[i] == 0) continue;
    proto::Count* const count = out->mutable_tls_alerts()->add_list();
    count->set_name(std::string(kTlsAlertRows[i].json));
    count->set_count(counters.tls_alerts[i]);
  }
}

// Responses and refused upgrades by status.
void FillStatuses(const StatusCounts& statuses, proto::Accounting* out) {
  for (const auto& [key, count] : statuses.Counts()) {
    proto::StatusRow* const row = out->add_statuses();
    row->set_status(key.status);
    row->set_is_upgrade(key.is_upgrade);
    row->set_count(count);
    const auto answer = statuses.answers().find(key);
    if (answer == statuses.answers().end()) continue;
    row->set_body(answer->second.body);
    if (!answer->second.content_type.empty()) row->set_content_type(answer->second.content_type);
  }
}

// Each address, where some of them had no success, or none any more. `silent`: since when, in some point, seconds.
void FillAddresses(const AddressCounts& addresses, const std::map<std::string, std::uint32_t>& silent,
                   bool is_listening, proto::Point* out) {
  if (addresses.WithoutSuccess(is_listening).empty() && silent.empty()) return;
  for (const auto& [address, sum] : addresses.sums()) {
    proto::AddressRow* const row = out->add_addresses();
    row->set_address(address);
    row->set_attempts(sum.established + sum.failed_attempts);
    row->set_established(sum.established);
    row->set_success(sum.succeeded);
    if (!is_listening) row->set_failed(sum.failed);
    if (const auto found = silent.find(address); found != silent.end()) row->set_silent_from_s(found->second);
  }
}

// Those of the point's addresses that served nobody any more from a second on.
std::vector<SilentAddress> SilentAddressesOf(const AddressCounts& addresses, const Merger& merger) {
  std::vector<std::uint64_t> answers;
  for (const WindowSum& window : merger.windows()) {
    answers.resize(window.second + 1);
    answers.back() = merger.IsListening() ? window.messages : window.success;
  }
  Nanos stood_still = 0;
  for (const AgentSum& agent : merger.agents()) stood_still = std::max(stood_still, agent.stood_still);
  // Nothing is asked of a stream that could fail. One that was closed may go on at another address.
  const Counters counters = merger.counters();
  const bool where_none_failed = merger.IsListening() && std::all_of(counters.closings.begin(), counters.closings.end(),
                                                                     [](std::uint64_t count) { return count == 0; });
  return addresses.Silent(answers, static_cast<std::uint32_t>(1 + (stood_still + kSecond - 1) / kSecond),
                          where_none_failed);
}

// What the figures of a point, and of the total, are made of.
struct Sums {
  Counters counters;
  Pending pending;
  Counters warmup;
  StatusCounts statuses;
  StatusCounts warmup_statuses;
  AddressCounts addresses;                      // before the start too
  std::map<std::string, std::uint32_t> silent;  // of them, since when in some point, seconds
  std::array<Histogram, kMetricCount> histograms;
  double duration_s = 0;
  std::uint64_t dead_seconds = 0;
  std::uint64_t generator_seconds = 0;
  std::uint64_t unaccounted_max = 0;
  bool unaccounted_is_estimate = false;
  bool unaccounted_is_unknown = false;
  bool has_replies = false;  // a request is a message of a WebSocket
  bool is_partial = false;
  bool is_interrupted = false;

  const Histogram& operator[](Metric metric) const { return histograms[static_cast<std::size_t>(metric)]; }
};

// T0 to the end; none if there was no T0. An open loop that counts takes at least as long as its schedule.
Nanos DurationOf(const proto::Plan& plan, const PointResult& point) {
  if (!point.is_started) return 0;
  const Nanos length = point.merger->length();
  if (point.rate == 0 || plan.sweep().requests() == 0 || point.is_interrupted || length == 0) return length;
  return std::max(
      length, static_cast<Nanos>(1e9 * static_cast<double>(plan.sweep().requests()) / static_cast<double>(point.rate)));
}

// What became of each second of a point.
std::vector<Second> SecondsJudged(const proto::Plan& plan, const PointResult& point) {
  const bool is_listening = plan.web_socket().has_listen();
  std::vector<SecondFacts> facts;
  for (const WindowSum& window : point.merger->windows()) {
    facts.push_back({.second = window.second,
                     .success = is_listening ? window.messages : window.success,
                     .failures = window.errors + window.failed_connects,
                     // Where connections are asked for and none is up, it is they that are asked of the target.
                     .is_asked = is_listening ? window.availability >= 0
                                              : window.planned + window.pending + window.requests + window.errors > 0 ||
                                                    window.availability == 0,
                     .is_carried = window.pending > 0,
                     .longest = window.longest,
                     .usual_gap = window.usual_gap,
                     .covered = window.covered,
                     .stood_still = window.stood_still});
  }
  return JudgeSeconds(facts, DurationOf(plan, point), is_listening);
}

std::uint64_t CountSeconds(const std::vector<Second>& seconds, Second kind) {
  return static_cast<std::uint64_t>(std::count(seconds.begin(), seconds.end(), kind));
}

// `seconds`: SecondsJudged.
void AddPoint(const proto::Plan& plan, const PointResult& point, const std::vector<Second>& seconds, Sums* sums) {
  const Merger& merger = *point.merger;
  sums->has_replies = absl::StartsWith(plan.target(), "ws") && !merger.IsListening();
  sums->counters.Add(merger.counters());
  sums->pending.waiting += merger.pending().waiting;
  sums->pending.in_flight += merger.pending().in_flight;
  sums->warmup.Add(point.warmup);
  sums->statuses.AddLater(merger.statuses());
  sums->warmup_statuses.AddLater(point.warmup_statuses);
  AddressCounts addresses = point.warmup_addresses;
  addresses.Add(merger.addresses());
  sums->addresses.Add(addresses);
  for (const SilentAddress& silent : SilentAddressesOf(addresses, merger))
    sums->silent.emplace(silent.address, silent.from);
  for (std::size_t i = 0; i < kMetricCount; ++i) sums->histograms[i].Add(merger.histogram(static_cast<Metric>(i)));
  for (const auto& [metric, histogram] : point.warmup_connects)
    sums->histograms[static_cast<std::size_t>(metric)].Add(histogram);
  sums->duration_s += static_cast<double>(DurationOf(plan, point)) / 1e9;
  sums->dead_seconds += CountSeconds(seconds, Second::kDead);
  sums->generator_seconds += CountSeconds(seconds, Second::kGenerator);
  sums->unaccounted_max += point.unaccounted_max;
  sums->unaccounted_is_estimate = sums->unaccounted_is_estimate || point.unaccounted_is_estimate;
  sums->unaccounted_is_unknown = sums->unaccounted_is_unknown || point.unaccounted_is_unknown;
  sums->is_partial = sums->is_partial || point.is_partial || !point.is_started;
  sums->is_interrupted = sums->is_interrupted || point.is_interrupted;
}

const char* StatusOf(const Sums& sums) {
  return sums.is_partial ? "PARTIAL" : sums.is_interrupted ? "INTERRUPTED" : "COMPLETE";
}

// What each request of a mix came to.
void FillMix(const proto::Plan& plan, const Sums& sums, proto::Point* out) {
  for (int i = 0; plan.requests_size() > 1 && i < plan.requests_size(); ++i) {
    const auto index = static_cast<std::size_t>(i);
    const Histogram& service = sums[MetricOfRequest(index)];
    proto::RequestResult* const result = out->add_requests();
    result->set_name(plan.requests(i).name());
    result->set_sent(sums.counters.sent_by_request[index]);
    result->set_success(service.count() + service.clock_error());
    *result->mutable_latency() = SummariseLatency(service);
  }
}

// Of several agents, an instant is right as far as their starts and the drift of their clocks since then are known.
// Nothing of one agent, whose instants are all of one clock.
std::optional<double> FanOutErrorMicros(const RunResult& result, const PointResult& point) {
  constexpr double kUsualDriftPpm = 30;
  int sharing = 0;
  double drift_ppm = 0;
  for (std::size_t i = 0; i < point.shares.size(); ++i) {
    if (point.shares[i] == 0) continue;
    ++sharing;
    const proto::AgentInfo& agent = result.agents[i];
    drift_ppm = std::max(drift_ppm, agent.has_clock_drift_ppm() ? std::abs(agent.clock_drift_ppm()) : kUsualDriftPpm);
  }
  if (sharing < 2) return std::nullopt;
  return Micros(point.start_skew_bound) + 2 * drift_ppm * static_cast<double>(point.merger->length()) / 1e9;
}

void FillFanOut(const RunResult& result, const PointResult& point, const proto::Plan& plan, proto::Point* out) {
  const FanOut& fan_out = point.merger->fan_out();
  const std::uint64_t untracked = fan_out.untracked() + point.merger->counters().untracked_events;
  if (plan.web_socket().listen().fan_out().empty()) return;
  const FanOut::Result sum = fan_out.Summarise();
  proto::FanOut* const entry = out->mutable_fan_out();
  entry->set_events(sum.events);
  entry->set_single_events(sum.single_events);
  entry->set_receipts(sum.receipts);
  if (sum.events != 0) {
    entry->set_least_receipts(sum.least);
    entry->set_most_receipts(sum.most);
  }
  entry->set_full_events(sum.full_events);
  *entry->mutable_spread() = SummariseLatency(sum.spread);
  if (const auto error = FanOutErrorMicros(result, point)) entry->set_error_us(*error);
  entry->set_untracked(untracked);
}

// Streams that a report lists; the JSON of a run with more would be hard to read.
constexpr std::size_t kMaxStreamRows = 1'000;

void FillStreams(const NamedCounts& named, double duration_s, proto::Point* out) {
  std::vector<std::pair<std::string, StreamSum>> streams(named.streams().begin(), named.streams().end());
  std::sort(streams.begin(), streams.end(), [](const auto& a, const auto& b) {
    return std::tie(b.second.messages, a.first) < std::tie(a.second.messages, b.first);
  });
  for (std::size_t i = 0; i < std::min(streams.size(), kMaxStreamRows); ++i) {
    const auto& [name, sum] = streams[i];
    proto::StreamRow* const row = out->add_streams();
    row->set_name(name);
    row->set_messages(sum.messages);
    row->set_bytes(sum.bytes);
    if (duration_s > 0) {
      row->set_messages_per_s(static_cast<double>(sum.messages) / duration_s);
      row->set_bytes_per_s(static_cast<double>(sum.bytes) / duration_s);
    }
    row->set_gaps(sum.gaps);
    row->set_lost(sum.lost);
    row->set_lost_late(sum.lost_late);
    row->set_silences(sum.silences);
  }
  out->set_streams_left_out(streams.size() - static_cast<std::size_t>(out->streams_size()));
}

void FillCloseReasons(const NamedCounts& named, proto::Point* out) {
  std::vector<std::pair<std::pair<std::uint32_t, std::string>, std::uint64_t>> closes(named.closes().begin(),
                                                                                      named.closes().end());
  std::stable_sort(closes.begin(), closes.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [close, count] : closes) {
    proto::CloseReason* const row = out->add_close_reasons();
    row->set_code(close.first);
    row->set_reason(close.second);
    row->set_count(count);
  }
}

// Every metric of the table, in the field of its name or, if there is none, among the others.
// A sample knows no least and no largest, and no quantile with too few values beyond it.
void LeaveOutWhatASampleLacks(proto::Latency* sample) {
  sample->clear_min_us();
  struct Quantile {
    double beyond;  // the share of all values
    void (proto::Latency::*clear)();
  };
  for (const Quantile& quantile :
       {Quantile{0.5, &proto::Latency::clear_p50_us}, Quantile{0.1, &proto::Latency::clear_p90_us},
        Quantile{0.05, &proto::Latency::clear_p95_us}, Quantile{0.01, &proto::Latency::clear_p99_us},
        Quantile{0.001, &proto::Latency::clear_p99_9_us}, Quantile{0.0001, &proto::Latency::clear_p99_99_us},
        Quantile{0, &proto::Latency::clear_max_us}}) {
    if (static_cast<double>(sample->count()) * quantile.beyond < gate::kBeyond) (sample->*quantile.clear)();
  }
}

void FillLatencies(const Sums& sums, proto::Point* out) {
  constexpr Metric kSampled[] = {Metric::kStamped, Metric::kAppToWire, Metric::kWire, Metric::kWireToApp,
                                 Metric::kTargetTime};
  const std::uint64_t all = std::max(sums[Metric::kService].count(), sums[Metric::kStaleness].count());
  for (std::size_t i = 0; i < kMetricRows.size(); ++i) {
    const MetricRow& row = kMetricRows[i];
    if (row.json.empty()) continue;
    const Histogram* const bounds = row.bounded_by == Metric::kCount ? nullptr : &sums[row.bounded_by];
    const auto* const field = proto::Point::descriptor()->FindFieldByName(std::string(row.json));
    proto::Latency latency = SummariseLatency(sums.histograms[i], bounds);
    const bool is_sampled =
        std::count(std::begin(kSampled), std::end(kSampled), static_cast<Metric>(i)) > 0 && latency.count() < all;
    if (is_sampled) LeaveOutWhatASampleLacks(&latency);
    if (field != nullptr) {
      out->GetReflection()->MutableMessage(out, field)->CopyFrom(latency);
      continue;
    }
    proto::NamedLatency* const named = out->mutable_histograms()->add_list();
    named->set_name(std::string(row.json));
    *named->mutable_latency() = latency;
  }
}

// Connection time that there was of that which was asked for. Nothing of none.
std::optional<double> AvailabilityPercent(const Counters& counters) {
  if (counters.asked_ns == 0) return std::nullopt;
  return 100 * static_cast<double>(counters.up_ns) / static_cast<double>(counters.asked_ns);
}

// The requests whose fate is known: of what waited or was in flight when no more was heard it is not.
std::uint64_t Known(const Sums& sums) {
  return sums.counters.planned - std::min(sums.counters.planned, sums.pending.waiting + sums.pending.in_flight);
}

// The share of requests that did not succeed; of streams, of connection time. Nothing of none.
std::optional<double> ErrorRatePercent(const Measured& measured, const Sums& sums) {
  const Counters& counters = sums.counters;
  if (measured.Has(Need::kListening)) {
    const auto availability = AvailabilityPercent(counters);
    return availability ? std::optional(100 - *availability) : std::nullopt;
  }
  const std::uint64_t known = Known(sums);
  if (known == 0) return std::nullopt;
  return 100.0 * static_cast<double>(known - counters.success) / static_cast<double>(known);
}

// What is of the seconds, per second, or a share of the time. Nothing of no time.
void FillRates(const Sums& sums, proto::Point* out) {
  if (sums.duration_s <= 0) return;
  const Counters& counters = sums.counters;
  const auto per_s = [&sums](std::uint64_t count) { return static_cast<double>(count) / sums.duration_s; };
  out->set_duration_s(sums.duration_s);
  out->set_requests_per_s(per_s(counters.Complete() - counters.drained));
  out->set_success_per_s(per_s(counters.success - counters.drained_success));
  out->set_messages_per_s(per_s(counters.messages - counters.early_messages - counters.drained_messages));
  out->set_received_bytes_per_s(per_s(counters.bytes_received - counters.drained_bytes));
  out->set_generator_cpu_percent(static_cast<double>(counters.cpu_ns) / 1e7 / sums.duration_s);
  out->set_generator_wait_percent(static_cast<double>(counters.run_delay_ns) / 1e7 / sums.duration_s);
  out->set_dead_seconds(sums.dead_seconds);
  out->set_generator_seconds(sums.generator_seconds);
}

void FillPoint(const Measured& measured, const Sums& sums, proto::Point* out) {
  const Counters& counters = sums.counters;
  out->set_total_requests(counters.planned);
  out->set_successful_requests(counters.success);
  out->set_failed_requests(Known(sums) - counters.success);
  if (const auto rate = ErrorRatePercent(measured, sums)) out->set_error_rate_percent(*rate);
  const auto availability = AvailabilityPercent(counters);
  if (availability && measured.Has("Point.availability_percent")) out->set_availability_percent(*availability);
  FillRates(sums, out);
  FillLatencies(sums, out);
  if (counters.schedule_hash != 0) out->set_schedule_hash(absl::StrFormat("%016x", counters.schedule_hash));
  FillAccounting(counters, sums.pending, sums.has_replies, out->mutable_accounting());
  FillAccounting(sums.warmup, Pending(), sums.has_replies, out->mutable_warmup());
  FillAlerts(counters, out->mutable_accounting());
  FillAlerts(sums.warmup, out->mutable_warmup());
  FillStatuses(sums.statuses, out->mutable_accounting());
  FillStatuses(sums.warmup_statuses, out->mutable_warmup());
  FillAddresses(sums.addresses, sums.silent, measured.Has(Need::kListening), out);
  if (!sums.unaccounted_is_unknown) out->set_unaccounted_requests_max(sums.unaccounted_max);
  if (sums.unaccounted_is_estimate && !sums.unaccounted_is_unknown) out->set_unaccounted_is_estimate(true);
  out->set_status(StatusOf(sums));
}

// Of each second of the point; what was drained afterwards is in no second.
void FillSeries(const proto::Plan& plan, const PointResult& point, const std::vector<Second>& seconds,
                proto::Point* out) {
  for (const WindowSum& window : point.merger->windows()) {
    if (static_cast<Nanos>(window.second) * kSecond >= DurationOf(plan, point)) break;
    proto::Window* row = out->add_series();
    row->set_second(window.second);
    row->set_requests(window.requests);
    row->set_success(window.success);
    row->set_errors(window.errors);
    row->set_messages(window.messages);
    if (!window.latency_v2.empty()) {  // else nothing succeeded in it
      row->set_mean_us(window.mean_us);
      row->set_p50_us(window.p50_us);
      row->set_p99_us(window.p99_us);
      row->set_max_us(window.max_us);
    }
    if (window.availability >= 0 && !plan.sweep().new_connection())
      row->set_availability_percent(100 * window.availability);
    row->set_is_dead(window.second < seconds.size() && seconds[window.second] == Second::kDead);
  }
}

void FillSplit(const SplitFigure& figure, proto::Split* out) {
  out->set_name(figure.name);
  out->set_whole_us(figure.whole / 1e3);
  out->set_ours_us(figure.ours / 1e3);
  out->set_network_us(figure.network / 1e3);
  out->set_target_us(figure.target / 1e3);
}

// Where the mean latency of one agent went; all zero where too little was stamped.
SplitFigure MeanSplit(const AgentSum& agent) {
  const auto facts = [&agent](Metric metric) -> const HistogramFacts& {
    return agent.facts[static_cast<std::size_t>(metric)];
  };
  const auto mean = [](const HistogramFacts& of) {
    return of.count == 0 ? 0 : static_cast<double>(of.sum) / static_cast<double>(of.count);
  };
  if (static_cast<double>(facts(Metric::kTargetTime).count) < gate::kStamps) return {};
  // Of an open loop the service time: what waited for a connection has no stamps.
  return Split("mean_us", mean(facts(Metric::kStamped)), mean(facts(Metric::kWire)), mean(facts(Metric::kTargetTime)));
}

void FillAgentRows(const PointResult& point, proto::Point* out) {
  for (std::size_t i = 0; i < point.shares.size(); ++i) {
    const AgentSum& sum = point.merger->agents()[i];
    proto::AgentRow* row = out->add_agents();
    row->set_agent(static_cast<std::uint32_t>(i));
    row->set_connections(point.shares[i]);
    row->set_planned(sum.counters.planned);
    row->set_sent(sum.counters.sent);
    row->set_success(sum.counters.success);
    if (sum.facts[static_cast<std::size_t>(point.merger->headline())].count != 0) {
      row->set_p50_us(Micros(sum.p50));
      row->set_p99_us(Micros(sum.p99));
      row->set_max_us(Micros(sum.max));
    }
    if (const SplitFigure split = MeanSplit(sum); split.whole > 0) FillSplit(split, row->mutable_split());
    row->set_shards(sum.shards);
    row->set_target_clock_readings(sum.target_clock.readings());
    row->set_target_clock_failures(sum.target_clock.failures());
    row->set_target_clock_steps(sum.target_clock.steps());
    if (sum.target_clock.readings() != 0) {
      row->set_target_clock_offset_us(Micros(sum.target_clock.offset_ns()));
      row->set_target_clock_error_us(Micros(sum.target_clock.error_ns()));
      out->set_staleness_error_us(std::max(out->staleness_error_us(), row->target_clock_error_us()));
    }
    if (point.is_started && sum.length > 0)
      row->set_cpu_percent(static_cast<double>(sum.counters.cpu_ns) * 100 / static_cast<double>(sum.length));
  }
}

// What was drained is in the figures, but in no span of time.
void FillIntervals(const Merger& merger, double duration_s, proto::Latency* out) {
  std::vector<Histogram> windows = SecondsOf(merger);
  windows.resize(std::min(windows.size(), static_cast<std::size_t>(std::ceil(duration_s))));
  struct Quantile {
    const char* name;
    std::uint64_t numerator;
    std::uint64_t denominator;
  };
  for (const auto& [name, numerator, denominator] :
       {Quantile{"p50_us", 50, 100}, Quantile{"p90_us", 90, 100}, Quantile{"p95_us", 95, 100},
        Quantile{"p99_us", 99, 100}, Quantile{"p99_9_us", 999, 1000}, Quantile{"p99_99_us", 9999, 10000}}) {
    const std::optional<Interval> interval = BatchInterval(windows, numerator, denominator);
    if (!interval) {
      out->add_too_few(name);
      continue;
    }
    proto::Interval* const entry = out->add_intervals();
    entry->set_name(name);
    entry->set_low_us(interval->low / 1e3);
    entry->set_high_us(interval->high / 1e3);
  }
}

// The share of requests that may fail: the plan's, or what is usual.
double MaxFailures(const proto::Plan& plan) {
  double most = gate::kFailures;
  for (const std::string& text : plan.expect()) {
    const auto expectation = ParseExpectation(text);
    CHECK(expectation.ok());  // the plan is valid
    if (expectation->figure == Expectation::Figure::kErrorRate && expectation->is_at_most)
      most = expectation->limit / 100;
  }
  return most;
}

void FillVerdict(const RunResult& result, const PointResult& point, const Sums& sums,
                 const std::vector<Second>& seconds, bool is_open_loop, const proto::Plan& plan, proto::Point* out) {
  const std::string& until = plan.sweep().until();
  PointFacts facts{.is_open_loop = is_open_loop,
                   .is_spinning = plan.sweep().pace() == "spin",
                   .is_partial = point.is_partial || point.is_interrupted || !point.is_started,
                   .duration_s = sums.duration_s,
                   .start_wall_s = result.started_wall_s + static_cast<double>(point.start_offset) / 1e9,
                   .counters = sums.counters,
                   .is_listening = plan.web_socket().has_listen(),
                   .measured = &sums[Metric::kService],
                   .censored = &sums[Metric::kCensored],
                   .response = &sums[Metric::kResponse],
                   .unanswered = &sums[Metric::kUnanswered],
                   .pacing = &sums[Metric::kPacing],
                   .loop_lag = &sums[Metric::kLoopLag],
                   .stamped = &sums[Metric::kStamped],
                   .wire = &sums[Metric::kWire],
                   .target_time = &sums[Metric::kTargetTime],
                   .wire_to_app = &sums[Metric::kWireToApp],
                   .connections = point.connections,
                   .windows = &point.merger->windows(),
                   .seconds = seconds,
                   .statuses = &sums.statuses,
                   .addresses = &sums.addresses,
                   .success = *ParseStatusSet(plan.expect_status()),  // the plan is valid
                   .has_availability = !plan.sweep().new_connection(),
                   .max_failures = MaxFailures(plan)};
  for (const auto& [address, from] : sums.silent) facts.silent.push_back({.address = address, .from = from});
  const double time_ns = static_cast<double>(point.connections) * sums.duration_s * 1e9;
  const proto::Listen& listen = plan.web_socket().listen();
  if (facts.has_availability && plan.sweep().has_duration() && !listen.has_hold() && !listen.has_storm() && time_ns > 0)
    facts.kept_closed = 1 - std::min(1.0, static_cast<double>(sums.counters.asked_ns) / time_ns);
  for (const proto::RequestResult& request : out->requests())
    facts.mix.push_back({.name = request.name(), .sent = request.sent(), .success = request.success()});
  if (facts.is_listening) {
    facts.measured = &sums[point.merger->headline()];
    facts.measured_name = point.merger->headline() == Metric::kStaleness ? "staleness" : "interval between messages";
  }
  for (std::size_t i = 0; i < point.shares.size(); ++i) {
    const AgentSum& agent = point.merger->agents()[i];
    const int workers = point.shares[i] > 0 ? result.agents[i].workers() : 0;
    facts.workers += workers;
    facts.stood_still = std::max(facts.stood_still, agent.stood_still);
    const auto time = static_cast<double>(agent.length) * workers;
    const SplitFigure mean = MeanSplit(agent);
    facts.agents.push_back(
        {.means = agent.means,
         .waited = time <= 0 ? 0 : static_cast<double>(agent.counters.run_delay_ns) / time,
         .stood_still_s =
             workers == 0 ? 0 : static_cast<double>(agent.counters.stood_still_ns) / 1e9 / static_cast<double>(workers),
         .duration_s = static_cast<double>(agent.length) / 1e9,
         .throttled = static_cast<Nanos>(agent.host.throttled_ns()),
         .is_stamped = mean.whole > 0,
         .mean = mean.whole,
         .wire_mean = mean.network + mean.target});
    facts.host.set_cpu_ns(facts.host.cpu_ns() + agent.host.cpu_ns());
    facts.host.set_steal_ns(facts.host.steal_ns() + agent.host.steal_ns());
    facts.host.set_dropped_packets(facts.host.dropped_packets() + agent.host.dropped_packets());
    facts.host.set_syn_retransmits(facts.host.syn_retransmits() + agent.host.syn_retransmits());
    facts.host.set_accept_overflows(facts.host.accept_overflows() + agent.host.accept_overflows());
  }
  for (const SplitFigure& figure : SplitsOf(facts)) FillSplit(figure, out->add_splits());
  // A row on the wire beside that of all would compare two kinds of requests.
  if (IsStamped(facts) && facts.measured->count() > 0 && !StampedAreLikeAll(facts)) {
    out->clear_wire();
    out->add_verdict_notes(absl::StrCat(
        "those that the kernel stamped are not like all: their mean is ", FormatLatency(facts.stamped->Mean() / 1e3),
        ", that of all ", FormatLatency(facts.measured->Mean() / 1e3), ": there are no figures on the wire"));
  }
  const Judgement judgement = Judge(facts);
  if (point.is_precise)
    out->add_verdict_notes(
        absl::StrFormat("ended after %.0f s, when the interval was as narrow as %s", sums.duration_s, until));
  if (!point.is_precise && !until.empty())
    out->add_verdict_notes(absl::StrCat("went on to the end: the interval never was as narrow as ", until));
  const absl::string_view name = Name(judgement.verdict);
  out->set_verdict(std::string(name));
  out->set_verdict_reason(judgement.reason);
  if (judgement.verdict != Verdict::kPartial) {
    out->set_generator(std::string(Name(judgement.generator)));
    out->set_generator_reason(judgement.generator_reason);
    out->set_generator_slowed_the_loop(judgement.slowed_the_loop);
    out->set_target(std::string(Name(judgement.target)));
    out->set_target_reason(judgement.target_reason);
  }
  for (const std::string& note : judgement.notes) out->add_verdict_notes(note);
  if (const std::uint64_t closes = sums.counters.unannounced_closes; closes > 0) {
    out->add_verdict_notes(
        absl::StrCat("the target closed ", closes, " idle connections without announcing it (Connection: close)"));
  }
  if (!is_open_loop && sums.duration_s > 0) {
    out->set_utilisation_percent(static_cast<double>(sums.counters.busy_ns - sums.counters.drained_busy_ns) / 1e7 /
                                 sums.duration_s / static_cast<double>(point.connections) /
                                 static_cast<double>(std::max<std::int64_t>(1, plan.web_socket().pipeline())));
  }
}

// `seconds`: SecondsJudged.
Evidence EvidenceWith(const proto::Plan& plan, const PointResult& point, const std::vector<Second>& seconds) {
  const Merger& merger = *point.merger;
  const bool is_open_loop = merger.headline() == Metric::kResponse;
  const Counters counters = merger.counters();
  Evidence evidence{.seconds = SecondsOf(merger),
                    .unanswered = merger.histogram(Metric::kCensored),
                    .planned = counters.planned,
                    .failed = counters.planned - counters.success,
                    .responses = counters.Complete() - counters.drained,
                    .drained_success = counters.drained_success,
                    .messages = counters.messages - counters.early_messages - counters.drained_messages,
                    .findings = counters.findings,
                    .up_ns = counters.up_ns,
                    .asked_ns = counters.asked_ns,
                    .dead_seconds = CountSeconds(seconds, Second::kDead),
                    .is_listening = merger.IsListening(),
                    .duration = DurationOf(plan, point)};
  if (is_open_loop) evidence.unanswered = merger.histogram(Metric::kUnanswered);
  if (static_cast<double>(merger.histogram(Metric::kWire).count()) >= gate::kStamps) {
    evidence.stamped = merger.histogram(Metric::kStamped);
    evidence.on_wire = merger.histogram(Metric::kWire);
  }
  return evidence;
}

void FillExpected(const proto::Plan& plan, const PointResult& point, const std::vector<Second>& seconds,
                  proto::Point* out) {
  if (plan.expect().empty()) return;
  const Evidence evidence = EvidenceWith(plan, point, seconds);
  for (const std::string& text : plan.expect()) {
    const auto expectation = ParseExpectation(text);
    CHECK(expectation.ok());  // the plan is valid
    proto::Expected* const entry = out->add_expected();
    entry->set_text(expectation->text);
    entry->set_is_met(IsMet(*expectation, evidence));
    entry->set_is_clear(Assess(*expectation, evidence) != Answer::kUnsure);
    if (IsMetOnWire(*expectation, evidence)) entry->set_is_met_on_wire(true);
    if (expectation->IsLatency())
      entry->set_of(std::string(kMetricRows[static_cast<std::size_t>(point.merger->headline())].json));
  }
}

// What an agent has done of its part of the point, from 0 to 1. Of a number of requests, those that have an outcome; of
// a time, that which it lived: one that was lost until the end of the last window that it delivered, one that ended
// early until it said so.
double PartCovered(const PointResult& point, std::size_t index, double length_s) {
  const AgentSum& agent = point.merger->agents()[index];
  const bool has_ended_early = point.early.count(index) != 0;
  if (agent.is_final && !has_ended_early) return 1;
  if (const std::int64_t requests = point.request_shares[index]; requests != 0) {
    const std::uint64_t ended = agent.counters.OutcomeTotal() + agent.counters.NeverSentTotal() -
                                agent.counters.never_sent[static_cast<std::size_t>(NeverSent::kStopped)];
    return std::min(1.0, static_cast<double>(ended) / static_cast<double>(requests));
  }
  if (length_s == 0) return 1;
  const double lived_s =
      has_ended_early ? static_cast<double>(agent.length) / 1e9 : static_cast<double>(agent.last_window + 1);
  return std::min(1.0, lived_s / length_s);
}

// Its agents' parts weigh as much as they have connections, or requests.
std::optional<double> CoveragePercent(const PointResult& point, const proto::Sweep& sweep) {
  const Nanos planned_length = PointLength(sweep);
  const double length_s = static_cast<double>(planned_length != 0 ? planned_length : point.merger->length()) / 1e9;
  double planned = 0;
  double covered = 0;
  for (std::size_t i = 0; i < point.shares.size(); ++i) {
    const std::int64_t requests = point.request_shares[i];
    const auto share = static_cast<double>(requests != 0 ? requests : point.shares[i]);
    planned += share;
    covered += share * PartCovered(point, i, length_s);
  }
  if (planned == 0) return std::nullopt;
  return 100 * covered / planned;
}

// How far apart the first and the last agent began, those without a part in the point left out; and how surely that is
// known. Nothing of a single agent.
void FillStartSkew(const PointResult& point, proto::Point* out) {
  std::vector<Nanos> starts;
  for (std::size_t i = 0; i < point.shares.size(); ++i) {
    if (point.shares[i] > 0 && point.merger->agents()[i].shards > 0)
      starts.push_back(point.merger->agents()[i].start_late);
  }
  if (starts.size() < 2) return;
  const auto [first, last] = std::minmax_element(starts.begin(), starts.end());
  out->set_start_skew_us(Micros(*last - *first));
  out->set_start_skew_bound_us(Micros(point.start_skew_bound));
}

// Throughput over connections, from the points whose throughput the generator did not hold back. The first and the last
// second of a point are left out if enough remain: in the one all connections start at once, the other is cut short.
void FillCapacity(const RunResult& result, const proto::Report& report, proto::Capacity* out) {
  std::vector<UslPoint> points;
  std::vector<std::vector<double>> samples;
  std::vector<KneePoint> knee_points;
  int left_out = 0;
  for (std::size_t i = 0; i < result.points.size(); ++i) {
    const proto::Point& point = report.points(static_cast<int>(i));
    if (point.generator_slowed_the_loop() || point.verdict() == Name(Verdict::kPartial)) {
      ++left_out;
      continue;
    }
    std::vector<double> seconds;
    for (const WindowSum& window : result.points[i].merger->windows())
      seconds.push_back(static_cast<double>(window.success));
    double throughput = point.success_per_s();
    if (seconds.size() >= 7) {
      seconds = std::vector<double>(seconds.begin() + 1, seconds.end() - 1);
      throughput = std::accumulate(seconds.begin(), seconds.end(), 0.0) / static_cast<double>(seconds.size());
    } else {
      seconds.clear();
    }
    points.push_back({.n = static_cast<double>(point.connections()), .x = throughput});
    samples.push_back(std::move(seconds));
    knee_points.push_back({.n = points.back().n, .x = throughput, .r_s = point.latency().mean_us() / 1e6});
  }
  const Capacity capacity = FindCapacity(points, samples);
  out->set_refusal(capacity.refusal);
  if (!capacity.refusal.empty()) {
    if (left_out > 0)
      out->set_refusal(
          absl::StrCat(capacity.refusal, "; ", left_out, " points were left out: partial, or slowed by the generator"));
    return;
  }
  out->set_gamma_per_s(capacity.fit.gamma);
  out->set_sigma(capacity.fit.sigma);
  out->set_kappa(capacity.fit.kappa);
  out->set_max_requests_per_s(capacity.x_max);
  out->set_has_peak(capacity.has_peak);
  if (capacity.has_peak) {
    out->set_peak_connections(capacity.fit.Peak());
    if (capacity.has_intervals) {
      out->set_peak_connections_low(capacity.n_peak.low);
      out->set_peak_connections_high(capacity.n_peak.high);
      out->set_peak_requests_per_s_low(capacity.x_peak.low);
      out->set_peak_requests_per_s_high(capacity.x_peak.high);
    }
  }
  std::sort(knee_points.begin(), knee_points.end(), [](const auto& a, const auto& b) { return a.n < b.n; });
  const Knee knee = FindKnee(knee_points);
  out->set_knee_power(knee.power);
  out->set_knee_crossing(knee.crossing);
  out->set_knee_kneedle(knee.kneedle);
  out->set_is_knee_clear(knee.IsClear());
}

}  // namespace

proto::Latency SummariseLatency(const Histogram& complete, const Histogram* censored) {
  proto::Latency out;
  std::optional<Histogram> merged;
  const bool has_bounds = censored != nullptr && censored->count() > 0;
  if (has_bounds) {
    merged.emplace(complete);
    merged->Add(*censored);
  }
  const Histogram& all = merged ? *merged : complete;
  const auto put = [&](const char* name, std::uint64_t numerator, std::uint64_t denominator,
                       void (proto::Latency::*set)(double)) {
    if (all.count() == 0) return;
    const Nanos value = all.Quantile(numerator, denominator);
    (out.*set)(Micros(value));
    if (has_bounds && value >= censored->min()) out.add_at_least(name);
  };
  out.set_count(complete.count());
  if (complete.count() != 0) {
    out.set_mean_us(complete.Mean() / 1e3);
    out.set_min_us(Micros(complete.min()));
  }
  put("p50_us", 50, 100, &proto::Latency::set_p50_us);
  put("p90_us", 90, 100, &proto::Latency::set_p90_us);
  put("p95_us", 95, 100, &proto::Latency::set_p95_us);
  put("p99_us", 99, 100, &proto::Latency::set_p99_us);
  put("p99_9_us", 999, 1000, &proto::Latency::set_p99_9_us);
  put("p99_99_us", 9999, 10000, &proto::Latency::set_p99_99_us);
  put("max_us", 1, 1, &proto::Latency::set_max_us);
  out.set_overflow(complete.overflow());
  out.set_clock_error(complete.clock_error());
  if (censored != nullptr) {
    out.set_censored(censored->count());
    out.set_overflow(complete.overflow() + censored->overflow());
    out.set_clock_error(complete.clock_error() + censored->clock_error());
  }
  return out;
}

Evidence EvidenceOf(const proto::Plan& plan, const PointResult& point) {
  return EvidenceWith(plan, point, SecondsJudged(plan, point));
}

proto::Report Summarise(const RunResult& result, const proto::Plan& plan) {
  proto::Report report;
  report.set_version(TIDEMARK_VERSION);
  report.set_run(result.run);
  report.set_started_at(result.started_at);
  *report.mutable_plan() = PlanForPrinting(plan);
  report.mutable_agents()->Assign(result.agents.begin(), result.agents.end());
  auto total = std::make_unique<Sums>();
  proto::Merge* merge = report.mutable_merge();
  bool is_exact = true;
  const bool is_open_loop = IsOpenLoop(plan.sweep());
  const Measured measured(plan);
  for (const PointResult& point : result.points) {
    auto sums = std::make_unique<Sums>();
    const std::vector<Second> seconds = SecondsJudged(plan, point);
    AddPoint(plan, point, seconds, sums.get());
    AddPoint(plan, point, seconds, total.get());
    proto::Point* out = report.add_points();
    out->set_connections(point.connections);
    out->set_connections_up(point.connections_up);
    out->set_rate_per_s(point.rate);
    FillPoint(measured, *sums, out);
    FillMix(plan, *sums, out);
    FillSeries(plan, point, seconds, out);
    FillAgentRows(point, out);
    FillFanOut(result, point, plan, out);
    FillStreams(point.merger->named(), sums->duration_s, out);
    FillCloseReasons(point.merger->named(), out);
    proto::Latency* headline = is_open_loop ? out->mutable_response() : out->mutable_latency();
    if (point.merger->headline() == Metric::kInterval) headline = out->mutable_interval();
    if (point.merger->headline() == Metric::kStaleness) headline = out->mutable_staleness();
    FillIntervals(*point.merger, sums->duration_s, headline);
    FillVerdict(result, point, *sums, seconds, is_open_loop, plan, out);
    FillExpected(plan, point, seconds, out);
    if (const auto coverage = !point.is_started ? std::nullopt : CoveragePercent(point, plan.sweep()))
      out->set_coverage_percent(*coverage);
    FillStartSkew(point, out);
    merge->set_late(merge->late() + point.merger->late());
    is_exact = is_exact && point.merger->AllFinal() && out->accounting().identity_holds();
  }
  for (const PointResult& point : result.abandoned) {
    auto sums = std::make_unique<Sums>();
    AddPoint(plan, point, SecondsJudged(plan, point), sums.get());
    proto::Point* out = report.add_abandoned_points();
    out->set_connections(point.connections);
    out->set_connections_up(point.connections_up);
    out->set_rate_per_s(point.rate);
    FillPoint(measured, *sums, out);
    FillMix(plan, *sums, out);
    FillAgentRows(point, out);
  }
  FillPoint(measured, *total, report.mutable_total());
  FillMix(plan, *total, report.mutable_total());
  if (!is_open_loop && !plan.web_socket().has_listen() && result.points.size() > 1)
    FillCapacity(result, report, report.mutable_capacity());
  merge->set_shards(result.shards);
  merge->set_duplicates(result.duplicates);
  merge->set_rejected(result.rejected);
  merge->set_is_exact(is_exact && result.exit_code != kExitAccounting);
  report.set_status(StatusOf(*total));
  report.set_exit_code(result.exit_code);
  for (const std::string& note : result.notes) report.add_notes(note);
  DropUnmeasured(measured, &report);
  return report;
}

}  // namespace tidemark
