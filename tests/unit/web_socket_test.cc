#include "agent/wire/web_socket.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/support/server_frames.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

namespace asio = boost::asio;
namespace websocket = boost::beast::websocket;

constexpr std::uint64_t kLimit = 1 << 17;

// What was read, one line per event; the last says how it ended.
std::string ReadAll(const std::string& bytes, std::size_t piece) {
  FrameReader reader;
  std::string log;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    absl::string_view left = absl::string_view(bytes).substr(at, piece);
    while (true) {
      const FrameReader::Event event = reader.Next(&left, kLimit, true);
      if (event == FrameReader::Event::kNeedMore) break;
      switch (event) {
        case FrameReader::Event::kMessage:
          absl::StrAppend(&log, reader.is_text() ? "text " : "binary ", reader.payload(), "\n");
          EXPECT_EQ(reader.payload().size(), reader.message_bytes());
          break;
        case FrameReader::Event::kPing:
          absl::StrAppend(&log, "ping ", reader.payload(), "\n");
          break;
        case FrameReader::Event::kPong:
          absl::StrAppend(&log, "pong ", reader.payload(), "\n");
          break;
        case FrameReader::Event::kClose:
          return absl::StrCat(log, "close ", reader.close_code(), " ", reader.payload());
        default:
          return absl::StrCat(log, "failed ", reader.close_code());
      }
    }
    EXPECT_TRUE(left.empty());
  }
  return absl::StrCat(log, "more");
}

// The same by Boost.Beast's client.
std::string ReadAllByBeast(const std::string& bytes) {
  asio::io_context io;
  asio::local::stream_protocol::socket ours(io);
  asio::local::stream_protocol::socket theirs(io);
  asio::local::connect_pair(ours, theirs);
  std::thread server([&] {
    websocket::stream<asio::local::stream_protocol::socket&> stream(theirs);
    boost::beast::error_code ignored;
    stream.accept(ignored);
    asio::write(theirs, asio::buffer(bytes), ignored);
    theirs.shutdown(asio::socket_base::shutdown_send, ignored);
  });
  websocket::stream<asio::local::stream_protocol::socket&> stream(ours);
  stream.handshake("h", "/");
  stream.read_message_max(kLimit);
  std::string log;
  stream.control_callback([&log](websocket::frame_type type, boost::beast::string_view payload) {
    if (type == websocket::frame_type::ping) absl::StrAppend(&log, "ping ", std::string(payload), "\n");
    if (type == websocket::frame_type::pong) absl::StrAppend(&log, "pong ", std::string(payload), "\n");
  });
  while (true) {
    boost::beast::flat_buffer buffer;
    boost::beast::error_code error;
    stream.read(buffer, error);
    if (!error) {
      absl::StrAppend(&log, stream.got_text() ? "text " : "binary ", boost::beast::buffers_to_string(buffer.data()),
                      "\n");
      continue;
    }
    if (error == websocket::error::closed) {
      const int code = stream.reason().code == 0 ? kCloseNoStatus : stream.reason().code;
      absl::StrAppend(&log, "close ", code, " ", std::string(stream.reason().reason.c_str()));
    } else if (error == websocket::error::message_too_big) {
      absl::StrAppend(&log, "failed ", kCloseTooBig);
    } else if (error == websocket::error::bad_frame_payload || error == websocket::error::bad_close_payload) {
      absl::StrAppend(&log, "failed ", kCloseBadPayload);
    } else if (error == websocket::condition::protocol_violation) {
      absl::StrAppend(&log, "failed ", kCloseProtocolError);
    } else {
      absl::StrAppend(&log, "more");
    }
    break;
  }
  theirs.shutdown(asio::socket_base::shutdown_both);
  server.join();
  return log;
}

struct EdgeCase {
  const char* name;
  std::string bytes;
  std::string expected;
};

class EdgeCases : public testing::TestWithParam<EdgeCase> {};

// In the manner of the Autobahn test suite: each rule of section 5, at any cut of the bytes, as Beast sees it, too.
TEST_P(EdgeCases, AreReadByTheRules) {
  for (const std::size_t piece : {1u, 2u, 3u, 7u, 64u, 1u << 20})
    EXPECT_EQ(ReadAll(GetParam().bytes, piece), GetParam().expected) << piece;
  EXPECT_EQ(ReadAllByBeast(GetParam().bytes), GetParam().expected);
}

