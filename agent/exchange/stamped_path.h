// Where the time of a request, or of a read, went between the kernel's stamps, and what of it was the path's.
#pragma once

#include <cstdint>
#include <memory>

#include "agent/exchange/loop_state.h"
#include "agent/measure/path_info.h"
#include "agent/net/transport.h"
#include "common/clock.h"

namespace tidemark {

// The stamps of one request of a connection at a time, and what was last known of its path. Few requests are stamped,
// so that what there is to remember is made for the first of a connection.
// Owner: the connection.  Threads: one worker.
class StampedPath {
 public:
  // Whether a request waits for its stamps.
  bool IsWanted() const { return seen_ != nullptr && seen_->sent != 0; }
  bool AreOf(std::uint64_t slot) const { return IsWanted() && seen_->slot == slot; }
  // When it went out, and when the last byte of its answer came from the driver, on the wall clock; 0: not known yet.
  // REQUIRES: IsWanted().
  Nanos sent() const { return seen_->sent; }
  Nanos from_wire() const { return seen_->from_wire; }
  // Where the kernel's stamp of the answer goes.  REQUIRES: IsWanted().
  Nanos* from_wire_into() { return &seen_->from_wire; }
  // Takes a stamp of what was sent off the socket; false if there is none. One that nobody waits for is dropped.
  bool TakeSendStamp(Transport* transport);

  // The slot's request goes out now.
  void Begin(LoopState* loop, std::uint64_t slot);
  // Nobody waits for the stamps any more.
  void Drop(LoopState* loop) {
    if (!IsWanted()) [[likely]]
      return;
    loop->stamps.Settle(seen_->sent, seen_->from_wire != 0);
    seen_->sent = 0;
  }
  // The stamped request is answered: where its time went, if it is a success. One whose stamps did not all come says
  // nothing.  REQUIRES: IsWanted().
  void Record(LoopState* loop, Transport* transport, bool is_success);

  // Looks at the path of what took `wire` between the two drivers, if that is unusual or the last look is long ago:
  // *has_lost if something was lost meanwhile. False if the kernel tells nothing of it.
  bool Look(LoopState* loop, int fd, Nanos wire, bool* has_lost);
  // How much of `wire` was the target's. The network has the least round trip of it; where segments had to be sent
  // again, all but what the target usually takes. An event comes one way.  REQUIRES: Look returned true.
  void RecordTarget(LoopState* loop, Nanos wire, bool has_lost, bool is_one_way) const;

  // A new connection begins; of its SYN so many were sent again, which is of nothing that is sent on it.
  void BeginPath(std::uint64_t syn_retransmits) {
    if (syn_retransmits != 0) Seen().path.resent = static_cast<std::uint32_t>(syn_retransmits);
  }
  void EndPath(LoopState* loop) {
    Drop(loop);
    seen_.reset();
  }

 private:
  struct Memory {
    std::uint64_t slot = 0;
    Nanos sent = 0;
    Nanos to_wire = 0;
    Nanos from_wire = 0;
    PathInfo path = {};  // when it was last looked at
  };
  Memory& Seen() {
    if (seen_ == nullptr) seen_ = std::make_unique<Memory>();
    return *seen_;
  }
  std::unique_ptr<Memory> seen_;
};

}  // namespace tidemark
