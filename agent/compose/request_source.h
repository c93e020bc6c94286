// The bytes of the next request, serialised once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/wire/web_socket.h"
#include "common/plan/target.h"
#include "protos/plan.pb.h"

namespace tidemark {

// A request as it goes over the wire, shared by all connections of a worker; its bytes by all workers, unless they have
// the slot's number in them.
struct RequestBytes {
  std::shared_ptr<const std::string> bytes;  // of an HTTP request, or a WebSocket message's payload
  std::string stamped = {};                  // ... with a slot's number, if it has a place for one
  bool is_head = false;
  bool is_last = false;                  // it tells the target that no other follows on its connection
  std::size_t head_bytes = 0;            // of one that waits for 100 Continue before its body goes out; 0: it does not
  std::vector<std::size_t> slot_places;  // where kSlotDigits digits of the slot's number stand, in `bytes`
  std::vector<std::size_t> point_places = {};  // where kPointDigits of the point of a trace id stand, in `bytes`
  Opcode opcode = Opcode::kText;               // of a WebSocket message
  std::uint64_t mask_seed = 0;                 // ... whose masks nobody can foretell, as RFC 6455 section 5.3 asks
  std::string frame = {};                      // room for it

  // What goes out for a slot, the same bytes each time. Valid until the next call, which may be for another connection:
  // to be called before each write.
  const std::string& Of(std::uint64_t slot) {
    if (!slot_places.empty()) [[unlikely]]
      return Stamped(slot);
    return *bytes;
  }
  // What goes out from now on belongs to that point, for those that follow a trace.
  void TracePoint(std::uint32_t point);
  // The same of a message: its frame, compressed if there is a `deflate`.
  const std::string& FrameOf(std::uint64_t slot, MessageDeflate* deflate);

 private:
  const std::string& Stamped(std::uint64_t slot);
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
  void TracePoint(std::uint32_t point) {
    for (RequestBytes& request : requests_) request.TracePoint(point);
  }
  // Whether one of them has what `predicate` asks for.
  template <typename Predicate>
  bool HasAny(Predicate predicate) const {
    return std::any_of(requests_.begin(), requests_.end(), predicate);
  }

 private:
  std::vector<RequestBytes> requests_;
  std::vector<std::uint8_t> pattern_;
};

// "{slot}" in a path, a header's value or a body becomes the slot's number, with leading zeros, modulo 10^12.
inline constexpr std::size_t kPointDigits = 4;
inline constexpr std::size_t kSlotDigits = 12;
inline constexpr std::uint64_t kSlotModulus = 1'000'000'000'000;

// Serialises the request of a valid plan for `target`: request line, Host, User-Agent "tidemark/VERSION" unless set,
// Content-Length when there is a body or the method calls for one (RFC 9110 section 8.6), the plan's headers.
// `is_last_on_connection` adds "Connection: close", so that the server closes and keeps the TIME_WAIT. `trace`: the
// run's part of a trace id, see TraceIdOfRun, for a header `traceparent`; empty: none.
RequestBytes SerializeRequest(const proto::Request& request, const Target& target, bool is_last_on_connection = false,
                              absl::string_view trace = "");

// The requests of a valid plan, as its workers send them in the run of that id; `is_last_on_connection` of HTTP.
std::vector<RequestBytes> SerializeAll(const proto::Plan& plan, const Target& target, bool is_last_on_connection,
                                       absl::string_view run);

// The body of the request as a WebSocket message, text or binary.
RequestBytes MakeMessage(const proto::Request& request, bool is_binary, std::uint64_t mask_seed);

// The request that asks for a WebSocket: path and headers are those of `request`.
struct UpgradeRequest {
  std::string bytes;
  std::size_t key_at = 0;  // where the Sec-WebSocket-Key stands

  std::string With(const std::string& key) const { return std::string(bytes).replace(key_at, key.size(), key); }
};
UpgradeRequest SerializeUpgrade(const proto::Request& request, const Target& target, const std::string& subprotocols,
                                bool may_deflate = false);

}  // namespace tidemark
