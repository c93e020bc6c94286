#include "coordinator/report/answer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidemark {
namespace {

struct Level {
  int connections = 0;
  const char* verdict = "VALID";
  bool is_met = true;
  bool is_clear = true;
};

// A sweep with "p99<40ms" of each point.
proto::Report Sweep(const std::vector<Level>& levels) {
  proto::Report report;
  report.set_status("COMPLETE");
  report.mutable_merge()->set_is_exact(true);
  for (const Level& level : levels) {
    proto::Point* const point = report.add_points();
    point->set_connections(level.connections);
    point->set_verdict(level.verdict);
    point->set_success_per_s(1'000 + level.connections);
    proto::Expected* const expected = point->add_expected();
    expected->set_text("p99<40ms");
    expected->set_is_met(level.is_met);
    expected->set_is_clear(level.is_clear);
  }
  report.mutable_total()->set_successful_requests(1);
  return report;
}

struct Row {
  const char* what;
  std::vector<Level> levels;
  Tone tone;
  const char* word;
  const char* sentence;
};

const char kLimit[] = "p99\u00a0<\u00a040\u00a0ms";

std::string Filled(std::string text) {
  if (const std::size_t at = text.find("LIMIT"); at != std::string::npos) text.replace(at, 5, kLimit);
  return text;
}

// Nothing is held where the target failed, or where a part of the point is missing.
TEST(AnswerTest, ALevelIsHeldIfItIsMetAndTheTargetsWord) {
  const Row rows[] = {
      {"all met",
       {{10}, {20}},
       Tone::kGood,
       "VALID",
       "Holds 20 connections with LIMIT, the highest level that was tried."},
      {"missed above",
       {{10}, {20, "VALID", false}},
       Tone::kDoubtful,
       "MISSED AT 20",
       "Holds 10 connections with LIMIT; misses it at 20."},
      {"failing above",
       {{10}, {20, "TARGET_FAILING"}},
       Tone::kDoubtful,
       "TARGET_FAILING AT 20",
       "Holds 10 connections with LIMIT; at 20 it is TARGET_FAILING."},
      {"failing, then missed",
       {{5, "TARGET_FAILING"}, {20, "TARGET_FAILING", false}},
       Tone::kBad,
       "TARGET_FAILING",
       "Meets LIMIT at 5 connections, but there it is TARGET_FAILING."},
      {"partial", {{5, "PARTIAL"}}, Tone::kBad, "PARTIAL", "Meets LIMIT at 5 connections, but there it is PARTIAL."},
      {"the generator's",
       {{5, "GENERATOR_LIMITED"}},
       Tone::kBad,
       "GENERATOR_LIMITED",
       "Holds 5 connections with LIMIT, where it is GENERATOR_LIMITED."},
      {"not clear",
       {{5, "VALID", true, false}},
       Tone::kDoubtful,
       "NOT CLEAR",
       "Holds 5 connections with LIMIT, but not clearly."},
      {"missed",
       {{5, "VALID", false}, {10, "VALID", false}},
       Tone::kBad,
       "MISSED",
       "Misses LIMIT at every level, from 5 connections on."},
  };
  for (const Row& row : rows) {
    const Answer answer = AnswerOf(Sweep(row.levels));
    EXPECT_EQ(answer.sentence, Filled(row.sentence)) << row.what;
    EXPECT_EQ(answer.word, row.word) << row.what;
    EXPECT_EQ(answer.tone, row.tone) << row.what;
  }
}

TEST(AnswerTest, WhatIsNotWholeIsNeverGood) {
  proto::Report broken = Sweep({{10}});
  broken.mutable_merge()->set_is_exact(false);
  EXPECT_EQ(AnswerOf(broken).word, "NOT EXACT");
  broken.mutable_merge()->set_late(1);
  EXPECT_EQ(AnswerOf(broken).word, "NOT EXACT");
  EXPECT_EQ(AnswerOf(broken).tone, Tone::kBad);
  proto::Report cut = Sweep({{10}});
  cut.set_status("INTERRUPTED");
  EXPECT_EQ(AnswerOf(cut).word, "INTERRUPTED");
  EXPECT_EQ(AnswerOf(cut).tone, Tone::kDoubtful);
  proto::Report nothing = Sweep({{10}});
  nothing.mutable_total()->set_successful_requests(0);
  EXPECT_EQ(AnswerOf(nothing).word, "FAILED");
  EXPECT_EQ(AnswerOf(nothing).tone, Tone::kBad);
}

}  // namespace
}  // namespace tidemark
