#include "coordinator/cli/selftest_command.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/control/address.h"
#include "common/control/protocol_version.h"
#include "common/plan/defaults.h"
#include "common/plan/durations.h"
#include "common/plan/validate.h"
#include "common/units.h"
#include "coordinator/cli/fail.h"
#include "coordinator/cli/fleet.h"
#include "coordinator/cli/local_responder.h"
#include "coordinator/cli/signal_watcher.h"
#include "coordinator/observe/progress.h"
#include "coordinator/report/summary.h"
#include "coordinator/run/run.h"
#include "protos/plan.pb.h"

namespace tidemark {
namespace {

// The freeze: 1,000 requests a second for 4 s, of which the target takes 400 ms off. DESIGN.md "Open loop".
constexpr std::int64_t kFreezeRate = 1'000;
constexpr Nanos kFreezeRun = 4 * kSecond;
constexpr Nanos kFreezeLength = 400 * kMillisecond;
// What a quantile of the freeze may be off on a machine that does other things too.
constexpr double kFreezeTolerance = 0.1;
// A machine on which a request costs more than this cannot drive much.
constexpr double kMaxCpuMicros = 50;
// Beyond every allow-list that names no public address (RFC 5737, documentation).
constexpr char kForbiddenTarget[] = "http://192.0.2.1/";

class Selftest {
 public:
  Selftest(Fleet fleet, std::unique_ptr<LocalResponder> responder, RunEvents* events)
      : fleet_(std::move(fleet)), responder_(std::move(responder)), events_(events) {}

  int Execute() {
    Floor();
    if (!is_interrupted_) Honest();
    if (!is_interrupted_) Safe();
    if (is_interrupted_) return Fail(kExitInterrupted, "interrupted");
    std::printf("%s\n", has_failed_ ? "selftest: NOT PASSED" : "selftest: passed");
    return has_failed_ ? kExitInternal : kExitOk;
  }

 private:
  proto::Plan Base() const {
    proto::Plan plan;
    plan.set_target(responder_->Url());
    plan.set_threads(1);
    return plan;
  }

  struct Outcome {
    int exit_code = 0;
    proto::Report report;
    std::uint64_t requests = 0;  // that the responder received
    std::string note;
  };
  Outcome Try(proto::Plan plan) {
    if (is_interrupted_) return {.exit_code = kExitInterrupted, .report = {}, .note = {}};
    ApplyDefaults(&plan);
    if (const absl::Status status = ValidatePlan(plan); !status.ok())
      return {kExitInternal, {}, 0, std::string(status.message())};
    const std::uint64_t before = responder_->requests();
    Progress progress(Progress::Mode::kQuiet);
    const RunResult result = Run(plan, fleet_.agents, events_, &progress).Execute();
    is_interrupted_ = is_interrupted_ || result.exit_code == kExitInterrupted;
    Outcome outcome{result.exit_code, {}, responder_->requests() - before, result.notes.empty() ? "" : result.notes[0]};
    if (!result.points.empty()) outcome.report = Summarise(result, plan);
    return outcome;
  }

  void Say(const char* name, bool holds, const std::string& text) {
    if (is_interrupted_) return;
    std::printf("  %-8s %s  %s\n", name, holds ? "holds" : "FAILS", text.c_str());
    std::fflush(stdout);
    has_failed_ = has_failed_ || !holds;
  }

