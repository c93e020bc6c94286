#include "coordinator/run/agent_stream.h"

#include <utility>

namespace tidemark {
namespace {

constexpr Nanos kResumeInterval = 100 * kMillisecond;

}  // namespace

void AgentStream::Open() {
  outbox_ = Outbox<proto::Command>();
  inbox_ = Inbox();
  last_heard_ = MonotonicNow();
  link_ = std::make_unique<AgentLink>(agent_, found_->channel, events_, ++link_id_);
}

void AgentStream::Send(proto::Command command) {
  command.set_heard(inbox_.last());
  outbox_.Add(&command);
  if (!IsBroken()) link_->Send(command);
}

void AgentStream::SendOnce(proto::Command command) {
  command.set_heard(inbox_.last());
  if (!IsBroken()) link_->Send(command);
}

Inbox::Verdict AgentStream::Take(const proto::Event& event, Nanos received) {
  last_heard_ = received;
  outbox_.Heard(event.heard());
  return inbox_.Offer(event.number());
}

void AgentStream::BreakNow(const std::string& why) {
  const Nanos now = MonotonicNow();
  if (IsBroken()) {
    broken_.is_refused = true;
  } else {
    broken_.why = why;
    broken_.at = now;
  }
  broken_.retry_at = now + kResumeInterval;
}

void AgentStream::TryAgain(const std::string& run, std::uint64_t incarnation, Nanos patience) {
  const Nanos now = MonotonicNow();
  if (now < broken_.retry_at) return;
  broken_.retry_at = now + patience;  // until this attempt has ended
  link_->CloseBy(now);
  link_ = std::make_unique<AgentLink>(agent_, found_->channel, events_, ++link_id_);
  proto::Command command;
  command.mutable_resume()->set_run(run);
  command.mutable_resume()->set_incarnation(incarnation);
  command.set_heard(inbox_.last());
  link_->Send(command);
}

void AgentStream::TakeUp() {
  broken_.why.clear();
  broken_.is_refused = false;
  for (const proto::Command& command : outbox_.unheard()) link_->Send(command);
}

}  // namespace tidemark
