// The seconds of a point in which a target served nobody.
#pragma once

#include <cstdint>
#include <vector>

#include "common/clock.h"

namespace tidemark {

// What came of one second, over all agents.
struct SecondFacts {
  std::uint32_t second = 0;
  std::uint64_t success = 0;   // or events, of streams that are listened to
  std::uint64_t failures = 0;  // requests, and attempts to connect, that ended in it without success
  bool is_asked = false;       // something was planned in it, or under way; of streams, connections were asked for
  bool is_carried = false;     // something was under way, or waited, at its end
  Nanos longest = 0;           // time from the first byte sent to the end, of the successes that ended in it
  // That time as a random instant finds it, sum of squares / sum: among many short answers a few long ones count by
  // their length. Of streams, the interval between two messages of one.
  Nanos usual_gap = 0;
  double covered = 0;  // listening: sum of those intervals / time of the connections that were up
  Nanos stood_still =
      0;  // the longest time for which our workers neither read nor waited, in the agent where that is least
};

enum class Second : std::uint8_t {
  kServed,
  kUnasked,    // nothing was under way
  kDead,       // the target served nobody
  kGenerator,  // nothing can be said: our own workers stood still
};

// A second without a success, in which something was under way, is dead if
//   nothing that was under way in it ever succeeded, or
//   nothing has succeeded since ten failures, or
//   ten successes a second were usual around it, and something was under way all through it.
// Of streams only the last one counts.
// What is usual is told by the five seconds before an empty stretch and the five after the one that ends it. A stretch
// is explained if it is not 1.5 times as long as the usual gap: a server that takes 3 s may answer all its connections
// at once, and a stream may come in bursts. Streams need three seconds before, or one if their intervals cover it:
// a burst and the beginning of a steady stream look alike otherwise.
// A second without a success in which our own workers stood still for 100 ms or more, or of which no agent told, is the
// generator's; unless that was less than half of it and a second beside it, with no success between, is dead.
// `facts`: in order of their seconds, those after the point's end too, since what was under way may have succeeded
// then. `length`: of the point; its last second counts if half of it belongs to it, or it is the
// only one and 100 ms long. Returns one entry per second of
// `length`.
std::vector<Second> JudgeSeconds(const std::vector<SecondFacts>& facts, Nanos length, bool is_listening);

}  // namespace tidemark
