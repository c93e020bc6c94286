// The bytes of the next request, serialised once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/plan.h"

namespace tidemark {

// A request as it goes over the wire, shared by all connections of a worker.
struct RequestBytes {
  std::string bytes;
  bool is_head = false;
  std::vector<std::size_t> slot_places;  // where kSlotDigits digits of the slot's number stand, in `bytes`

  // Writes the number of the slot that is about to be sent, if the request names it. Before each write of a slot's
  // bytes, since another connection may have stamped its own meanwhile.
  void Stamp(std::uint64_t slot) {
    if (!slot_places.empty()) [[unlikely]]
      StampPlaces(slot);
  }

 private:
  void StampPlaces(std::uint64_t slot);
};

// "{slot}" in a path, a header's value or a body becomes the slot's number, with leading zeros, modulo 10^12.
inline constexpr std::size_t kSlotDigits = 12;

// Serialises the request of a valid plan for `target`: request line, Host, User-Agent "tidemark/VERSION" unless set,
// Content-Length when there is a body or the method calls for one (RFC 9110 section 8.6), the plan's headers.
// `is_last_on_connection` adds "Connection: close", so that the server closes and keeps the TIME_WAIT.
RequestBytes SerializeRequest(const proto::Request& request, const Target& target, bool is_last_on_connection = false);

}  // namespace tidemark
