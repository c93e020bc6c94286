// A run as agents would have measured it, with the same figures each time: for tests of what is made of one.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/control/shard_sender.h"
#include "agent/measure/recorder.h"
#include "common/plan/defaults.h"
#include "common/plan/sweep.h"
#include "coordinator/merge/claims.h"
#include "coordinator/merge/run_result.h"
#include "protos/plan.pb.h"

namespace tidemark {

// Numbers in an order of their own, the same everywhere.
class Sequence {
 public:
  explicit Sequence(std::uint64_t seed) : at_(seed) {}
  std::uint64_t Next() { return Mix64(++at_); }
  // From 2 ms on; of four times as many values the largest is half as large again.
  Nanos Latency() {
    Nanos value = 2 * kMillisecond + static_cast<Nanos>(Next() % 2'000'000);
    for (int i = std::countr_zero(Next()) / 2; i > 0; --i) value += value / 2;
    return value;
  }

 private:
  std::uint64_t at_;
};

// One slot of `plan`: a reply or 2xx, but of a hundred some 4xx, 5xx, a 429, a time-out, a reset and one never sent.
inline void RecordSlot(const proto::Plan& plan, Sequence* sequence, Recorder* recorder) {
  const bool is_open = IsOpenLoop(plan.sweep());
  const bool is_web_socket = absl::StartsWith(plan.target(), "ws");
  const std::uint64_t chance = sequence->Next() % 100;
  const Nanos latency = sequence->Latency();
  const Nanos lateness = static_cast<Nanos>(sequence->Next() % 50'000);
  Recorder& r = *recorder;
  ++r.counters.planned;
  if (chance == 0) {
    ++r.counters[NeverSent::kConnectRefused];
    return;
  }
  ++r.counters.sent;
  r[Metric::kLateness].Record(lateness);
  if (is_open && chance % 2 == 0) r[Metric::kPacing].Record(lateness);
  r.counters.busy_ns += static_cast<std::uint64_t>(latency);
  RequestSum* const request = r.requests.empty() ? nullptr : &r.requests[sequence->Next() % r.requests.size()];
  if (request != nullptr) ++request->counts.sent;
  const auto end = [&](Outcome outcome) {
    ++r.counters[outcome];
    if (request != nullptr) ++request->counts.outcomes[static_cast<std::size_t>(outcome)];
  };
  const auto record = [&](Metric metric, Nanos value) {
    r[metric].Record(value);
    const bool is_of_mix = metric != Metric::kOther;
    if (request != nullptr && is_of_mix) (*request)[metric].Record(value);
  };
  if (chance == 1) {
    end(Outcome::kRequestTimeout);
    record(Metric::kCensored, latency);
    if (is_open) record(Metric::kUnanswered, latency + lateness);
    return;
  }
  if (chance == 2) {
    end(Outcome::kReset);
    r.counters.failed_ns += static_cast<std::uint64_t>(latency);
    return;
  }
  record(Metric::kFirstByte, latency / 2);
  const bool is_failure = chance < 8 && !is_web_socket;
  if (is_web_socket) {
    end(Outcome::kReply);
    ++r.counters.messages;
    r.counters.message_bytes += 100;
  } else {
    const std::uint32_t status = chance == 3 ? 429 : chance < 6 ? 404 : chance < 8 ? 503 : 200;
    end(OutcomeOfStatus(static_cast<int>(status)));
    r.statuses.Count(status);
  }
  r.counters.bytes_received += 200;
  if (is_failure) return record(Metric::kOther, latency);
  ++r.counters.success;
  if (request != nullptr) ++request->counts.success;
  record(Metric::kService, latency);
  if (is_open) record(Metric::kResponse, latency + lateness);
}

// One message of a stream that is listened to.
inline void RecordMessage(const proto::Plan& plan, Sequence* sequence, Recorder* recorder) {
  Recorder& r = *recorder;
  ++r.counters.messages;
  r.counters.message_bytes += 100;
  r.counters.bytes_received += 104;
  r[Metric::kInterval].Record(sequence->Latency());
  if (!plan.web_socket().listen().time().empty()) r[Metric::kStaleness].Record(sequence->Latency());
  r.named.Stream(absl::StrCat("stream", sequence->Next() % 3)).Add({.messages = 1, .bytes = 100});
}

// A point of a plan by time, told of for `seconds`: of `per_second` slots or messages at each agent.
inline PointResult MakePoint(const proto::Plan& plan, std::uint32_t index, std::size_t agents, std::uint32_t seconds,
                             int per_second) {
  PointResult point;
  point.index = index;
  point.connections = PointAt(plan.sweep(), static_cast<int>(index)).connections;
  point.connections_up = point.connections;
  if (!plan.sweep().rates().empty()) point.rate = plan.sweep().rates(static_cast<int>(index));
  point.shares.assign(agents, point.connections / static_cast<std::int64_t>(agents));
  point.request_shares = RequestShares(plan.sweep(), point.shares);
  point.merger = MakeMerger(plan, agents);
  point.is_started = true;
  point.start_offset = index * 20 * kSecond;
  const Nanos length = PointLength(plan.sweep());
  const bool is_listening = plan.web_socket().has_listen();
  for (std::uint32_t agent = 0; agent < agents; ++agent) {
    Sequence sequence((index + 1) * 1'000 + agent);
    proto::ShardKey key;
    key.set_agent(agent);
    ShardSender sender(key, 1);
    for (std::uint32_t window = 0; window < seconds; ++window) {
      WorkerReport report{.kind = WorkerReport::Kind::kWindow,
                          .window = window,
                          .is_final = window + 1 == seconds,
                          .length = std::min(length, (window + 1) * kSecond)};
      report.recorder = std::make_unique<Recorder>();
      if (plan.requests_size() > 1) report.recorder->requests.resize(static_cast<std::size_t>(plan.requests_size()));
      for (int i = 0; i < per_second; ++i)
        is_listening ? RecordMessage(plan, &sequence, report.recorder.get())
                     : RecordSlot(plan, &sequence, report.recorder.get());
      Counters& counters = report.recorder->counters;
      counters.cpu_ns = 100 * kMillisecond + sequence.Next() % 1'000'000;
      counters.asked_ns = static_cast<std::uint64_t>(point.shares[agent] * kSecond);
      counters.up_ns = counters.asked_ns - sequence.Next() % 1'000'000;
      for (const proto::Shard& shard : sender.Add(report)) {
        const absl::Status status = point.merger->Apply(shard);
        EXPECT_TRUE(status.ok()) << status;
      }
    }
  }
  return point;
}

// A run of all points of `plan`.
inline RunResult MakeRun(const proto::Plan& plan, std::size_t agents, std::uint32_t seconds, int per_second) {
  RunResult result;
  result.run = "20260101T000000Z-000001";
  result.started_at = "2026-01-01T00:00:00.000Z";
  result.started_wall_s = 1'767'225'600;
  for (std::uint32_t agent = 0; agent < agents; ++agent) {
    proto::AgentInfo& info = result.agents.emplace_back();
    info.set_agent(agent);
    info.set_address(absl::StrCat("10.0.0.", agent, ":7601"));
    info.set_workers(1);
  }
  for (int i = 0; i < PointCount(plan.sweep()); ++i) {
    result.points.push_back(MakePoint(plan, static_cast<std::uint32_t>(i), agents, seconds, per_second));
    ClosePoint(&result.points.back(), kExitAccounting, &result);
    result.shards += agents * seconds;
  }
  return result;
}

// A plan of each kind of run, by the name of its report's file in tests/golden.
inline std::map<std::string, proto::Plan> PlansOfEachKind() {
  std::map<std::string, proto::Plan> plans;
  const auto add = [&plans](const char* name, const char* target) {
    proto::Plan* const plan = &plans[name];
    plan->set_target(target);
    return plan;
  };
  proto::Plan* const closed = add("closed", "http://127.0.0.1:9/");
  closed->mutable_sweep()->add_connections(2);
  closed->mutable_sweep()->add_connections(4);
  closed->mutable_sweep()->mutable_duration()->set_seconds(3);
  closed->add_expect("p99<20ms");
  proto::Plan* const open = add("open", "https://127.0.0.1:9/");
  open->mutable_sweep()->add_rates(200);
  open->mutable_sweep()->mutable_duration()->set_seconds(3);
  proto::Plan* const mix = add("mix", "ws://127.0.0.1:9/");
  mix->mutable_sweep()->add_connections(2);
  mix->mutable_sweep()->mutable_duration()->set_seconds(3);
  for (const char* name : {"buy", "sell"}) {
    proto::Request* const request = mix->add_requests();
    request->set_name(name);
    request->set_body(name);
  }
  proto::Plan* const listening = add("listening", "ws://127.0.0.1:9/");
  listening->mutable_sweep()->add_connections(2);
  listening->mutable_sweep()->mutable_duration()->set_seconds(3);
  listening->mutable_web_socket()->mutable_listen()->set_time("/t");
  listening->mutable_web_socket()->mutable_listen()->set_stream("/s");
  for (auto& [name, plan] : plans) ApplyDefaults(&plan);
  return plans;
}

}  // namespace tidemark
