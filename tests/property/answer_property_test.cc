// The parser gives each way to answer its one right ending, at every cut of its bytes.
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "agent/exchange/response_parser.h"
#include "tests/support/ways_to_answer.h"

namespace tidemark {
namespace {

using Progress = ResponseParser::Progress;

struct Fate {
  Ending ending = kWaits;
  bool is_reused = false;

  bool operator==(const Fate&) const = default;
};

void PrintTo(const Fate& fate, std::ostream* out) {
  const char* const names[] = {"complete", "waits", "malformed", "over limit", "closed early"};
  *out << names[static_cast<int>(fate.ending)] << (fate.is_reused ? ", and reused" : "");
}

// Feeds `text` as it comes in pieces that end at `cut`, or every byte alone if it is 0, as a connection does.
Fate FateOf(const std::string& text, std::size_t cut, bool is_closed) {
  ResponseParser parser;
  KnownHeader known;
  parser.Start(false);
  ResponseParser::Result result;
  std::string pending;
  std::size_t at = 0;
  while (at < text.size() && result.progress == Progress::kNeedMore) {
    const std::size_t end = cut == 0 ? at + 1 : at < cut ? cut : text.size();
    pending += text.substr(at, end - at);
    at = end;
    result = parser.Feed(pending, {.max_body_bytes = kMaxBodyOfWays}, &known);
    pending.erase(0, result.consumed);
  }
  if (result.progress == Progress::kNeedMore && is_closed) result = parser.FeedEnd();
  if (result.progress == Progress::kNeedMore) return {kWaits};
  if (result.progress == Progress::kComplete) {
    const bool has_more = at < text.size() || !pending.empty();
    return {kComplete, parser.keep_alive() && !has_more && !is_closed};
  }
  return {result.error == EMSGSIZE ? kOverLimit : result.error == EBADMSG ? kMalformed : kClosedEarly};
}

TEST(AnswerPropertyTest, EachWayToAnswerHasOneEndingAtEveryCut) {
  const std::vector<Way> ways = WaysToAnswer();
  EXPECT_GE(ways.size(), 400u);
  for (const Way& way : ways) {
    for (const bool is_closed : {false, true}) {
      Fate expected{is_closed ? way.closed : way.open};
      expected.is_reused = expected.ending == kComplete && !is_closed && way.keeps;
      for (std::size_t cut = 0; cut <= way.text.size(); ++cut)
        ASSERT_EQ(FateOf(way.text, cut, is_closed), expected) << "cut at " << cut << ", closed: " << is_closed << "\n"
                                                              << way.text;
    }
  }
}

}  // namespace
}  // namespace tidemark
