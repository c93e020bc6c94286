// Ways to answer, well and badly, composed of a status line, a field, a framing and a body: each has one right ending
// by RFC 9110 and 9112, at every cut of its bytes.
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/response_parser.h"

namespace tidemark {
namespace {

using Progress = ResponseParser::Progress;

constexpr std::uint64_t kMaxBody = 100;

enum class Ending { kComplete, kWaits, kMalformed, kOverLimit, kClosedEarly };

// With its own line end.
struct Line {
  std::string text;
  bool is_malformed = false;
  bool keeps = true;         // what it says lets the connection be used again
  bool is_of_value = false;  // the fault is in what a field means, which may be judged when the header is whole
};

const std::vector<Line> kStatusLines = {
    {"HTTP/1.1 200 OK\r\n"},
    {"HTTP/1.1 200 \r\n"},
    {"HTTP/1.1 200\r\n"},
    {"HTTP/1.1 200 OK\n"},
    {"HTTP/1.1 200\n"},
    {"HTTP/1.1 404 Not Found\r\n"},
    {"HTTP/1.1 599 caf\xe9\t1\r\n"},
    {"HTTP/1.0 200 OK\r\n", false, false},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"},
    {"HTTP/1.1 103\r\nLink: </a>\r\n\r\nHTTP/1.1 100\n\nHTTP/1.1 200 OK\r\n"},
    {"\x15\x03\x03\x00\x02\x02\x28", true},
    {"\x81\x05hello", true},
    {"\r\nHTTP/1.1 200 OK\r\n", true},
    {" HTTP/1.1 200 OK\r\n", true},
    {"HTTP/2 200\r\n", true},
    {"HTTP/2.0 200 OK\r\n", true},
    {"HTTP/1.2 200 OK\r\n", true},
    {"HTTP/01.1 200 OK\r\n", true},
    {"HTTP/1,1 200 OK\r\n", true},
    {"http/1.1 200 OK\r\n", true},
    {"HTP/1.1 200 OK\r\n", true},
    {"ICY 200 OK\r\n", true},
    {"200 OK\r\n", true},
    {"<html>\r\n", true},
    {"HTTP/1.1 20x OK\r\n", true},
    {"HTTP/1.1 20 OK\r\n", true},
    {"HTTP/1.1 2000 OK\r\n", true},
    {"HTTP/1.1 -20 OK\r\n", true},
    {"HTTP/1.1  200 OK\r\n", true},
    {"HTTP/1.1\t200 OK\r\n", true},
    {"HTTP/1.1 200\tOK\r\n", true},
    {"HTTP/1.1 200 O\x01K\r\n", true},
    {"HTTP/1.1 200 OK\rA: b\r\n", true},
    {"HTTP/1.1 200 OK\r\n \r\n", true},
    {"HTTP/1.1 103 Early\r\nbad line\r\n\r\nHTTP/1.1 200 OK\r\n", true},
    {"HTTP/1.1 100 Continue\r\n\r\nICY 200 OK\r\n", true},
};

const std::string kKeepAlive = "Connection: keep-alive\r\n";
const std::vector<Line> kFields = {
    {""},
    {"Server: x\r\n"},
    {"Server:x\r\n"},
    {"Server:\r\n"},
    {"X: a\r\n b\r\n"},
    {"X: \xe9\t\r\n"},
    {"X: a\nY: b\r\n"},
    {kKeepAlive},
    {"Connection: close\r\n", false, false},
    {"Connection: x, close\r\n", false, false},
    {"connection: CLOSE\r\n", false, false},
    {"Server : x\r\n", true},
    {": x\r\n", true},
    {"Server\r\n", true},
    {"Ser ver: x\r\n", true},
    {"S\xe9: x\r\n", true},
    {"Server: x\x01\r\n", true},
    {"Server: x\x7f\r\n", true},
    {"Server: x\ry\r\n", true},
    {"HTTP/1.1 200 OK\r\n", true},
    {"Content-Length: -1\r\n", true, true, true},
    {"Content-Length: +5\r\n", true, true, true},
    {"Content-Length: 0x5\r\n", true, true, true},
    {"Content-Length: 5 5\r\n", true, true, true},
    {"Content-Length: 5, 6\r\n", true, true, true},
    {"Content-Length: 5;a\r\n", true, true, true},
    {"Content-Length: \r\n", true, true, true},
    {"Content-Length: 99999999999999999999\r\n", true, true, true},
};

// What comes behind the status line and the field, and how it ends while the peer keeps the connection, and if it
// closes it. Of a response that a close completes no connection is left.
struct Rest {
  std::string text;
  Ending open = Ending::kMalformed;
  Ending closed = Ending::kMalformed;
  bool has_more = false;  // bytes behind the response
  bool has_whole_header = true;
};

constexpr Ending kComplete = Ending::kComplete;
constexpr Ending kWaits = Ending::kWaits;
constexpr Ending kMalformed = Ending::kMalformed;
constexpr Ending kOverLimit = Ending::kOverLimit;
constexpr Ending kClosedEarly = Ending::kClosedEarly;

Rest Chunks(const std::string& bytes, Ending open = kMalformed, Ending closed = kMalformed, bool has_more = false) {
  return {"Transfer-Encoding: chunked\r\n\r\n" + bytes, open, closed, has_more};
}

const std::vector<Rest> kRests = {
    {"Content-Length: 5\r\n\r\nhello", kComplete, kComplete},
    {"Content-Length: 0\r\n\r\n", kComplete, kComplete},
    {"Content-Length: 5\n\nhello", kComplete, kComplete},
    {"Content-Length: 5\r\n\nhello", kComplete, kComplete},
    {"Content-Length: 5, 5\r\n\r\nhello", kComplete, kComplete},
    {"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", kComplete, kComplete},
    {"Content-Length: 5\r\n\r\nhello!", kComplete, kComplete, true},
    {"Content-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n", kComplete, kComplete, true},
    {"Content-Length: 5\r\n\r\nhel", kWaits, kClosedEarly},
    {"Content-Length: 5\r\n\r\n", kWaits, kClosedEarly},
    {"Content-Length: 5\r\n\r", kWaits, kClosedEarly, false, false},
    {"Content-Length: 5\n", kWaits, kClosedEarly, false, false},
    {"", kWaits, kClosedEarly, false, false},
    {"Content-Length: 101\r\n\r\n", kOverLimit, kOverLimit},
    {"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"},
    {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello"},
    {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello"},
    {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"\r\nhello", kWaits, kComplete},
    {"\nhello", kWaits, kComplete},
    {"\r\n", kWaits, kComplete},
    {"\r\n" + std::string(101, 'x'), kOverLimit, kOverLimit},
    {"Transfer-Encoding: gzip\r\n\r\nhello", kWaits, kComplete},
    {"Transfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", kComplete, kComplete},
    {"transfer-encoding: CHUNKED\n\n1\r\na\r\n0\r\n\r\n", kComplete, kComplete},
    Chunks("5\r\nhello\r\n0\r\n\r\n", kComplete, kComplete),
    Chunks("0\r\n\r\n", kComplete, kComplete),
    Chunks("000\r\n\r\n", kComplete, kComplete),
    Chunks("A\r\n0123456789\r\n00b\r\n0123456789a\r\n0\r\n\r\n", kComplete, kComplete),
    Chunks("1;a\r\nx\r\n1;a=b;c=\"d \\\" e\"\r\ny\r\n0;f\r\n\r\n", kComplete, kComplete),
    Chunks("1 ; a = b\r\nx\r\n0\r\n\r\n", kComplete, kComplete),
    Chunks("0\r\nA: b\r\nC: d\r\n\r\n", kComplete, kComplete),
    Chunks("0\r\n\r\n!", kComplete, kComplete, true),
    Chunks("", kWaits, kClosedEarly),
    Chunks("5", kWaits, kClosedEarly),
    Chunks("5\r\nhel", kWaits, kClosedEarly),
    Chunks("5\r\nhello", kWaits, kClosedEarly),
    Chunks("5\r\nhello\r\n", kWaits, kClosedEarly),
    Chunks("5\r\nhello\r\n0\r\n", kWaits, kClosedEarly),
    Chunks("0\r\nA: b\r\n", kWaits, kClosedEarly),
    Chunks("65\r\n", kOverLimit, kOverLimit),
    Chunks("32\r\n" + std::string(50, 'x') + "\r\n33\r\n", kOverLimit, kOverLimit),
    Chunks("<html>"),
    Chunks("hello"),
    Chunks("-5\r\nhello"),
    Chunks("+5\r\nhello"),
    Chunks("0x5\r\nhello"),
    Chunks(" 5\r\nhello"),
    Chunks("5 \r\nhello"),
    Chunks("5,\r\nhello"),
    Chunks("5;\r\nhello"),
    Chunks("5;=b\r\nhello"),
    Chunks("5;a=\r\nhello"),
    Chunks("5;a=\"b\r\nhello\r\n0\r\n\r\n"),
    Chunks("5 a\r\nhello"),
    Chunks("5\nhello"),
    Chunks("5\rhello"),
    Chunks("\r\n5\r\nhello"),
    Chunks("11111111111111111"),
    Chunks("5\r\nhello!"),
    Chunks("5\r\nhello\n0\r\n\r\n"),
    Chunks("5\r\nhello0\r\n\r\n"),
    Chunks("5\r\nhello\r\n\r\n"),
    Chunks("5\r\nhello\r\nHTTP/1.1 200 OK\r\n"),
    Chunks("0\r\nbad line\r\n\r\n"),
    Chunks("0\r\n: b\r\n\r\n"),
    Chunks("0\r\nA : b\r\n\r\n"),
    Chunks("0\r\nA: b\n\n"),
    Chunks("0\n\n"),
    Chunks("0\r\n@"),
};

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
    result = parser.Feed(pending, {.max_body_bytes = kMaxBody}, &known);
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
  int ways = 0;
  for (std::size_t s = 0; s < kStatusLines.size(); ++s) {
    for (std::size_t f = 0; f < kFields.size(); ++f) {
      for (std::size_t r = 0; r < kRests.size(); ++r) {
        // Two parts vary at a time.
        if (s != 0 && f != 0 && r != 0) continue;
        const Line& line = kStatusLines[s];
        const Line& field = kFields[f];
        const Rest& rest = kRests[r];
        if (field.is_of_value && !rest.has_whole_header) continue;
        const std::string text = line.text + field.text + rest.text;
        ++ways;
        for (const bool is_closed : {false, true}) {
          Fate expected{is_closed ? rest.closed : rest.open};
          if (line.is_malformed || field.is_malformed) expected = {kMalformed};
          const bool keeps = (line.keeps || field.text == kKeepAlive) && field.keeps;
          expected.is_reused = expected.ending == kComplete && !is_closed && keeps && !rest.has_more;
          for (std::size_t cut = 0; cut <= text.size(); ++cut)
            ASSERT_EQ(FateOf(text, cut, is_closed), expected) << "cut at " << cut << ", closed: " << is_closed << "\n"
                                                              << text;
        }
      }
    }
  }
  EXPECT_GE(ways, 400);
}

}  // namespace
}  // namespace tidemark