const std::string kLong(70'000, 'x');
const std::string kMiddle(300, 'm');

INSTANTIATE_TEST_SUITE_P(
    FrameReader, EdgeCases,
    testing::ValuesIn(std::vector<EdgeCase>{
        {"Empty", ServerFrame(1, ""), "text \nmore"},
        {"Text", ServerFrame(1, "hello") + ServerFrame(1, "you"), "text hello\ntext you\nmore"},
        {"Binary", ServerFrame(2, "\xff\xfe"), "binary \xff\xfe\nmore"},
        {"Length16", ServerFrame(1, kMiddle), "text " + kMiddle + "\nmore"},
        {"Length64", ServerFrame(2, kLong), "binary " + kLong + "\nmore"},
        {"Fragments", ServerFrame(1, "he", 0) + ServerFrame(0, "l", 0) + ServerFrame(0, "lo"), "text hello\nmore"},
        {"EmptyFragments", ServerFrame(1, "", 0) + ServerFrame(0, "", 0) + ServerFrame(0, ""), "text \nmore"},
        {"PingBetweenFragments", ServerFrame(1, "he", 0) + ServerFrame(9, "p") + ServerFrame(0, "llo"),
         "ping p\ntext hello\nmore"},
        {"CharacterOverFragments", ServerFrame(1, "\xe2\x82", 0) + ServerFrame(9, "") + ServerFrame(0, "\xac"),
         "ping \ntext \xe2\x82\xac\nmore"},
        {"Pong", ServerFrame(10, "unasked"), "pong unasked\nmore"},
        {"LargestPing", ServerFrame(9, std::string(125, 'p')), "ping " + std::string(125, 'p') + "\nmore"},
        {"TooLargePing", ServerFrame(9, std::string(126, 'p')), "failed 1002"},
        {"FragmentedPing", ServerFrame(9, "p", 0), "failed 1002"},
        {"Reserved1", ServerFrame(1, "x", 0xc0), "failed 1002"},
        {"Reserved2", ServerFrame(1, "x", 0xa0), "failed 1002"},
        {"Reserved3", ServerFrame(9, "x", 0x90), "failed 1002"},
        {"UnknownData", ServerFrame(3, "x"), "failed 1002"},
        {"UnknownControl", ServerFrame(11, "x"), "failed 1002"},
        {"ContinuationOfNothing", ServerFrame(0, "x"), "failed 1002"},
        {"NewMessageWithinOne", ServerFrame(1, "a", 0) + ServerFrame(1, "b"), "failed 1002"},
        {"Masked", std::string("\x81\x81\x01\x02\x03\x04", 6) + "b", "failed 1002"},
        {"LongFormOfShort", std::string("\x81\x7e\x00\x01", 4) + "x", "failed 1002"},
        {"LongestFormOfMiddle", std::string("\x81\x7f\x00\x00\x00\x00\x00\x00\x01\x00", 10), "failed 1002"},
        {"HugeLength", std::string("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10), "failed 1009"},
        {"OverLimit", ServerFrame(2, kLong, 0) + ServerFrame(0, kLong), "failed 1009"},
        {"BadUtf8", ServerFrame(1, "\xc0\xaf"), "failed 1007"},
        {"Surrogate", ServerFrame(1, "\xed\xa0\x80"), "failed 1007"},
        {"BeyondUnicode", ServerFrame(1, "\xf4\x90\x80\x80"), "failed 1007"},
        {"CutCharacter", ServerFrame(1, "abc\xe2\x82"), "failed 1007"},
        {"Close", ServerClose(1000, "bye"), "close 1000 bye"},
        {"CloseWithoutCode", ServerFrame(8, ""), "close 1005 "},
        {"CloseOfOneByte", ServerFrame(8, "x"), "failed 1002"},
        {"CloseApplication", ServerClose(4005), "close 4005 "},
        {"CloseReserved", ServerClose(1005), "failed 1002"},
        {"CloseUnassigned", ServerClose(2999), "failed 1002"},
        {"CloseTooLow", ServerClose(999), "failed 1002"},
        {"CloseBadReason", ServerClose(1000, "\xff"), "failed 1007"},
        {"NothingAfterClose", ServerClose(1001) + ServerFrame(1, "x"), "close 1001 "},
    }),
    [](const auto& test) { return test.param.name; });

// Streams of random frames, some of them with a byte changed: Beast is the judge.
// What readers keep of messages in pieces comes out of one room, and goes back into it.
TEST(FrameReaderTest, KeepsNoMoreThanThereIsRoomFor) {
  constexpr std::int64_t kRoom = 100'000;
  std::int64_t room = kRoom;
  const auto begin = [](FrameReader* reader, std::size_t bytes) {
    const std::string frame = ServerFrame(2, std::string(120'000, 'x'));
    absl::string_view part = absl::string_view(frame).substr(0, bytes);
    return reader->Next(&part, kLimit, true);
  };
  {
    FrameReader one;
    one.Bound(&room);
    EXPECT_EQ(begin(&one, 60'000), FrameReader::Event::kNeedMore);
    EXPECT_LE(room, kRoom - 59'000);
    FrameReader other;
    other.Bound(&room);
    EXPECT_EQ(begin(&other, 60'000), FrameReader::Event::kFailed);
    EXPECT_EQ(other.close_code(), kCloseTooBig);
    EXPECT_TRUE(other.is_out_of_room());
    // A whole message takes none.
    FrameReader third;
    third.Bound(&room);
    EXPECT_EQ(begin(&third, 200'000), FrameReader::Event::kMessage);
    EXPECT_FALSE(third.is_out_of_room());
    EXPECT_GE(room, 0);
  }
  EXPECT_EQ(room, kRoom);
  FrameReader late;
  late.Bound(&room);
  EXPECT_EQ(begin(&late, 60'000), FrameReader::Event::kNeedMore);
}

TEST(FrameReaderTest, ReadsWhatBeastReads) {
  std::mt19937_64 rng(20'261'124);
  const auto below = [&rng](std::uint64_t n) { return rng() % n; };
  int failures = 0;
  for (int round = 0; round < 1'000; ++round) {
    std::string bytes;
    bool is_fragmented = false;
    for (std::uint64_t frames = 1 + below(6); frames > 0; --frames) {
      if (below(4) == 0) {
        bytes += ServerFrame(below(2) == 0 ? 9 : 10, std::string(below(8), 'c'));
        continue;
      }
      const bool is_final = below(3) > 0;
      std::string payload(below(5) == 0 ? below(400) : below(12), 'a');
      for (char& c : payload) c = static_cast<char>(below(40) == 0 ? 0x80 + below(128) : 'a' + below(26));
      bytes += ServerFrame(is_fragmented ? 0 : 1 + static_cast<int>(below(2)), payload, is_final ? 0x80 : 0);
      is_fragmented = !is_final;
    }
    if (below(3) == 0) bytes[below(bytes.size())] = static_cast<char>(below(256));
    bytes += ServerFrame(10, std::string(16, 'e'));  // Beast judges a header when it has room for a mask
    const std::string expected = ReadAllByBeast(bytes);
    // Beast takes codes that RFC 6455 leaves undefined, 5000 and above.
    if (expected.find("close ") != std::string::npos && expected.substr(expected.rfind("close ") + 6) >= "5") continue;
    failures += expected.find("failed") != std::string::npos ? 1 : 0;
    ASSERT_EQ(ReadAll(bytes, 1 + below(20)), expected) << round;
  }
  EXPECT_GT(failures, 100);
}

TEST(WebSocketTest, AFrameIsMaskedAndInItsShortestForm) {
  for (const std::size_t size : {0u, 1u, 7u, 8u, 125u, 126u, 65'535u, 65'536u}) {
    const std::string payload(size, 'p');
    std::string frame;
    AppendFrame(Opcode::kText, payload, 0x04030201, &frame);
    const std::size_t header = size < 126 ? 2 : size <= 0xffff ? 4 : 10;
    ASSERT_EQ(frame.size(), header + 4 + size);
    EXPECT_EQ(static_cast<unsigned char>(frame[0]), 0x81);
    EXPECT_EQ(static_cast<unsigned char>(frame[1]), 0x80 | (size < 126 ? size : size <= 0xffff ? 126 : 127));
    EXPECT_EQ(frame.substr(header, 4), "\x01\x02\x03\x04");
    for (std::size_t i = 0; i < size; ++i)
      ASSERT_EQ(frame[header + 4 + i], static_cast<char>('p' ^ (i % 4 + 1))) << size << " " << i;
  }
}

// RFC 6455 section 1.3.
const std::string kKey = "dGhlIHNhbXBsZSBub25jZQ==";
const std::string kAnswer =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

TEST(WebSocketTest, TheExampleOfTheStandardUpgrades) {
  const std::string answer = kAnswer + "Sec-WebSocket-Protocol: chat\r\n\r\n";
  for (std::size_t size = 0; size < answer.size(); ++size) {
    const auto upgrade = ReadUpgrade(absl::string_view(answer).substr(0, size), kKey, "superchat, chat");
    ASSERT_OK(upgrade);
    ASSERT_FALSE(upgrade->is_complete);
  }
  const auto upgrade = ReadUpgrade(answer + "frame", kKey, "superchat, chat");
  ASSERT_OK(upgrade);
  EXPECT_TRUE(upgrade->is_complete);
  EXPECT_EQ(upgrade->consumed, answer.size());
}

TEST(WebSocketTest, WhatCanNeverBecomeAnAnswerIsRefusedAtOnce) {
  for (const std::string start : {"\x15", "\x81", "HTTP/2", "I", "HTTP/1.1 10x", "HTTP/1.1 101 x\r\nA "}) {
    ASSERT_OK(ReadUpgrade(start.substr(0, start.size() - 1), kKey, "")) << start;
    const std::string message(ReadUpgrade(start, kKey, "").status().message());
    EXPECT_NE(message.find(absl::StrCat("no HTTP: byte ", start.size(), " is 0x")), std::string::npos) << message;
  }
}

TEST(WebSocketTest, AStatusLineWithoutAReasonGrantsAnUpgradeToo) {
  const std::string answer = absl::StrCat("HTTP/1.1 101\r\nUpgrade: websocket\nConnection: upgrade\r\n",
                                          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
  const auto upgrade = ReadUpgrade(answer + "frame", kKey, "");
  ASSERT_OK(upgrade);
  EXPECT_TRUE(upgrade->is_complete);
  EXPECT_EQ(upgrade->consumed, answer.size());
  EXPECT_EQ(StatusOf(answer), 101u);
}

TEST(WebSocketTest, AnAnswerThatBreaksARuleNamesIt) {
  const auto error = [](const std::string& answer) {
    return std::string(ReadUpgrade(answer, kKey, "chat").status().message());
  };
  EXPECT_EQ(error("HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!"),
            "upgrade refused with status 403 Forbidden");
  EXPECT_NE(error("HTTP/1.1 101 x\r\n\r\n").find("'Upgrade: websocket'"), std::string::npos);
  EXPECT_NE(error("HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n").find("'Connection: Upgrade'"), std::string::npos);
  EXPECT_NE(error("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n")
                .find("does not belong to our key"),
            std::string::npos);
  EXPECT_NE(error(kAnswer + "Sec-WebSocket-Accept: x\r\n\r\n").find("more than once"), std::string::npos);
  EXPECT_NE(error(kAnswer + "Upgrade: h2c\r\n\r\n").find("'Upgrade: websocket'"), std::string::npos);
  std::string old = kAnswer + "\r\n";
  old[7] = '0';
  EXPECT_NE(error(old).find("HTTP/1.0"), std::string::npos) << old;
  EXPECT_NE(error(kAnswer + "Sec-WebSocket-Protocol: other\r\n\r\n").find("'other', which was not offered"),
            std::string::npos);
  EXPECT_NE(error(kAnswer + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n").find("extension"),
            std::string::npos);
  EXPECT_NE(error("garbage\r\n\r\n").find("no HTTP"), std::string::npos);
  EXPECT_NE(error("HTTP/1.1 101 " + std::string(70'000, 'x')).find("64 KiB"), std::string::npos);
}

}  // namespace
}  // namespace tidemark
