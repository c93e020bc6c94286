// Runs one point through an agent's Session, without gRPC, and gives the final shard.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/control/session.h"
#include "common/mutex.h"
#include "common/plan/defaults.h"
#include "common/plan/durations.h"
#include "common/plan/schedule.h"
#include "common/stats/metric.h"
#include "common/stats/outcome.h"
#include "common/stats/status_counts.h"
#include "tests/support/status_matchers.h"

namespace tidemark {

// Collects the events of a session. Threads: any.
class EventLog {
 public:
  void Add(const proto::Event& event) {
    {
      MutexLock lock(&mutex_);
      events_.push_back(event);
    }
    changed_.NotifyAll();
  }
  std::vector<proto::Event> Events() {
    MutexLock lock(&mutex_);
    return events_;
  }
  // Waits for the first event that `matches`; a default event after `limit`.
  template <typename Matches>
  proto::Event WaitFor(Matches matches, Nanos limit = 120 * kSecond) {
    const Nanos deadline = MonotonicNow() + limit;
    MutexLock lock(&mutex_);
    while (true) {
      for (const proto::Event& event : events_) {
        if (matches(event)) return event;
      }
      const Nanos left = deadline - MonotonicNow();
      if (left <= 0) return {};
      changed_.WaitFor(&mutex_, left);
    }
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<proto::Event> events_ ABSL_GUARDED_BY(mutex_);
};

// Makes the plan an open loop of `rate` requests a second, evenly apart, for `duration`.
inline void Pace(proto::Plan* plan, double rate, Nanos duration) {
  proto::Sweep* const sweep = plan->mutable_sweep();
  sweep->clear_requests_per_connection();
  *sweep->mutable_duration() = ToDurationProto(duration);
  sweep->add_rates(rate);
  sweep->set_arrivals("constant");
  sweep->set_pace("timer");
}

struct PointRun {
  proto::Ready ready;
  proto::Shard last;
  Counters warmup;
  Counters counters;
  StatusCounts warmup_statuses;
  StatusCounts statuses;
  Pending pending;
};

// Of a metric, over the point.
inline proto::HistogramSummary FactsOf(const PointRun& run, Metric metric) {
  for (const proto::HistogramSummary& facts : run.last.cumulative()) {
    if (facts.metric() == static_cast<std::uint32_t>(metric)) return facts;
  }
  return {};
}

inline proto::Plan PlanFor(const std::string& url, std::int64_t connections, std::int64_t requests_per_connection) {
  proto::Plan plan;
  plan.set_target(url);
  plan.mutable_sweep()->add_connections(connections);
  plan.mutable_sweep()->set_requests_per_connection(requests_per_connection);
  plan.set_threads(2);
  *plan.mutable_timeout() = ToDurationProto(60 * kSecond);
  ApplyDefaults(&plan);
  return plan;
}

// The share of an agent that is alone.
inline proto::Prepare WholePoint(std::int64_t connections, std::int64_t requests = 0) {
  proto::Prepare prepare;
  prepare.set_connections(connections);
  prepare.set_requests(requests);
  prepare.set_streams(1);
  return prepare;
}

// Of an agent in the user's own process.
inline TargetGuard OwnGuard() {
  TargetGuard guard = *TargetGuard::Make({});
  guard.AllowWhatTheUserMay();
  return guard;
}

// Prepares, starts and finishes the first point of `plan`.
inline PointRun RunOnePoint(const proto::Plan& plan, const TargetGuard& guard = *TargetGuard::Make({})) {
  PointRun run;
  EventLog log;
  proto::Open open;
  open.set_run("test");
  *open.mutable_plan() = plan;
  auto session = Session::Open(open, guard, 1, [&log](const proto::Event& event) { log.Add(event); });
  EXPECT_OK(session);
  if (!session.ok()) return run;
  proto::Prepare prepare = WholePoint(plan.sweep().connections(0), plan.sweep().requests());
  prepare.set_connect_rate(ScheduleRate(plan.sweep().connect_rate()));
  EXPECT_OK((*session)->Prepare(prepare));
  run.ready = log.WaitFor([](const proto::Event& event) { return event.has_ready(); }).ready();
  proto::Arm arm;
  arm.set_start_ns(MonotonicNow() + 50 * kMillisecond);
  EXPECT_OK((*session)->Arm(arm));
  run.last =
      log.WaitFor([](const proto::Event& event) { return event.has_shard() && event.shard().is_final(); }).shard();
  EXPECT_TRUE(run.last.is_final());
  run.warmup_statuses.Add(run.ready.statuses(), 0, 0);
  for (const proto::Event& event : log.Events()) {
    if (event.has_shard()) run.statuses.Add(event.shard().statuses(), event.shard().window(), 0);
  }
  Pending none;
  EXPECT_TRUE(FromProto(run.ready.warmup(), &run.warmup, &none));
  EXPECT_TRUE(FromProto(run.last.counters(), &run.counters, &run.pending));
  EXPECT_EQ(BrokenIdentity(run.counters, run.pending), "");
  return run;
}

}  // namespace tidemark
