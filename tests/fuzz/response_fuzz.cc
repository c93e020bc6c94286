// Responses from a hostile target, in pieces: never more consumed than given, and a known header changes nothing.
#include <cstdint>
#include <string>

#include "agent/exchange/response_parser.h"
#include "common/check.h"

namespace {

using tidemark::KnownHeader;
using tidemark::ResponseParser;

struct Verdict {
  ResponseParser::Result result;
  std::size_t used = 0;
  int status = 0;
};

Verdict Feed(const std::string& text, std::size_t piece, bool is_head, KnownHeader* known) {
  ResponseParser parser;
  parser.Start(is_head);
  Verdict verdict;
  std::string pending;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    pending += text.substr(at, piece);
    verdict.result = parser.Feed(pending, {.max_body_bytes = 1 << 16}, known);
    CHECK(verdict.result.consumed <= pending.size());
    verdict.used += verdict.result.consumed;
    if (verdict.result.progress != ResponseParser::Progress::kNeedMore) break;
    pending.erase(0, verdict.result.consumed);
  }
  if (verdict.result.progress == ResponseParser::Progress::kNeedMore) verdict.result = parser.FeedEnd();
  verdict.status = parser.status();
  return verdict;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t piece = 1 + bytes[0];
  const bool is_head = (bytes[1] & 1) != 0;
  const std::string text(reinterpret_cast<const char*>(bytes + 2), size - 2);
  KnownHeader known;
  Feed(text, piece, is_head, &known);
  KnownHeader none;
  const Verdict parsed = Feed(text, text.size() + 1, is_head, &none);
  KnownHeader same{.block = none.block, .body_bytes = none.body_bytes, .status = none.status, .is_head = none.is_head};
  const Verdict repeated = Feed(text, text.size() + 1, is_head, &same);
  CHECK(parsed.result.progress == repeated.result.progress);
  if (parsed.result.progress == ResponseParser::Progress::kComplete) {
    CHECK(parsed.used == repeated.used && parsed.status == repeated.status);
  }
  return 0;
}
