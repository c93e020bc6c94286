// Frames from a hostile target: read the same however they are cut, within the limit, never beyond what was given.
#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "agent/wire/web_socket.h"
#include "common/check.h"

namespace {

using tidemark::FrameReader;

constexpr std::uint64_t kLimit = 4'096;

std::string Read(absl::string_view bytes, std::size_t piece, bool may_deflate) {
  static auto* const deflate = new tidemark::MessageDeflate;
  FrameReader reader;
  if (may_deflate) reader.AllowDeflate(deflate);
  std::string log;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    absl::string_view left = bytes.substr(at, piece);
    while (true) {
      const FrameReader::Event event = reader.Next(&left, kLimit, true);
      if (event == FrameReader::Event::kNeedMore) break;
      absl::StrAppend(&log, static_cast<int>(event), " ", reader.payload(), "\n");
      CHECK(reader.payload().size() <= kLimit);
      if (event == FrameReader::Event::kClose || event == FrameReader::Event::kFailed)
        return absl::StrCat(log, reader.close_code());
    }
    CHECK(left.empty());
  }
  return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) return 0;
  const absl::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const bool may_deflate = bytes[0] >= 128;
  CHECK(Read(text, 1 + bytes[0] % 32, may_deflate) == Read(text, text.size(), may_deflate));
  static_cast<void>(tidemark::ReadUpgrade(text, "dGhlIHNhbXBsZSBub25jZQ==", "chat", may_deflate));
  return 0;
}
