#include "agent/wire/message_deflate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "agent/wire/web_socket.h"
#include "tests/support/server_frames.h"

namespace tidemark {
namespace {

constexpr std::uint64_t kLimit = 1 << 20;

TEST(MessageDeflateTest, EveryMessageComesBack) {
  MessageDeflate deflate;
  std::mt19937_64 rng(3);
  for (const std::size_t size : {0u, 1u, 2u, 100u, 1'000u, 16'384u, 100'000u, 1'000'000u}) {
    for (const unsigned letters : {1u, 4u, 256u}) {
      std::string message(size, '\0');
      for (char& c : message) c = static_cast<char>(rng() % letters);
      std::string compressed;
      deflate.Compress(message, &compressed);
      EXPECT_FALSE(compressed.empty());
      absl::string_view back;
      bool is_too_big = false;
      ASSERT_TRUE(deflate.Decompress(compressed, kLimit, &back, &is_too_big)) << size;
      EXPECT_EQ(back, message);
    }
  }
}

// RFC 7692 section 7.2.3: "Hello" in a fixed block, in a stored one, in two blocks, and with the last block marked.
TEST(MessageDeflateTest, TheExamplesOfTheStandard) {
  MessageDeflate deflate;
  for (const std::string& bytes :
       {std::string("\xf2\x48\xcd\xc9\xc9\x07\x00", 7), std::string("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11),
        std::string("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13),
        std::string("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8)}) {
    absl::string_view message;
    bool is_too_big = false;
    ASSERT_TRUE(deflate.Decompress(bytes, kLimit, &message, &is_too_big));
    EXPECT_EQ(message, "Hello");
  }
}

TEST(MessageDeflateTest, ABombAndGarbageAreRefused) {
  MessageDeflate deflate;
  std::string bomb;
  deflate.Compress(std::string(100 << 20, 'x'), &bomb);
  absl::string_view message;
  bool is_too_big = false;
  EXPECT_FALSE(deflate.Decompress(bomb, kLimit, &message, &is_too_big));
  EXPECT_TRUE(is_too_big);
  EXPECT_FALSE(deflate.Decompress("\xff\xff\xff\xff", kLimit, &message, &is_too_big));
  EXPECT_FALSE(is_too_big);
  std::mt19937_64 rng(5);
  for (int i = 0; i < 10'000; ++i) {
    std::string bytes(rng() % 64, '\0');
    for (char& c : bytes) c = static_cast<char>(rng());
    static_cast<void>(deflate.Decompress(bytes, 1'000, &message, &is_too_big));  // it ends
  }
}

TEST(MessageDeflateTest, AServersAnswer) {
  const auto said = [](const std::string& answer) {
    return std::string(MessageDeflate::CheckAnswer(answer).message());
  };
  const std::string good = "permessage-deflate; server_no_context_takeover";
  for (const char* more : {"", "; client_no_context_takeover", ";server_max_window_bits=8",
                           "; Server_Max_Window_Bits=15", "; server_max_window_bits=\"12\""})
    EXPECT_EQ(said(good + more), "") << more;
  // Its messages would depend on each other.
  EXPECT_THAT(said("permessage-deflate"), testing::HasSubstr("without 'server_no_context_takeover'"));
  EXPECT_THAT(said(good + "; client_max_window_bits=9"), testing::HasSubstr("which was not offered"));
  for (const char* bits : {"=16", "=7", "=08", "=", "", "=x"})
    EXPECT_THAT(said(good + "; server_max_window_bits" + bits), testing::HasSubstr("no number from 8 to 15")) << bits;
  EXPECT_THAT(said(good + "; server_no_context_takeover"), testing::HasSubstr("twice"));
  EXPECT_THAT(said(good + "; client_no_context_takeover=1"), testing::HasSubstr("takes no value"));
  EXPECT_EQ(said(good + "," + good), "the server answered permessage-deflate more than once");
  for (const std::string& other :
       {std::string("x-webkit-deflate-frame"), std::string(), good + ", foo", "foo, " + good})
    EXPECT_EQ(said(other), "the server chose an extension that was not offered") << other;
}

TEST(MessageDeflateTest, CompressedFramesInPieces) {
  MessageDeflate deflate;
  std::string compressed;
  deflate.Compress("gr\xc3\xbc\xc3\x9f dich", &compressed);
  const std::string bytes = ServerFrame(1, compressed.substr(0, 3), 0x40) + ServerFrame(9, "p") +
                            ServerFrame(0, compressed.substr(3)) + ServerFrame(1, "plain");
  FrameReader reader;
  reader.AllowDeflate(&deflate);
  std::string log;
  for (const char c : bytes) {
    absl::string_view left(&c, 1);
    const FrameReader::Event event = reader.Next(&left, kLimit, true);
    if (event == FrameReader::Event::kMessage) log += std::string(reader.payload()) + "|";
  }
  EXPECT_EQ(log, "gr\xc3\xbc\xc3\x9f dich|plain|");
  const auto end_of = [&deflate](std::string frames) {
    FrameReader other;
    other.AllowDeflate(&deflate);
    absl::string_view left(frames);
    return other.Next(&left, kLimit, true) == FrameReader::Event::kFailed ? other.close_code() : 0;
  };
  EXPECT_EQ(end_of(ServerFrame(9, "p", 0xc0)), kCloseProtocolError);  // a control frame is never compressed
  EXPECT_EQ(end_of(ServerFrame(1, "\xff\xff\xff", 0xc0)), kCloseBadPayload);
  std::string bad_text;
  deflate.Compress("\xff", &bad_text);
  EXPECT_EQ(end_of(ServerFrame(1, bad_text, 0xc0)), kCloseBadPayload);
}

}  // namespace
}  // namespace tidemark
