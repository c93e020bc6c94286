// One agent's stream, which may break and be taken up again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "common/clock.h"
#include "common/control/outbox.h"
#include "coordinator/run/agent_link.h"
#include "coordinator/run/agents.h"
#include "protos/agent.pb.h"

namespace tidemark {

// Why a stream is not there right now.
struct Break {
  std::string why;          // empty: it is there
  Nanos at = 0;             // since when
  bool is_refused = false;  // another one ended as well
  Nanos retry_at = 0;       // when the next is tried
};

// What is said over it arrives once each and in order, over one link after another.  Threads: one.
class AgentStream {
 public:
  // `found` lives longer.
  AgentStream(std::size_t agent, const FoundAgent* found, RunEvents* events)
      : agent_(agent), found_(found), events_(events) {}

  // Begins a conversation; of one before nothing is left.
  void Open();
  bool IsOpen() const { return link_ != nullptr; }
  // Whether an event of a link is of the one that there is.
  bool IsOf(std::uint64_t link) const { return link == link_id_; }
  Nanos last_heard() const { return last_heard_; }

  // Kept until the agent has heard it; a broken stream comes back as kStreamEnd.  REQUIRES: IsOpen.
  void Send(proto::Command command);
  // Said now or not at all.  REQUIRES: IsOpen.
  void SendOnce(proto::Command command);
  // Whether an event is to be looked at.
  Inbox::Verdict Take(const proto::Event& event, Nanos received);

  // Its link has ended.
  void BreakNow(const std::string& why);
  const Break& broken() const { return broken_; }
  bool IsBroken() const { return !broken_.why.empty(); }
  // Tries another link if it is time to; it ends by then or after `patience`.
  void TryAgain(const std::string& run, std::uint64_t incarnation, Nanos patience);
  // The agent has taken it up again: it is told what it has not heard.
  void TakeUp();

  // Of the link, as of AgentLink.  REQUIRES: IsOpen.
  void Finish() { link_->Finish(); }
  void CloseBy(Nanos deadline) { link_->CloseBy(deadline); }
  void Cancel() { link_->Cancel(); }
  // Ends the link, and waits for that; nothing is open then.
  void Drop() { link_.reset(); }

 private:
  std::size_t agent_;
  const FoundAgent* found_;
  RunEvents* events_;
  std::unique_ptr<AgentLink> link_;
  std::uint64_t link_id_ = 0;  // of those that the agent has had
  Outbox<proto::Command> outbox_;
  Inbox inbox_;
  Break broken_;
  Nanos last_heard_ = 0;
};

}  // namespace tidemark
