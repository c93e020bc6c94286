// What a relay saw pass, and what a test asks of it.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "common/clock.h"

namespace tidemark {

// Who did something to a connection.
enum class Side : std::uint8_t { kNobody, kClient, kTarget, kRelay };
enum class Ending : std::uint8_t { kNone, kFin, kReset };

// All instants are of CLOCK_REALTIME. Those of bytes that were received are the kernel's receive stamps, which do not
// depend on when the relay ran; several messages in one read share the stamp of its last packet. Those of bytes that
// were passed on are read just before the call that handed them over, which on loopback delivers them. 0: never.
struct RelayedConnection {
  Nanos opened = 0;    // accepted
  Nanos reached = 0;   // connected to the target
  Nanos upgraded = 0;  // the response that makes it a WebSocket was passed to the client
  Nanos ended = 0;     // for the client: it sent, or was sent, a FIN or an RST
  Side ended_by = Side::kNobody;
  Ending ending = Ending::kNone;
  bool is_mute = false;           // some of what the target said was swallowed
  bool is_opaque = false;         // neither HTTP/1.1 nor a WebSocket: its bytes are counted, its messages are not
  std::uint64_t from_client = 0;  // bytes received ...
  std::uint64_t from_target = 0;
  std::uint64_t to_target = 0;  // ... and passed on
  std::uint64_t to_client = 0;
};

// A complete HTTP request and what became of it.
struct Exchange {
  std::uint32_t connection = 0;  // an index
  int status = 0;                // 0: its response was never complete
  Nanos first = 0;               // its first byte was received
  Nanos last = 0;                // its last byte was received
  Nanos forwarded = 0;           // its last byte was passed to the target
  Nanos received = 0;            // the response's last byte was received
  Nanos passed = 0;              // the response's last byte was passed to the client

  bool IsSuccess() const { return passed != 0 && status < 400; }
};

// A message of a WebSocket, or a control frame.
struct RelayedMessage {
  std::uint32_t connection = 0;
  Side from = Side::kNobody;  // the client or the target
  std::uint8_t opcode = 0;
  std::uint16_t close_code = 0;  // of a close frame; 1005 if it has none
  Nanos received = 0;            // its last byte
  Nanos passed = 0;

  bool IsData() const { return opcode < 8; }
};

// What was done to the relay or through it, or was seen to happen to the target.
struct RelayEvent {
  Nanos at = 0;
  std::string what;
};

// A plain value: a copy of what a relay has seen so far.
struct RelayRecord {
  std::vector<RelayedConnection> connections;
  std::deque<Exchange> exchanges;       // by the instants at which they were complete
  std::deque<RelayedMessage> messages;  // likewise
  std::vector<RelayEvent> events;
  std::uint64_t refused = 0;    // connections accepted only to be reset
  std::uint64_t probes = 0;     // connections of the relay's own that a target accepted when it had come back
  std::uint64_t unstamped = 0;  // reads that the kernel had no stamp for; the clock was read instead

  // Windows are [from, to).
  std::int64_t Responses(Nanos from, Nanos to) const;              // complete, passed to the client
  std::int64_t Successes(Nanos from, Nanos to) const;              // ... with a status below 400
  std::int64_t Messages(Side sender, Nanos from, Nanos to) const;  // of data, passed on

  enum class Up { kOpened, kUpgraded };
  // The integral of connections up over the window, in seconds: up since opened, or since upgraded, until ended.
  double ConnectionSeconds(Nanos from, Nanos to, Up since = Up::kOpened) const;

  // The last instant at which an exchange mattered: its response was passed or, if there was none, its connection
  // ended. 0: it is under way.
  Nanos EndOf(const Exchange& exchange) const;
  std::vector<Exchange> Unanswered() const;          // ended without a complete response
  std::vector<Exchange> UnderWayAt(Nanos at) const;  // received, and not ended

  // Which of `count` seconds from `from` are dead, by number. One is when
  //   no request succeeded in it where ten were usual (the median of the seconds with a success), or
  //   something was under way in it, and nothing of that ever succeeded, or
  //   nothing succeeded in it and none of the last ten requests that had ended by its end had.
  // Connects that were refused are not seen here: a request is.
  std::vector<int> DeadSeconds(Nanos from, int count) const;
  // The same of listening: no message of the target came through where ten were usual.
  std::vector<int> SilentSeconds(Nanos from, int count) const;

  // Instants of the events that begin with `what`.
  std::vector<Nanos> InstantsOf(const std::string& what) const;
};

}  // namespace tidemark
