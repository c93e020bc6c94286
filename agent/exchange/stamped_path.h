// Where the time of a request, or of a read, went between the kernel's stamps, and what of it was the path's.
#pragma once

#include <cstdint>

#include "agent/exchange/loop_state.h"
#include "agent/measure/path_info.h"
#include "agent/net/transport.h"
#include "common/clock.h"

namespace tidemark {

// The stamps of one request of a connection at a time, and what was last known of its path.
// Owner: the connection.  Threads: one worker.
class StampedPath {
 public:
  // Whether a request waits for its stamps.
  bool IsWanted() const { return sent_ != 0; }
  bool AreOf(std::uint64_t slot) const { return IsWanted() && slot_ == slot; }
  // On the wall clock; 0: not known yet.
  Nanos sent() const { return sent_; }
  Nanos from_wire() const { return from_wire_; }
  // Where the kernel's stamps go.
  Nanos* to_wire_into() { return &to_wire_; }
  Nanos* from_wire_into() { return &from_wire_; }

  // The slot's request goes out now.
  void Begin(LoopState* loop, std::uint64_t slot) {
    slot_ = slot;
    sent_ = WallNow();
    to_wire_ = from_wire_ = 0;
    loop->stamps.Send();
  }
  // Nobody waits for the stamps any more.
  void Drop(LoopState* loop) {
    if (IsWanted()) loop->stamps.Settle(sent_, from_wire_ != 0);
    sent_ = 0;
  }
  // The stamped request is answered: where its time went, if it is a success. One whose stamps did not all come says
  // nothing.
  void Record(LoopState* loop, Transport* transport, bool is_success);

  // Looks at the path of what took `wire` between the two drivers, if that is unusual or the last look is long ago:
  // *has_lost if something was lost meanwhile. False if the kernel tells nothing of it.
  bool Look(LoopState* loop, int fd, Nanos wire, bool* has_lost);
  // How much of `wire` was the target's. The network has the least round trip of it; where segments had to be sent
  // again, all but what the target usually takes. An event comes one way.
  void RecordTarget(LoopState* loop, Nanos wire, bool has_lost, bool is_one_way) const;

  // A new connection begins; of its SYN so many were sent again, which is of nothing that is sent on it.
  void BeginPath(std::uint64_t syn_retransmits) { path_.resent = static_cast<std::uint32_t>(syn_retransmits); }
  void EndPath(LoopState* loop) {
    Drop(loop);
    path_ = {};
  }

 private:
  std::uint64_t slot_ = 0;
  Nanos sent_ = 0;
  Nanos to_wire_ = 0;
  Nanos from_wire_ = 0;
  PathInfo path_;  // when it was last looked at
};

}  // namespace tidemark