  // The least that this machine can measure, and with it the promises "exact" and "lean".
  void Floor() {
    std::printf("What this machine measures of a target that answers at once, with one worker:\n");
    proto::Plan closed = Base();
    closed.mutable_sweep()->add_connections(64);
    *closed.mutable_sweep()->mutable_duration() = ToDurationProto(3 * kSecond);
    const Outcome fastest = Try(closed);
    const double cpu_micros = fastest.requests == 0 ? 0
                                                    : fastest.report.total().generator_cpu_percent() / 100 *
                                                          fastest.report.total().duration_s() * 1e6 /
                                                          static_cast<double>(fastest.requests);
    Print("64 connections, closed loop", fastest.report.total(), fastest.report.total().latency());
    std::uint64_t sent = fastest.report.total().accounting().sent();
    std::uint64_t received = fastest.requests;
    bool is_exact = fastest.exit_code == kExitOk && fastest.report.merge().is_exact();
    for (const char* pace : {"timer", "spin"}) {
      proto::Plan open = Base();
      open.mutable_sweep()->add_rates(5'000);
      open.mutable_sweep()->set_arrivals("constant");
      open.mutable_sweep()->set_pace(pace);
      *open.mutable_sweep()->mutable_duration() = ToDurationProto(3 * kSecond);
      const Outcome paced = Try(open);
      Print(absl::StrCat("5,000/s, open loop, ", pace), paced.report.total(), paced.report.total().response());
      sent += paced.report.total().accounting().sent();
      received += paced.requests;
      is_exact = is_exact && paced.exit_code == kExitOk && paced.report.merge().is_exact();
    }
    std::printf("The promises:\n");
    Say("exact", is_exact && sent == received && sent > 0,
        absl::StrCat("sent ", FormatCount(sent), ", the target received ", FormatCount(received)));
    Say("lean", cpu_micros > 0 && cpu_micros <= kMaxCpuMicros,
        absl::StrFormat("%.1f us of CPU for a request, kernel and all: at most %s/s from a core", cpu_micros,
                        FormatCount(cpu_micros > 0 ? static_cast<std::uint64_t>(1e6 / cpu_micros) : 0)));
  }

  void Print(const std::string& name, const proto::Point& point, const proto::Latency& latency) const {
    std::printf("  %-28s %9.0f/s  p50 %8s  p99 %8s", name.c_str(), point.requests_per_s(),
                FormatLatency(latency.p50_us()).c_str(), FormatLatency(latency.p99_us()).c_str());
    if (point.response().count() > 0)
      std::printf("  late p50 %8s  p99 %8s", FormatLatency(point.lateness().p50_us()).c_str(),
                  FormatLatency(point.lateness().p99_us()).c_str());
    std::printf("\n");
    std::fflush(stdout);
  }

  // A target that freezes: requests that were due meanwhile must show it, although they were sent later.
  void Honest() {
    proto::Plan plan = Base();
    plan.mutable_sweep()->add_connections(10);
    plan.mutable_sweep()->add_rates(kFreezeRate);
    plan.mutable_sweep()->set_arrivals("constant");
    *plan.mutable_sweep()->mutable_duration() = ToDurationProto(kFreezeRun);
    responder_->PauseOnce(kSecond, kFreezeLength);
    const Outcome frozen = Try(plan);
    const double expected_us = (static_cast<double>(kFreezeLength) - 0.01 * static_cast<double>(kFreezeRun)) / 1e3;
    const double response_us = frozen.report.total().response().p99_us();
    const double service_us = frozen.report.total().latency().p99_us();
    const bool is_right = std::abs(response_us - expected_us) <= kFreezeTolerance * expected_us;
    Say("honest", is_right && service_us < response_us / 2 && frozen.report.total().accounting().identity_holds(),
        absl::StrFormat("a freeze of %s: p99 from the due time %s (computed: %s), from the sending %s",
                        FormatDuration(kFreezeLength), FormatLatency(response_us), FormatLatency(expected_us),
                        FormatLatency(service_us)));
  }

  // Nothing is sent to a target that the agent does not allow, nor after the lease of a coordinator that has gone.
  void Safe() {
    proto::Plan plan = Base();
    plan.set_target(kForbiddenTarget);
    plan.mutable_sweep()->add_connections(1);
    const Outcome forbidden = Try(plan);
    const std::optional<std::uint64_t> after = SentWithoutCoordinator();
    const std::string sent = !after ? "the run never began whose end was to be seen"
                                    : absl::StrCat(*after == 0 ? "nothing" : FormatCount(*after),
                                                   " was sent after the lease of a coordinator that had gone");
    Say("safe", forbidden.exit_code == kExitUsage && after == 0,
        absl::StrCat("a public address was ", forbidden.exit_code == kExitUsage ? "refused" : "NOT refused", "; ",
                     sent));
  }

  // Starts a point, leaves without a word, and counts what still comes after the lease. None if nothing ever came.
  std::optional<std::uint64_t> SentWithoutCoordinator() {
    proto::Plan plan = Base();
    plan.mutable_sweep()->add_connections(4);
    *plan.mutable_sweep()->mutable_duration() = ToDurationProto(60 * kSecond);
    ApplyDefaults(&plan);
    const std::uint64_t before = responder_->requests();
    {
      AgentLink link(0, fleet_.agents[0].channel, events_);
      proto::Command command;
      command.mutable_open()->set_protocol_version(kProtocolVersion);
      command.mutable_open()->set_run("selftest");
      *command.mutable_open()->mutable_plan() = plan;
      link.Send(command);
      command.mutable_prepare()->set_connections(4);
      command.mutable_prepare()->set_streams(1);
      link.Send(command);
      const Nanos deadline = MonotonicNow() + 5 * kSecond;
      while (std::optional<RunEvent> event = events_->Pop(deadline)) {
        if (event->event.has_ready()) break;
      }
      command.mutable_arm()->set_start_ns(MonotonicNow() + 50 * kMillisecond);
      link.Send(command);
      std::this_thread::sleep_for(std::chrono::milliseconds(350));
    }
    events_->EndRun();
    std::this_thread::sleep_for(std::chrono::milliseconds(kLeaseMillis + 500));
    const std::uint64_t left = responder_->requests();
    if (left == before) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::seconds(1));
    return responder_->requests() - left;
  }

  const Fleet fleet_;
  const std::unique_ptr<LocalResponder> responder_;
  RunEvents* const events_;
  bool has_failed_ = false;
  bool is_interrupted_ = false;
};

int RunSelftest() {
  RunEvents events;
  const SignalWatcher signals(&events);
  auto responder = LocalResponder::Start();
  if (!responder.ok()) return Fail(kExitInternal, responder.status().message());
  AgentOptions agents;
  agents.is_local_leased = true;
  auto fleet = GatherFleet(agents);
  if (!fleet.ok()) return Fail(kExitInternal, fleet.status().message());
  return Selftest(*std::move(fleet), *std::move(responder), &events).Execute();
}

}  // namespace

Prepare AddSelftest(CLI::App* app) {
  app->footer("\nExit codes: 0 all promises hold; 70 one does not; 130 interrupted.");
  return []() -> absl::StatusOr<Prepared> { return Prepared{.act = RunSelftest}; };
}

}  // namespace tidemark
