// Looks at a header block, or a chunk's header, while it comes: whether it can still become one.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace tidemark {

// Beast, once it has seen a block that is not whole, looks at it again only when its end has come, and at a chunk's
// header only when its line has. This looks at each byte as it comes, and refuses nothing that Beast would take.
// It takes two things that Beast does not, as RFC 9112 allows and other clients do: a status line that ends behind its
// status (section 4: the reason may be empty), and lines that end with LF alone (section 2.2), outside chunks.
// Source: RFC 9112; section numbers are its own.
class HeaderWatch {
 public:
  enum class Verdict : std::uint8_t { kMayGoOn, kBad, kWhole };

  // The bytes to come are those of a response, from its status line on.
  void BeginResponse() { *this = HeaderWatch(); }
  // ... of a chunk's header; of the last chunk's, with the trailers. `is_first`: no end of a chunk's data comes before.
  void BeginChunk(bool is_first);

  // `bytes`: all that has come since it began. After kBad, or kWhole, the answer stays.
  Verdict Look(absl::string_view bytes);

  // Bytes that were looked at: if whole, the block's size; if bad, those before the bad one.
  std::size_t size() const { return at_; }
  // Whether Beast would not take the block as it stands.
  bool IsOdd() const { return is_odd_; }
  // The block at the beginning of `bytes` as Beast takes it. REQUIRES: it is whole, and of a response.
  std::string Plain(absl::string_view bytes) const;

 private:
  enum class State : std::uint8_t {
    kStatusLine,  // up to the space behind the status
    kFieldStart,
    kName,
    kText,  // a reason or a value
    kLineFeed,
    kBlockLineFeed,
    kChunkEnd,  // of the data before
    kChunkEndLineFeed,
    kFirstDigit,
    kDigit,
    kExtension,
    kChunkLineFeed,
    kWhole,
    kBad
  };

  State After(unsigned char byte);
  State AfterBareLineFeed(State next);

  std::size_t at_ = 0;
  std::uint64_t chunk_size_ = 0;
  State state_ = State::kStatusLine;
  bool is_chunk_ = false;
  bool has_field_ = false;  // a line that begins with a space may continue it
  bool is_odd_ = false;
};

}  // namespace tidemark
