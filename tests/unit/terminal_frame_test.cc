// What the live view shows: it fits every screen, in colour or without, in UTF-8 or ASCII, and nothing in it acts.
#include "coordinator/observe/terminal_frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/plan/defaults.h"
#include "common/plan/durations.h"

namespace tidemark {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr Nanos kNow = 1'000 * kSecond;

proto::Point Judged(std::int64_t connections, const std::string& verdict) {
  proto::Point point;
  point.set_connections(connections);
  point.set_duration_s(25);
  point.set_requests_per_s(3'796.4);
  point.set_failed_requests(365);
  point.mutable_latency()->set_count(1'000);
  point.mutable_latency()->set_p50_us(36'200);
  point.mutable_latency()->set_p99_us(39'600);
  point.set_verdict(verdict);
  return point;
}

// The seventh point of ten, 14 s of 25 s over, by so many agents.
ShownRun UnderWay(std::size_t agents) {
  ShownRun run;
  run.head.set_version("0.1.0");
  run.head.set_run("20261126T155824Z-59c0cb");
  proto::Plan* const plan = run.head.mutable_plan();
  plan->set_target("http://127.0.0.1:18090");
  *plan->mutable_sweep()->mutable_duration() = ToDurationProto(25 * kSecond);
  ApplyDefaults(plan);
  for (int i = 0; i < 6; ++i) run.judged.push_back(Judged(2 << i, i == 4 ? "GENERATOR_LIMITED" : "VALID"));
  run.is_begun = true;
  run.point = {.index = 6, .count = 10, .connections = 192, .length = 25 * kSecond};
  run.begin = kNow - 200 * kSecond;
  run.point_begin = kNow - 15 * kSecond;
  run.now = kNow;
  auto each = std::make_shared<std::vector<AgentSoFar>>();
  for (std::size_t i = 0; i < agents; ++i) {
    each->push_back({.up = 10,
                     .per_s = 2'045,
                     .cpu = 0.02,
                     .p99 = static_cast<Nanos>(30 + i) * kMillisecond,
                     .lateness_p99 = 54 * kMicrosecond});
  }
  run.so_far = {.up = 192,
                .done = 57'246,
                .errors = 219,
                .p99 = 53'700 * kMicrosecond,
                .running = 14 * kSecond,
                .p50 = 50'800 * kMicrosecond,
                .start = kNow - 14 * kSecond,
                .clock_error = 70 * kMicrosecond,
                .failures = {.status_429 = 140, .status_5xx = 79},
                .agents = each};
  for (int i = 0; i < 14; ++i)
    run.seconds.push_back({.per_s = 4'012.0 + i * 10, .p50_us = 50'000, .p99_us = 53'000, .lateness_p99_us = 54});
  return run;
}

std::string Text(const std::vector<TerminalLine>& lines) {
  std::vector<std::string> texts;
  for (const TerminalLine& line : lines) texts.push_back(line.Text());
  return absl::StrJoin(texts, "\n");
}

TEST(TerminalFrameTest, AnOrdinaryScreenHasItAll) {
  const std::string text = Text(MakeFrame(UnderWay(2), {.columns = 80, .rows = 24, .is_utf8 = true, .has_keys = true}));
  for (const char* part :
       {"tidemark 0.1.0  http://127.0.0.1:18090", "20261126T155824Z-59c0cb", "closed loop, 25s per point",
        "point 7 of 10, 11s left; run: 1:26 left", "conns", "36.2ms    39.6ms      365  VALID", "GENERATOR_LIMITED",
        ">       192      4,089    50.8ms    53.7ms      219  [████████░░░░░░░] ", "14s/25s", " req/s       4,142  ▁",
        "4,012 to 4,142", "429 140   5xx 79", "0: 2,045/s p99 30.0ms cpu 2 %   1: 2,045/s p99 31.0ms cpu 2 %",
        "cpu at most 2 %", "lateness p99 54us", "clocks ±35us", "q ends after this point"})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(text, Not(HasSubstr("earlier")));
}

TEST(TerminalFrameTest, EachScreenIsKeptWithinAndShowsTheCurrentPoint) {
  for (const std::size_t agents : {0U, 1U, 2U, 8U, 1'000U}) {
    for (std::size_t columns = 1; columns <= 210; columns += columns < 90 ? 1 : 12) {
      for (const std::size_t rows : {1U, 2U, 3U, 5U, 8U, 13U, 14U, 15U, 17U, 20U, 24U, 50U}) {
        for (const bool is_utf8 : {false, true}) {
          ShownRun run = UnderWay(agents);
          run.message = std::string(300, 'x');
          const Screen screen = {.columns = columns, .rows = rows, .has_color = true, .is_utf8 = is_utf8};
          const std::vector<TerminalLine> lines = MakeFrame(run, screen);
          ASSERT_LE(lines.size(), rows) << columns;
          for (const TerminalLine& line : lines) ASSERT_LE(line.columns(), columns) << line.Text();
          if (columns >= 60) {
            EXPECT_THAT(Text(lines), HasSubstr("14s/25s")) << columns << "x" << rows;
          }
          if (columns >= 60 && rows >= 14) {
            EXPECT_THAT(Text(lines), HasSubstr("req/s")) << rows;
            EXPECT_THAT(Text(lines), HasSubstr("429 140")) << rows;
            EXPECT_THAT(Text(lines), HasSubstr("Ctrl-C")) << rows;
          }
        }
      }
    }
  }
}

TEST(TerminalFrameTest, TheNewestPointsStayWhereThereIsNoRoomForAll) {
  const std::string text = Text(MakeFrame(UnderWay(1), {.columns = 80, .rows = 20}));
  EXPECT_THAT(text, HasSubstr("... "));
  EXPECT_THAT(text, HasSubstr(" earlier points"));
  EXPECT_THAT(text, HasSubstr("         64      3,796"));
  EXPECT_THAT(text, Not(HasSubstr("          2      3,796")));
}

TEST(TerminalFrameTest, OfManyAgentsTheSlowestThreeAreNamed) {
  ShownRun run = UnderWay(8);
  auto agents = *run.so_far.agents;
  agents[7].is_lost = true;
  run.so_far.agents = std::make_shared<const std::vector<AgentSoFar>>(agents);
  const std::string text = Text(MakeFrame(run, {.columns = 200, .rows = 24}));
  EXPECT_THAT(text, HasSubstr("7 up, 1 lost, slowest 3: 6: 2,045/s p99 36.0ms late 54us cpu 2 %   5: "));
  EXPECT_THAT(text, HasSubstr("   4: "));
  EXPECT_THAT(text, Not(HasSubstr("   3: ")));
  EXPECT_THAT(Text(MakeFrame(run, {.columns = 85, .rows = 24})),
              HasSubstr("7 up, 1 lost, slowest 3: 6: p99 36.0ms   5: p99 35.0ms   4: p99 34.0ms"))
      << "where there is no room for more";
}

TEST(TerminalFrameTest, WhatThePointIsAtIsSaid) {
  struct Case {
    const char* what;
    void (*make)(ShownRun*);
    const char* shown;
  };
  const Case kCases[] = {
      {"no point yet", [](ShownRun* run) { run->is_begun = false; }, "opening the run, 3:20"},
      {"connections are opened", [](ShownRun* run) { run->so_far = {.up = 120}; }, "120 up, opening 15s"},
      {"all are up",
       [](ShownRun* run) {
         run->so_far = {.up = 192};
         *run->head.mutable_plan()->mutable_sweep()->mutable_warmup() = ToDurationProto(5 * kSecond);
       },
       "warm-up 15s"},
      {"T0 lies ahead", [](ShownRun* run) { run->so_far.start = kNow + 1; }, "beginning 15s"},
      {"the time is over", [](ShownRun* run) { run->so_far.start = kNow - 26 * kSecond; }, "ending"},
      {"some are waited for",
       [](ShownRun* run) {
         run->so_far.start = kNow - 26 * kSecond;
         run->so_far.left = 12;
       },
       "waiting for the last 12"},
      {"a count",
       [](ShownRun* run) {
         run->point.length = 0;
         run->point.requests = 100'000;
       },
       "14s, 57,246/100,000"},
      {"how long a count takes is not known", [](ShownRun* run) { run->point.length = 0; },
       "point 7 of 10, 3:20 so far"},
      {"the last point that is wanted", [](ShownRun* run) { run->is_last = true; }, "run: 11s left"},
      {"a message", [](ShownRun* run) { run->message = "12 of 192 connections are not up"; },
       " ! 12 of 192 connections are not up"},
  };
  for (const Case& c : kCases) {
    ShownRun run = UnderWay(1);
    c.make(&run);
    EXPECT_THAT(Text(MakeFrame(run, {.columns = 80, .rows = 24})), HasSubstr(c.shown)) << c.what;
  }
}

TEST(TerminalFrameTest, WithoutUtf8AllIsAscii) {
  const std::string text = Text(MakeFrame(UnderWay(2), {.columns = 200, .rows = 50}));
  EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }))
      << text;
  EXPECT_THAT(text, HasSubstr("[########-------] 14s/25s"));
  EXPECT_THAT(text, HasSubstr("clocks +-35us"));
}

TEST(TerminalFrameTest, WithoutColourThereIsNoSgrAndWithItNothingElseChanges) {
  const ShownRun run = UnderWay(2);
  const Screen plain = {.columns = 80, .rows = 24};
  Screen coloured = plain;
  coloured.has_color = true;
  EXPECT_EQ(Text(MakeFrame(run, plain)), Text(MakeFrame(run, coloured)));
  std::string without;
  std::string with;
  for (const TerminalLine& line : MakeFrame(run, plain)) without += line.Bytes(false);
  for (const TerminalLine& line : MakeFrame(run, coloured)) {
    const std::string bytes = line.Bytes(true);
    with += bytes;
    const std::size_t last = bytes.rfind('\x1b');
    EXPECT_TRUE(last == std::string::npos || bytes.substr(last, 4) == "\x1b[0m") << "it would run on: " << bytes;
  }
  EXPECT_THAT(without, Not(HasSubstr("\x1b")));
  EXPECT_THAT(with, HasSubstr("\x1b[0;31m"));
}

TEST(TerminalFrameTest, WhatOthersWroteIsInert) {
  ShownRun run = UnderWay(2);
  const std::string hostile =
      "\x1b[2J\x07\xc2\x9b"
      "31m\xe2\x80\xae\xe6\xbc\xa2\r\n<b>\xff";
  run.head.mutable_plan()->set_target(hostile);
  run.head.set_run(hostile);
  run.message = hostile + std::string(10'000, 'y');
  for (const bool is_utf8 : {false, true}) {
    const std::string text = Text(MakeFrame(run, {.columns = 80, .rows = 24, .is_utf8 = is_utf8}));
    EXPECT_THAT(text, HasSubstr("?[2J??31m???"
                                "?<b>?"));
    for (const char* part : {"\x1b", "\x07", "\xc2\x9b", "\xe2\x80\xae", "\xe6\xbc\xa2", "\r", "\xff"})
      EXPECT_THAT(text, Not(HasSubstr(part)));
  }
}

// A terminal of so many cells that knows what a frame may say.
class Cells {
 public:
  Cells(std::size_t columns, std::size_t rows) : columns_(columns), rows_(rows, std::string(columns, 'g')) {}

  void Write(const std::string& bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (bytes[i] != '\x1b') {
        ASSERT_LT(column_, columns_) << "beyond the last column";
        rows_[row_][column_++] = bytes[i];
        continue;
      }
      const std::size_t end = bytes.find_first_of("HKJhl", i);
      ASSERT_NE(end, std::string::npos);
      const std::string argument = bytes.substr(i + 2, end - i - 2);
      if (bytes[end] == 'H') {
        row_ = std::stoul(argument) - 1;
        column_ = 0;
        ASSERT_LT(row_, rows_.size());
      }
      if (bytes[end] == 'K' || bytes[end] == 'J') rows_[row_].replace(column_, columns_, columns_ - column_, ' ');
      if (bytes[end] == 'J') {
        for (std::size_t row = row_ + 1; row < rows_.size(); ++row) rows_[row] = std::string(columns_, ' ');
      }
      i = end;
    }
  }
  const std::vector<std::string>& rows() const { return rows_; }

 private:
  const std::size_t columns_;
  std::vector<std::string> rows_;
  std::size_t row_ = 0;
  std::size_t column_ = 0;
};

TEST(TerminalFrameTest, AFrameLeavesNothingOfWhatWasThere) {
  for (const auto& [columns, rows] : {std::pair<std::size_t, std::size_t>{80, 24}, {60, 14}, {200, 50}, {10, 3}}) {
    const Screen screen = {.columns = columns, .rows = rows};
    const std::vector<TerminalLine> lines = MakeFrame(UnderWay(8), screen);
    Cells cells(columns, rows);
    cells.Write(FrameBytes(lines, screen));
    for (std::size_t i = 0; i < rows; ++i) {
      std::string expected = i < lines.size() ? lines[i].Text() : "";
      expected.resize(columns, ' ');
      EXPECT_EQ(cells.rows()[i], expected) << i;
    }
  }
}

TEST(TerminalFrameTest, ClocksAndSparklines) {
  EXPECT_EQ(FormatClock(0), "0s");
  EXPECT_EQ(FormatClock(59'999 * kMillisecond), "59s");
  EXPECT_EQ(FormatClock(89 * kSecond), "1:29");
  EXPECT_EQ(FormatClock(3'723 * kSecond), "1:02:03");
  EXPECT_EQ(Sparkline({0, 1, 2, 3, 4, 5, 6, 7}, 8, false), "_.:-=+*#");
  EXPECT_EQ(Sparkline({0, 1, 2, 3, 4, 5, 6, 7}, 2, false), "_#") << "the latest";
  EXPECT_EQ(Sparkline({5, -1, 5}, 8, false), "= =") << "nothing was measured between";
  EXPECT_EQ(Sparkline({1, 2}, 8, true), "▁█");
  EXPECT_EQ(Sparkline({}, 8, true), "");
  EXPECT_EQ(Sparkline({1, 2}, 0, true), "");
}

}  // namespace
}  // namespace tidemark
