// What a run came to, in a sentence.
#pragma once

#include <string>
#include <vector>

#include "protos/report.pb.h"

namespace tidemark {

enum class Tone { kGood, kDoubtful, kBad };

struct Answer {
  Tone tone = Tone::kDoubtful;    // kGood: each point is VALID, and no expectation was missed; from good to bad
  std::string word;               // "VALID", "MISSED AT 192"
  std::string sentence;           // "Holds 128 connections with p99 < 40 ms; misses it at 192."
  std::vector<std::string> more;  // sentences that belong below it: the peak, which points were left out
  int point = -1;                 // whose latency speaks for the run, an index; -1: none has one
};

// Pure. Figures as figures.h shows them; names of others are in it as they are, so escape it.
Answer AnswerOf(const proto::Report& report);

// "128 connections", "5,000 requests/s".
std::string LevelOf(const proto::Report& report, const proto::Point& point);

// The point with the highest rate of successes that was measured, whatever its verdict, an index; -1 if nothing
// succeeded.
int MostThroughput(const proto::Report& report);

}  // namespace tidemark
