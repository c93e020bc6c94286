// The bytes of the next request, serialised once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/compose/program.h"
#include "agent/wire/web_socket.h"
#include "common/plan/target.h"
#include "protos/plan.pb.h"

namespace tidemark {

// The parts of a request that differ from one slot to the next.  Threads: any, once it is made.
struct RequestProgram {
  Program head;
  Program body;
  std::vector<Hole> holes = {};  // where all are of one length: in the whole request, but for the slot's number
  bool is_fixed = true;          // they are
};

// A request as it goes over the wire, shared by all connections of a worker; its bytes by all workers, unless something
// is filled in for each slot.
struct RequestBytes {
  std::shared_ptr<const std::string> bytes;  // of an HTTP request, or a WebSocket message's payload
  std::string stamped = {};                  // ... with what is filled in
  bool is_head = false;
  bool is_last = false;                  // it tells the target that no other follows on its connection
  std::size_t head_bytes = 0;            // of one that waits for 100 Continue before its body goes out; 0: it does not
  std::vector<std::size_t> slot_places;  // where kSlotDigits digits of the slot's number stand, in `bytes`
  std::shared_ptr<const RequestProgram> program = {};  // if there is more to fill in
  bool has_holes = false;                              // ... or the slot's number
  std::string body = {};                               // room for it
  Opcode opcode = Opcode::kText;                       // of a WebSocket message
  std::uint64_t mask_seed = 0;  // ... whose masks nobody can foretell, as RFC 6455 section 5.3 asks
  std::string frame = {};       // room for it

  // What goes out on an occasion, the same bytes each time. Valid until the next call, which may be for another
  // connection: to be called before each write.
  const std::string& Of(const Occasion& occasion) {
    if (has_holes) [[unlikely]]
      return Filled(occasion);
    return *bytes;
  }
  // The frame of a message with that payload, for a slot, compressed if there is a `deflate`. Valid as Of says.
  const std::string& FrameOf(const std::string& payload, std::uint64_t slot, MessageDeflate* deflate);

 private:
  const std::string& Filled(const Occasion& occasion);
};

// The requests of a plan, and which of them a slot sends.  Threads: one worker.
class RequestMix {
 public:
  // `weights`: one per request, at least 1.
  RequestMix() = default;
  RequestMix(std::vector<RequestBytes> requests, const std::vector<std::int64_t>& weights);

  bool IsMixed() const { return requests_.size() > 1; }
  std::size_t size() const { return requests_.size(); }
  // In each run of as many slots as the weights' sum, each request has its weight's share, evenly spread. `stride`: how
  // far apart the slots of this worker are.
  std::size_t IndexOf(std::uint64_t slot, std::uint64_t stride) const {
    return pattern_[slot / stride % pattern_.size()];
  }
  RequestBytes& operator[](std::size_t index) { return requests_[index]; }
  // Whether one of them has what `predicate` asks for.
  template <typename Predicate>
  bool HasAny(Predicate predicate) const {
    return std::any_of(requests_.begin(), requests_.end(), predicate);
  }

 private:
  std::vector<RequestBytes> requests_;
  std::vector<std::uint8_t> pattern_;
};

// Serialises the request of a valid plan for `target`: request line, Host, User-Agent "tidemark/VERSION" unless set,
// Content-Length when there is a body or the method calls for one (RFC 9110 section 8.6), the plan's headers.
// `is_last_on_connection` adds "Connection: close", so that the server closes and keeps the TIME_WAIT. `number`: of the
// request in its plan, which tells what is random in it from what is in others. `trace`: the run's part of a trace id,
// see TraceIdOfRun, for a header `traceparent`; empty: none.
RequestBytes SerializeRequest(const proto::Request& request, const Target& target, bool is_last_on_connection = false,
                              std::uint64_t number = 0, absl::string_view trace = "");

// The requests of a valid plan, as its workers send them in the run of that id; `is_last_on_connection` of HTTP.
std::vector<RequestBytes> SerializeAll(const proto::Plan& plan, const Target& target, bool is_last_on_connection,
                                       absl::string_view run);

// A WebSocket message, text or binary.
RequestBytes MakeMessage(absl::string_view text, bool is_binary, std::uint64_t number);

// The messages that open a WebSocket.
std::vector<RequestBytes> MakeSubscriptions(const proto::Plan& plan);

// The request that asks for a WebSocket: path and headers are those of `request`. Its key is of the occasion.
RequestBytes SerializeUpgrade(const proto::Request& request, const Target& target, const std::string& subprotocols,
                              bool may_deflate = false);

}  // namespace tidemark
