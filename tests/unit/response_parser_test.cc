#include "agent/exchange/response_parser.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace tidemark {
namespace {

using Progress = ResponseParser::Progress;

// Feeds `text` in pieces of `piece` bytes, keeping what is not consumed, as a connection does.
ResponseParser::Result FeedInPieces(ResponseParser* parser, const std::string& text, std::size_t piece,
                                    KnownHeader* known, std::size_t* used, std::uint64_t max_body = 1 << 20) {
  std::string pending;
  ResponseParser::Result result;
  *used = 0;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    pending += text.substr(at, piece);
    result = parser->Feed(pending, {.max_body_bytes = max_body}, known);
    *used += result.consumed;
    if (result.progress != Progress::kNeedMore) return result;
    pending.erase(0, result.consumed);
  }
  return result;
}

struct Case {
  const char* name;
  std::string text;
  bool is_head;
  int status;
  bool keep_alive;
};

const Case kComplete[] = {
    {"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, 200, true},
    {"length zero", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, 200, true},
    {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;e=x\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n",
     false, 200, true},
    {"chunked and empty", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: 1\r\n\r\n", false, 200, true},
    {"204", "HTTP/1.1 204 No Content\r\n\r\n", false, 204, true},
    {"no reason, nor the space before it", "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", false, 200, true},
    {"no reason, and chunks", "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", false, 200,
     true},
    {"an interim one without a reason", "HTTP/1.1 100\r\n\r\nHTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", false, 200,
     true},
    {"lines that end with LF alone", "HTTP/1.1 200 OK\nA: b\r\nContent-Length: 2\n\nok", false, 200, true},
    {"a header that ends with LF alone", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok", false, 200, true},
    {"a value on two lines", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nok", false, 200, true},
    {"HTTP/1.0 and chunks", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     false, 200, false},
    {"chunks of many bytes",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n000C;a=\"b;c\" ; d\r\nhello, world\r\n00\r\nA: b\r\n "
     "c\r\n\r\n",
     false, 200, true},
    {"304 with length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", false, 304, true},
    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", true, 200, true},
    {"close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", false, 200, false},
    {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", false, 200, false},
    {"HTTP/1.0 keep-alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", false, 200,
     true},
    {"interim",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 429 Too "
     "Many\r\nContent-Length: 2\r\n\r\nno",
     false, 429, true},
    {"switching", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", false, 101, false},
};

void ExpectComplete(const Case& c, std::size_t piece, KnownHeader* known) {
  ResponseParser parser;
  std::size_t used = 0;
  parser.Start(c.is_head);
  const auto result = FeedInPieces(&parser, c.text, piece, known, &used);
  ASSERT_EQ(result.progress, Progress::kComplete) << c.name << " in pieces of " << piece;
  ASSERT_EQ(used, c.text.size()) << c.name << " in pieces of " << piece;
  ASSERT_EQ(parser.status(), c.status) << c.name;
  ASSERT_EQ(parser.keep_alive(), c.keep_alive) << c.name;
}

TEST(ResponseParserTest, CompleteResponsesInPiecesOfAnySize) {
  for (const Case& c : kComplete) {
    for (std::size_t piece = 1; piece <= c.text.size(); ++piece) {
      KnownHeader none;
      ASSERT_NO_FATAL_FAILURE(ExpectComplete(c, piece, &none));
    }
  }
}

TEST(ResponseParserTest, AKnownHeaderGivesTheSameAnswerAsTheParser) {
  for (const Case& c : kComplete) {
    KnownHeader known;
    ASSERT_NO_FATAL_FAILURE(ExpectComplete(c, c.text.size(), &known));
    for (std::size_t piece = 1; piece <= c.text.size(); ++piece) {
      ASSERT_NO_FATAL_FAILURE(ExpectComplete(c, piece, &known));
    }
  }
}

TEST(ResponseParserTest, OnlyPlainLengthsBecomeKnown) {
  KnownHeader known;
  ResponseParser parser;
  std::size_t used = 0;
  for (const Case& c : kComplete) {
    parser.Start(c.is_head);
    FeedInPieces(&parser, c.text, c.text.size(), &known, &used);
  }
  EXPECT_EQ(known.block, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n");
  parser.Start(false);
  FeedInPieces(&parser, kComplete[0].text, 7, &known, &used);  // not in one piece: not learnt
  EXPECT_EQ(known.body_bytes, 1u);
}

TEST(ResponseParserTest, ATwinOfAKnownHeaderWithMoreFieldsIsParsed) {
  KnownHeader known;
  ResponseParser parser;
  std::size_t used = 0;
  parser.Start(false);
  FeedInPieces(&parser, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 1000, &known, &used);
  parser.Start(false);
  const std::string other = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
  EXPECT_EQ(FeedInPieces(&parser, other, 1000, &known, &used).progress, Progress::kComplete);
  EXPECT_FALSE(parser.keep_alive());
}

TEST(ResponseParserTest, BytesBehindTheResponseAreLeftOver) {
  ResponseParser parser;
  KnownHeader known;
  const std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200";
  for (int round = 0; round < 2; ++round) {  // parsed, then known
    parser.Start(false);
    const auto result = parser.Feed(text, {}, &known);
    EXPECT_EQ(result.progress, Progress::kComplete);
    EXPECT_EQ(text.substr(result.consumed), "HTTP/1.1 200");
  }
}

TEST(ResponseParserTest, WhatIsNotHttpIsMalformed) {
  for (const std::string text :
       {"garbage\r\n\r\n", "\x16\x03\x01 not HTTP\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 200 OK\r\nBad Header\r\n\r\n"}) {
    ResponseParser parser;
    KnownHeader known;
    std::size_t used = 0;
    parser.Start(false);
    const auto result = FeedInPieces(&parser, text, text.size(), &known, &used);
    EXPECT_EQ(result.progress, Progress::kFailed) << text;
    EXPECT_EQ(result.error, EBADMSG) << text;
  }
}

// Of each the last byte is the first that cannot stand there.
TEST(ResponseParserTest, WhatCanNeverBecomeAResponseIsMalformedAtOnce) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string starts[] = {"\x15",  // a TLS alert, with 03 03 00 02 02 28 behind it
                                "\x81",  // a WebSocket frame
                                "\r",
                                "\n",
                                "I",
                                "HTP",
                                "h",
                                "HTTP/2",
                                "HTTP/1.2",
                                "HTTP/1.1\t",
                                "HTTP/1.1  ",
                                "HTTP/1.1 20x",
                                "HTTP/1.1 20\r",
                                "HTTP/1.1 2000",
                                "HTTP/1.1 200\rO",
                                "HTTP/1.1 200\t",
                                "HTTP/1.1 200 O\x01",
                                "HTTP/1.1 200 OK\rX",
                                "HTTP/1.1 200 OK\r\n ",
                                "HTTP/1.1 200 OK\r\n:",
                                "HTTP/1.1 200 OK\r\nA ",
                                "HTTP/1.1 200 OK\r\nA\r",
                                "HTTP/1.1 200 OK\nA: b\nC ",
                                "HTTP/1.1 200 OK\r\nA: b\x7f",
                                "HTTP/1.1 200 OK\r\nA: b\r\n\rX",
                                chunked + "z",
                                chunked + "\r",
                                chunked + "\n",
                                chunked + "-",
                                chunked + "0x",
                                chunked + "1\n",
                                chunked + "1\rX",
                                chunked + "11111111111111111",
                                chunked + "1;a=b\rX",
                                chunked + "2\r\nabX",
                                chunked + "2\r\nab\rX",
                                chunked + "2\r\nab\n",
                                chunked + "2\r\nab\r\ng",
                                chunked + "2\r\nab\r\n3\r\nabcd",
                                chunked + "0\r\n ",
                                chunked + "0\r\nA ",
                                chunked + "0\r\nA: b\n",
                                chunked + "0\r\n\rX"};
  for (const std::string interim : {"", "HTTP/1.1 100 Continue\r\n\r\n"}) {
    for (const std::string& start : starts) {
      const std::string text = interim + start;
      for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        ResponseParser parser;
        KnownHeader known;
        std::size_t used = 0;
        parser.Start(false);
        ASSERT_EQ(FeedInPieces(&parser, text.substr(0, text.size() - 1), piece, &known, &used).progress,
                  Progress::kNeedMore)
            << text << " in pieces of " << piece;
        parser.Start(false);
        const auto result = FeedInPieces(&parser, text, piece, &known, &used);
        ASSERT_EQ(result.progress, Progress::kFailed) << text << " in pieces of " << piece;
        ASSERT_EQ(result.error, EBADMSG) << text << " in pieces of " << piece;
      }
    }
  }
}

TEST(ResponseParserTest, AnOddHeaderBecomesKnownToo) {
  KnownHeader known;
  const std::string header = "HTTP/1.1 200\r\nContent-Length: 5\n\n";
  for (int round = 0; round < 2; ++round) {  // parsed, then known
    ResponseParser parser;
    parser.Start(false);
    const auto result = parser.Feed(header + "hellomore", {}, &known);
    EXPECT_EQ(result.progress, Progress::kComplete);
    EXPECT_EQ(result.consumed, header.size() + 5);
    EXPECT_EQ(known.block, header);
    EXPECT_EQ(known.body_bytes, 5u);
  }
}

TEST(ResponseParserTest, WhatNeverEndsIsOverALimit) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  struct Row {
    std::string begin;
    std::string more;
  };
  for (const Row& row :
       {Row{"", "HTTP/1.1 100 Continue\r\n\r\n"}, Row{"", "HTTP/1.1 103\r\nA: b\r\n\r\n"},
        Row{"HTTP/1.1 200 OK\r\n", "A: b\r\n"}, Row{"HTTP/1.1 200 OK\n", "A: b\n"}, Row{"HTTP/1.1 200 ", "A"},
        Row{chunked + "0\r\n", "A: b\r\n"}, Row{chunked + "1;a=", "b"}, Row{chunked, "0"}}) {
    for (const std::size_t piece : {std::size_t{7}, std::size_t{1000}, std::size_t{200'000}}) {
      std::string text = row.begin;
      while (text.size() < 200'000) text += row.more;
      ResponseParser parser;
      KnownHeader known;
      std::size_t used = 0;
      parser.Start(false);
      EXPECT_EQ(FeedInPieces(&parser, text, piece, &known, &used).error, EMSGSIZE) << row.begin << row.more << piece;
    }
  }
}

TEST(ResponseParserTest, LimitsEndAsOverLimit) {
  ResponseParser parser;
  KnownHeader known;
  std::size_t used = 0;
  parser.Start(false);
  const std::string header = absl::StrCat("HTTP/1.1 200 OK\r\nX: ", std::string(100'000, 'x'), "\r\n\r\n");
  EXPECT_EQ(FeedInPieces(&parser, header, 50'000, &known, &used).error, EMSGSIZE);
  parser.Start(false);
  EXPECT_EQ(FeedInPieces(&parser, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n", 1000, &known, &used, 10).error,
            EMSGSIZE);
  parser.Start(false);
  EXPECT_EQ(
      FeedInPieces(&parser, absl::StrCat("HTTP/1.1 200 OK\r\n\r\n", std::string(11, 'x')), 1000, &known, &used, 10)
          .error,
      EMSGSIZE);
}

TEST(ResponseParserTest, CloseCompletesOnlyABodyThatRunsUntilClose) {
  struct Row {
    const char* text;
    Progress progress;
    int error;
  };
  for (const Row& row :
       {Row{"HTTP/1.1 200 OK\r\n\r\nuntil close", Progress::kComplete, 0}, Row{"", Progress::kFailed, 0},
        Row{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", Progress::kFailed, 0},
        Row{"HTTP/1.1 200", Progress::kFailed, 0}, Row{"HTTP/1.1 103 Early Hints\r\n\r\n", Progress::kFailed, 0},
        Row{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", Progress::kFailed, 0}}) {
    ResponseParser parser;
    KnownHeader known;
    parser.Start(false);
    if (*row.text != 0) parser.Feed(row.text, {}, &known);
    const auto result = parser.FeedEnd();
    EXPECT_EQ(result.progress, row.progress) << row.text;
    EXPECT_EQ(result.error, row.error) << row.text;
    if (row.progress == Progress::kComplete) {
      EXPECT_FALSE(parser.keep_alive());
    }
  }
}

// A worker's first answers, as the parser fills them.
struct Kept {
  Kept() {
    StatusSet success;
    first.Begin(success.set(200));
    first.RecordInto(&counts);
  }
  Masks masks;
  StatusCounts counts;
  FirstAnswers first{false, 0, &masks};
  KnownHeader known{.first_answers = &first};
};

TEST(ResponseParserTest, TheFirstAnswerOfAFailingStatusIsKeptInPiecesOfAnySize) {
  const std::string kType = "Content-Type: application/json\r\n";
  const std::string kTexts[] = {
      "HTTP/1.1 401 No\r\n" + kType + "Content-Length: 12\r\n\r\n{\"code\":-15}",
      "HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n" + kType + "\r\n5\r\n{\"cod\r\n7\r\ne\":-15}\r\n0\r\n\r\n",
      "HTTP/1.1 103 Early\r\nContent-Type: x\r\n\r\nHTTP/1.1 401 No\r\n" + kType +
          "Content-Length: 12\r\n\r\n{\"code\":-15}"};
  for (const std::string& text : kTexts) {
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
      Kept kept;
      ResponseParser parser;
      std::size_t used = 0;
      parser.Start(false);
      ASSERT_EQ(FeedInPieces(&parser, text, piece, &kept.known, &used).progress, Progress::kComplete);
      const auto& answers = kept.counts.answers();
      ASSERT_EQ(answers.size(), 1u) << piece;
      ASSERT_EQ(answers.at({.status = 401}).body, "{\"code\":-15}") << piece;
      ASSERT_EQ(answers.at({.status = 401}).content_type, "application/json") << piece;
    }
  }
}

TEST(ResponseParserTest, OfABodyTheFirst512BytesAreKeptAndOfLaterAnswersNothing) {
  Kept kept;
  for (const char letter : {'a', 'b'}) {
    const std::string text = absl::StrCat("HTTP/1.1 500 No\r\nContent-Length: 600\r\n\r\n", std::string(600, letter));
    ResponseParser parser;
    std::size_t used = 0;
    parser.Start(false);
    FeedInPieces(&parser, text, 100, &kept.known, &used);
  }
  ResponseParser parser;
  parser.Start(false);
  parser.Feed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", {}, &kept.known);
  parser.Start(false);
  parser.Feed("HTTP/1.1 404 No\r\n\r\nuntil close", {}, &kept.known);
  EXPECT_EQ(parser.FeedEnd().progress, Progress::kComplete);
  ASSERT_EQ(kept.counts.answers().size(), 2u);
  EXPECT_EQ(kept.counts.answers().at({.status = 500}).body, std::string(512, 'a'));
  EXPECT_EQ(kept.counts.answers().at({.status = 404}).body, "until close");
}

TEST(ResponseParserTest, AnAnswerThatNeverEndsIsKeptWhenItIsAskedFor) {
  Kept kept;
  ResponseParser parser;
  parser.Start(false);
  EXPECT_FALSE(parser.KeepPart());
  parser.Feed("HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nbusy", {}, &kept.known);
  EXPECT_TRUE(parser.WantsMore());
  EXPECT_TRUE(parser.KeepPart());
  EXPECT_EQ(kept.counts.answers().at({.status = 503}).body, "busy");
}

}  // namespace
}  // namespace tidemark
