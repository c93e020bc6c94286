#include "tests/support/wire_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "agent/wire/web_socket.h"
#include "tests/support/random.h"

namespace tidemark {
namespace {

using Kind = WireMark::Kind;
using Way = WireReader::Way;

std::string Said(const WireMark& mark, std::size_t before) {
  static const char* const kNames[] = {"began", "request", "response", "upgrade", "message", "close", "opaque"};
  return std::string(kNames[static_cast<int>(mark.kind)]) + " " + std::to_string(mark.code) + " @" +
         std::to_string(before + mark.offset) + "; ";
}

// What is found in `bytes`, fed in pieces of `draw()` bytes.
template <typename Draw>
std::string Read(Way way, const std::string& bytes, bool is_head, bool is_framed, Draw draw) {
  std::deque<bool> heads;
  if (way == Way::kResponses) heads.assign(8, is_head);
  WireReader reader(way, &heads);
  if (is_framed) reader.ExpectFrames();
  std::string said;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t n = std::min(static_cast<std::size_t>(draw()), bytes.size() - at);
    std::vector<WireMark> marks;
    reader.Feed(absl::string_view(bytes).substr(at, n), &marks);
    for (const WireMark& mark : marks) said += Said(mark, at);
    at += n;
  }
  std::vector<WireMark> marks;
  reader.Finish(&marks);
  for (const WireMark& mark : marks) said += Said(mark, bytes.size());
  return said;
}

struct Row {
  const char* what;
  Way way;
  std::string bytes;
  std::string found;
  bool is_head = false;
  bool is_framed = false;
};

std::string Frame(Opcode opcode, const std::string& payload, std::uint32_t mask) {
  std::string out;
  AppendFrame(opcode, payload, mask, &out);
  return out;
}
std::string CloseFrame(int code) {
  std::string out;
  AppendClose(code, 0xa1b2c3d4, &out);
  return out;
}
std::string Unmasked(int first, const std::string& payload) {
  return std::string({static_cast<char>(first), static_cast<char>(payload.size())}) + payload;
}

std::vector<Row> Rows() {
  const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";  // 27 bytes
  const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
  return {
      {"two requests in a row", Way::kRequests, get + get, "began 0 @0; request 0 @27; began 0 @27; request 0 @54; "},
      {"a request with a body", Way::kRequests, "POST / HTTP/1.1\r\ncontent-length:3\r\n\r\nabc" + get,
       "began 0 @0; request 0 @40; began 0 @40; request 0 @67; "},
      {"a request in chunks", Way::kRequests,
       "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "began 0 @0; request 0 @60; "},
      {"a request that is not whole", Way::kRequests, get.substr(0, 26), "began 0 @0; "},
      {"HTTP/2", Way::kRequests, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "began 0 @0; opaque 0 @18; "},
      {"TLS", Way::kRequests, "\x16\x03\x01 any thing", "opaque 0 @0; "},
      {"a response with a length", Way::kResponses, ok + ok, "response 200 @43; response 200 @86; "},
      {"a field that only ends like one", Way::kResponses,
       "HTTP/1.1 200 OK\r\nX-Content-Length: 900\r\nContent-Length: 0\r\n\r\n", "response 200 @61; "},
      {"chunks with extensions and trailers", Way::kResponses,
       "HTTP/1.1 500 No\r\nTransfer-Encoding: gzip, Chunked\r\n\r\na;x=y\r\n0123456789\r\n0\r\nA: b\r\n\r\n",
       "response 500 @83; "},
      {"interim responses", Way::kResponses, "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + ok, "response 200 @74; "},
      {"no body by its status", Way::kResponses, "HTTP/1.1 204 No Content\r\n\r\n" + ok,
       "response 204 @27; response 200 @70; "},
      {"no body, for it answers HEAD", Way::kResponses, ok.substr(0, 38) + ok.substr(0, 38),
       "response 200 @38; response 200 @76; ", true},
      {"a body until the end", Way::kResponses, "HTTP/1.1 200 OK\r\n\r\nany", "response 200 @22; "},
      {"a body that is not whole", Way::kResponses, ok.substr(0, 42), ""},
      {"no HTTP", Way::kResponses, "\x16\x03garbage", "opaque 0 @0; "},
      {"an upgrade and frames at once", Way::kResponses,
       "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n" + Unmasked(0x81, "hi") + Unmasked(0x89, ""),
       "upgrade 101 @46; message 1 @50; message 9 @52; "},
      {"a message in pieces with a ping between", Way::kResponses,
       Unmasked(0x02, "a") + Unmasked(0x89, "p") + Unmasked(0x00, "b") + Unmasked(0x80, "c"),
       "message 9 @6; message 2 @12; ", false, true},
      {"masked frames of all lengths", Way::kRequests,
       Frame(Opcode::kText, "", 1) + Frame(Opcode::kText, std::string(125, 'x'), 2) +
           Frame(Opcode::kBinary, std::string(126, 'x'), 3) + Frame(Opcode::kBinary, std::string(70'000, 'x'), 4),
       "message 1 @6; message 1 @137; message 2 @271; message 2 @70285; ", false, true},
      {"a close with its code, masked", Way::kRequests, CloseFrame(1000), "close 1000 @8; ", false, true},
      {"a close with its code", Way::kResponses, Unmasked(0x88, std::string("\x03\xf0", 2) + "why"), "close 1008 @7; ",
       false, true},
      {"a close without", Way::kResponses, Unmasked(0x88, ""), "close 1005 @2; ", false, true},
  };
}

TEST(WireReaderTest, FindsEndsHoweverTheBytesAreCut) {
  TIDEMARK_SEEDED(rng);
  for (const Row& row : Rows()) {
    SCOPED_TRACE(row.what);
    EXPECT_EQ(Read(row.way, row.bytes, row.is_head, row.is_framed, [] { return 1 << 20; }), row.found) << "whole";
    for (int i = 0; i < 20; ++i) {
      const std::uint64_t most = i == 0 ? 1 : 1 + rng() % 50;
      const auto draw = [&] { return 1 + rng() % most; };
      EXPECT_EQ(Read(row.way, row.bytes, row.is_head, row.is_framed, draw), row.found) << "pieces of " << most;
    }
  }
}

}  // namespace
}  // namespace tidemark
