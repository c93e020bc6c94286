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
  bool is_asked = false;       // something was planned in it, or under way
  Nanos longest = 0;           // time from the first byte sent to the end, of the successes that ended in it
  Nanos usual_gap = 0;         // mean of that time; of streams, mean interval between two messages of one
  Nanos stood_still = 0;       // the longest time for which one of our workers neither read nor waited
};

enum class Second : std::uint8_t {
  kServed,
  kUnasked,    // nothing was under way
  kDead,       // the target served nobody
  kGenerator,  // nothing can be said: our own workers stood still
};

// A second is dead if something was under way in it, nothing that was under way in it ever succeeded, or of all that
// ended none since ten failures, or nothing succeeded where ten a second were usual. A second without a success in
// which our own workers stood still for 100 ms or more, or of which no agent told, is the generator's.
// `facts`: in order of their seconds, those after the point's end too, since what was under way may have succeeded
// then. `length`: of the point; its last second counts if 100 ms of it belong to it. `is_listening`: only what is usual
// counts. Returns one entry per second of `length`. What is usual: at least ten a second in the mean of the five
// seconds before that were not dead. An empty stretch is explained if it is not 1.5 times as long as the mean time
// between request and answer, or between messages, then: a server that takes 3 s may answer all its connections at
// once.
std::vector<Second> JudgeSeconds(const std::vector<SecondFacts>& facts, Nanos length, bool is_listening);

}  // namespace tidemark
