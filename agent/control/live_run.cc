#include "agent/control/live_run.h"

#include <algorithm>
#include <utility>

#include "agent/host/wipe_stack.h"
#include "common/clock.h"
#include "common/exit_code.h"

namespace tidemark {
namespace {

constexpr int kMaxTakers = 4;  // a coordinator has one stream, and perhaps some that it has given up

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kResourceExhausted:
      return kExitUsage;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnavailable:
      return kExitAgents;
    case absl::StatusCode::kNotFound:
      return kExitTarget;
    case absl::StatusCode::kCancelled:
      return kExitInterrupted;
    default:
      return kExitInternal;
  }
}

}  // namespace

proto::Event FailureEvent(const absl::Status& status) {
  proto::Event event;
  event.mutable_failure()->set_exit_code(ExitCodeOf(status));
  event.mutable_failure()->set_message(std::string(status.message()));
  return event;
}

void LiveRun::Open(Nanos limit, Opener opener) {
  {
    MutexLock lock(&owner_mutex_);
    is_opening_ = true;
  }
  opener_ = std::thread([this, limit, opener = std::move(opener)] {
    OpenNow(limit, opener);
    WipeStack();
  });
}

void LiveRun::OpenNow(Nanos limit, const Opener& opener) {
  auto opened = opener(Patience(interrupt_, MonotonicNow() + limit));
  const absl::Status status = opened.status();
  if (opened.ok()) {
    MutexLock lock(&session_mutex_);
    session = *std::move(opened);
  }
  if (!status.ok()) Fail(status);
  MutexLock lock(&owner_mutex_);
  is_opening_ = false;
  changed_.NotifyAll();
  if (status.ok()) return;
  // The coordinator leaves when it hears that.
  const Nanos deadline = MonotonicNow() + kLeave;
  while (cancel_ && MonotonicNow() < deadline) changed_.WaitFor(&owner_mutex_, deadline - MonotonicNow());
  is_over_ = true;
  if (cancel_) cancel_();
  changed_.NotifyAll();
}

bool LiveRun::WaitUntilOpen(Nanos deadline) {
  MutexLock lock(&owner_mutex_);
  while (is_opening_ && !is_over_) {
    const Nanos left = deadline - MonotonicNow();
    if (left <= 0) break;
    changed_.WaitFor(&owner_mutex_, std::min(left, kSecond));
  }
  return !is_opening_ && session != nullptr;
}

std::optional<Session::Account> LiveRun::End() {
  interrupt_->Trigger();
  if (opener_.joinable()) opener_.join();
  std::unique_ptr<Session> ended;
  {
    MutexLock lock(&session_mutex_);
    ended = std::move(session);
  }
  if (ended == nullptr) return std::nullopt;
  return ended->End();
}

void LiveRun::Drain(Nanos limit) {
  const Patience patience(interrupt_, MonotonicNow() + limit + kLeave);
  for (bool is_told = false; !patience.IsOver(); is_told = true) {
    {
      MutexLock lock(&session_mutex_);
      if (session == nullptr || session->IsIdle()) return;
      if (!is_told) session->Stop(limit);
    }
    patience.Sleep(5 * kMillisecond);
  }
}

bool LiveRun::Attach(Stream stream, std::uint64_t heard, const proto::Event* greeting) {
  {
    MutexLock lock(&owner_mutex_);
    if (is_over_ || takers_ == kMaxTakers) return false;
    ++takers_;
    changed_.NotifyAll();
    if (cancel_) cancel_();
    while (cancel_ && !is_over_) changed_.Wait(&owner_mutex_);
    --takers_;
    if (is_over_) return false;
    cancel_ = std::move(stream.cancel);
  }
  MutexLock lock(&mutex_);
  write_ = std::move(stream.write);
  outbox_.Heard(heard);
  if (greeting != nullptr) {
    proto::Event event = *greeting;
    event.set_heard(inbox_.last());
    write_(event);
  }
  for (const proto::Event& event : outbox_.unheard()) write_(event);
  return true;
}

void LiveRun::Detach(bool is_over) {
  {
    MutexLock lock(&mutex_);
    write_ = nullptr;
  }
  MutexLock lock(&owner_mutex_);
  cancel_ = nullptr;
  is_over_ = is_over_ || is_over;
  changed_.NotifyAll();
}

bool LiveRun::WaitForTakeover(Nanos deadline) {
  MutexLock lock(&owner_mutex_);
  while (!is_over_ && takers_ == 0 && !cancel_) {
    const Nanos left = deadline - MonotonicNow();
    if (left <= 0) break;
    changed_.WaitFor(&owner_mutex_, left);
  }
  if (!is_over_ && (takers_ > 0 || cancel_)) return true;
  is_over_ = true;
  changed_.NotifyAll();
  return false;
}

void LiveRun::Say(proto::Event event) {
  MutexLock lock(&mutex_);
  event.set_heard(inbox_.last());
  outbox_.Add(&event);
  if (write_) write_(event);  // a broken stream shows in its reader
}

void LiveRun::SayOnce(proto::Event event) {
  MutexLock lock(&mutex_);
  event.set_heard(inbox_.last());
  if (write_) write_(event);
}

absl::Status LiveRun::Hear(const proto::Command& command, bool* is_new) {
  MutexLock lock(&mutex_);
  outbox_.Heard(command.heard());
  if (outbox_.IsOverfull()) return absl::ResourceExhaustedError("the coordinator acknowledges nothing");
  const Inbox::Verdict verdict = inbox_.Offer(command.number());
  *is_new = verdict == Inbox::Verdict::kTake;
  return verdict == Inbox::Verdict::kGap ? absl::FailedPreconditionError("a command of the coordinator is missing")
                                         : absl::OkStatus();
}

void LiveRun::Abandon() {
  interrupt_->Trigger();
  MutexLock lock(&owner_mutex_);
  is_over_ = true;
  if (cancel_) cancel_();
  changed_.NotifyAll();
}

}  // namespace tidemark
